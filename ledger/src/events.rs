//! Every kind of entry there is, decoded by its name: the one place where the events of the five pure crates meet.

use extensions::canonical::{self, CanonicalError};
use gateway_policy::AgentEvent;
use thiserror::Error;

use crate::{
    append::CommittedEntry,
    keys::{CheckpointKeyAuthorised, LedgerStarted},
};

mod gateway;

pub use gateway::{DoubtUnresolved, ForeignOrder, ForeignTrade, GatewayEvent, GatewayRun, TradesRead};

/// Any event of the log. Fold it with the crate it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "events are read one at a time and folded away at once"
)]
pub enum Event {
    /// The ledger began.
    LedgerStarted(LedgerStarted),
    /// A writer's key may sign checkpoints.
    CheckpointKeyAuthorised(CheckpointKeyAuthorised),
    /// Whatever moves an agent's state: orders, outcomes, fills, standing, warnings, the baseline in force.
    Agent(AgentEvent),
    /// Incidents.
    Incident(revocation_core::incident::IncidentEvent),
    /// What became of a halt's cancels.
    HaltReported(revocation_core::HaltReported),
    /// Decisions of the house.
    House(revocation_core::HouseEvent),
    /// Calendar jobs.
    Job(revocation_core::JobEvent),
    /// Webhook deliveries.
    Delivery(revocation_core::jobs::DeliveryEvent),
    /// Webhook subscriptions that officers signed.
    Webhook(revocation_core::webhooks::WebhookEvent),
    /// Agents, officers, applications, certificates.
    Authority(ca_core::events::Event),
    /// History imported for learning.
    ObservationsImported(anomaly::ObservationsImported),
    /// A fitted baseline, without force.
    BaselineProposed(anomaly::BaselineProposed),
    /// A gateway process started or stopped, or has found what officers have to look at.
    Gateway(GatewayEvent),
}

/// Why an entry is no event.
#[derive(Debug, Error)]
pub enum EventError {
    /// A kind that this version does not know.
    #[error("the kind {0:?} is not known to this version")]
    UnknownKind(String),
    /// A known kind with another body.
    #[error("the body of {kind}: {error}")]
    Body {
        /// The kind.
        kind: String,
        /// What is wrong.
        error: CanonicalError,
    },
}

impl Event {
    /// Reads the event of an entry.
    ///
    /// # Errors
    /// When the kind is unknown or the body is not its canonical form.
    pub fn of(entry: &CommittedEntry) -> Result<Self, EventError> {
        Self::decode(&entry.kind, entry.body())
    }

    /// Reads a body by its kind.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn decode(kind: &str, body: &[u8]) -> Result<Self, EventError> {
        let decoded = own(kind, body)
            .or_else(|| ca_core::events::Event::decode(kind, body).map(|event| event.map(Self::Authority)))
            .or_else(|| revocation(kind, body))
            .or_else(|| agent(kind, body));
        match decoded {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(EventError::Body {
                kind: kind.to_owned(),
                error,
            }),
            None => Err(EventError::UnknownKind(kind.to_owned())),
        }
    }
}

type Decoded = Option<Result<Event, CanonicalError>>;

fn own(kind: &str, body: &[u8]) -> Decoded {
    if let Some(event) = GatewayEvent::decode(kind, body) {
        return Some(event.map(Event::Gateway));
    }
    Some(match kind {
        LedgerStarted::KIND => canonical::from_slice(body).map(Event::LedgerStarted),
        CheckpointKeyAuthorised::KIND => canonical::from_slice(body).map(Event::CheckpointKeyAuthorised),
        "observations.imported" => canonical::from_slice(body).map(Event::ObservationsImported),
        "baseline.proposed" => canonical::from_slice(body).map(Event::BaselineProposed),
        revocation_core::HaltReported::KIND => canonical::from_slice(body).map(Event::HaltReported),
        _ => return None,
    })
}

fn revocation(kind: &str, body: &[u8]) -> Decoded {
    use revocation_core::{HouseEvent, JobEvent, incident::IncidentEvent, jobs::DeliveryEvent, webhooks::WebhookEvent};
    HouseEvent::decode(kind, body)
        .map(|event| event.map(Event::House))
        .or_else(|| JobEvent::decode(kind, body).map(|event| event.map(Event::Job)))
        .or_else(|| DeliveryEvent::decode(kind, body).map(|event| event.map(Event::Delivery)))
        .or_else(|| IncidentEvent::decode(kind, body).map(|event| event.map(Event::Incident)))
        .or_else(|| WebhookEvent::decode(kind, body).map(|event| event.map(Event::Webhook)))
}

