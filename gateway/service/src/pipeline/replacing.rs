//! One replacement of an order at a time: two amends of one order that both found it open, as a bot's impatient retry does, would order twice.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use extensions::Decimal;
use gateway_policy::OpenOrder;
use tokio::time::timeout;

use super::{slot::Slot, submit::FOLD_PATIENCE};
use crate::gateway::Gateway;

/// The orders of one agent that are being replaced, by the number of the permit.
#[derive(Debug, Default)]
pub struct Replacing(Mutex<HashSet<u64>>);

/// The right to replace one order, until it is dropped.
pub struct Claim {
    slot: Arc<Slot>,
    number: u64,
}

impl Replacing {
    fn numbers(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim {
    /// The right to replace the order; `None` while somebody has it.
    #[must_use]
    pub fn of(slot: &Arc<Slot>, number: u64) -> Option<Self> {
        let free = slot.replacing.numbers().insert(number);
        free.then(|| Self {
            slot: slot.clone(),
            number,
        })
    }
}

/// What a cancelled order has executed, by the venue's word at its cancel. That waits while the slot has to be folded again; `None` when it cannot be.
pub async fn executed(gateway: &Gateway, slot: &Arc<Slot>, open: &OpenOrder) -> Option<Decimal> {
    timeout(FOLD_PATIENCE, slot.resync(&gateway.ledger, &gateway.writer))
        .await
        .ok()?
        .ok()?;
    let inner = slot.lock();
    let story = inner.endings.of(&open.order.client_order_id);
    Some(story.map_or(open.filled, |story| story.executed.max(open.filled)))
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.slot.replacing.numbers().remove(&self.number);
    }
}
