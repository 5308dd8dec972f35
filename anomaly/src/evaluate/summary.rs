//! The outcomes of a class of agents as figures: counts first, intervals with every rate, no percentage below ten agents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    outcome::{AgentOutcome, Caught, Clean, Standing, Trial},
    scenario::{SCENARIOS, Scenario},
};
use crate::{
    fit::poisson_interval,
    scale::{REVOKE, WARN},
    state::ScorerState,
};

/// Fewest agents for a percentage.
const LEAST_AGENTS: usize = 10;
/// Warnings that begin within this time of one another are one event, microseconds.
const GROUPED_MICROS: i64 = 300_000_000;

/// Events per bot-year with the exact 95 % Poisson interval.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Rate {
    /// Events.
    pub seen: usize,
    /// Per year.
    pub per_year: f64,
    /// Lower limit.
    pub lower: f64,
    /// Upper limit.
    pub upper: f64,
    /// What the score promises.
    pub promised: f64,
    /// Observed over promised.
    pub ratio: f64,
}

/// The clean tails of a class.
#[derive(Debug, Clone, Serialize)]
pub struct CleanSummary {
    /// Agents with a tail.
    pub agents: usize,
    /// Calendar time.
    pub bot_years: f64,
    /// False revocations.
    pub revocations: Rate,
    /// False warnings.
    pub warnings: Rate,
    /// Warnings per week and 100 bots.
    pub warnings_per_week_per_100: f64,
    /// Events over all bots that were still open after 60 s, per week and 100 bots.
    pub pages_per_week_per_100: f64,
    /// Revocations per year of a firm that runs all of these bots.
    pub false_halts_per_firm_year: f64,
    /// By leading component and channel.
    pub revoked_by: BTreeMap<String, usize>,
    /// Highest clipped linear score on any clean order, millionths.
    pub linear_highest: u32,
}

/// What became of the candidates.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Admissions {
    /// With enough days.
    pub candidates: usize,
    /// To the channels by order and by day.
    pub both: usize,
    /// By single orders alone.
    pub order: usize,
    /// By days alone.
    pub day: usize,
    /// Of these, after 28 days.
    pub extended: usize,
    /// Limits and warnings only.
    pub warn_only: usize,
    /// Nothing could be fitted.
    pub unfitted: usize,
    /// Fewer days than the baseline needs.
    pub too_short: usize,
}

/// One scenario over a class.
#[derive(Debug, Clone, Serialize)]
pub struct ScenarioSummary {
    /// Its name.
    pub scenario: &'static str,
    /// A control must not fire.
    pub control: bool,
    /// Agents it was tried on.
    pub tried: usize,
    /// Caught at 0.85.
    pub caught: usize,
    /// Reached 0.75.
    pub warned: usize,
    /// Caught of tried, from ten agents on.
    pub recall: Option<f64>,
    /// Orders to detection, median and 90th percentile.
    pub orders: Option<[f64; 2]>,
    /// Active days to detection.
    pub days: Option<[f64; 2]>,
    /// Seconds to detection.
    pub seconds: Option<[f64; 2]>,
    /// Notional beyond the usual before detection, in normal days.
    pub leaked_days: Option<[f64; 2]>,
    /// Detections whose leading component is one that was injected; `None` where none is singled out.
    pub attributed: Option<usize>,
    /// Detections by channel.
    pub channels: BTreeMap<String, usize>,
    /// Agents on which the clipped linear score reached 0.85, and 0.75.
    pub linear: [usize; 2],
}

/// Attempts to teach a baseline: pointed out, of tried.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Taught {
    /// A tenfold ramp within the observation.
    pub within: [usize; 2],
    /// The same histories as they are.
    pub within_clean: [usize; 2],
    /// A threefold larger next baseline.
    pub between: [usize; 2],
    /// The next baselines as they are.
    pub between_clean: [usize; 2],
}

/// A class of agents: one file.
#[derive(Debug, Clone, Serialize)]
pub struct ClassSummary {
    /// The file's name.
    pub class: String,
    /// Agents in it.
    pub agents: usize,
    /// Rows of the file that did not read and were left out.
    pub unread_rows: usize,
    /// Active days of a baseline.
    pub observe_days: usize,
    /// Who was admitted.
    pub admissions: Admissions,
    /// Clean tails of admitted agents.
    pub clean: CleanSummary,
    /// Clean tails of agents that may only be warned.
    pub clean_warn_only: CleanSummary,
    /// Scenarios, on admitted agents.
    pub scenarios: Vec<ScenarioSummary>,
    /// Attempts to teach.
    pub taught: Taught,
    /// Nanoseconds of one score: median, 99th, 99.9th percentile.
    pub nanos: Option<[u32; 3]>,
    /// Bytes of scorer state per bot.
    pub state_bytes: usize,
    /// Scores computed again from the records: the same, of all.
    pub replayed: [u64; 2],
}

/// Sums up a class.
#[must_use]
pub fn summarise(class: &str, observe_days: usize, outcomes: &[AgentOutcome]) -> ClassSummary {
    let mut nanos: Vec<u32> = outcomes
        .iter()
        .filter_map(|one| one.clean.as_ref())
        .flat_map(|clean| clean.nanos.clone())
        .collect();
    nanos.sort_unstable();
    let at = |part: usize| nanos.get((nanos.len().saturating_sub(1)) * part / 1_000).copied();
    let total = |count: fn(&Clean) -> u64| outcomes.iter().filter_map(|one| one.clean.as_ref()).map(count).sum();
    ClassSummary {
        class: class.to_owned(),
        agents: outcomes.len(),
        unread_rows: 0,
        observe_days,
        admissions: admissions(outcomes),
        clean: clean(outcomes, Standing::Admitted),
        clean_warn_only: clean(outcomes, Standing::WarnOnly),
        scenarios: SCENARIOS
            .iter()
            .chain([&Scenario::UPGRADE])
            .filter_map(|one| scenario(*one, outcomes))
            .collect(),
        taught: taught(outcomes),
        nanos: at(500)
            .zip(at(990))
            .zip(at(999))
            .map(|((median, p99), p999)| [median, p99, p999]),
        state_bytes: size_of::<ScorerState>(),
        replayed: [total(|clean| clean.replayed), total(|clean| clean.orders)],
    }
}

