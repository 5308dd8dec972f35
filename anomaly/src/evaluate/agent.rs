//! One agent through the protocol: a baseline from its first active days, the clean tail, then every scenario behind it.

use std::collections::BTreeSet;

use extensions::{AgentId, Decimal, canonical};

use super::{
    linear,
    outcome::{AgentOutcome, Caught, Clean, Page, Standing, Trial},
    scenario::{Injected, SCENARIOS, Scenario, Source},
    seeded::Seeded,
    teaching,
};
use crate::{
    baseline::{ApprovedBaseline, Mode, Thresholds, Verdict},
    events::BaselineApproved,
    learning::{Learning, Lineage},
    observation::Observation,
    record::ScoreRecord,
    score::score,
    settings::Settings,
    state::ScorerState,
};

/// The most orders of one trial, and the most days.
const MOST_TRIAL_ORDERS: usize = 6_000;
const MOST_TRIAL_DAYS: i64 = 60;
/// Orders of a tail that is long enough to carry attacks; else the history itself carries them, weeks later.
const LEAST_TAIL: usize = 20;
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
    /// Reads a clock in nanoseconds, to time every sixteenth score.
    pub nanos: Option<fn() -> u64>,
}

const USUAL_DAYS: usize = 14;
const SPARSE_DAYS: usize = 60;
const SPARSE_ORDERS: usize = 5;
/// Active days when the first ones do not suffice.
const EXTENDED_DAYS: usize = 28;
/// One of this many scores is timed.
const TIMED_EVERY: u64 = 16;

/// The active days of a baseline in a class: 14, or 60 where half of the agents send fewer than five orders on an active day.
#[must_use]
pub fn observe_days(histories: &[History]) -> usize {
    let sparse = |history: &&History| {
        let days: BTreeSet<i64> = history.orders.iter().map(|(seen, _)| seen.at.day()).collect();
        history.orders.len() < SPARSE_ORDERS * days.len() && days.len() >= 2 * SPARSE_DAYS
    };
    let count = histories.iter().filter(sparse).count();
    if count * 2 > histories.len() {
        SPARSE_DAYS
    } else {
        USUAL_DAYS
    }
}

/// Runs one agent.
#[must_use]
pub fn evaluate(history: &History, protocol: &Protocol) -> AgentOutcome {
    let clean: Vec<Observation> = history
        .orders
        .iter()
        .filter(|(_, label)| *label == 0)
        .map(|(seen, _)| *seen)
        .collect();
    let days: Vec<i64> = clean
        .iter()
        .map(|seen| seen.at.day())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let mut outcome = AgentOutcome::new(&history.name, clean.len(), days.len());
    let split = |count: usize| {
        let last = *days.get(count.checked_sub(1)?)?;
        Some(clean.split_at(clean.partition_point(|seen| seen.at.day() <= last)))
    };
    let Some((mut base, mut tail)) = split(protocol.observe_days) else {
        return outcome;
    };
    let Some(mut fitted) = baseline(base, None) else {
        outcome.standing = Standing::NoBaseline;
        return outcome;
    };
    if fitted.mode() == Mode::WarnOnly
        && protocol.observe_days < EXTENDED_DAYS
        && let Some((longer, rest)) = split(EXTENDED_DAYS)
        && let Some(again) = baseline(longer, None)
        && again.mode() == Mode::Enforce
    {
        (fitted, base, tail, outcome.extended) = (again, longer, rest, true);
    }
    outcome.judged(&fitted);
    let mut states = Vec::new();
    if !tail.is_empty() {
        outcome.clean = Some(play_clean(&fitted, base, tail, &mut states, protocol));
    }
    if fitted.mode() == Mode::Enforce {
        let ground = Ground {
            baseline: &fitted,
            base,
            tail,
            states: &states,
            name: &history.name,
            seed: protocol.seed,
        };
        outcome.trials = SCENARIOS.iter().map(|scenario| ground.trial(*scenario)).collect();
        outcome.trials.extend(ground.upgrade());
    }
    outcome.teaching = teaching::tried(&fitted, base, tail);
    outcome
}

