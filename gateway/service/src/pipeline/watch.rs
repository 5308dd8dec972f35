//! Watching what rests at a venue: fills, ends, doubts, and the orders of halted agents, until each is explained.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{AgentId, Counterparty, Instrument};
use gateway_policy::{CancelSource, OpenMark, OpenOrder, OutcomeState};
use revocation_core::Standing;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    forward::{About, state_of},
    halt,
    slot::Slot,
};
use crate::{
    gateway::{Gateway, Venues},
    venue::{ExecutionFill, ExecutionId, OrderKey, Venue},
};

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
    executions: HashMap<Instrument, ExecutionId>,
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
        let (first_seen, executions) = (HashMap::new(), HashMap::new());
        Self {
            gateway,
            venues,
            counterparty,
            venue,
            every,
            longest_delay,
            lease,
            first_seen,
            executions,
            halting: HashMap::new(),
        }
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
        self.read_fills(&open).await;
        self.end_orders(&open).await;
        self.halting.retain(|_, cancels| !cancels.is_finished());
        for slot in self.gateway.slots() {
            self.keep_halted(&slot);
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

    async fn read_fills(&mut self, open: &[(Arc<Slot>, OpenOrder)]) {
        let resting = open
            .iter()
            .filter(|(_, order)| matches!(order.mark, OpenMark::Accepted | OpenMark::Closing));
        let mut by_venue_id: HashMap<String, (&Arc<Slot>, &OpenOrder)> = HashMap::new();
        for (slot, order) in resting {
            let story = slot
                .lock()
                .endings
                .of(&order.order.client_order_id)
                .and_then(|s| s.venue_order_id.clone());
            if let Some(id) = story {
                by_venue_id.insert(id, (slot, order));
            }
        }
        let mut instruments: Vec<Instrument> = by_venue_id.values().map(|(_, order)| order.order.instrument).collect();
        instruments.sort_unstable();
        instruments.dedup();
        for instrument in instruments {
            for _ in 0..MOST_PAGES {
                let after = self.executions.get(&instrument).copied();
                let Ok(trades) = self.venue.trades_since(instrument, after).await else {
                    break;
                };
                let Some(last) = trades.last() else { break };
                self.executions.insert(instrument, last.execution_id);
                for trade in &trades {
                    let Some((slot, order)) = by_venue_id.get(trade.venue_order_id.as_str()) else {
                        continue;
                    };
                    let about = About {
                        gateway: &self.gateway,
                        slot,
                        order: &order.order,
                        number: order.number,
                    };
                    let fill = ExecutionFill {
                        execution_id: trade.execution_id,
                        quantity: trade.quantity,
                        price: trade.price,
                    };
                    about.happened(&[fill], None);
                }
            }
        }
    }

    async fn end_orders(&mut self, open: &[(Arc<Slot>, OpenOrder)]) {
        if open.is_empty() {
            return;
        }
        let Ok(listed) = self.venue.open_orders(None).await else {
            return;
        };
        for (slot, order) in open {
            let id = slot.lock().state.venue_order_id(order.number).into();
            if order.mark == OpenMark::Closing || listed.iter().any(|r| r.client_id == Some(id)) && !order.unanswered()
            {
                continue;
            }
            let seen = *self
                .first_seen
                .entry((slot.agent, order.number))
                .or_insert_with(Instant::now);
            let key = OrderKey {
                client_id: id,
                instrument: order.order.instrument,
            };
            let Ok(found) = self.venue.query(&key).await else {
                continue;
            };
            let about = About {
                gateway: &self.gateway,
                slot,
                order: &order.order,
                number: order.number,
            };
            match found {
                Some(report) => about.happened(&[], Some(state_of(&report))),
                None if order.unanswered() && seen.elapsed() >= self.patience(order) => {
                    let withheld = OutcomeState::Withheld {
                        why: "the venue never received it".to_owned(),
                    };
                    about.happened(&[], Some(withheld));
                }
                None => {}
            }
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

    /// A revoked agent's orders: what the plan would cancel now, fills since counted, is cancelled until the venue answers.
    fn keep_halted(&mut self, slot: &Arc<Slot>) {
        if self.halting.contains_key(&slot.agent) {
            return;
        }
        let planned = {
            let inner = slot.lock();
            let revoked = inner.state.standing_at(self.gateway.clock.now()) == Standing::Revoked;
            if inner.state.open_orders().is_empty() || !revoked && !slot.has_unrecorded_halt() {
                return;
            }
            inner
                .state
                .reconsider_kept(self.gateway.mandates.on_halt_of(&slot.agent))
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
