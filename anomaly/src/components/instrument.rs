//! Instrument mix: how rare the instrument and the counterparty are, and whether they are those of the order before, again.

use super::{Look, MOST_E, Setting, bet, percent};
use crate::{
    baseline::{BaselineContent, Mix},
    calibrator::e_value,
    detector::Detector,
    name,
    observation::Observation,
    record::ComponentRecord,
    settings::BILLION,
};

/// The bet on new names: one order in five, ppb.
const NEW_BET: u64 = 200_000_000;
/// The bet on repetition: nine of ten orders, ppb.
const AGAIN_BET: u64 = 900_000_000;

/// `place` is 0 for the instrument and 1 for the counterparty.
pub(super) fn read<T: Ord>(mix: &Mix<T>, name: &T, text: &str, setting: &Setting, place: usize) -> [Look; 2] {
    let (billion, unseen) = (u64::from(BILLION), u64::from(mix.unseen_ppb));
    let (p, seen) = match mix.seen.binary_search_by(|seen| seen.name.cmp(name)) {
        Ok(at) => (mix.seen[at].p, true),
        Err(_) => (mix.unseen_ppb, false),
    };
    // A new name is bet on when it appears; from then on it is a rare one. Four fifths on new names, one on rare ones.
    let (alternative, of_kind) = if seen {
        (billion - NEW_BET, billion - unseen)
    } else {
        (NEW_BET, unseen)
    };
    let rare = if !seen && name::is_again(setting.new[place], text) {
        e_value(p)
    } else {
        ((alternative * 1_000_000 / of_kind.max(1)).min(MOST_E) * 4 + e_value(p)) / 5
    };
    let same_ppb = if setting.in_burst() {
        mix.burst_again_ppb
    } else {
        mix.again_ppb
    };
    let (same, again) = (u64::from(same_ppb), setting.again[place]);
    // That a name changes is never held against an agent, so the bet can only lose then.
    let e = if again {
        bet(AGAIN_BET, same)
    } else {
        bet(billion - AGAIN_BET, billion - same).min(1_000_000)
    };
    [
        Look {
            e: rare,
            p,
            observed: i64::from(!seen),
        },
        Look {
            e,
            p: if again { same_ppb } else { BILLION },
            observed: i64::from(again),
        },
    ]
}

/// Whether the baseline has seen `name`.
pub(super) fn knows<T: Ord>(mix: &Mix<T>, name: &T) -> bool {
    mix.seen.binary_search_by(|seen| seen.name.cmp(name)).is_ok()
}

pub(super) fn reason(baseline: &BaselineContent, record: &ComponentRecord, observation: &Observation) -> String {
    let (counterparty, instrument) = (&observation.counterparty, &observation.instrument);
    let (what, name, share) = match record.driver {
        Detector::Counterparty | Detector::SameCounterparty => (
            "counterparty",
            counterparty.as_str(),
            share(&baseline.counterparties, counterparty),
        ),
        _ => (
            "instrument",
            instrument.as_str(),
            share(&baseline.instruments, instrument),
        ),
    };
    if matches!(record.driver, Detector::SameInstrument | Detector::SameCounterparty) && record.observed == 1 {
        return format!(
            "instrument: the {what} {name} again; {} of orders are expected to repeat it",
            percent(record.p)
        );
    }
    match share {
        None => format!(
            "instrument: the {what} {name} is not in the baseline; {} of orders are expected to be new",
            percent(record.p)
        ),
        Some(share) => format!(
            "instrument: the {what} {name} has {} of the baseline's orders",
            percent(share)
        ),
    }
}

fn share<T: Ord>(mix: &Mix<T>, name: &T) -> Option<u32> {
    mix.seen
        .binary_search_by(|seen| seen.name.cmp(name))
        .ok()
        .map(|at| mix.seen[at].share_ppb)
}