fn baseline(base: &[Observation], lineage: Option<Lineage<'_>>) -> Option<ApprovedBaseline> {
    let agent = AgentId::new("evaluated").ok()?;
    let mut learning = Learning::new(agent);
    base.iter().for_each(|seen| learning.observe(*seen));
    let proposed = learning.propose(&Settings::house(), lineage).ok()?;
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
fn play_clean(
    baseline: &ApprovedBaseline,
    base: &[Observation],
    tail: &[Observation],
    states: &mut Vec<ScorerState>,
    protocol: &Protocol,
) -> Clean {
    let (first, last) = (tail[0].at.day(), tail[tail.len() - 1].at.day());
    let mut clean = Clean::new(first, last);
    let mut state = warmed(base);
    let mut away_on = None;
    let mut open: Option<Page> = None;
    let mut replayed = state;
    for seen in tail {
        states.push(state);
        if away_on == Some(seen.at.day()) {
            state.observe(seen);
            replayed.observe(seen);
            continue;
        }
        let record = timed(baseline, &state, seen, protocol, &mut clean);
        replay(baseline, &mut replayed, seen, &record, &mut clean);
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
                clean.revocations.push((seen.at.micros(), record.top(), record.channel));
                state.reset_evidence();
                replayed.reset_evidence();
                away_on = Some(seen.at.day());
            }
            Verdict::Warn if open.is_none() => {
                open = Some(Page {
                    at: seen.at.micros(),
                    open_micros: i64::MAX,
                    top: record.top(),
                })
            }
            _ => {}
        }
    }
    clean.close(&mut open);
    clean
}

/// Scores one order, and times one in [`TIMED_EVERY`].
fn timed(
    baseline: &ApprovedBaseline,
    state: &ScorerState,
    seen: &Observation,
    protocol: &Protocol,
    clean: &mut Clean,
) -> ScoreRecord {
    let clock = protocol.nanos.filter(|_| clean.orders.is_multiple_of(TIMED_EVERY));
    let began = clock.map(|clock| clock());
    let record = *score(baseline, state, seen).record();
    if let (Some(clock), Some(began)) = (clock, began) {
        clean
            .nanos
            .push(u32::try_from(clock().saturating_sub(began)).unwrap_or(u32::MAX));
    }
    record
}

/// Reads the record back from its canonical bytes, computes the score again from a state folded out of such records, and compares.
fn replay(
    baseline: &ApprovedBaseline,
    state: &mut ScorerState,
    seen: &Observation,
    record: &ScoreRecord,
    clean: &mut Clean,
) {
    let again = score(baseline, state, seen);
    let mut written = Vec::new();
    canonical::write_presorted(record, &mut written);
    let read: Option<ScoreRecord> = canonical::from_slice(&written).ok();
    clean.replayed += u64::from(read.as_ref() == Some(again.record()));
    if let Some(read) = read {
        state.apply(&read, seen);
    }
}

impl Clean {
    fn close(&mut self, open: &mut Option<Page>) {
        if let Some(page) = open.take() {
            self.warnings.push(page);
        }
    }

    /// Warnings still open after a minute.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        self.warnings
            .iter()
            .filter(|page| page.open_micros >= PAGE_AFTER_MICROS)
    }
}

/// The streams of one agent as another detector may be judged on: the same orders, the same injections.
#[derive(Debug)]
pub struct Laid {
    /// What it may learn from.
    pub baseline: Vec<Observation>,
    /// The clean tail.
    pub tail: Vec<Observation>,
    /// Each scenario's orders.
    pub attacks: Vec<(Scenario, Vec<Injected>)>,
}

/// Lays the streams of one agent out; `None` when it has fewer active days than a baseline needs.
#[must_use]
pub fn laid_out(history: &History, protocol: &Protocol) -> Option<Laid> {
    let clean = history.orders.iter().filter(|(_, label)| *label == 0);
    let clean: Vec<Observation> = clean.map(|(seen, _)| *seen).collect();
    let days: BTreeSet<i64> = clean.iter().map(|seen| seen.at.day()).collect();
    let last = *days.iter().nth(protocol.observe_days.checked_sub(1)?)?;
    let (base, tail) = clean.split_at(clean.partition_point(|seen| seen.at.day() <= last));
    let attacks = SCENARIOS.iter().map(|scenario| {
        let (_, injected) = injected(*scenario, base, tail, &history.name, protocol.seed);
        (*scenario, injected)
    });
    Some(Laid {
        attacks: attacks.collect(),
        baseline: base.to_vec(),
        tail: tail.to_vec(),
    })
}

/// A scenario's orders, from the same place of the tail for all: a random one in its first half; `None` where the history itself carries them.
fn injected(
    scenario: Scenario,
    base: &[Observation],
    tail: &[Observation],
    name: &str,
    seed: u64,
) -> (Option<usize>, Vec<Injected>) {
    let usable = tail.len() >= LEAST_TAIL;
    let at = usable.then(|| Seeded::new(seed, &[name]).below(tail.len() / 2));
    let stream = stream(base, tail, at.unwrap_or(0));
    let mut random = Seeded::new(seed, &[name, scenario.name]);
    let source = Source {
        history: base,
        stream: &stream,
    };
    (at, scenario.inject(&source, &mut random))
}

