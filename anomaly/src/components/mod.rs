//! The five components: each reads one side of an order through its detectors, against the baseline's tables, in p-values and
//! e-values.

mod hour;
mod instrument;
mod origin;
mod rate;
mod size;

use serde::{Deserialize, Serialize};

use crate::{
    baseline::BaselineContent,
    detector::DETECTORS,
    name,
    observation::Observation,
    record::ComponentRecord,
    settings::{BILLION, MILLION, Weights},
    window::Counted,
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

/// What an order has to do with the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Its windows, itself included.
    pub(crate) counted: Counted,
    /// Whether its instrument, and its counterparty, are those of the order before.
    pub(crate) again: [bool; 2],
    /// Orders of the last active day before the order's own.
    pub(crate) last_day: u32,
    /// Fingerprints of the last instrument, and of the last counterparty, that were new to the baseline.
    pub(crate) new: [u32; 2],
}

impl Setting {
    /// Whether an earlier order came within the same minute.
    pub(crate) fn in_burst(&self) -> bool {
        self.counted.continued[1]
    }
}

/// What one detector says about one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// The e-value, millionths.
    pub(crate) e: u64,
    /// The p-value, ppb: the share of orders (of windows, of hours) expected to be at least as unusual.
    pub(crate) p: u32,
    /// What was seen, in the detector's unit.
    pub(crate) observed: i64,
}

impl Look {
    /// Nothing to judge: what the calibrator gives for the most usual of orders.
    const NOTHING: Self = Self {
        e: 500_000,
        p: BILLION,
        observed: 0,
    };
}

/// Reads all detectors.
pub(crate) fn read(baseline: &BaselineContent, setting: &Setting, observation: &Observation) -> [Look; DETECTORS] {
    let [large, raised, small] = size::read(baseline, observation);
    let [second, minute, hour, day, busy] = rate::read(baseline, &setting.counted.counts);
    let [instrument, same_instrument] = instrument::read(
        &baseline.instruments,
        &observation.instrument,
        observation.instrument.as_str(),
        setting,
        0,
    );
    let [counterparty, same_counterparty] = instrument::read(
        &baseline.counterparties,
        &observation.counterparty,
        observation.counterparty.as_str(),
        setting,
        1,
    );
    [
        large,
        raised,
        small,
        second,
        minute,
        hour,
        day,
        busy,
        instrument,
        same_instrument,
        counterparty,
        same_counterparty,
        hour::read(baseline, observation),
        origin::read(baseline, observation),
    ]
}

/// The fingerprints of the last new names, this order included.
pub(crate) fn new_names(baseline: &BaselineContent, new: [u32; 2], observation: &Observation) -> [u32; 2] {
    let (instrument, counterparty) = (&observation.instrument, &observation.counterparty);
    [
        if instrument::knows(&baseline.instruments, instrument) {
            new[0]
        } else {
            name::fingerprint(instrument.as_str())
        },
        if instrument::knows(&baseline.counterparties, counterparty) {
            new[1]
        } else {
            name::fingerprint(counterparty.as_str())
        },
    ]
}

/// The e-value of a window of `count` orders.
pub(crate) fn rate_evidence(rate: &crate::baseline::RateScale, count: u32) -> u64 {
    crate::calibrator::e_value(rate::p_value(rate, count))
}

/// The largest e-value of a bet, millionths: a million and a half.
const MOST_E: u64 = 1_500_000_000_000;

/// The e-value of a bet: nine tenths on an alternative that gives this outcome the probability `alternative`, one tenth kept.
/// Both in ppb. Its mean under the baseline is one whatever the alternative.
fn bet(alternative: u64, baseline: u64) -> u64 {
    let million = u64::from(MILLION);
    (million / 10 + alternative * (million / 10 * 9) / baseline.max(1)).min(MOST_E)
}

/// The reason of one component in words.
pub(crate) fn reason(
    component: Component,
    baseline: &BaselineContent,
    record: &ComponentRecord,
    observation: &Observation,
) -> String {
    match component {
        Component::Size => size::reason(baseline, record, observation),
        Component::Rate => rate::reason(baseline, record),
        Component::Instrument => instrument::reason(baseline, record, observation),
        Component::Hour => hour::reason(record),
        Component::Origin => origin::reason(record, observation),
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
