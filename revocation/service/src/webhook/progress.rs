//! What a subscription has been told already, folded from its `delivery/` stream: where to go on, what to try again, what is
//! dead. Nothing else is kept, so a crash loses nothing and repeats at most what was in flight.

use std::collections::BTreeMap;

use extensions::StreamId;
use revocation_core::jobs::DeliveryEvent;

use super::backoff::MOST_ATTEMPTS;
use crate::follow::READ_AT_ONCE;
use crate::log::{Log, LogError};

/// Dead letters remembered per subscription; beyond them the oldest can be replayed from the ledger only by position.
pub const MOST_DEAD: usize = 10_000;

/// A message that failed and is to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failing {
    /// Attempts made.
    pub(super) attempts: u32,
    /// Attempts after which it is given up.
    pub(super) budget: u32,
}

/// The fold of one delivery stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Dead letters: position, and attempts made.
    pub(super) dead: BTreeMap<u64, u32>,
    /// Positions at or behind `through` that were delivered.
    pub(super) done: BTreeMap<u64, ()>,
    /// Failed and neither delivered nor dead, by position.
    pub(super) failing: BTreeMap<u64, Failing>,
    /// What officers asked for before this position is folded in here, and is not to be obeyed again.
    pub(super) asked: u64,
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
                    progress.apply(&event, entry.position);
                }
            }
        }
    }

    fn apply(&mut self, event: &DeliveryEvent, at: u64) {
        match event {
            DeliveryEvent::Subscribed(event) => self.begin_at(event.from),
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
                    let failing = self.failing.entry(position).or_insert(Failing {
                        attempts: 0,
                        budget: MOST_ATTEMPTS,
                    });
                    failing.attempts = event.attempt;
                }
                let through = self.through.unwrap_or_default();
                self.done = self.done.split_off(&through);
            }
            DeliveryEvent::Asked(event) => {
                self.asked = at + 1;
                if let Some((position, failing)) = event.replay.and_then(|position| self.revive(position)) {
                    self.failing.insert(position, failing);
                }
            }
            DeliveryEvent::Dead(event) => {
                if let Some(position) = event.entry {
                    self.failing.remove(&position);
                    self.bury(position, event.attempts);
                }
            }
        }
    }

    /// Told of entries from here on, and never again of what failed before: a name that was removed and is used anew begins afresh.
    pub(super) fn begin_at(&mut self, from: u64) {
        self.through = self.through.max(Some(from));
        self.failing = self.failing.split_off(&from);
        self.dead = self.dead.split_off(&from);
    }

    /// Takes a dead letter back to life, with a fresh budget of attempts; `None` when there is none at `position`.
    pub(super) fn revive(&mut self, position: u64) -> Option<(u64, Failing)> {
        let attempts = self.dead.remove(&position)?;
        let budget = attempts.saturating_add(MOST_ATTEMPTS);
        Some((position, Failing { attempts, budget }))
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
