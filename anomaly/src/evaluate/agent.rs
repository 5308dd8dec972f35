//! One agent through the protocol: a baseline from its first active days, the clean tail, then every scenario behind it.

use std::collections::BTreeSet;

use extensions::{AgentId, Decimal};

use super::{
    linear,
    outcome::{AgentOutcome, Caught, Clean, Page, Standing, Trial},
    scenario::{Injected, SCENARIOS, Scenario, Source},
    seeded::Seeded,
};
use crate::{
    baseline::{ApprovedBaseline, Mode, Thresholds, Verdict},
    events::BaselineApproved,
    learning::Learning,
    observation::Observation,
    record::ScoreRecord,
    score::score,
    settings::Settings,
    state::ScorerState,
};

/// The most orders of one trial, and the most days.
const MOST_TRIAL_ORDERS: usize = 600;
const MOST_TRIAL_DAYS: i64 = 60;
/// A stream shorter than this is repeated, by whole weeks, until it is as long.
const LEAST_TRIAL_ORDERS: usize = 300;
const WEEK_SECONDS: i64 = 7 * 86_400;
/// A warning that is still open after this long is a page.
const PAGE_AFTER_MICROS: i64 = 60_000_000;

/// One agent's orders, by time, with their labels (0 is clean).
#[derive(Debug, Clone)]
pub struct History {
    /// Its name in the file.
    pub name: String,
    /// Orders.
    pub orders: Vec<(Observation, u32)>,
}

/// How the run is made.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// Active days of the baseline.
    pub observe_days: usize,
    /// Of every injection.
    pub seed: u64,
}

/// Runs one agent.
#[must_use]
pub fn evaluate(history: &History, protocol: &Protocol) -> AgentOutcome {
    let clean: Vec<Observation> = history.orders.iter().filter(|(_, label)| *label == 0).map(|(seen, _)| *seen).collect();
    let days: Vec<i64> = clean.iter().map(|seen| seen.at.day()).collect::<BTreeSet<_>>().into_iter().collect();
    let mut outcome = AgentOutcome::new(&history.name, clean.len(), days.len());
    let Some(last) = days.get(protocol.observe_days - 1) else {
        outcome.standing = Standing::TooShort;
        return outcome;
    };
    let (base, tail) = clean.split_at(clean.partition_point(|seen| seen.at.day() <= *last));
    let Some(baseline) = baseline(base) else {
        outcome.standing = Standing::NoBaseline;
        return outcome;
    };
    outcome.judged(&baseline);
    let mut states = Vec::new();
    if !tail.is_empty() {
        outcome.clean = Some(play_clean(&baseline, base, tail, &mut states));
    }
    if baseline.mode() == Mode::Enforce {
        for scenario in SCENARIOS {
            outcome.trials.push(trial(&baseline, base, tail, &states, scenario, protocol, &history.name));
        }
    }
    outcome
}

fn baseline(base: &[Observation]) -> Option<ApprovedBaseline> {
    let agent = AgentId::new("evaluated").ok()?;
    let mut learning = Learning::new(agent);
    base.iter().for_each(|seen| learning.observe(*seen));
    let proposed = learning.propose(&Settings::house(), None).ok()?;
    approved(proposed)
}

fn approved(proposed: crate::ProposedBaseline) -> Option<ApprovedBaseline> {
    let approval = BaselineApproved {
        agent: proposed.content().agent,
        approvals: vec!["evaluation".to_owned()],
        baseline: proposed.digest(),
        version: proposed.content().version,
    };
    proposed.approve(&approval).ok()
}

/// The state of an agent whose counters know the end of its history.
fn warmed(base: &[Observation]) -> ScorerState {
    let mut state = ScorerState::NEW;
    base.iter().for_each(|seen| state.observe(seen));
    state
}

/// Plays the clean tail as the policy would act: a revoked agent comes back, cleared, on the next UTC day.
fn play_clean(baseline: &ApprovedBaseline, base: &[Observation], tail: &[Observation], states: &mut Vec<ScorerState>) -> Clean {
    let (first, last) = (tail[0].at.day(), tail[tail.len() - 1].at.day());
    let mut clean = Clean::new(first, last);
    let mut state = warmed(base);
    let mut away_on = None;
    let mut open: Option<Page> = None;
    for seen in tail {
        states.push(state);
        if away_on == Some(seen.at.day()) {
            state.observe(seen);
            continue;
        }
        let record = *score(baseline, &state, seen).record();
        clean.linear_highest = clean.linear_highest.max(linear::clipped(&record));
        state.apply(&record, seen);
        clean.orders += 1;
        clean.highest = clean.highest.max(record.score);
        let verdict = baseline.verdict(&record, Thresholds::default());
        if let Some(page) = open.as_mut() {
            page.open_micros = seen.at.micros() - page.at;
        }
        if verdict != Verdict::Warn {
            clean.close(&mut open);
        }
        match verdict {
            Verdict::Revoke => {
                clean.revocations.push((seen.at.micros(), record.top(), record.channel, record.leading()));
                state.reset_evidence();
                away_on = Some(seen.at.day());
            }
            Verdict::Warn if open.is_none() => open = Some(Page { at: seen.at.micros(), open_micros: i64::MAX, top: record.top(), lead: record.leading() }),
            _ => {}
        }
    }
    clean.close(&mut open);
    clean
}

