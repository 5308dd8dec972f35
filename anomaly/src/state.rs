//! What the scorer remembers of one agent between orders: fixed in size, a plain fold over recorded values.

use extensions::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    components::{COMPONENTS, Setting},
    detector::{DETECTORS, Detector, WINDOWED},
    name,
    observation::Observation,
    record::ScoreRecord,
    window::Windows,
};

/// A day in the making, by component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Today {
    /// ln D before the day.
    pub(crate) before: [i64; COMPONENTS],
    /// ln of the product of its e-values.
    pub(crate) products: [i64; COMPONENTS],
    /// Its statistics.
    pub(crate) sums: [i64; COMPONENTS],
}

/// The accumulators of one agent. Part of the agent's state, so its canonical JSON is under the state digests of the ledger.
/// Logarithms are micro-nats, and detectors and components in the order of their `ALL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScorerState {
    /// ln C of each windowed detector at the end of the window before the current one.
    before: [i64; WINDOWED],
    /// ln C of all detectors together.
    c: i64,
    /// The number of the newest UTC day.
    day: i64,
    /// ln D of each component at the end of the day before.
    day_before: [i64; COMPONENTS],
    /// ln D of each component, today included.
    day_drift: [i64; COMPONENTS],
    /// ln of the product of today's e-values of each component.
    day_products: [i64; COMPONENTS],
    /// Today's statistic of each component.
    day_sums: [i64; COMPONENTS],
    /// Days since ln D of each component was last at or below zero, today included.
    days: [u32; COMPONENTS],
    /// ln C of each detector.
    drift: [i64; DETECTORS],
    /// The fingerprint of the last counterparty.
    last_counterparty: u32,
    /// The fingerprint of the last instrument.
    last_instrument: u32,
    /// Fingerprints of the last instrument and the last counterparty that were new to the baseline.
    new: [u32; 2],
    /// Orders since ln C of each detector was last at or below zero.
    orders: [u32; DETECTORS],
    /// Orders per time, unread ones included.
    windows: Windows,
}

impl ScorerState {
    /// An agent nobody has seen yet.
    pub const NEW: Self = Self {
        before: [0; WINDOWED],
        c: 0,
        day: 0,
        day_before: [0; COMPONENTS],
        day_drift: [0; COMPONENTS],
        day_products: [0; COMPONENTS],
        day_sums: [0; COMPONENTS],
        days: [0; COMPONENTS],
        drift: [0; DETECTORS],
        last_counterparty: 0,
        last_instrument: 0,
        new: [0; 2],
        orders: [0; DETECTORS],
        windows: Windows::EMPTY,
    };

    /// Takes over what was recorded for `observation`: never computes evidence again, so a fold gives the live state.
    pub fn apply(&mut self, record: &ScoreRecord, observation: &Observation) {
        let continued = self.windows.with_one(observation.at).continued;
        for (at, detector) in Detector::ALL.into_iter().enumerate() {
            if let Some(scale) = detector.window()
                && !continued[scale]
            {
                self.before[scale] = self.drift[at];
            }
            self.orders[at] = if record.drift[at] > 0 {
                self.orders[at].saturating_add(1)
            } else {
                0
            };
        }
        let new_day = self.enter(observation.at);
        self.c = record.c_after;
        self.drift = record.drift;
        self.day_drift = record.day_drift;
        self.day_products = record.day_products;
        self.day_sums = record.day_sums;
        self.new = record.new;
        for (days, drift) in self.days.iter_mut().zip(record.day_drift) {
            *days = match (drift > 0, new_day) {
                (false, _) => 0,
                (true, true) => days.saturating_add(1),
                (true, false) => (*days).max(1),
            };
        }
        self.remember(observation);
    }

    /// Counts an order that was not scored because no baseline is in force.
    pub fn observe(&mut self, observation: &Observation) {
        self.enter(observation.at);
        self.remember(observation);
    }

    /// Counts orders that came above the gateway's message bound and were not read: the rate component sees them.
    pub fn observe_unread(&mut self, at: Timestamp, count: u32) {
        self.windows.add(at, count);
    }

    /// Forgets the accumulated evidence, not the counters: after officers reinstated the agent, or put another baseline in force.
    pub fn reset_evidence(&mut self) {
        *self = Self {
            day: self.day,
            last_counterparty: self.last_counterparty,
            last_instrument: self.last_instrument,
            windows: self.windows,
            ..Self::NEW
        };
    }

    /// Begins the day of `at` when it is a new one.
    fn enter(&mut self, at: Timestamp) -> bool {
        let new = at.day() > self.day;
        if new {
            self.day = at.day();
            self.day_before = self.day_drift;
            self.day_products = [0; COMPONENTS];
            self.day_sums = [0; COMPONENTS];
        }
        new
    }

    fn remember(&mut self, observation: &Observation) {
        self.last_counterparty = name::fingerprint(observation.counterparty.as_str());
        self.last_instrument = name::fingerprint(observation.instrument.as_str());
        self.windows.add(observation.at, 1);
    }

    /// What an order has to do with those before it.
    pub(crate) fn setting(&self, observation: &Observation) -> Setting {
        Setting {
            again: [
                name::is_again(self.last_instrument, observation.instrument.as_str()),
                name::is_again(self.last_counterparty, observation.counterparty.as_str()),
            ],
            counted: self.windows.with_one(observation.at),
            last_day: self.windows.day_so_far(),
            new: self.new,
        }
    }

    /// ln C of a detector before an order: of the window before, if the order's window has been judged already.
    pub(crate) fn drift_before(&self, detector: Detector, setting: &Setting) -> i64 {
        match detector.window() {
            Some(scale) if setting.counted.continued[scale] => self.before[scale],
            _ => self.drift[detector as usize],
        }
    }

    /// ln D of each component before today, and what today came to so far.
    pub(crate) fn today(&self, at: Timestamp) -> Today {
        if at.day() > self.day {
            Today {
                before: self.day_drift,
                products: [0; COMPONENTS],
                sums: [0; COMPONENTS],
            }
        } else {
            Today {
                before: self.day_before,
                products: self.day_products,
                sums: self.day_sums,
            }
        }
    }

    /// ln C of all detectors together, micro-nats.
    #[must_use]
    pub fn total(&self) -> i64 {
        self.c
    }

    /// ln C of each detector, micro-nats.
    #[must_use]
    pub fn evidence(&self) -> [i64; DETECTORS] {
        self.drift
    }

    /// ln D of each component, micro-nats.
    #[must_use]
    pub fn day_evidence(&self) -> [i64; COMPONENTS] {
        self.day_drift
    }

    /// Orders since each detector was last at or below one.
    #[must_use]
    pub fn orders(&self) -> [u32; DETECTORS] {
        self.orders
    }

    /// Days since each component's evidence by day was last at or below one.
    #[must_use]
    pub fn days(&self) -> [u32; COMPONENTS] {
        self.days
    }
}

impl Default for ScorerState {
    fn default() -> Self {
        Self::NEW
    }
}
