//! Fitting: from observations to tables. The only place with floating point; what leaves it is integers, rounded so that a
//! p-value is never understated.

mod attack;
mod day;
mod hour;
mod instrument;
mod rate;
mod replay;
mod size;

use std::collections::BTreeSet;

use extensions::{AgentId, Digest};
use statrs::distribution::{ContinuousCDF, Gamma};

use crate::{
    admission::{Admission, Shown},
    baseline::{BaselineContent, Channels, DayChannel, MOST_NAMES, Mode, ProposalFault, ProposedBaseline, Report},
    observation::Observation,
    settings::{BILLION, Settings},
    components::Setting,
    state::ScorerState,
    window::SCALES,
};

/// Fewest orders and days from which anything can be fitted; admission asks for more.
const FEWEST_ORDERS: usize = 20;
const FEWEST_DAYS: usize = 2;

/// One observation with what does not depend on the baseline.
#[derive(Debug, Clone, Copy)]
struct Row {
    observation: Observation,
    /// What it has to do with the orders before it.
    setting: Setting,
    day: i64,
}

pub(crate) fn propose(
    agent: AgentId,
    observations: &[Observation],
    dropped: u64,
    settings: &Settings,
    previous: Option<(&BaselineContent, Digest)>,
) -> Result<ProposedBaseline, ProposalFault> {
    if !settings.is_valid() {
        return Err(ProposalFault::Settings);
    }
    let rows = rows(observations);
    let teaching = rows.iter().filter(|row| teaches(row)).count();
    let days: BTreeSet<i64> = rows.iter().filter(|row| teaches(row)).map(|row| row.day).collect();
    if teaching < FEWEST_ORDERS || days.len() < FEWEST_DAYS {
        return Err(ProposalFault::TooLittle {
            orders: teaching,
            days: days.len(),
            needed_orders: FEWEST_ORDERS,
            needed_days: FEWEST_DAYS,
        });
    }
    let all: Vec<&Row> = rows.iter().collect();
    let mut content = tables(agent, &all, settings);
    if let Some((previous, digest)) = previous {
        content.version = previous.version.saturating_add(1);
        content.anchor = Some(previous.anchor.unwrap_or(digest));
    }
    let replay = replay::leave_one_day_out(&mut content, &rows);
    content.report = Report { dropped, ..report(&content, &rows, &replay) };
    admit(&mut content, &rows, &replay);
    ProposedBaseline::new(content)
}

/// Opens the channels that show their power by themselves. When none does, both are read, and may warn only.
fn admit(content: &mut BaselineContent, rows: &[Row], replay: &replay::Replay) {
    let alone = |channels: Channels| attack::checks(&BaselineContent { channels, ..content.clone() }, rows);
    let (by_order, by_day) = (
        alone(Channels { day: false, order: true }),
        alone(Channels { day: true, order: false }),
    );
    let shown = |channel: usize, power| Shown { report: &content.report, revocations: replay.revocations[channel], power };
    let order = Admission::by_order(shown(0, &by_order));
    let day = Admission::by_day(shown(1, &by_day));
    let channels = Channels { day: day == Admission::Admitted, order: order == Admission::Admitted };
    content.report.reasons = order.reasons();
    if !channels.day {
        content.report.reasons.extend(day.reasons());
    }
    content.report.reasons.dedup();
    if channels.day || channels.order {
        (content.mode, content.channels) = (Mode::Enforce, channels);
    }
    content.report.power = attack::checks(content, rows);
}


/// Sorts by time and counts rates as the order path would have.
fn rows(observations: &[Observation]) -> Vec<Row> {
    let mut sorted = observations.to_vec();
    sorted.sort_by_key(|observation| observation.at);
    let mut state = ScorerState::NEW;
    sorted
        .into_iter()
        .map(|observation| {
            let setting = state.setting(&observation);
            state.observe(&observation);
            Row {
                observation,
                setting,
                day: observation.at.day(),
            }
        })
        .collect()
}

