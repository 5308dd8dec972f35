//! Watching what rests at a venue: fills, ends, doubts, and the orders of halted agents, until each is explained.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{AgentId, Counterparty, Decimal, Instrument};
use gateway_policy::{CancelSource, OpenOrder, OutcomeState};
use revocation_core::Standing;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    believed,
    bypass::Bypass,
    forward::{About, state_of},
    halt, halt_report,
    reconcile::{self, Reconciling},
    slot::Slot,
};
use crate::{
    gateway::{Gateway, Venues},
    metrics::Metrics,
    venue::{Doubt, ExecutionFill, OrderKey, OrderReport, Trade, Venue, VenueClientId},
};

/// The most instruments whose open orders are asked for one by one.
const MOST_APART: usize = 8;
/// Pages of executions that are read in one round.
const MOST_PAGES: usize = 64;

/// The watch over one venue.
pub struct Watch {
    gateway: Arc<Gateway>,
    venues: Arc<Venues>,
    counterparty: Counterparty,
    venue: Arc<dyn Venue>,
    every: Duration,
    longest_delay: Duration,
    lease: Duration,
    first_seen: HashMap<(AgentId, u64), Instant>,
    reconciling: Reconciling,
    bypass: Bypass,
    /// Cancels of halted agents that are on their way: they may take long, and the others' orders do not wait for them.
    halting: HashMap<AgentId, JoinHandle<()>>,
}

impl Watch {
    /// A watch over the venue `counterparty`. An order of ours that it does not know `longest_delay` after its permit never
    /// reached it; for another instance's permits that instance's `lease` comes on top.
    #[must_use]
    pub fn new(
        gateway: Arc<Gateway>,
        venues: Arc<Venues>,
        counterparty: Counterparty,
        venue: Arc<dyn Venue>,
        every: Duration,
        longest_delay: Duration,
    ) -> Self {
        let lease = gateway.settings.view_lease;
        Self {
            gateway,
            venues,
            counterparty,
            venue,
            every,
            longest_delay,
            lease,
            first_seen: HashMap::new(),
            reconciling: Reconciling::default(),
            bypass: Bypass::default(),
            halting: HashMap::new(),
        }
    }

    /// The same, with its own times for what officers are told: doubts that stay, and looks at all that the venue lists.
    #[must_use]
    pub fn telling_after(mut self, doubts: Duration, looks: Duration) -> Self {
        self.reconciling = Reconciling::with(doubts, looks);
        self
    }

    /// Watches until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.round().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }

    /// One round over every open order.
    pub async fn round(&mut self) {
        let open = self.open_orders();
        self.first_seen
            .retain(|key, _| open.iter().any(|(slot, order)| (slot.agent, order.number) == *key));
        self.look(&open).await;
        self.tell(&open).await;
        self.halting.retain(|_, cancels| !cancels.is_finished());
        for slot in self.gateway.slots() {
            self.keep_halted(&slot);
        }
    }

    /// Waits until the cancels that rounds have begun for halted agents have ended: what a round did not begin will not come later.
    pub async fn halts_carried_out(&mut self) {
        for (agent, cancels) in self.halting.drain() {
            if let Err(error) = cancels.await {
                tracing::error!(%agent, %error, "the cancels of a halt ended early");
            }
        }
    }

    /// Tells officers what asking does not explain.
    async fn tell(&mut self, open: &[(Arc<Slot>, OpenOrder)]) {
        let (gateway, counterparty) = (&self.gateway, self.counterparty);
        for (slot, order) in open.iter().filter(|(_, order)| order.unanswered()) {
            let key = (slot.agent, order.number);
            let seen = self.first_seen.get(&key).copied();
            if seen.is_some_and(|since| self.reconciling.overdue(key, since)) {
                reconcile::tell_doubt(gateway, counterparty, slot.agent, order);
            }
        }
        self.reconciling.forget(|key| self.first_seen.contains_key(key));
        if !self.reconciling.looks_now() {
            return;
        }
        let venue = self.venue.clone();
        self.bypass.look(&self.gateway, self.counterparty, venue.as_ref()).await;
        if let Ok(listed) = self.venue.open_orders(None).await {
            // The state as it is now: what was permitted while the venue answered is ours.
            let open = self.open_orders();
            let ours = |id: &VenueClientId| {
                let named = |(slot, order): &(Arc<Slot>, OpenOrder)| {
                    VenueClientId::from(slot.lock().state.venue_order_id(order.number)) == *id
                };
                open.iter().any(named)
            };
            self.reconciling
                .compare(&self.gateway, self.counterparty, &listed, ours);
        }
    }

    fn open_orders(&self) -> Vec<(Arc<Slot>, OpenOrder)> {
        let mut all = Vec::new();
        for slot in self.gateway.slots() {
            let inner = slot.lock();
            let here = inner
                .state
                .open_orders()
                .iter()
                .filter(|open| open.order.counterparty == self.counterparty);
            all.extend(here.map(|open| (slot.clone(), open.clone())));
        }
        all
    }