impl Clean {
    fn close(&mut self, open: &mut Option<Page>) {
        if let Some(page) = open.take() {
            self.warnings.push(page);
        }
    }

    /// Warnings still open after a minute.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.warnings.iter().filter(|page| page.open_micros >= PAGE_AFTER_MICROS)
    }
}

/// What the agent would send from its `at`th tail order on, repeated by whole weeks to a useful length.
fn stream(base: &[Observation], tail: &[Observation], at: usize) -> Vec<Observation> {
    let carrier = if tail.len() >= 20 { &tail[at..] } else { base };
    let (Some(first), Some(last)) = (carrier.first(), carrier.last()) else { return Vec::new() };
    let weeks = (last.at.day() - first.at.day()) / 7 + 1;
    let begin = if tail.len() >= 20 { 0 } else { weeks };
    let mut all = Vec::new();
    for round in 0.. {
        let shift = (begin + round * weeks) * WEEK_SECONDS;
        all.extend(carrier.iter().map(|seen| Observation { at: seen.at.plus_seconds(shift), ..*seen }));
        if all.len() >= LEAST_TRIAL_ORDERS || round > 20 {
            break;
        }
    }
    let day = all[0].at.day();
    all.retain(|seen| seen.at.day() < day + MOST_TRIAL_DAYS);
    all.truncate(MOST_TRIAL_ORDERS);
    all
}

fn trial(
    baseline: &ApprovedBaseline,
    base: &[Observation],
    tail: &[Observation],
    states: &[ScorerState],
    scenario: Scenario,
    protocol: &Protocol,
    name: &str,
) -> Trial {
    let mut random = Seeded::new(protocol.seed, &[name, scenario.name]);
    // The same place for every scenario: a random one in the first half of the tail.
    let at = if tail.len() >= 20 { Seeded::new(protocol.seed, &[name]).below(tail.len() / 2) } else { 0 };
    let stream = stream(base, tail, at);
    let injected = scenario.inject(&Source { history: base, stream: &stream }, &mut random);
    let mut state = if tail.len() >= 20 { states[at] } else { warmed(base) };
    let normal_day = normal_day(base);
    let mut trial = Trial::new(scenario);
    let (mut orders, mut leaked, mut began, mut days) = (0, 0.0, None, 0);
    let mut day = i64::MIN;
    for Injected { seen, attack, instead } in injected {
        orders += usize::from(attack);
        if attack && seen.at.day() != day {
            (day, days) = (seen.at.day(), days + 1);
        }
        if attack && began.is_none() {
            began = Some(seen.at);
        }
        let record: ScoreRecord = *score(baseline, &state, &seen).record();
        state.apply(&record, &seen);
        trial.linear_highest = trial.linear_highest.max(linear::clipped(&record));
        trial.warned |= record.score >= Thresholds::default().warn && began.is_some();
        if began.is_some() && baseline.verdict(&record, Thresholds::default()) == Verdict::Revoke {
            trial.caught = Some(Caught {
                orders,
                days,
                seconds: began.map_or(0.0, |began| (seen.at.micros() - began.micros()) as f64 / 1e6),
                leaked_days: leaked / normal_day,
                top: record.top(),
                channel: record.channel,
            });
            return trial;
        }
        // Leaked is what went out beyond what the agent would have sent; the order that is refused did not.
        if attack {
            leaked += number(seen.notional) - number(instead);
        }
    }
    trial.missed_after = orders;
    trial.leaked_days = leaked / normal_day;
    trial
}

fn number(notional: Option<Decimal>) -> f64 {
    notional.map_or(0.0, |notional| notional.mantissa() as f64 / 10_f64.powi(i32::from(notional.scale())))
}

/// The mean notional of an active day of the baseline, currencies added as they come.
fn normal_day(base: &[Observation]) -> f64 {
    let days = base.iter().map(|seen| seen.at.day()).collect::<BTreeSet<_>>().len();
    (base.iter().map(|seen| number(seen.notional)).sum::<f64>() / days.max(1) as f64).max(f64::MIN_POSITIVE)
}
