//! What became of one agent in an evaluation.

use super::scenario::Scenario;
use crate::{
    baseline::{ApprovedBaseline, Mode},
    components::Component,
    detector::Detector,
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
    /// The leading detector.
    pub lead: Detector,
}

/// The clean tail.
#[derive(Debug, Clone)]
pub struct Clean {
    /// First and last day.
    pub days: (i64, i64),
    /// Orders scored.
    pub orders: u64,
    /// Highest score, millionths.
    pub highest: u32,
    /// Highest clipped linear score, millionths.
    pub linear_highest: u32,
    /// False revocations: when, by which component and channel.
    pub revocations: Vec<(i64, Component, Channel, Detector)>,
    /// False warnings that did not end in a revocation at once.
    pub warnings: Vec<Page>,
}

impl Clean {
    pub(super) fn new(first: i64, last: i64) -> Self {
        Self { days: (first, last), orders: 0, highest: 0, linear_highest: 0, revocations: Vec::new(), warnings: Vec::new() }
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
        Self { scenario, caught: None, warned: false, missed_after: 0, leaked_days: 0.0, linear_highest: 0 }
    }
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
    /// Why not, in words.
    pub reasons: Vec<String>,
    /// The clean tail, if there is one.
    pub clean: Option<Clean>,
    /// The scenarios, of an admitted agent.
    pub trials: Vec<Trial>,
    /// What its report expects: words for a person.
    pub theta: String,
}

impl AgentOutcome {
    pub(super) fn new(name: &str, orders: usize, active_days: usize) -> Self {
        Self {
            name: name.to_owned(),
            orders,
            active_days,
            standing: Standing::TooShort,
            reasons: Vec::new(),
            clean: None,
            trials: Vec::new(),
            theta: String::new(),
        }
    }

    pub(super) fn judged(&mut self, baseline: &ApprovedBaseline) {
        self.standing = match baseline.mode() {
            Mode::Enforce => Standing::Admitted,
            Mode::WarnOnly => Standing::WarnOnly,
        };
        self.reasons = baseline.content().report.reasons.clone();
        let content = baseline.content();
        let steps = content.drift.iter().map(|step| format!("{}/{}", step.theta / 10_000, step.d / 1_000));
        let days = content.day.tables.iter().map(|table| (table.theta / 10_000).to_string());
        self.theta = format!(
            "{}{} lambda {} drift {} days {}",
            if content.channels.order { "O" } else { "-" },
            if content.channels.day { "D" } else { "-" },
            content.lambda,
            steps.collect::<Vec<_>>().join(" "),
            days.collect::<Vec<_>>().join(" ")
        );
    }
}
