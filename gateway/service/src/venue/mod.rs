//! Where permitted orders leave the house: the [`Venue`] seam, its typed answers and doubts, and the adapters.
//!
//! The promise is *at most once, and no hidden doubt* (security.md §2.2). An order is sent once or not at all; whatever
//! a venue answers that cannot be true, or does not answer in time, is a [`Doubt`], never a guess. A cancel and a
//! question may be repeated by the caller as often as it likes; an order never.

mod amount;
pub mod answer;
pub mod binance;
pub mod ids;
pub mod kraken;
pub mod market;
mod reach;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use extensions::Instrument;
use gateway_policy::Permit;
use ledger::Recorded;

pub use answer::{
    CancelOutcome, Doubt, ExecutionFill, NotSent, OpenOrders, OrderLife, OrderReport, Outcome, ReferencePrice, Refused,
    Trade,
};
use market::{MarketQuestion, MarketRules};

pub use reach::KeyFault;

pub use ids::{ExecutionId, VenueClientId, VenueOrderId};

/// An answer under way.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Prices, or why there are none, by instrument.
pub type Prices = Vec<(Instrument, Result<ReferencePrice, Doubt>)>;

/// The last word before an order's bytes are written: the agent's gate and the permit's send deadline, both judged on a
/// monotonic clock. It is asked with nothing awaited between the answer and the write.
pub trait SendGate: Send + Sync {
    /// Whether the order may still be sent, now.
    fn may_send(&self) -> bool;
}

impl<F: Fn() -> bool + Send + Sync> SendGate for F {
    fn may_send(&self) -> bool {
        self()
    }
}

/// Which order a cancel or a question is about. Orders are named to the venue by the id that their permit derived, so
/// that a permit whose answer was lost can be asked for too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderKey {
    /// The id that the permit derived for the venue.
    pub client_id: VenueClientId,
    /// What it trades.
    pub instrument: Instrument,
}

/// A place where orders are traded.
///
/// Contract: dropping a returned future closes its connection and leaves what it asked in doubt, so the pipeline runs
/// [`Venue::cancel`] and the forwarding of an order on a task of its own, not on a bot's request. One value serves one
/// runtime; make one per current-thread runtime, so that no connection is woken across threads.
pub trait Venue: Send + Sync {
    /// Sends the order of a recorded permit, at most once, unless `gate` says no just before its bytes are written. The
    /// permit is used up: whatever the answer, it is never sent again. A permit that is not recorded does not compile:
    ///
    /// ```compile_fail,E0308
    /// use std::sync::Arc;
    /// use gateway_service::venue::{SendGate, Venue};
    /// fn unrecorded(venue: &dyn Venue, permit: gateway_policy::Permit, gate: Arc<dyn SendGate>) {
    ///     drop(venue.forward(permit, gate));
    /// }
    /// ```
    fn forward(&self, permit: Recorded<Permit>, gate: Arc<dyn SendGate>) -> Answer<'_, Outcome>;

    /// Sends the orders of two recorded permits as one list of which one at most executes: one call, at most once, unless `gate` says no just before its bytes
    /// are written. Both are used up, and what became of each is told. A venue without such lists takes neither.
    fn forward_pair(&self, _: Recorded<Permit>, _: Recorded<Permit>, _: Arc<dyn SendGate>) -> Answer<'_, [Outcome; 2]> {
        Box::pin(async { [(); 2].map(|()| Outcome::Withheld(NotSent::NotOffered)) })
    }

    /// Asks the venue to withdraw one order, and reports its final state. Safe to repeat.
    fn cancel<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, CancelOutcome>;

    /// What the venue knows of one order; `Ok(None)` when it says that it knows none of that id.
    fn query<'a>(&'a self, order: &'a OrderKey) -> Answer<'a, Result<Option<OrderReport>, Doubt>>;

    /// The open orders of our account, in one instrument or in all that are configured.
    fn open_orders(&self, instrument: Option<Instrument>) -> Answer<'_, Result<OpenOrders, Doubt>>;

    /// Our executions of one order after the given one (or from the first), oldest first, a bounded page.
    fn trades_of<'a>(
        &'a self,
        instrument: Instrument,
        order: &'a VenueOrderId,
        after: Option<ExecutionId>,
    ) -> Answer<'a, Result<Vec<Trade>, Doubt>>;

    /// What may be traded here.
    fn instruments(&self) -> Vec<Instrument>;

    /// The executions of our account in one instrument after the given one, or the newest, whoever ordered them; oldest first, a bounded page.
    fn trades(&self, instrument: Instrument, after: Option<ExecutionId>) -> Answer<'_, Result<Vec<Trade>, Doubt>>;

    /// The order behind the venue's own id, whoever placed it; `Ok(None)` when the venue says that it knows none.
    fn order_of<'a>(
        &'a self,
        instrument: Instrument,
        order: &'a VenueOrderId,
    ) -> Answer<'a, Result<Option<OrderReport>, Doubt>>;

    /// The present price of one instrument, for collars and notionals.
    fn reference_price(&self, instrument: Instrument) -> Answer<'_, Result<ReferencePrice, Doubt>>;

    /// A question that anybody may ask, in the venue's own words: nothing of the answer is believed here, and no credential goes with it. A venue that
    /// does not speak them lists nothing.
    fn market<'a>(&'a self, _: Instrument, _: &'a MarketQuestion) -> Answer<'a, Result<Bytes, Doubt>> {
        Box::pin(async { Err(Doubt::NotListed) })
    }

    /// Asks the venue to cancel whatever rests there under our account `after` this, unless it is asked again before: its dead man's switch. A venue
    /// without one lists nothing.
    fn cancel_all_after(&self, _after: Duration) -> Answer<'_, Result<(), Doubt>> {
        Box::pin(async { Err(Doubt::NotListed) })
    }

    /// What the venue says of the amounts that it takes, by instrument.
    fn rules(&self) -> Answer<'_, Result<Vec<MarketRules>, Doubt>> {
        Box::pin(async { Err(Doubt::NotListed) })
    }

    /// The present prices of several; a venue that can answers them in one question.
    fn reference_prices<'a>(&'a self, instruments: &'a [Instrument]) -> Answer<'a, Prices> {
        Box::pin(async move {
            let mut prices = Vec::with_capacity(instruments.len());
            for instrument in instruments {
                prices.push((*instrument, self.reference_price(*instrument).await));
            }
            prices
        })
    }
}