/// What the agent would send from its `at`th tail order on, repeated by whole weeks to a useful length.
fn stream(base: &[Observation], tail: &[Observation], at: usize) -> Vec<Observation> {
    let carrier = if tail.len() >= LEAST_TAIL { &tail[at..] } else { base };
    let (Some(first), Some(last)) = (carrier.first(), carrier.last()) else {
        return Vec::new();
    };
    let weeks = (last.at.day() - first.at.day()) / 7 + 1;
    let begin = if tail.len() >= LEAST_TAIL { 0 } else { weeks };
    let mut all = Vec::new();
    for round in 0.. {
        let shift = (begin + round * weeks) * WEEK_SECONDS;
        all.extend(carrier.iter().map(|seen| Observation {
            at: seen.at.plus_seconds(shift),
            ..*seen
        }));
        if all.len() >= LEAST_TRIAL_ORDERS || round > 20 {
            break;
        }
    }
    let day = all[0].at.day();
    all.retain(|seen| seen.at.day() < day + MOST_TRIAL_DAYS);
    all.truncate(MOST_TRIAL_ORDERS);
    all
}

/// Where the scenarios of one agent are played.
struct Ground<'a> {
    baseline: &'a ApprovedBaseline,
    base: &'a [Observation],
    tail: &'a [Observation],
    states: &'a [ScorerState],
    name: &'a str,
    seed: u64,
}

impl Ground<'_> {
    /// One scenario.
    fn trial(&self, scenario: Scenario) -> Trial {
        let (at, injected) = injected(scenario, self.base, self.tail, self.name, self.seed);
        let state = at.map_or_else(|| warmed(self.base), |at| self.states[at]);
        play(self.baseline, state, &injected, scenario, normal_day(self.base))
    }

    /// A strategy upgrade that was announced: sizes trebled under a mandate of another scope, with a baseline of its own from the
    /// first half of the tail. Scored is the second half.
    fn upgrade(&self) -> Option<Trial> {
        let upgraded: Vec<Observation> = self
            .tail
            .iter()
            .map(|seen| {
                let notional = seen
                    .notional
                    .and_then(|notional| notional.checked_mul(Decimal::from(3)));
                Observation { notional, ..*seen }
            })
            .collect();
        let middle = upgraded.get(upgraded.len() / 2)?.at.day();
        let (before, after) = upgraded.split_at(upgraded.partition_point(|seen| seen.at.day() < middle));
        let fitted = baseline(before, None).filter(|fitted| fitted.mode() == Mode::Enforce)?;
        let injected: Vec<Injected> = after
            .iter()
            .map(|seen| Injected {
                seen: *seen,
                attack: true,
                instead: seen.notional,
            })
            .collect();
        Some(play(
            &fitted,
            warmed(before),
            &injected,
            Scenario::UPGRADE,
            normal_day(before),
        ))
    }
}

fn play(
    baseline: &ApprovedBaseline,
    mut state: ScorerState,
    injected: &[Injected],
    scenario: Scenario,
    normal_day: f64,
) -> Trial {
    let mut trial = Trial::new(scenario);
    let (mut orders, mut leaked, mut began, mut days) = (0, 0.0, None, 0);
    let mut day = i64::MIN;
    for Injected { seen, attack, instead } in injected {
        orders += usize::from(*attack);
        if *attack && seen.at.day() != day {
            (day, days) = (seen.at.day(), days + 1);
        }
        if *attack && began.is_none() {
            began = Some(seen.at);
        }
        let record: ScoreRecord = *score(baseline, &state, seen).record();
        state.apply(&record, seen);
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
        if *attack {
            leaked += number(seen.notional) - number(*instead);
        }
    }
    trial.missed_after = orders;
    trial.leaked_days = leaked / normal_day;
    trial
}

fn number(notional: Option<Decimal>) -> f64 {
    notional.map_or(0.0, |notional| {
        notional.mantissa() as f64 / 10_f64.powi(i32::from(notional.scale()))
    })
}

/// The mean notional of an active day of the baseline, currencies added as they come.
fn normal_day(base: &[Observation]) -> f64 {
    let days = base.iter().map(|seen| seen.at.day()).collect::<BTreeSet<_>>().len();
    (base.iter().map(|seen| number(seen.notional)).sum::<f64>() / days.max(1) as f64).max(f64::MIN_POSITIVE)
}
