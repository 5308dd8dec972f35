//! Fitting: from observations to tables. The only place with floating point; what leaves it is integers, rounded so that a
//! p-value is never understated.

mod attack;
mod change;
mod day;
mod hour;
mod instrument;
mod rate;
mod replay;
mod size;
mod trend;

use std::collections::BTreeSet;

use extensions::AgentId;
use statrs::distribution::{ContinuousCDF, Gamma};

use crate::{
    admission::{Admission, Shown},
    baseline::{
        BaselineContent, Channels, DayChannel, Expected, MOST_NAMES, Mode, ProposalFault, ProposedBaseline, Report,
    },
    components::Setting,
    learning::{Lineage, PRIOR_ORDERS},
    observation::Observation,
    settings::{BILLION, Settings},
    slow,
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

/// What a baseline is fitted from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History<'a> {
    pub(crate) agent: AgentId,
    pub(crate) dropped: u64,
    pub(crate) observations: &'a [Observation],
    pub(crate) peers: &'a [Observation],
}

/// What every table of a history is fitted with, whichever days are left out.
struct Fitter<'a> {
    agent: AgentId,
    peers: Vec<Row>,
    settings: &'a Settings,
}

pub(crate) fn propose(
    history: &History<'_>,
    settings: &Settings,
    lineage: Option<Lineage<'_>>,
) -> Result<ProposedBaseline, ProposalFault> {
    if !settings.is_valid() {
        return Err(ProposalFault::Settings);
    }
    let rows = rows(history.observations);
    enough(&rows)?;
    let fitter = Fitter::of(history, &rows, settings);
    let mut content = fitter.tables(&rows.iter().collect::<Vec<_>>());
    let replay = replay::leave_one_day_out(&fitter, &mut content, &rows);
    content.report = Report {
        dropped: history.dropped,
        peers: fitter.peers.len() as u64,
        ..report(&content, &rows, &replay)
    };
    if let Some(lineage) = lineage {
        succeed(&mut content, &lineage, &rows);
    }
    admit(&mut content, &rows, &replay);
    ProposedBaseline::new(content)
}

/// The part of a report that shows attempts to teach (trends, differences, the slow detector), without the replay and the attacks.
pub(crate) fn teaching(history: &History<'_>, settings: &Settings, lineage: Option<Lineage<'_>>) -> Option<Report> {
    let rows = rows(history.observations);
    enough(&rows).ok()?;
    let mut content = Fitter::of(history, &rows, settings).tables(&rows.iter().collect::<Vec<_>>());
    content.report.trends = trend::trends(&rows);
    if let Some(lineage) = lineage {
        succeed(&mut content, &lineage, &rows);
    }
    Some(content.report)
}

fn enough(rows: &[Row]) -> Result<(), ProposalFault> {
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
    Ok(())
}

/// Takes its place behind earlier baselines: version, anchor, differences, and what the slow detector holds.
fn succeed(content: &mut BaselineContent, lineage: &Lineage<'_>, rows: &[Row]) {
    let (current, digest) = lineage.current;
    let first = lineage.first.unwrap_or(current);
    content.version = current.version.saturating_add(1);
    content.anchor = Some(current.anchor.unwrap_or(digest));
    content.report.changes = change::changes(content, current, false);
    content.report.changes.extend(change::changes(content, first, true));
    let taught: Vec<Observation> = rows.iter().map(|row| row.observation).collect();
    content.report.slow = slow::watch(first, &taught);
}

/// Whole days of peers up to a prior's worth of orders, the first of each peer's days before the second.
pub(crate) fn prior(peers: &[Observation]) -> Vec<Observation> {
    let mut sorted = peers.to_vec();
    sorted.sort_by_key(|seen| seen.at);
    let mut taken: Vec<Observation> = Vec::new();
    for day in sorted.chunk_by(|a, b| a.at.day() == b.at.day()) {
        if taken.len() + day.len() > PRIOR_ORDERS {
            break;
        }
        taken.extend_from_slice(day);
    }
    taken
}

