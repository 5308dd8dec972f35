//! Cancels: never held back. The request is recorded beside the act, not before it; the outcome is confirmed by the venue.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use extensions::ClientOrderId;
use gateway_policy::{CancelOutcome, CancelRequested, CancelSource, CancelState, OpenOrder};
use tokio::sync::watch;

use super::{
    believed,
    forward::{About, state_of},
    slot::{Report, Slot},
};
use crate::{
    gateway::{Gateway, Venues},
    venue::{self, OrderKey},
};

/// How often a cancel is sent again while the venue does not answer for it.
const MOST_TRIES: u32 = 8;
/// The first pause between two tries; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// How one cancel ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// The order.
    pub client_order_id: ClientOrderId,
    /// How it ended.
    pub state: CancelState,
}

/// The cancels under way for one agent's orders: a bot that repeats a cancel, and a halt on top of it, wait for the one that runs.
#[derive(Debug, Default)]
pub struct Running(Mutex<HashMap<u64, watch::Receiver<Option<CancelState>>>>);

/// Ends a running cancel's entry, however the cancel ends.
struct Run<'a> {
    running: &'a Running,
    number: u64,
    told: watch::Sender<Option<CancelState>>,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.running.orders().remove(&self.number);
    }
}

impl Running {
    fn orders(&self) -> MutexGuard<'_, HashMap<u64, watch::Receiver<Option<CancelState>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to cancel the order, or the word of whoever does.
    fn begin(&self, number: u64) -> Result<Run<'_>, watch::Receiver<Option<CancelState>>> {
        let mut orders = self.orders();
        if let Some(running) = orders.get(&number) {
            return Err(running.clone());
        }
        let (told, heard) = watch::channel(None);
        orders.insert(number, heard);
        Ok(Run {
            running: self,
            number,
            told,
        })
    }
}

/// Cancels one open order and waits for the venue's word. Safe to repeat: while one cancel of an order runs, others wait for it.
pub async fn cancel(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    slot: &Arc<Slot>,
    open: &OpenOrder,
    by: CancelSource,
) -> Cancelled {
    let client_order_id = open.order.client_order_id;
    loop {
        let state = match slot.cancels.begin(open.number) {
            Ok(run) => {
                let state = send(gateway, venues, slot, open, by).await;
                if open.list.is_some() && state == CancelState::Cancelled {
                    end_other(gateway, venues, slot, open, by);
                }
                run.told.send_replace(Some(state.clone()));
                Some(state)
            }
            // Gone without a word (its runtime ended): this one takes over.
            Err(mut running) => match running.wait_for(Option::is_some).await {
                Ok(state) => state.clone(),
                Err(_) => None,
            },
        };
        if let Some(state) = state {
            return Cancelled { client_order_id, state };
        }
    }
}

/// The venue has ended the other order of the list, too: it is asked for its end at once, as by a cancel of its own.
fn end_other(gateway: &Arc<Gateway>, venues: &Arc<Venues>, slot: &Arc<Slot>, one: &OpenOrder, by: CancelSource) {
    let others: Vec<OpenOrder> = {
        let inner = slot.lock();
        let all = inner.state.cancel_targets(None).into_iter();
        all.filter(|open| open.list == one.list && open.number != one.number)
            .cloned()
            .collect()
    };
    for other in others {
        let (gateway, venues, slot) = (gateway.clone(), venues.clone(), slot.clone());
        let cancelled: Pin<Box<dyn Future<Output = Cancelled> + Send>> =
            Box::pin(async move { cancel(&gateway, &venues, &slot, &other, by).await });
        tokio::spawn(cancelled);
    }
}

async fn send(
    gateway: &Arc<Gateway>,
    venues: &Arc<Venues>,
    slot: &Arc<Slot>,
    open: &OpenOrder,
    by: CancelSource,
) -> CancelState {
    let about = About {
        gateway,
        slot,
        order: &open.order,
        number: open.number,
    };
    let requested = CancelRequested {
        agent: slot.agent,
        by,
        client_order_id: open.order.client_order_id,
        order: open.number,
    };
    let id = format!("cancel-{}-{:016x}", open.number, super::salt_number());
    let now = gateway.clock.now();
    about.report(Report::new(requested, id.clone(), now).narrowing());
    let state = at_venue(venues, slot, open, &about).await;
    let outcome = CancelOutcome {
        agent: slot.agent,
        client_order_id: open.order.client_order_id,
        order: open.number,
        state: state.clone(),
    };
    let now = gateway.clock.now();
    about.report(Report::new(outcome, format!("{id}-end"), now));
    state
}

async fn at_venue(venues: &Venues, slot: &Slot, open: &OpenOrder, about: &About<'_>) -> CancelState {
    let Some(venue) = venues.get(&open.order.counterparty) else {
        return CancelState::CouldNot {
            why: "no such venue is configured".to_owned(),
        };
    };
    let key = OrderKey {
        client_id: slot.lock().state.venue_order_id(open.number).into(),
        instrument: open.order.instrument,
    };
    let mut pause = FIRST_PAUSE;
    let mut why = String::new();
    for _ in 0..MOST_TRIES {
        match venue.cancel(&key).await {
            venue::CancelOutcome::Closed(report) if let Err(doubt) = believed::report(open, &report) => {
                why = doubt.to_string();
            }
            venue::CancelOutcome::Closed(report) => {
                let cancelled = report.life == venue::OrderLife::Cancelled;
                about.noticed(&[], Some(state_of(&report)));
                return if cancelled {
                    CancelState::Cancelled
                } else {
                    CancelState::NotOpen
                };
            }
            venue::CancelOutcome::NotThere if open.unanswered() => {
                why = "the venue does not know the order yet".to_owned()
            }
            venue::CancelOutcome::NotThere => return CancelState::NotOpen,
            venue::CancelOutcome::StillOpen(_, refused) => why = format!("the venue refused: {}", refused.text),
            venue::CancelOutcome::Unknown(doubt) => why = doubt.to_string(),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
        if slot.lock().state.open_order(&open.order.client_order_id).is_none() {
            // It has ended meanwhile: withheld at the gate, refused by the venue, filled.
            return CancelState::NotOpen;
        }
    }
    CancelState::CouldNot { why }
}
