//! Rate: orders within a second, a minute, an hour and a day, and seconds with orders in a minute, each window judged once by the orders it holds so far.

use super::{Look, percent};
use crate::{
    baseline::{BaselineContent, RateScale},
    calibrator::e_value,
    detector::Detector,
    record::ComponentRecord,
    settings::BILLION,
    window::{SCALES, SPAN_WORDS},
};

pub(super) fn read(baseline: &BaselineContent, counts: &[u32; SCALES]) -> [Look; SCALES] {
    std::array::from_fn(|scale| {
        let p = baseline
            .rates
            .get(scale)
            .map_or(BILLION, |rate| p_value(rate, counts[scale]));
        Look {
            e: e_value(p),
            p,
            observed: i64::from(counts[scale]),
        }
    })
}

/// The share of baseline windows with at least as many orders as the largest knot that is not above `count`.
pub(crate) fn p_value(rate: &RateScale, count: u32) -> u32 {
    let above = rate.knots.partition_point(|knot| knot.count <= count);
    above.checked_sub(1).map_or(BILLION, |last| rate.knots[last].p)
}

pub(super) fn reason(baseline: &BaselineContent, record: &ComponentRecord) -> String {
    let scale = match record.driver {
        Detector::RateMinute => 1,
        Detector::RateHour => 2,
        Detector::RateDay => 3,
        Detector::RateBusy => 4,
        _ => 0,
    };
    let p99 = baseline.rates.get(scale).map_or(0, |rate| rate.p99);
    format!(
        "rate: {} {}; baseline p99 is {p99}; {} of such spans are expected to hold as many",
        record.observed,
        SPAN_WORDS[scale],
        percent(record.p)
    )
}
