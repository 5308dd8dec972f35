//! Orders by the hundred thousand, permitted and closed or refused, written into the ledger of a house that was just founded: a past for pages to
//! show. And what has to stand out among them: bots that were stopped, applications and proposals that wait.

use anyhow::Context as _;
use ca_core::events::ApplicationSubmitted;
use extensions::{
    AgentId, Clock as _, Decimal, Digest, GatewayId, MandateId, OfficerId, OwnerId, Record, Region, Serial,
};
use gateway_policy::{
    CertificateUsed, CloseCause, Code, DecisionKind, FailedCheck, Known, OrderDecided, OrderKind, OrderOutcome,
    OrderTerms, OutcomeState, Proof, Side, TimeInForce, Validity, View,
};
use ledger::{Append, Pending, Writer};
use mandatum::clock::SystemClock;
use revocation_core::{
    Actor, IncidentOpened, RevocationReason,
    incident::{IncidentCause, Trigger, incident_of},
    standing::AgentRevoked,
};

use super::{crowd::Event, papers, venue};

/// Appends that wait at once.
const AT_ONCE: usize = 512;
/// Entries that an agent of the crowd has before its first order: registration, and its baseline proposed and approved.
const BEFORE: u64 = 3;
/// One order in so many is refused.
const REFUSED: usize = 50;
/// One order in so many is of the first agent.
const BUSY: usize = 10;
/// Agents that were stopped, and applications that wait.
const WAITING: usize = 50;

/// Lets `agents` send `orders` in all.
pub(super) async fn trade(writer: &Writer, agents: usize, orders: usize) -> anyhow::Result<()> {
    let mut pending = Vec::with_capacity(AT_ONCE);
    if orders == 0 || agents == 0 {
        return Ok(());
    }
    let mut next = vec![BEFORE; agents];
    for order in 0..orders {
        let place = if order % BUSY == 0 { 0 } else { order % agents };
        let agent = AgentId::new(&format!("crowd-{place}"))?;
        let decided = decided(agent, order)?;
        let permitted = decided.decision == DecisionKind::Permit;
        let id = decided.order.client_order_id;
        queue(writer, &mut pending, &decided).await?;
        if permitted {
            let closed = OrderOutcome {
                agent,
                client_order_id: id,
                order: next[place],
                state: OutcomeState::Closed {
                    executed: Decimal::from(0),
                    venue_reference: None,
                    why: CloseCause::Expired,
                },
            };
            queue(writer, &mut pending, &closed).await?;
            next[place] += 1;
        }
        next[place] += 1;
    }
    for place in 0..WAITING.min(agents / 2) {
        waits(writer, &mut pending, agents - 1 - place, next[agents - 1 - place]).await?;
    }
    for one in pending {
        one.await?;
    }
    Ok(())
}

async fn queue(writer: &Writer, pending: &mut Vec<Pending<Event>>, record: &dyn Record) -> anyhow::Result<()> {
    if pending.len() >= AT_ONCE {
        for one in pending.drain(..) {
            one.await?;
        }
    }
    let append = Append::next(Event::of(record), SystemClock.now());
    pending.push(
        writer
            .queue(append)
            .map_err(|full| anyhow::anyhow!("{}", full.reason))?,
    );
    Ok(())
}

/// A bot that was stopped, and an application of it that waits.
async fn waits(writer: &Writer, pending: &mut Vec<Pending<Event>>, place: usize, number: u64) -> anyhow::Result<()> {
    let agent = AgentId::new(&format!("crowd-{place}"))?;
    let incident = incident_of(&agent, Trigger::Decision(number));
    let revoked = AgentRevoked {
        agent,
        by: Actor::Scorer,
        incident: Some(incident),
        reason: RevocationReason::PrivilegeWithdrawn,
        score: None,
    };
    let opened = IncidentOpened {
        agent,
        by: Actor::Scorer,
        cause: IncidentCause::Score,
        incident,
    };
    let (mandate, owner) = (MandateId::new(&format!("n-{agent}"))?, OwnerId::new("desk")?);
    let document = papers::document(agent, mandate, owner)?;
    let asked = ApplicationSubmitted {
        agent,
        applicant: OfficerId::new("ada")?,
        document_digest: document.digest(),
        document,
        expires_at: SystemClock.now().plus_seconds(86_400),
        mandate,
        narrowed_by: None,
        nonce: Digest::of(mandate.as_str().as_bytes()),
        owner,
        revision: 1,
        sealed: Vec::new(),
    };
    let records: [&dyn Record; 3] = [&revoked, &opened, &asked];
    for record in records {
        queue(writer, pending, record).await?;
    }
    Ok(())
}

fn decided(agent: AgentId, number: usize) -> anyhow::Result<OrderDecided> {
    let now = SystemClock.now();
    let price = Decimal::parse(venue::PRICE)?;
    let refused = number % REFUSED == 1;
    let quantity = Decimal::parse(if refused { "900" } else { "0.5" })?;
    let notional = quantity.checked_mul(price);
    let order = OrderTerms {
        client_order_id: format!("order-{number}").parse()?,
        counterparty: "exchange_b".parse()?,
        currency: "EUR".parse()?,
        instrument: "ETH_EUR".parse()?,
        price: Some(price),
        quantity,
        reduce_only: false,
        side: Side::Buy,
        stop_price: None,
        time_in_force: TimeInForce::Gtc,
        kind: OrderKind::Limit,
    };
    let checks = refused.then(|| FailedCheck {
        code: Code::MaxNotional,
        change: "send a smaller quantity".to_owned(),
        limit: "EUR 20000 for one order".to_owned(),
        observed: "more".to_owned(),
    });
    Ok(OrderDecided {
        agent,
        body: Digest::default(),
        certificate: CertificateUsed {
            fingerprint: Digest::default(),
            not_after: now.plus_seconds(3_600),
            not_before: now,
            serial: Serial::new([1; 18]).context("a serial")?,
            validity: Validity::Current,
        },
        checks: checks.into_iter().collect(),
        counts_executions: false,
        counts_loss: false,
        decision: if refused {
            DecisionKind::Refusal
        } else {
            DecisionKind::Permit
        },
        exposure: None,
        folded_to: None,
        gateway: GatewayId::new("gw-1")?,
        known: Known::New,
        list: None,
        mandate: None,
        notional,
        order,
        overridden: None,
        plan: None,
        proof: Proof::NotRequired,
        reasoning: None,
        reduction: false,
        reference: None,
        reference_max_age_ms: 5_000,
        region: Some(Region::new("eu-west-1")?),
        score: None,
        score_use: None,
        send_within_ms: 250,
        signed_by: None,
        signed_request: None,
        state: None,
        view: View::Fresh,
    })
}
