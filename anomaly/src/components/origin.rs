//! Origin: a region the baseline has seen, or one it has not; the p of the latter is policy, since history cannot tell it.

use super::Look;
use crate::{
    baseline::BaselineContent, calibrator::e_value, observation::Observation, record::ComponentRecord,
    settings::BILLION,
};

pub(super) fn read(baseline: &BaselineContent, observation: &Observation) -> Look {
    let seen = observation
        .region
        .is_some_and(|region| baseline.regions.binary_search(&region).is_ok());
    let p = if seen {
        BILLION
    } else {
        baseline.settings.origin_unseen_ppb
    };
    Look {
        e: e_value(p),
        p,
        observed: 0,
    }
}

pub(super) fn reason(record: &ComponentRecord, observation: &Observation) -> String {
    match (observation.region, record.p == BILLION) {
        (Some(region), true) => format!("origin: {region} is in the baseline"),
        (Some(region), false) => format!("origin: {region} was never seen in the baseline"),
        (None, _) => "origin: the network is in no known region".to_owned(),
    }
}
