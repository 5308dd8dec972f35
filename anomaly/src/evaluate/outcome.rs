//! What became of one agent in an evaluation.

use super::scenario::Scenario;
use crate::{
    baseline::{ApprovedBaseline, Mode},
    components::Component,
    record::Channel,
};

/// Whether scores may revoke the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Fewer active days than the baseline needs.
    TooShort,
    /// Nothing could be fitted.
    NoBaseline,
    /// Limits and warnings only.
    WarnOnly,
    /// Admitted.
    Admitted,
}

/// A warning on clean orders.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// When, microseconds.
    pub at: i64,
    /// How long it stayed open, microseconds; the most that fits when no later order closed it.
    pub open_micros: i64,
    /// The leading component.
    pub top: Component,
}

/// The clean tail.
#[derive(Debug, Clone)]
pub struct Clean {
    /// First and last day.
    pub days: (i64, i64),
    /// Nanoseconds of the scores that were timed.
    pub nanos: Vec<u32>,
    /// Orders scored.
    pub orders: u64,
    /// Scores that came out the same, bit for bit, from the written records.
    pub replayed: u64,
    /// Highest score, millionths.
    pub highest: u32,
    /// Highest clipped linear score, millionths.
    pub linear_highest: u32,
    /// False revocations: when, by which component and channel.
    pub revocations: Vec<(i64, Component, Channel)>,
    /// False warnings that did not end in a revocation at once.
    pub warnings: Vec<Page>,
}

impl Clean {
    pub(super) fn new(first: i64, last: i64) -> Self {
        Self {
            days: (first, last),
            nanos: Vec::new(),
            orders: 0,
            replayed: 0,
            highest: 0,
            linear_highest: 0,
            revocations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Its length in years.
    #[must_use]
    pub fn years(&self) -> f64 {
        (self.days.1 - self.days.0 + 1) as f64 / 365.0
    }
}

/// How an attack ended.
#[derive(Debug, Clone, Copy)]
pub struct Caught {
    /// Orders of the attack up to the refused one, that one included.
    pub orders: usize,
    /// Days with orders of the attack, up to the day it was caught.
    pub days: usize,
    /// Seconds since its first order.
    pub seconds: f64,
    /// What went out beyond the usual, in normal days' notional.
    pub leaked_days: f64,
    /// The leading component.
    pub top: Component,
    /// The channel.
    pub channel: Channel,
}

/// One scenario on one agent.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Which.
    pub scenario: Scenario,
    /// How it was caught, if it was.
    pub caught: Option<Caught>,
    /// Whether it reached a warning.
    pub warned: bool,
    /// Orders of the attack that were not caught.
    pub missed_after: usize,
    /// What they leaked.
    pub leaked_days: f64,
    /// Highest clipped linear score, millionths.
    pub linear_highest: u32,
}

impl Trial {
    pub(super) fn new(scenario: Scenario) -> Self {
        Self {
            scenario,
            caught: None,
            warned: false,
            missed_after: 0,
            leaked_days: 0.0,
            linear_highest: 0,
        }
    }
}

/// Attempts to teach a baseline, and the same without one: `None` where there is too little to try.
#[derive(Debug, Clone, Copy, Default)]
pub struct Teaching {
    /// Sizes that grow tenfold within the observation: pointed out?
    pub within: Option<bool>,
    /// The history as it is: pointed out?
    pub within_clean: Option<bool>,
    /// Sizes that grew threefold by the next baseline: stopped by a cap or the slow detector?
    pub between: Option<bool>,
    /// The next baseline as it is: stopped?
    pub between_clean: Option<bool>,
}

/// One agent.
#[derive(Debug, Clone)]
pub struct AgentOutcome {
    /// Its name.
    pub name: String,
    /// Clean orders and active days in the file.
    pub orders: usize,
    /// Active days in the file.
    pub active_days: usize,
    /// Whether admitted.
    pub standing: Standing,
    /// The channels in use: by order, by day.
    pub channels: (bool, bool),
    /// Whether it took 28 days.
    pub extended: bool,
    /// What became of attempts to teach its baseline.
    pub teaching: Teaching,
    /// Why not, in words.
    pub reasons: Vec<String>,
    /// The clean tail, if there is one.
    pub clean: Option<Clean>,
    /// The scenarios, of an admitted agent.
    pub trials: Vec<Trial>,
}

impl AgentOutcome {
    pub(super) fn new(name: &str, orders: usize, active_days: usize) -> Self {
        Self {
            name: name.to_owned(),
            orders,
            active_days,
            standing: Standing::TooShort,
            channels: (false, false),
            extended: false,
            teaching: Teaching::default(),
            reasons: Vec::new(),
            clean: None,
            trials: Vec::new(),
        }
    }

    pub(super) fn judged(&mut self, baseline: &ApprovedBaseline) {
        self.standing = match baseline.mode() {
            Mode::Enforce => Standing::Admitted,
            Mode::WarnOnly => Standing::WarnOnly,
        };
        self.reasons = baseline.content().report.reasons.clone();
        let channels = baseline.content().channels;
        self.channels = (channels.order, channels.day);
    }
}
