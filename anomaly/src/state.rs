//! What the scorer remembers of one agent between orders: fixed in size, a plain fold over recorded values.

use extensions::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    components::COMPONENTS,
    observation::Observation,
    record::ScoreRecord,
    window::{SCALES, Windows},
};

/// The accumulators of one agent. Part of the agent's state, so its canonical JSON is under the state digests of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerState {
    /// ln C of the drift channel, micro-nats.
    c: i64,
    /// ln C of each component, in the order of [`crate::Component::ALL`]; for explanation only.
    components: [i64; COMPONENTS],
    /// Orders since the drift channel was last at or below one.
    orders: u32,
    /// When the first of those orders came.
    since: Option<Timestamp>,
    /// Orders per time, unread ones included.
    windows: Windows,
}

impl ScorerState {
    /// An agent nobody has seen yet.
    pub const NEW: Self = Self {
        c: 0,
        components: [0; COMPONENTS],
        orders: 0,
        since: None,
        windows: Windows::EMPTY,
    };

    /// Takes over what was recorded for `observation`: never computes evidence again, so a fold gives the live state.
    pub fn apply(&mut self, record: &ScoreRecord, observation: &Observation) {
        self.c = record.c_after;
        self.components = record.components.in_order().map(|component| component.c);
        self.since = match record.orders {
            0 => None,
            1 => Some(observation.at),
            _ => self.since,
        };
        self.orders = record.orders;
        self.windows.add(observation.at, 1);
    }

    /// Counts an order that was not scored because no baseline is in force.
    pub fn observe(&mut self, observation: &Observation) {
        self.windows.add(observation.at, 1);
    }

    /// Counts orders that came above the gateway's message bound and were not read: the rate component sees them.
    pub fn observe_unread(&mut self, at: Timestamp, count: u32) {
        self.windows.add(at, count);
    }

    /// Forgets the accumulated evidence, not the counters: after officers reinstated the agent, or put another baseline in force.
    pub fn reset_evidence(&mut self) {
        *self = Self {
            windows: self.windows,
            ..Self::NEW
        };
    }

    /// ln C of the drift channel, micro-nats.
    #[must_use]
    pub fn evidence(&self) -> i64 {
        self.c
    }

    /// ln C of each component, micro-nats.
    #[must_use]
    pub fn component_evidence(&self) -> [i64; COMPONENTS] {
        self.components
    }

    /// Orders since the drift channel was last at or below one, and when the first of them came.
    #[must_use]
    pub fn excursion(&self) -> (u32, Option<Timestamp>) {
        (self.orders, self.since)
    }

    /// Orders within each of the four spans up to `at`.
    #[must_use]
    pub fn counts(&self, at: Timestamp) -> [u32; SCALES] {
        self.windows.counts(at)
    }
}

impl Default for ScorerState {
    fn default() -> Self {
        Self::NEW
    }
}