/// Opens the channels that show their power by themselves. When none does, both are read, and may warn only.
fn admit(content: &mut BaselineContent, rows: &[Row], replay: &replay::Replay) {
    let field = attack::Field::of(rows);
    let alone = |channels: Channels| {
        field.decisive(&BaselineContent {
            channels,
            ..content.clone()
        })
    };
    let (by_order, by_day) = (
        alone(Channels {
            day: false,
            order: true,
        }),
        alone(Channels {
            day: true,
            order: false,
        }),
    );
    let shown = |channel: usize, power| Shown {
        report: &content.report,
        revocations: replay.revocations[channel] + replay.ahead[channel],
        power,
    };
    let order = Admission::by_order(shown(0, &by_order));
    let day = Admission::by_day(shown(1, &by_day));
    let channels = Channels {
        day: day == Admission::Admitted,
        order: order == Admission::Admitted,
    };
    let mut reasons = order.reasons();
    reasons.extend(
        day.reasons()
            .into_iter()
            .filter(|reason| !order.reasons().contains(reason)),
    );
    content.report.reasons = reasons;
    if channels.day || channels.order {
        (content.mode, content.channels) = (Mode::Enforce, channels);
    }
    content.report.power = field.smallest(content);
}

impl<'a> Fitter<'a> {
    fn of(history: &History<'_>, own: &[Row], settings: &'a Settings) -> Self {
        let mut peers = history.peers.to_vec();
        // Peers' days lie whole weeks before the agent's own, so that no two fall together.
        if let (Some(last), Some(first)) = (peers.last().map(|seen| seen.at.day()), own.first().map(|row| row.day)) {
            let weeks = (last - first).div_euclid(7) + 2;
            peers
                .iter_mut()
                .for_each(|seen| seen.at = seen.at.plus_seconds(-weeks * 7 * 86_400));
        }
        Self {
            agent: history.agent,
            peers: rows(&peers),
            settings,
        }
    }

    /// The tables over `own`, which are sorted by time; nothing is added up, the channel by day and the report are empty.
    fn tables(&self, own: &[&Row]) -> BaselineContent {
        let rows: Vec<&Row> = self.peers.iter().chain(own.iter().copied()).collect();
        let settings = self.settings;
        let kept: Vec<&Row> = rows.iter().copied().filter(|row| teaches(row)).collect();
        let regions: BTreeSet<_> = own
            .iter()
            .filter(|row| teaches(row))
            .filter_map(|row| row.observation.region)
            .collect();
        BaselineContent {
            agent: self.agent,
            anchor: None,
            channels: Channels { day: true, order: true },
            counterparties: instrument::fit(&kept, |seen| seen.counterparty, 1, settings.symbol_floor_ppb),
            day: DayChannel {
                lambda: day::lambda(own),
                tables: Vec::new(),
            },
            drift: Vec::new(),
            hours: hour::fit(&kept, settings.hour_floor_ppb),
            instruments: instrument::fit(&kept, |seen| seen.instrument, 0, settings.symbol_floor_ppb),
            lambda: lambda(own),
            mode: Mode::WarnOnly,
            rates: (0..SCALES)
                .map(|scale| rate::fit(&rows, scale, settings.rate_floor_ppb))
                .collect(),
            regions: regions.into_iter().take(MOST_NAMES).collect(),
            report: Report::default(),
            settings: *settings,
            sizes: size::fit(&kept, settings.size_floor_ppb),
            version: 1,
        }
    }
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
    let years = span_days(&all) as f64 / 365.0;
    Report {
        active_days: u32::try_from(active.len()).unwrap_or(u32::MAX),
        days: u32::try_from(span_days(&all)).unwrap_or(u32::MAX),
        false_revocations: expected(replay.revocations.iter().sum(), years, 100),
        false_warnings: expected(replay.warnings.iter().sum(), years, 4_000),
        hours_seen: hours.len() as u32,
        instruments_seen: content.instruments.seen.len() as u32,
        largest_evidence: replay.largest,
        orders: rows.len() as u64,
        refused: rows.iter().filter(|row| row.observation.refused).count() as u64,
        trends: trend::trends(rows),
        ..Report::default()
    }
}

/// What the score promises, beside the exact 95 % Poisson interval of what a replay of `years` saw.
fn expected(seen: u32, years: f64, promised_milli: u64) -> Expected {
    let (lower, upper) = poisson_interval(u64::from(seen));
    Expected {
        lower_milli: (lower / years * 1_000.0).floor().min(1e15) as u64,
        promised_milli,
        seen,
        upper_milli: (upper / years * 1_000.0).ceil().min(1e15) as u64,
    }
}

/// The exact two-sided 95 % interval of a Poisson mean behind `seen` events (Garwood 1936); with none, one-sided: all 5 % above.
pub(crate) fn poisson_interval(seen: u64) -> (f64, f64) {
    let quantile = |shape: f64, p: f64| Gamma::new(shape, 1.0).map_or(f64::MAX, |law| law.inverse_cdf(p));
    match seen {
        0 => (0.0, quantile(1.0, 0.95)),
        _ => (quantile(seen as f64, 0.025), quantile(seen as f64 + 1.0, 0.975)),
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
