//! Hour of week: how rarely the agent trades at this hour, by 168 smoothed bins in UTC.

use super::{Driver, Reading, percent};
use crate::{baseline::BaselineContent, observation::Observation, settings::BILLION};

pub(super) fn read(baseline: &BaselineContent, observation: &Observation) -> Reading {
    let hour = observation.at.hour_of_week();
    let p = baseline.hours.get(usize::from(hour)).copied().unwrap_or(BILLION);
    Reading::of(Driver::HourOfWeek, p, i64::from(hour))
}

pub(super) fn reason(reading: &Reading) -> String {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let (day, hour) = (reading.observed / 24 % 7, reading.observed % 24);
    format!(
        "hour: {} {hour:02}:00 UTC; {} of orders are expected at hours as quiet",
        DAYS[day.unsigned_abs() as usize],
        percent(reading.p)
    )
}
