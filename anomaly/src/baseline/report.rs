//! What officers read before they sign a baseline.

use serde::{Deserialize, Serialize};

/// Whether an attack injected behind the baseline's own history is caught.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerCheck {
    /// What was injected: `runaway` (an order every 0.3 s), `new_region`, `new_instrument`, `new_counterparty`.
    pub attack: String,
    /// Days with orders of the attack until then.
    pub days: Option<u32>,
    /// Orders of the attack until the score reached 0.85; `None` when it did not.
    pub orders: Option<u32>,
    /// Orders injected at most.
    pub tried: u32,
}

/// The history behind a baseline and what is to be expected of it. Yearly counts are in thousandths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Days with at least one order.
    pub active_days: u32,
    /// Calendar days from the first to the last order.
    pub days: u32,
    /// Orders not kept because the bound was reached.
    pub dropped: u64,
    /// False revocations per year that the score promises, in thousandths (an extrapolation).
    pub false_revocations_promised_milli: u64,
    /// False revocations in leave-one-day-out replay.
    pub false_revocations_seen: u32,
    /// Upper end of their exact 95 % Poisson interval per year, in thousandths: what the history alone can bound.
    pub false_revocations_upper_milli: u64,
    /// Hours of the week with orders, of 168.
    pub hours_seen: u32,
    /// Instruments seen.
    pub instruments_seen: u32,
    /// ln of the highest evidence that the drift channel reached in leave-one-day-out replay, micro-nats.
    pub largest_evidence: i64,
    /// Orders.
    pub orders: u64,
    /// Attacks injected into its own replay.
    pub power: Vec<PowerCheck>,
    /// Why the agent is not admitted to revocation by score, and what can be done; empty when it is.
    pub reasons: Vec<String>,
    /// Orders a limit refused: they teach rates only.
    pub refused: u64,
}
