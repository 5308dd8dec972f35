//! What officers read before they sign a baseline.

use serde::{Deserialize, Serialize};

use crate::components::Component;

/// Whether an attack injected behind the baseline's own history is caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerCheck {
    /// What was injected.
    pub attack: String,
    /// Days with orders of the attack until then.
    pub days: Option<u32>,
    /// Orders of the attack until the score reached 0.85; `None` when it did not.
    pub orders: Option<u32>,
    /// Its strength, hundredths: of the agent's own size or rate, of its orders, or of an hour.
    pub strength: u32,
    /// Orders injected at most.
    pub tried: u32,
}

/// How often something is expected on healthy days. Yearly counts are in thousandths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Lower end of the exact 95 % Poisson interval of what the replay saw, per year.
    pub lower_milli: u64,
    /// What the score promises per year: an extrapolation.
    pub promised_milli: u64,
    /// Seen in leave-one-day-out replay.
    pub seen: u32,
    /// Upper end: what the history alone can bound.
    pub upper_milli: u64,
}

/// A component that moves within the observation itself: either the agent grows, or somebody teaches the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trend {
    /// Which.
    pub component: Component,
    /// How rarely days in no order at all would show as much, ppb.
    pub p: u32,
    /// From the first day to the last by the fitted line, hundredths (200: doubled).
    pub times: u32,
}

/// One difference to an earlier baseline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Whether it goes beyond what may change without a new certificate.
    pub beyond_cap: bool,
    /// What it was.
    pub from: String,
    /// Whether it is measured from the agent's first baseline; else from the current one.
    pub from_first: bool,
    /// What it becomes.
    pub to: String,
    /// What.
    pub what: String,
}

/// What the slow detector holds against the agent, measured from its first baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowDrift {
    /// Which component.
    pub component: Component,
    /// Its evidence, micro-nats.
    pub evidence: i64,
    /// Whether it reached the threshold.
    pub flagged: bool,
    /// Weeks it was added up over.
    pub weeks: u32,
}

/// The history behind a baseline and what is to be expected of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Days with at least one order.
    pub active_days: u32,
    /// Differences to the current and to the first baseline; empty for a first one.
    pub changes: Vec<Change>,
    /// Calendar days from the first to the last order.
    pub days: u32,
    /// Orders not kept because the bound was reached.
    pub dropped: u64,
    /// Revocations.
    pub false_revocations: Expected,
    /// Warnings.
    pub false_warnings: Expected,
    /// Hours of the week with orders, of 168.
    pub hours_seen: u32,
    /// Instruments seen.
    pub instruments_seen: u32,
    /// ln of the highest evidence that the drift channel reached in leave-one-day-out replay, micro-nats.
    pub largest_evidence: i64,
    /// Orders.
    pub orders: u64,
    /// Orders of peers that stand in for a history of its own.
    pub peers: u64,
    /// Attacks injected into its own replay: of each kind the smallest that is caught, or the largest that is not.
    pub power: Vec<PowerCheck>,
    /// Why a channel may not revoke, and what can be done; empty when both may.
    pub reasons: Vec<String>,
    /// Orders a limit refused: they teach rates only.
    pub refused: u64,
    /// The slow detector, for a baseline that replaces another.
    pub slow: Vec<SlowDrift>,
    /// What moves within the history.
    pub trends: Vec<Trend>,
}
