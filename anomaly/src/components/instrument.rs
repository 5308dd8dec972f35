//! Instrument mix: how rare the instrument and the counterparty are; the e-values of the two are averaged.

use super::{Driver, Reading, percent};
use crate::{
    baseline::{BaselineContent, Mix},
    calibrator::e_value,
    observation::Observation,
};

pub(super) fn read(baseline: &BaselineContent, observation: &Observation) -> Reading {
    let instrument = p_value(&baseline.instruments, &observation.instrument);
    let counterparty = p_value(&baseline.counterparties, &observation.counterparty);
    let e = (e_value(instrument) + e_value(counterparty)) / 2;
    let (driver, p) = if counterparty < instrument {
        (Driver::Counterparty, counterparty)
    } else {
        (Driver::Instrument, instrument)
    };
    Reading {
        driver,
        e,
        observed: 0,
        p,
    }
}

/// The share of baseline orders on names at most as common as `name`, unseen ones included.
pub(crate) fn p_value<T: Ord>(mix: &Mix<T>, name: &T) -> u32 {
    mix.seen
        .binary_search_by(|seen| seen.name.cmp(name))
        .map_or(mix.unseen_ppb, |at| mix.seen[at].p)
}

pub(super) fn reason(baseline: &BaselineContent, reading: &Reading, observation: &Observation) -> String {
    let (what, name, share) = if reading.driver == Driver::Counterparty {
        let seen = baseline
            .counterparties
            .seen
            .iter()
            .find(|seen| seen.name == observation.counterparty);
        (
            "counterparty",
            observation.counterparty.as_str(),
            seen.map(|seen| seen.share_ppb),
        )
    } else {
        let seen = baseline
            .instruments
            .seen
            .iter()
            .find(|seen| seen.name == observation.instrument);
        (
            "instrument",
            observation.instrument.as_str(),
            seen.map(|seen| seen.share_ppb),
        )
    };
    match share {
        None => format!(
            "{what}: {name} is not in the baseline; {} of orders are expected to be new",
            percent(reading.p)
        ),
        Some(share) => format!("{what}: {name} has {} of the baseline's orders", percent(share)),
    }
}
