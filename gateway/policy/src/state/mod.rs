//! The state of one agent: a fold over its stream, bounded and pure (ARCHITECTURE §2).
//!
//! [`AgentState::apply`] cannot fail: what makes no sense in a state leaves it as it was, or marks it so that less is permitted.
//! The same entries give the same state and the same [`digest`](AgentState::digest) everywhere, so a snapshot may stand in for
//! the entries before it when its digest matches the recorded one.
//!
//! The day's value counts what filled at the price reserved or worse, and what open orders may still fill. It runs on orders:
//! a permit counts at once, and is released when the venue's final state is known.

mod fold;
mod left;
mod losses;
mod money;
mod open;
mod overrides;
mod plan;
mod positions;
mod rates;
mod recent;

use anomaly::ScorerState;
use extensions::{AgentId, ClientOrderId, Currency, Decimal, Digest, Instrument, Serial, Timestamp, canonical};
use revocation_core::{Standing, StandingState};
use serde::{Deserialize, Serialize};

pub use left::BoundLeft;
pub use open::{MOST_OPEN_ORDERS, OpenMark, OpenOrder};
pub use positions::Position;
pub use recent::RECENT_ORDERS;

pub(crate) use fold::reserved_by;
pub(crate) use money::value_of;

use crate::{
    events::{FailedCheck, Known},
    order::{OrderTerms, Side, VenueOrderId},
};

/// Every how many entries of a stream a digest of the state is due.
pub const DIGEST_EVERY: u64 = 256;

/// Where an entry stands: its number in the agent's stream and when it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryAt {
    /// The number in the stream.
    pub number: u64,
    /// The entry's `at`, by the decision clock.
    pub at: Timestamp,
}

/// The state of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentState {
    agent: AgentId,
    day: money::DayNotional,
    /// A multiple of [`DIGEST_EVERY`] was passed and no entry has carried the digest since.
    digest_due: bool,
    /// Orders that traded since officers last let the agent go on. None, and no member of the canonical form, until an order's mandate bounds
    /// them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    executed: Option<u64>,
    executions: recent::RecentExecutions,
    /// More open orders than there is room for, or a permit that could not be: a log no gateway of ours writes. Nothing is
    /// permitted.
    faulty: bool,
    /// None, and no member of the canonical form, until an order's mandate caps the day's loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    losses: Option<losses::Losses>,
    /// The number of the next entry.
    next: u64,
    open: Vec<OpenOrder>,
    /// No member of the canonical form while there are none.
    #[serde(default, skip_serializing_if = "overrides::Overrides::is_empty")]
    overrides: overrides::Overrides,
    positions: positions::Positions,
    rates: rates::RateCounters,
    recent: recent::RecentOrders,
    scorer: ScorerState,
    standing: StandingState,
    venue_prefix: [u8; 8],
}

/// Why bytes are not a snapshot to start from.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not the canonical form of a state.
    #[error("the snapshot is {0}")]
    Unreadable(#[from] canonical::CanonicalError),
    /// Of another shape than this build writes.
    #[error("the snapshot has another shape than this version's; fold from the start instead")]
    Shape,
    /// Its digest is not the recorded one.
    #[error("the snapshot's digest is {found}, the ledger says {expected}")]
    Digest {
        /// What the ledger says.
        expected: Digest,
        /// What the bytes give.
        found: Digest,
    },
}

impl AgentState {
    /// The state of an agent whose stream is empty.
    #[must_use]
    pub fn new(agent: AgentId) -> Self {
        Self {
            venue_prefix: VenueOrderId::prefix_of(&agent),
            agent,
            day: money::DayNotional::default(),
            digest_due: false,
            executed: None,
            executions: recent::RecentExecutions::default(),
            faulty: false,
            losses: None,
            next: 0,
            open: Vec::new(),
            overrides: overrides::Overrides::default(),
            positions: positions::Positions::default(),
            rates: rates::RateCounters::default(),
            recent: recent::RecentOrders::default(),
            scorer: ScorerState::NEW,
            standing: StandingState::default(),
        }
    }