/// Whether a row teaches more than rates.
fn teaches(row: &Row) -> bool {
    !row.observation.refused && row.observation.notional.is_some_and(|notional| !notional.is_zero())
}

/// The five tables over `rows`, which are sorted by time; nothing is added up, the channel by day and the report are empty.
fn tables(agent: AgentId, rows: &[&Row], settings: &Settings) -> BaselineContent {
    let kept: Vec<&Row> = rows.iter().copied().filter(|row| teaches(row)).collect();
    let regions: BTreeSet<_> = kept.iter().filter_map(|row| row.observation.region).collect();
    BaselineContent {
        agent,
        anchor: None,
        channels: Channels { day: true, order: true },
        counterparties: instrument::fit(&kept, |seen| seen.counterparty, 1, settings.symbol_floor_ppb),
        day: DayChannel { lambda: day::lambda(rows), tables: Vec::new() },
        drift: Vec::new(),
        hours: hour::fit(&kept, settings.hour_floor_ppb),
        instruments: instrument::fit(&kept, |seen| seen.instrument, 0, settings.symbol_floor_ppb),
        lambda: lambda(rows),
        mode: Mode::WarnOnly,
        rates: (0..SCALES)
            .map(|scale| rate::fit(rows, scale, settings.rate_floor_ppb))
            .collect(),
        regions: regions.into_iter().take(MOST_NAMES).collect(),
        report: Report::default(),
        settings: *settings,
        sizes: size::fit(&kept, settings.size_floor_ppb),
        version: 1,
    }
}

/// Calendar days from the first to the last row.
fn span_days(rows: &[&Row]) -> u64 {
    match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => (last.day - first.day).unsigned_abs() + 1,
        _ => 1,
    }
}

fn lambda(rows: &[&Row]) -> u64 {
    (rows.len() as u64 * 365 / span_days(rows)).max(1)
}

fn report(content: &BaselineContent, rows: &[Row], replay: &replay::Replay) -> Report {
    let all: Vec<&Row> = rows.iter().collect();
    let active: BTreeSet<i64> = rows.iter().map(|row| row.day).collect();
    let hours: BTreeSet<u8> = rows.iter().map(|row| row.observation.at.hour_of_week()).collect();
    let years = active.len() as f64 / 365.0;
    let upper = Gamma::new(f64::from(replay.revocations[0] + replay.revocations[1]) + 1.0, 1.0).map_or(f64::MAX, |law| law.inverse_cdf(0.95));
    Report {
        active_days: u32::try_from(active.len()).unwrap_or(u32::MAX),
        days: u32::try_from(span_days(&all)).unwrap_or(u32::MAX),
        false_revocations_seen: replay.revocations[0] + replay.revocations[1],
        false_revocations_upper_milli: (upper / years * 1_000.0).ceil().min(1e15) as u64,
        false_revocations_promised_milli: 100,
        hours_seen: hours.len() as u32,
        instruments_seen: content.instruments.seen.len() as u32,
        largest_evidence: replay.largest,
        orders: rows.len() as u64,
        refused: rows.iter().filter(|row| row.observation.refused).count() as u64,
        ..Report::default()
    }
}

/// `part / whole` in ppb, rounded up, between `floor` and one.
fn share_ppb(part: u64, whole: u64, floor: u32) -> u32 {
    let share = (u128::from(part) * u128::from(BILLION)).div_ceil(u128::from(whole.max(1)));
    u32::try_from(share).unwrap_or(BILLION).clamp(floor.max(1), BILLION)
}

/// A probability in ppb, rounded up, between `floor` and one; what is no number counts as one.
fn probability_ppb(probability: f64, floor: u32) -> u32 {
    if probability.is_nan() {
        return BILLION;
    }
    ((probability * f64::from(BILLION)).ceil().clamp(0.0, f64::from(BILLION)) as u32).max(floor.max(1))
}

#[cfg(test)]
mod tests;
