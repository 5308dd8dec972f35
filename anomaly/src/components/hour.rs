//! Hour of week: how rarely the agent is active at this hour, by 168 smoothed bins in UTC. An hour is judged once, however many
//! orders it holds.

use super::{Look, bet, percent};
use crate::{
    baseline::{BaselineContent, HOURS},
    observation::Observation,
    record::ComponentRecord,
    settings::BILLION,
};

/// The bet: every hour of the week alike, ppb.
const EVEN: u64 = BILLION as u64 / HOURS as u64;

pub(super) fn read(baseline: &BaselineContent, observation: &Observation) -> Look {
    let hour = observation.at.hour_of_week();
    baseline.hours.get(usize::from(hour)).map_or(Look::NOTHING, |bin| Look {
        e: bet(EVEN, u64::from(bin.mass_ppb)),
        p: bin.p,
        observed: i64::from(hour),
    })
}

pub(super) fn reason(record: &ComponentRecord) -> String {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    let (day, hour) = (record.observed / 24 % 7, record.observed % 24);
    format!(
        "hour: {} {hour:02}:00 UTC; {} of active hours are expected to be as quiet",
        DAYS[day.unsigned_abs() as usize],
        percent(record.p)
    )
}