    /// The agent.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.agent
    }

    /// The number the next entry will have.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The number of the last entry folded; none before the first.
    #[must_use]
    pub fn folded_to(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Whether the next `order.decided` carries the digest.
    #[must_use]
    pub fn digest_due(&self) -> bool {
        self.digest_due
    }

    /// The standing as its events say it.
    #[must_use]
    pub fn standing(&self) -> &StandingState {
        &self.standing
    }

    /// The standing at `now`: a warning whose deadline has passed is the mandate's default, whoever is or is not alive.
    #[must_use]
    pub fn standing_at(&self, now: Timestamp) -> Standing {
        self.standing.effective(now)
    }

    /// Whether the certificate was revoked on its own.
    #[must_use]
    pub fn certificate_revoked(&self, serial: &Serial, not_before: Timestamp, not_after: Timestamp) -> bool {
        self.standing.certificate_revoked(serial, not_before, not_after)
    }

    /// The scorer's accumulators.
    #[must_use]
    pub fn scorer(&self) -> &ScorerState {
        &self.scorer
    }

    /// The orders that are, or may be, open at the venue, oldest first.
    #[must_use]
    pub fn open_orders(&self) -> &[OpenOrder] {
        &self.open
    }

    /// How many orders are, or may be, open at the venue: what waits for late fills alone is not among them.
    #[must_use]
    pub fn may_rest(&self) -> usize {
        self.open.iter().filter(|open| open.may_rest()).count()
    }

    /// One open order, by the bot's id.
    #[must_use]
    pub fn open_order(&self, id: &ClientOrderId) -> Option<&OpenOrder> {
        self.open.iter().find(|open| open.order.client_order_id == *id)
    }

    /// The id an entry of this agent goes, or went, to the venue under.
    #[must_use]
    pub fn venue_order_id(&self, number: u64) -> VenueOrderId {
        VenueOrderId::from_prefix(self.venue_prefix, number)
    }

    /// What the state itself knows of an order id: the recent ones. The entry's number comes with it.
    #[must_use]
    pub fn known(&self, id: &ClientOrderId, body: &Digest) -> (Known, Option<u64>) {
        match self.recent.find(id) {
            None => (Known::New, None),
            Some((number, seen)) if seen == *body => (Known::SameBody, Some(number)),
            Some((number, _)) => (Known::OtherBody, Some(number)),
        }
    }

    /// The entry number from which on the state remembers every order id; `None` while it remembers all. An index that is
    /// behind this must be caught up before the next order is decided.
    #[must_use]
    pub fn remembers_from(&self) -> Option<u64> {
        self.recent.complete_from()
    }

    /// The day's value in a unit: filled today and reserved by open orders; `None` when a sum left its range (refuse).
    #[must_use]
    pub fn day_notional(&self, unit: &Currency, now: Timestamp) -> Option<Decimal> {
        self.day.total(unit, now)
    }

    /// The realised loss of the day in a unit, below zero for a gain: fills at average cost, counted from the first order on whose mandate
    /// caps it; `None` when it cannot be told (refuse).
    #[must_use]
    pub fn day_loss(&self, unit: &Currency, now: Timestamp) -> Option<Decimal> {
        let losses = self.losses.as_ref();
        losses.map_or(Some(Decimal::ZERO), |losses| losses.of(unit, now))
    }

    /// The orders that traded since officers last resumed or reinstated the agent, counted from the first order on whose mandate bounds them.
    #[must_use]
    pub fn executed(&self) -> u64 {
        self.executed.unwrap_or(0)
    }

    /// The number of the override by which an order with these terms passes, although all of this failed; none when nothing did.
    #[must_use]
    pub fn overrides(&self, order: &OrderTerms, failed: &[FailedCheck], now: Timestamp) -> Option<u64> {
        self.overrides.of(order, failed, now)
    }

    /// The risk-carrying orders of the last `seconds`, never too few.
    #[must_use]
    pub fn orders_within(&self, seconds: u32, now: Timestamp) -> u64 {
        self.rates.within(seconds, now)
    }

    /// The confirmed positions that are not flat, by instrument.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        self.positions.all()
    }

    /// Whether the confirmed position in every instrument is known.
    #[must_use]
    pub fn positions_known(&self) -> bool {
        self.positions.known()
    }

    /// The confirmed position in an instrument; `None` when it is unknown.
    #[must_use]
    pub fn position(&self, instrument: &Instrument) -> Option<Decimal> {
        self.positions.of(instrument)
    }

    /// How much of the confirmed position an order of this side could still reduce, beside all open and doubtful orders of that
    /// side; `None` when the position is unknown.
    #[must_use]
    pub fn reducible(&self, instrument: &Instrument, side: Side) -> Option<Decimal> {
        let position = self.positions.of(instrument)?;
        let opposite = match side {
            Side::Sell if position.is_positive() => position,
            Side::Buy if position.is_negative() => position.abs(),
            _ => return Some(Decimal::ZERO),
        };
        let reducing = self
            .open
            .iter()
            .filter(|open| open.side() == side && open.order.instrument == *instrument);
        let left = reducing
            .map(|open| open.remaining)
            .try_fold(opposite, Decimal::checked_sub)?;
        Some(left.max(Decimal::ZERO))
    }

    /// How far the position could come the way of a side: the confirmed position, counted that way, with every open and doubtful order of
    /// that side filled; `None` when it is unknown.
    #[must_use]
    pub fn worst_position(&self, instrument: &Instrument, side: Side) -> Option<Decimal> {
        let position = self.positions.of(instrument)?;
        let position = match side {
            Side::Buy => position,
            Side::Sell => Decimal::ZERO.checked_sub(position)?,
        };
        let same = self
            .open
            .iter()
            .filter(|open| open.side() == side && open.order.instrument == *instrument);
        same.map(|open| open.remaining).try_fold(position, Decimal::checked_add)
    }

    /// The first open order of this agent that the order would trade with: of the other side, in the same instrument at the same venue, at a
    /// price that both reach. One that is being cancelled may still trade; what waits for a stop price is left out.
    #[must_use]
    pub fn would_trade_with(&self, order: &OrderTerms) -> Option<&OpenOrder> {
        self.open.iter().find(|open| open.may_rest() && open.meets(order))
    }

    /// Whether the order is a *verified reduction*: its quantity and all open and doubtful reductions fit in the confirmed
    /// opposite position (ARCHITECTURE §5, guarantee 8). The bot's own `reduce_only` plays no part.
    #[must_use]
    pub fn is_reduction(&self, order: &OrderTerms) -> bool {
        self.reducible(&order.instrument, order.side)
            .is_some_and(|left| order.quantity <= left)
    }

    /// Whether the log holds something no gateway of ours writes; nothing is permitted then.
    #[must_use]
    pub fn faulty(&self) -> bool {
        self.faulty
    }

    /// The canonical bytes (RFC 8785) of the state: a snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        // A digest is due on the order path: the members stand in their canonical order, which a test holds them to.
        let mut bytes = Vec::with_capacity(96 * 1024);
        canonical::write_presorted(self, &mut bytes);
        bytes
    }

    /// SHA-256 of [`snapshot`](Self::snapshot).
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.snapshot())
    }

    /// A state to continue from, when its digest is the recorded one.
    ///
    /// # Errors
    /// When the bytes are no state, or another one.
    pub fn from_snapshot(bytes: &[u8], expected: Digest) -> Result<Self, SnapshotError> {
        let found = Digest::of(bytes);
        if found != expected {
            return Err(SnapshotError::Digest { expected, found });
        }
        let state: Self = canonical::from_slice(bytes)?;
        let losses = state.losses.as_ref().is_none_or(losses::Losses::well_formed);
        let shaped = losses
            && state.rates.well_formed()
            && state.open.len() <= MOST_OPEN_ORDERS
            && state.venue_prefix == VenueOrderId::prefix_of(&state.agent);
        if shaped { Ok(state) } else { Err(SnapshotError::Shape) }
    }
}

#[cfg(test)]
mod tests;