fn admissions(outcomes: &[AgentOutcome]) -> Admissions {
    let count = |which: &dyn Fn(&AgentOutcome) -> bool| outcomes.iter().filter(|one| which(one)).count();
    let by = |channels| count(&|one| one.standing == Standing::Admitted && one.channels == channels);
    let too_short = count(&|one| one.standing == Standing::TooShort);
    Admissions {
        candidates: outcomes.len() - too_short,
        both: by((true, true)),
        order: by((true, false)),
        day: by((false, true)),
        extended: count(&|one| one.extended),
        warn_only: count(&|one| one.standing == Standing::WarnOnly),
        unfitted: count(&|one| one.standing == Standing::NoBaseline),
        too_short,
    }
}

fn clean(outcomes: &[AgentOutcome], standing: Standing) -> CleanSummary {
    let tails: Vec<&Clean> = outcomes
        .iter()
        .filter(|one| one.standing == standing)
        .filter_map(|one| one.clean.as_ref())
        .collect();
    let years: f64 = tails.iter().map(|tail| tail.years()).sum();
    let weeks_of_100 = years * 365.0 / 7.0 / 100.0;
    let mut pages: Vec<i64> = tails.iter().flat_map(|tail| tail.pages().map(|page| page.at)).collect();
    pages.sort_unstable();
    // An event ends when nothing begins for five minutes.
    let events = pages.chunk_by(|a, b| b - a <= GROUPED_MICROS).count();
    let warnings = tails.iter().map(|tail| tail.warnings.len()).sum();
    let revocations = tails.iter().map(|tail| tail.revocations.len()).sum();
    let mut revoked_by = BTreeMap::new();
    for (_, top, channel) in tails.iter().flat_map(|tail| &tail.revocations) {
        *revoked_by
            .entry(format!("{} by {channel:?}", top.as_str()).to_lowercase())
            .or_insert(0) += 1;
    }
    CleanSummary {
        agents: tails.len(),
        bot_years: years,
        revocations: rate(revocations, years, 0.1),
        warnings: rate(warnings, years, 4.0),
        warnings_per_week_per_100: finite(warnings as f64 / weeks_of_100),
        pages_per_week_per_100: finite(events as f64 / weeks_of_100),
        false_halts_per_firm_year: finite(revocations as f64 / years * tails.len() as f64),
        revoked_by,
        linear_highest: tails.iter().map(|tail| tail.linear_highest).max().unwrap_or(0),
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { 0.0 }
}

fn rate(seen: usize, years: f64, promised: f64) -> Rate {
    let (lower, upper) = poisson_interval(seen as u64);
    let per_year = finite(seen as f64 / years);
    Rate {
        seen,
        per_year,
        lower: finite(lower / years),
        upper: finite(upper / years),
        promised,
        ratio: per_year / promised,
    }
}

fn scenario(scenario: Scenario, outcomes: &[AgentOutcome]) -> Option<ScenarioSummary> {
    let trials: Vec<&Trial> = outcomes
        .iter()
        .flat_map(|one| &one.trials)
        .filter(|trial| trial.scenario == scenario)
        .collect();
    let caught: Vec<&Caught> = trials.iter().filter_map(|trial| trial.caught.as_ref()).collect();
    let spread = |value: fn(&Caught) -> f64| {
        let mut values: Vec<f64> = caught.iter().map(|one| value(one)).collect();
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values.get(values.len().saturating_sub(1) * part / 10).copied();
        at(5).zip(at(9)).map(|(median, p90)| [median, p90])
    };
    let mut channels = BTreeMap::new();
    for one in &caught {
        *channels.entry(format!("{:?}", one.channel).to_lowercase()).or_insert(0) += 1;
    }
    let linear = |least: u32| trials.iter().filter(|trial| trial.linear_highest >= least).count();
    let attributed = caught.iter().filter(|one| scenario.injects.contains(&one.top)).count();
    (!trials.is_empty()).then(|| ScenarioSummary {
        scenario: scenario.name,
        control: scenario.control,
        tried: trials.len(),
        caught: caught.len(),
        warned: trials.iter().filter(|trial| trial.warned).count(),
        recall: (trials.len() >= LEAST_AGENTS).then(|| caught.len() as f64 / trials.len() as f64),
        orders: spread(|one| one.orders as f64),
        days: spread(|one| one.days as f64),
        seconds: spread(|one| one.seconds),
        leaked_days: spread(|one| one.leaked_days),
        attributed: (!scenario.injects.is_empty()).then_some(attributed),
        channels,
        linear: [linear(REVOKE), linear(WARN)],
    })
}

fn taught(outcomes: &[AgentOutcome]) -> Taught {
    let count = |which: fn(&AgentOutcome) -> Option<bool>| {
        let tried: Vec<bool> = outcomes.iter().filter_map(which).collect();
        [tried.iter().filter(|out| **out).count(), tried.len()]
    };
    Taught {
        within: count(|one| one.teaching.within),
        within_clean: count(|one| one.teaching.within_clean),
        between: count(|one| one.teaching.between),
        between_clean: count(|one| one.teaching.between_clean),
    }
}
