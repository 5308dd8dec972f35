//! The bypass detector: what the venue lists as traded under our credential, matched against what was permitted. A trade of an order that no
//! permit explains means that somebody else holds the key; officers are told of each, once.

use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, PoisonError},
};

use extensions::{Clock as _, Counterparty, Instrument, StreamId, StreamKind, Timestamp};
use gateway_policy::{AgentEvent, DecisionKind, OrderDecided, OutcomeState, Side, VenueOrderId as PermitId};
use ledger::events::{ForeignTrade, GatewayEvent, TradesRead};

use super::reconcile::record;
use crate::{
    gateway::Gateway,
    metrics::Metrics,
    venue::{Doubt, ExecutionId, OrderReport, Trade, Venue, VenueClientId, VenueOrderId},
};

/// Instruments whose trades are asked for in one look: the venue counts each question.
const MOST_INSTRUMENTS: usize = 4;
/// Pages of one instrument's trades that are read in one look.
const MOST_PAGES: usize = 4;
/// Orders that are asked for by the venue's own id in one look.
const MOST_QUESTIONS: usize = 8;
/// Entries from a permit on in which the venue's answer to it is looked for.
const OUTCOME_SCAN: usize = 1_024;
/// How often it is written down how far an instrument's trades were read.
const MARKED_EVERY: i64 = 600;
/// The newest entries of this gateway's stream in which those marks are looked for at a start.
const MARKS_SCAN: u64 = 4_096;
/// Orders of ours that are known by the venue's id; further ones push the oldest out, and are asked for.
const MOST_KNOWN: usize = 65_536;

type Reference = (Counterparty, VenueOrderId);

/// The venue's own ids of orders that permits explain. Two generations, so that a full one forgets nothing that came a moment ago.
#[derive(Debug, Default)]
pub struct Explained(Mutex<[HashSet<Reference>; 2]>);

impl Explained {
    /// Takes note of the venue's id of an order of ours.
    pub fn insert(&self, counterparty: Counterparty, id: VenueOrderId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known[0].len() >= MOST_KNOWN {
            known[1] = mem::take(&mut known[0]);
        }
        known[0].insert((counterparty, id));
    }

    fn contains(&self, counterparty: Counterparty, id: VenueOrderId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().any(|generation| generation.contains(&(counterparty, id)))
    }
}

/// Where one watch has read to.
#[derive(Default)]
pub(super) struct Bypass {
    /// The newest trade of each instrument that is explained or told.
    read_to: HashMap<Instrument, ExecutionId>,
    /// The instrument whose turn is next.
    turn: usize,
    /// When this ledger began: what traded earlier is not its to explain.
    began: Option<Timestamp>,
    /// When it was written down last how far an instrument was read, and how far.
    marked: HashMap<Instrument, (Timestamp, ExecutionId)>,
}

impl Bypass {
    /// Looks at what has traded since the last look.
    pub(super) async fn look(&mut self, gateway: &Gateway, counterparty: Counterparty, venue: &dyn Venue) {
        let Some(began) = self.began(gateway, counterparty).await else {
            return;
        };
        let instruments = venue.instruments();
        let mut questions = MOST_QUESTIONS;
        for _ in 0..instruments.len().min(MOST_INSTRUMENTS) {
            let instrument = instruments[self.turn % instruments.len()];
            self.turn = (self.turn + 1) % instruments.len();
            for _ in 0..MOST_PAGES {
                let after = self.read_to.get(&instrument).copied();
                let Ok(trades) = venue.trades(instrument, after).await else {
                    break;
                };
                let new = trades.iter().filter(|trade| trade.at >= began);
                let looking = Looking {
                    gateway,
                    counterparty,
                    venue,
                };
                let Ok(()) = looking.explain(new, &mut questions).await.map_err(|read_to| {
                    self.read_to.extend(read_to.map(|id| (instrument, id)));
                }) else {
                    break;
                };
                let Some(last) = trades.last() else { break };
                self.read_to.insert(instrument, last.execution_id);
            }
            self.mark(gateway, counterparty, instrument);
        }
    }

    /// When the ledger began; at the first look with it how far trades were read before this start, so that none is passed over that came while
    /// nobody looked.
    async fn began(&mut self, gateway: &Gateway, counterparty: Counterparty) -> Option<Timestamp> {
        if self.began.is_none() {
            let first = gateway.ledger.read_range(0, 1).await.ok()?;
            let stream = StreamId::new(StreamKind::Gateway, gateway.settings.id.as_str()).ok()?;
            let from = gateway.ledger.stream_next(&stream).saturating_sub(MARKS_SCAN);
            let own = gateway
                .ledger
                .read_stream(&stream, from, MARKS_SCAN as usize)
                .await
                .ok()?;
            for entry in own {
                if let Some(Ok(GatewayEvent::TradesRead(read))) = GatewayEvent::decode(&entry.kind, entry.body())
                    && read.counterparty == counterparty
                    && let Some(execution) = ExecutionId::new(&read.execution)
                {
                    self.read_to.insert(read.instrument, execution);
                    self.marked.insert(read.instrument, (entry.at, execution));
                }
            }
            self.began = first.first().map(|entry| entry.recorded_at.min(entry.at));
        }
        self.began
    }

