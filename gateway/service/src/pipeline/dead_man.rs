//! A venue's own dead man's switch (Kraken: `CancelAllOrdersAfter`): it cancels what rests there unless it is told again in time that all is well.
//!
//! It is told so for healthy bots alone, and never by habit: where an agent with an order at the venue is stopped, the ledger cannot record or the view of
//! it is old, nothing is said, and the venue cancels by itself, as it does when this process is gone. The switch is the account's: it hits every order of it,
//! so an account that has one belongs to one bot.

use std::{sync::Arc, time::Duration};

use extensions::Counterparty;
use gateway_policy::View;
use tokio_util::sync::CancellationToken;

use super::slot::Slot;
use crate::{
    gateway::Gateway,
    metrics::Metrics,
    venue::{Doubt, Venue},
};

/// How often in the time of the switch the venue is told: three of four may be lost.
const BEATS: u32 = 4;

/// The switch of one venue.
pub struct DeadMan {
    gateway: Arc<Gateway>,
    counterparty: Counterparty,
    venue: Arc<dyn Venue>,
    after: Duration,
}

/// What became of one beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beat {
    /// The venue begins to count anew.
    Told,
    /// Not all is well: the venue is left to count.
    Withheld,
    /// Nobody knows whether the venue heard it.
    Lost(Doubt),
}

impl DeadMan {
    /// The switch of the venue `counterparty`, which cancels `after` the last beat.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, counterparty: Counterparty, venue: Arc<dyn Venue>, after: Duration) -> Self {
        Self {
            gateway,
            counterparty,
            venue,
            after,
        }
    }

    /// Beats until `stop`. What rests then is the venue's to cancel, unless the next start comes first.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.beat().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.after / BEATS) => {}
            }
        }
    }

    /// Tells the venue that all is well, if it is.
    pub async fn beat(&self) -> Beat {
        if let Some(why) = self.amiss() {
            Metrics::count(&self.gateway.metrics.dead_man_withheld);
            let (counterparty, after) = (self.counterparty, self.after.as_secs());
            tracing::error!(%counterparty, why, "the venue's dead man's switch is not held: it cancels what rests there within {after} s");
            return Beat::Withheld;
        }
        match self.venue.cancel_all_after(self.after).await {
            Ok(()) => {
                Metrics::count(&self.gateway.metrics.dead_man_beats);
                Beat::Told
            }
            Err(doubt) => {
                tracing::warn!(counterparty = %self.counterparty, %doubt, "a beat of the dead man's switch is lost");
                Beat::Lost(doubt)
            }
        }
    }

    /// Why the switch may not be held.
    fn amiss(&self) -> Option<&'static str> {
        if self.gateway.ledger.closed().is_some() {
            return Some("the ledger is closed");
        }
        if self.gateway.view() == View::Stale {
            return Some("the view of the ledger is old");
        }
        let slots = self.gateway.slots();
        let stopped = slots
            .iter()
            .any(|slot| self.has_open(slot) && !self.gateway.may_rest(slot));
        stopped.then_some("an agent with an order there is stopped")
    }

    fn has_open(&self, slot: &Slot) -> bool {
        let inner = slot.lock();
        let mut open = inner.state.open_orders().iter();
        open.any(|open| open.order.counterparty == self.counterparty)
    }
}