fn agent(kind: &str, body: &[u8]) -> Decoded {
    match AgentEvent::decode(kind, body) {
        Ok(AgentEvent::Other) => None,
        other => Some(other.map(Event::Agent)),
    }
}

/// Fuzz target: any body of any kind is an event or a clear error.
pub fn fuzz_event(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    if let (Some(kind), Some(body)) = (parts.next(), parts.next())
        && let Ok(kind) = std::str::from_utf8(kind)
    {
        let _ = Event::decode(kind, body);
    }
}

#[cfg(test)]
mod tests {
    use extensions::Record;

    use super::*;

    fn round_trip(record: &dyn Record) -> Event {
        let mut body = Vec::new();
        record.write_body(&mut body);
        Event::decode(record.kind(), &body).expect("decodes")
    }

    #[test]
    fn own_kinds_round_trip_and_are_canonical() {
        let started = LedgerStarted {
            ledger_id: "house-1".into(),
            ledger_root: crate::PublicKey([3; 32]),
        };
        assert_eq!(round_trip(&started), Event::LedgerStarted(started.clone()));
        let authorised = crate::tests::authorise(&crate::tests::key("gateway-1", 1));
        assert_eq!(
            round_trip(&authorised),
            Event::CheckpointKeyAuthorised(authorised.clone())
        );
        let run = GatewayEvent::Started(GatewayRun {
            gateway: extensions::GatewayId::new("gateway-1").expect("id"),
        });
        assert_eq!(round_trip(&run), Event::Gateway(run.clone()));
        let doubt = GatewayEvent::DoubtUnresolved(DoubtUnresolved {
            agent: "mm-1".parse().expect("id"),
            client_order_id: "o-1".parse().expect("id"),
            counterparty: "exchange_a".parse().expect("name"),
            gateway: "gateway-1".parse().expect("id"),
            instrument: "BTC_EUR".parse().expect("name"),
            order: 7,
            since: extensions::Timestamp::from_seconds(1),
        });
        assert_eq!(round_trip(&doubt), Event::Gateway(doubt.clone()));
        let foreign = GatewayEvent::ForeignOrder(ForeignOrder {
            client_id: Some("by-hand".into()),
            counterparty: "exchange_a".parse().expect("name"),
            gateway: "gateway-1".parse().expect("id"),
            instrument: "BTC_EUR".parse().expect("name"),
            quantity: "0.5".parse().expect("amount"),
            venue_reference: "28".into(),
        });
        assert_eq!(round_trip(&foreign), Event::Gateway(foreign.clone()));
        let trade = GatewayEvent::ForeignTrade(ForeignTrade {
            client_id: None,
            counterparty: "exchange_a".parse().expect("name"),
            execution: "7".into(),
            gateway: "gateway-1".parse().expect("id"),
            instrument: "BTC_EUR".parse().expect("name"),
            price: "100".parse().expect("amount"),
            quantity: "0.5".parse().expect("amount"),
            side: gateway_policy::Side::Sell,
            traded_at: extensions::Timestamp::from_seconds(1),
            venue_reference: "28".into(),
        });
        assert_eq!(round_trip(&trade), Event::Gateway(trade.clone()));
        let read = GatewayEvent::TradesRead(TradesRead {
            counterparty: "exchange_a".parse().expect("name"),
            execution: "7".into(),
            gateway: "gateway-1".parse().expect("id"),
            instrument: "BTC_EUR".parse().expect("name"),
        });
        assert_eq!(round_trip(&read), Event::Gateway(read.clone()));
    }

    #[test]
    fn unknown_kinds_and_bodies_are_told_apart() {
        assert!(matches!(
            Event::decode("order.dreamt", b"{}"),
            Err(EventError::UnknownKind(_))
        ));
        for kind in [
            "ledger.started",
            "order.decided",
            "agent.frozen",
            "house.frozen",
            "crl.published",
        ] {
            assert!(
                matches!(Event::decode(kind, b"{}"), Err(EventError::Body { .. })),
                "{kind}"
            );
        }
    }

    /// Every kind of every crate is reached.
    #[test]
    fn every_kind_is_known() {
        let families: [&[&str]; 8] = [
            &[revocation_core::HaltReported::KIND],
            ca_core::events::Event::KINDS,
            AgentEvent::KINDS,
            revocation_core::StandingEvent::KINDS,
            revocation_core::HouseEvent::KINDS,
            revocation_core::JobEvent::KINDS,
            revocation_core::incident::IncidentEvent::KINDS,
            revocation_core::jobs::DeliveryEvent::KINDS,
        ];
        for kind in families.into_iter().flatten() {
            let decoded = Event::decode(kind, b"null");
            assert!(matches!(decoded, Err(EventError::Body { .. })), "{kind}");
        }
    }
}
