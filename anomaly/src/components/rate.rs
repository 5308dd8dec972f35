//! Rate: orders within a second, a minute, an hour and a day; the e-values of the four are averaged.

use super::{Driver, Reading, percent};
use crate::{
    baseline::{BaselineContent, RateScale},
    calibrator::e_value,
    settings::BILLION,
    window::{SCALES, SPAN_WORDS},
};

const DRIVERS: [Driver; SCALES] = [Driver::Second, Driver::Minute, Driver::Hour, Driver::Day];

pub(super) fn read(baseline: &BaselineContent, counts: &[u32; SCALES]) -> Reading {
    let mut reading = Reading {
        driver: DRIVERS[0],
        e: 0,
        observed: i64::from(counts[0]),
        p: u32::MAX,
    };
    for (scale, count) in counts.iter().enumerate() {
        let p = baseline.rates.get(scale).map_or(BILLION, |rate| p_value(rate, *count));
        reading.e += e_value(p);
        if p < reading.p {
            reading.p = p;
            reading.driver = DRIVERS[scale];
            reading.observed = i64::from(*count);
        }
    }
    reading.e /= SCALES as u64;
    reading
}

/// The share of baseline orders that saw at least as many orders as the largest knot that is not above `count`.
pub(crate) fn p_value(rate: &RateScale, count: u32) -> u32 {
    let above = rate.knots.partition_point(|knot| knot.count <= count);
    above.checked_sub(1).map_or(BILLION, |last| rate.knots[last].p)
}

pub(super) fn reason(baseline: &BaselineContent, reading: &Reading) -> String {
    let scale = DRIVERS.iter().position(|driver| *driver == reading.driver).unwrap_or(0);
    let p99 = baseline.rates.get(scale).map_or(0, |rate| rate.p99);
    format!(
        "rate: {} orders in {}; baseline p99 is {p99}; {} of orders are expected to see as many",
        reading.observed,
        SPAN_WORDS[scale],
        percent(reading.p)
    )
}
