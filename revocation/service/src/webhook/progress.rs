//! What a subscription has been told already, folded from its `delivery/` stream: where to go on, what to try again, what is
//! dead. Nothing else is kept, so a crash loses nothing and repeats at most what was in flight.

use std::collections::BTreeMap;

use extensions::StreamId;
use revocation_core::jobs::DeliveryEvent;

use crate::follow::READ_AT_ONCE;
use crate::log::{Log, LogError};

/// Dead letters remembered per subscription; beyond them the oldest can be replayed from the ledger only by position.
pub const MOST_DEAD: usize = 10_000;

/// The fold of one delivery stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Dead letters: position, and attempts made.
    pub(super) dead: BTreeMap<u64, u32>,
    /// Positions at or behind `through` that were delivered.
    pub(super) done: BTreeMap<u64, ()>,
    /// Failed and neither delivered nor dead: position, and attempts made.
    pub(super) failing: BTreeMap<u64, u32>,
    /// Where reading goes on; none for a subscription never seen.
    pub(super) through: Option<u64>,
}

impl Progress {
    pub(super) async fn read(log: &dyn Log, stream: &StreamId) -> Result<Self, LogError> {
        let mut progress = Self::default();
        let mut next = 0;
        loop {
            let entries = log.read_stream(stream, next, READ_AT_ONCE).await?;
            let Some(last) = entries.last() else {
                return Ok(progress);
            };
            next = last.number + 1;
            for entry in &entries {
                if let Some(Ok(event)) = DeliveryEvent::decode(&entry.kind, entry.body()) {
                    progress.apply(&event);
                }
            }
        }
    }

    fn apply(&mut self, event: &DeliveryEvent) {
        match event {
            DeliveryEvent::Subscribed(event) => self.through = Some(self.through.unwrap_or(event.from)),
            DeliveryEvent::Attempted(event) => {
                self.through = self.through.max(Some(event.through));
                let Some(position) = event.entry else {
                    return;
                };
                if event.fault.is_none() {
                    self.failing.remove(&position);
                    self.dead.remove(&position);
                    self.done.insert(position, ());
                } else {
                    self.failing.insert(position, event.attempt);
                }
                let through = self.through.unwrap_or_default();
                self.done = self.done.split_off(&through);
            }
            DeliveryEvent::Dead(event) => {
                if let Some(position) = event.entry {
                    self.failing.remove(&position);
                    self.bury(position, event.attempts);
                }
            }
        }
    }

    /// Remembers a dead letter, within bounds.
    pub(super) fn bury(&mut self, position: u64, attempts: u32) {
        self.dead.insert(position, attempts);
        if self.dead.len() > MOST_DEAD {
            self.dead.pop_first();
        }
    }

    /// Whether the entry at `position` needs no first attempt.
    pub(super) fn knows(&self, position: u64) -> bool {
        self.done.contains_key(&position) || self.failing.contains_key(&position) || self.dead.contains_key(&position)
    }
}
