//! The five components: each reads one side of an order against the baseline's tables and gives a p-value and an e-value.

mod hour;
mod instrument;
mod origin;
mod rate;
mod size;

use serde::{Deserialize, Serialize};

use crate::{
    baseline::BaselineContent, calibrator::e_value, observation::Observation, settings::Weights, window::SCALES,
};

/// How many components there are.
pub const COMPONENTS: usize = 5;

/// One side of an order's behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// Notional.
    Size,
    /// Orders per time.
    Rate,
    /// Instrument and counterparty.
    Instrument,
    /// Hour of week.
    Hour,
    /// Region.
    Origin,
}

impl Component {
    /// All of them, heaviest first.
    pub const ALL: [Self; COMPONENTS] = [Self::Size, Self::Rate, Self::Instrument, Self::Hour, Self::Origin];

    /// Its name in exports and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        ["size", "rate", "instrument", "hour", "origin"][self as usize]
    }

    /// Its weight, millionths.
    #[must_use]
    pub fn weight(self, weights: &Weights) -> u32 {
        match self {
            Self::Size => weights.size,
            Self::Rate => weights.rate,
            Self::Instrument => weights.instrument,
            Self::Hour => weights.hour,
            Self::Origin => weights.origin,
        }
    }
}

/// What inside a component drove its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// The counterparty.
    Counterparty,
    /// A currency the baseline has no sizes for.
    Currency,
    /// Orders within a day.
    Day,
    /// Orders within an hour.
    Hour,
    /// The hour of the week.
    HourOfWeek,
    /// The instrument.
    Instrument,
    /// Orders within a minute.
    Minute,
    /// Nothing to judge: the order has no notional.
    Nothing,
    /// The notional.
    Notional,
    /// The region.
    Region,
    /// Orders within a second.
    Second,
}

/// What one component says about one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) driver: Driver,
    pub(crate) e: u64,
    pub(crate) observed: i64,
    pub(crate) p: u32,
}

impl Reading {
    fn of(driver: Driver, p: u32, observed: i64) -> Self {
        Self {
            driver,
            e: e_value(p),
            observed,
            p,
        }
    }
}

/// Reads all five; `counts` are the orders within each span, this one included.
pub(crate) fn read(
    baseline: &BaselineContent,
    counts: &[u32; SCALES],
    observation: &Observation,
) -> [Reading; COMPONENTS] {
    [
        size::read(baseline, observation),
        rate::read(baseline, counts),
        instrument::read(baseline, observation),
        hour::read(baseline, observation),
        origin::read(baseline, observation),
    ]
}

/// The reason of one component in words.
pub(crate) fn reason(
    component: Component,
    baseline: &BaselineContent,
    reading: &Reading,
    observation: &Observation,
) -> String {
    match component {
        Component::Size => size::reason(baseline, reading, observation),
        Component::Rate => rate::reason(baseline, reading),
        Component::Instrument => instrument::reason(baseline, reading, observation),
        Component::Hour => hour::reason(reading),
        Component::Origin => origin::reason(reading, observation),
    }
}

/// A share in words: `3.2 %`.
fn percent(p_ppb: u32) -> String {
    match p_ppb {
        0..10_000 => "under 0.001 %".to_owned(),
        10_000..10_000_000 => format!("{}.{:03} %", p_ppb / 10_000_000, p_ppb / 10_000 % 1_000),
        _ => format!("{}.{} %", p_ppb / 10_000_000, p_ppb / 1_000_000 % 10),
    }
}