    /// Writes down how far an instrument was read, now and then.
    fn mark(&mut self, gateway: &Gateway, counterparty: Counterparty, instrument: Instrument) {
        let Some(execution) = self.read_to.get(&instrument).copied() else {
            return;
        };
        let now = gateway.clock.now();
        let due = |(at, marked): &(Timestamp, ExecutionId)| {
            *marked != execution && now.micros_since(*at) >= MARKED_EVERY * 1_000_000
        };
        if !self.marked.get(&instrument).is_none_or(due) {
            return;
        }
        self.marked.insert(instrument, (now, execution));
        let read = TradesRead {
            counterparty,
            execution: execution.to_string(),
            gateway: gateway.settings.id,
            instrument,
        };
        let id = format!("trades-read-{counterparty}-{instrument}-{execution}");
        record(gateway, GatewayEvent::TradesRead(read), id);
    }
}

/// The venue's own id of an order, where its answer told it.
fn reference_of(state: OutcomeState) -> Option<String> {
    match state {
        OutcomeState::Accepted { venue_reference } => Some(venue_reference),
        OutcomeState::Closed { venue_reference, .. } => venue_reference,
        _ => None,
    }
}

/// What stands behind a trade.
enum Behind {
    /// An order that we permitted.
    Permit,
    /// One that nobody did; under which id, as far as the venue tells.
    Nobody(Option<VenueClientId>),
}

struct Looking<'a> {
    gateway: &'a Gateway,
    counterparty: Counterparty,
    venue: &'a dyn Venue,
}

impl Looking<'_> {
    /// Explains or tells each of these; one that has to wait for the next look ends it, with the last one before it.
    async fn explain<'t>(
        &self,
        trades: impl Iterator<Item = &'t Trade>,
        questions: &mut usize,
    ) -> Result<(), Option<ExecutionId>> {
        let (mut last, mut foreign) = (None, HashMap::new());
        for trade in trades {
            let id = trade.venue_order_id;
            let known = self.gateway.explained.contains(self.counterparty, id) || foreign.contains_key(&id);
            if !known {
                *questions = questions.checked_sub(1).ok_or(last)?;
                match self.ask(trade).await.map_err(|_| last)? {
                    Behind::Permit => self.gateway.explained.insert(self.counterparty, id),
                    Behind::Nobody(client) => drop(foreign.insert(id, client)),
                }
            }
            if let Some(client) = foreign.get(&id)
                && !self.tell(trade, *client)
            {
                return Err(last);
            }
            last = Some(trade.execution_id);
        }
        Ok(())
    }

    /// Asks the venue which order a trade is of, and the ledger who permitted it.
    async fn ask(&self, trade: &Trade) -> Result<Behind, Doubt> {
        let found = self.venue.order_of(trade.instrument, &trade.venue_order_id).await?;
        Ok(match self.permitted(trade, found.as_ref()).await? {
            true => Behind::Permit,
            false => Behind::Nobody(found.and_then(|order| order.client_id)),
        })
    }

    /// Whether a permit explains the order of a trade: it stands under an id that the permit derived, is what was permitted, and is the very order
    /// that the venue gave the permit, as far as its answer was recorded. Venues want ids unique among open orders alone: who holds the credential
    /// may use that of a closed one again.
    async fn permitted(&self, trade: &Trade, order: Option<&OrderReport>) -> Result<bool, Doubt> {
        let named = order.and_then(|order| Some((order, PermitId::parse(order.client_id?.as_str())?)));
        let Some((order, id)) = named else { return Ok(false) };
        let slots = self.gateway.slots();
        let Some(slot) = slots.iter().find(|slot| id.belongs_to(&slot.agent)) else {
            return Ok(false);
        };
        // The permit was recorded before the order was sent, so it is there.
        let entries = self
            .gateway
            .ledger
            .read_stream(slot.stream(), id.number(), OUTCOME_SCAN)
            .await;
        let entries = entries.map_err(|_| Doubt::Broken)?;
        let mut events = entries
            .iter()
            .map(|entry| AgentEvent::decode(&entry.kind, entry.body()));
        let same = |decided: &OrderDecided| {
            let terms = &decided.order;
            decided.decision == DecisionKind::Permit
                && terms.counterparty == self.counterparty
                && terms.instrument == order.instrument
                && terms.quantity == order.quantity
                && (terms.side == Side::Buy) == trade.bought
        };
        let permitted = matches!(events.next(), Some(Ok(AgentEvent::Decided(decided))) if same(&decided));
        let mut given = events.filter_map(|event| match event {
            Ok(AgentEvent::Outcome(outcome)) if outcome.order == id.number() => reference_of(outcome.state),
            _ => None,
        });
        Ok(permitted && given.all(|reference| reference == order.venue_order_id.as_str()))
    }

    /// Whether it is on its way into the record. What is not is looked at again, and nothing behind it counts as read.
    fn tell(&self, trade: &Trade, client: Option<VenueClientId>) -> bool {
        let (gateway, counterparty) = (self.gateway, self.counterparty);
        let told = ForeignTrade {
            client_id: client.map(|id| id.to_string()),
            counterparty,
            execution: trade.execution_id.to_string(),
            gateway: gateway.settings.id,
            instrument: trade.instrument,
            price: trade.price,
            quantity: trade.quantity,
            side: if trade.bought { Side::Buy } else { Side::Sell },
            traded_at: trade.at,
            venue_reference: trade.venue_order_id.to_string(),
        };
        let id = format!(
            "foreign-trade-{counterparty}-{}-{}",
            trade.instrument, trade.execution_id
        );
        Metrics::count(&gateway.metrics.foreign_trades);
        tracing::error!(%counterparty, trade = %trade.execution_id, "a trade under our credential that no permit explains");
        record(gateway, GatewayEvent::ForeignTrade(told), id)
    }
}