    /// Asks what the venue lists, and of each order that it lists otherwise, or not at all, the order itself.
    async fn look(&mut self, open: &[(Arc<Slot>, OpenOrder)]) {
        for (slot, order) in open {
            self.first_seen
                .entry((slot.agent, order.number))
                .or_insert_with(Instant::now);
        }
        if open.is_empty() {
            return;
        }
        let Some(listed) = self.listed(open).await else {
            return;
        };
        for (slot, order) in open {
            let id = slot.lock().state.venue_order_id(order.number).into();
            let seen = self.first_seen.entry((slot.agent, order.number));
            let seen = seen.or_insert_with(Instant::now).elapsed();
            let about = About {
                gateway: &self.gateway,
                slot,
                order: &order.order,
                number: order.number,
            };
            let found = listed.iter().find(|report| report.client_id == Some(id));
            if let Some(report) = found.filter(|_| order.confirmed()) {
                if is_believed(&about, believed::report(order, report)) {
                    self.read_fills(&about, order, report).await;
                }
                continue;
            }
            self.ask(&about, order, id, seen).await;
        }
    }

    /// What the venue lists of the instruments in which we have something open: each by itself while they are few, for the venue counts a question
    /// about all of them as many.
    async fn listed(&self, open: &[(Arc<Slot>, OpenOrder)]) -> Option<Vec<OrderReport>> {
        let instruments: BTreeSet<Instrument> = open.iter().map(|(_, open)| open.order.instrument).collect();
        if instruments.len() > MOST_APART {
            return self.venue.open_orders(None).await.ok().map(|listed| listed.ours);
        }
        let mut all = Vec::new();
        for instrument in instruments {
            all.extend(self.venue.open_orders(Some(instrument)).await.ok()?.ours);
        }
        Some(all)
    }

    /// An order that rests no longer, or of which nobody knows whether it does.
    async fn ask(&self, about: &About<'_>, order: &OpenOrder, id: VenueClientId, seen: Duration) {
        let key = OrderKey {
            client_id: id,
            instrument: order.order.instrument,
        };
        let Ok(found) = self.venue.query(&key).await else {
            return;
        };
        match found {
            Some(report) if !is_believed(about, believed::report(order, &report)) => {}
            Some(report) => {
                self.read_fills(about, order, &report).await;
                about.noticed(&[], Some(state_of(&report)));
            }
            None if order.unanswered() && seen >= self.patience(order) => {
                let withheld = OutcomeState::Withheld {
                    why: "the venue never received it".to_owned(),
                };
                about.noticed(&[], Some(withheld));
            }
            None => {}
        }
    }

    /// Reports the executions of an order of which the venue says that more traded than the state has counted.
    async fn read_fills(&self, about: &About<'_>, order: &OpenOrder, report: &OrderReport) {
        if report.executed <= order.filled {
            return;
        }
        let (mut after, mut sum) = (None, Decimal::ZERO);
        for _ in 0..MOST_PAGES {
            let page = self
                .venue
                .trades_of(order.order.instrument, &report.venue_order_id, after);
            let Ok(trades) = page.await else { return };
            let Some(last) = trades.last() else { return };
            after = Some(last.execution_id);
            match believed::trades(order, sum, &trades) {
                Ok(so_far) => sum = so_far,
                Err(doubt) => {
                    is_believed(about, Err(doubt));
                    return;
                }
            }
            let fill = |trade: &Trade| ExecutionFill {
                execution_id: trade.execution_id,
                quantity: trade.quantity,
                price: trade.price,
            };
            about.noticed(&trades.iter().map(fill).collect::<Vec<_>>(), None);
        }
    }

    fn patience(&self, order: &OpenOrder) -> Duration {
        let deadline = Duration::from_millis(u64::from(order.send_within_ms));
        let others = if order.gateway == self.gateway.settings.id {
            Duration::ZERO
        } else {
            self.lease
        };
        self.longest_delay + deadline + others
    }

    /// A halt that an earlier process left is finished and reported. Else a revoked agent's orders: what the plan would cancel now, fills
    /// since counted, is cancelled until the venue answers.
    fn keep_halted(&mut self, slot: &Arc<Slot>) {
        if self.halting.contains_key(&slot.agent) {
            return;
        }
        let on_halt = self.gateway.on_halt_of(slot);
        if let Some(revoked) = slot.abandoned_halt() {
            let (gateway, venues, slot) = (self.gateway.clone(), self.venues.clone(), slot.clone());
            let agent = slot.agent;
            let finish = async move { halt_report::finish(&gateway, &venues, &slot, revoked).await };
            self.halting.insert(agent, tokio::spawn(finish));
            return;
        }
        let planned = {
            let inner = slot.lock();
            let revoked = inner.state.standing_at(self.gateway.clock.now()) == Standing::Revoked;
            if inner.state.open_orders().is_empty() || !revoked && !slot.has_unrecorded_halt() {
                return;
            }
            inner.state.reconsider_kept(on_halt)
        };
        if !planned.is_empty() {
            let (gateway, venues, slot) = (self.gateway.clone(), self.venues.clone(), slot.clone());
            let agent = slot.agent;
            let cancels = tokio::spawn(async move {
                halt::cancel_all(&gateway, &venues, &slot, &planned, CancelSource::Halt).await;
            });
            self.halting.insert(agent, cancels);
        }
    }
}

/// Says so where it is not: the order stays as it is, and is asked for again in the next round.
fn is_believed(about: &About<'_>, judged: Result<(), Doubt>) -> bool {
    if let Err(doubt) = judged {
        Metrics::count(&about.gateway.metrics.doubts);
        let (agent, order) = (about.slot.agent, about.number);
        tracing::error!(%agent, order, %doubt, "the venue's word of an order is not believed");
        return false;
    }
    true
}
