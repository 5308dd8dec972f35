//! Leave-one-day-out replay: each day is scored under a baseline fitted without it. From it come the allowance and the step of each
//! detector, the tables of the channel by day, and what the score would have done.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fitter, Row, day};
use crate::{
    admission::LEAST_THETA,
    baseline::{BaselineContent, DayTable, Step},
    components::{self, COMPONENTS, Component, Look, Setting},
    detector::{self, DETECTORS, Detector},
    exponential::{ln_sum, ln_weight},
    logarithm::ln,
    scale::{self, LN_2, SMALLEST_LAMBDA, ln_micro},
    score::{component_weights, day_evidence, days, drift},
    settings::MILLION,
    state::Today,
};

/// The most folds; longer histories leave out several days at a time.
const MOST_FOLDS: usize = 28;
/// A replay must stay below this part of the threshold, in logarithms: three tenths.
const REPLAY_PART: (i64, i64) = (3, 10);
/// Theta is tried from one downwards in twentieths.
const THETA_STEP: u32 = MILLION / 20;

/// What the replay found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Replay {
    /// How often each channel would have reached 0.85: by order, by day.
    pub(super) revocations: [u32; 2],
    /// How often each would have, had the first half of the days been the baseline of the second.
    pub(super) ahead: [u32; 2],
    /// How often 0.75.
    pub(super) warnings: [u32; 2],
    /// ln of the highest evidence of the drift channel.
    pub(super) largest: i64,
}

pub(super) fn leave_one_day_out(fitter: &Fitter<'_>, content: &mut BaselineContent, rows: &[Row]) -> Replay {
    let looks = looks(fitter, rows);
    let later = later(fitter, rows);
    content.drift = Detector::ALL
        .map(|detector| step(content, detector, rows, &looks, later.as_ref()))
        .to_vec();
    let ended = ended(rows, &looks);
    content.day.tables = Component::ALL
        .map(|component| table(content, component, &ended))
        .to_vec();
    let mut replay = Replay::default();
    by_order(content, rows, &looks, &mut replay);
    by_day(content, &ended, &mut replay);
    if let Some((rows, looks)) = &later {
        let mut ahead = Replay::default();
        by_order(content, rows, looks, &mut ahead);
        by_day(content, &self::ended(rows, looks), &mut ahead);
        replay.ahead = ahead.revocations;
    }
    replay
}

/// What each detector says of each row under the baseline that does not know its day.
fn looks(fitter: &Fitter<'_>, rows: &[Row]) -> Vec<[Look; DETECTORS]> {
    let mut days: BTreeMap<i64, usize> = BTreeMap::new();
    for row in rows {
        let next = days.len();
        days.entry(row.day).or_insert(next);
    }
    let count = days.len().min(MOST_FOLDS);
    let fold_of = |row: &Row| days.get(&row.day).map_or(0, |at| at * count / days.len());
    let folds: Vec<BaselineContent> = (0..count)
        .map(|fold| {
            let others: Vec<&Row> = rows.iter().filter(|row| fold_of(row) != fold).collect();
            fitter.tables(&others)
        })
        .collect();
    let mut new = [0; 2];
    let each = rows.iter().map(|row| {
        let (tables, setting) = (&folds[fold_of(row)], Setting { new, ..row.setting });
        new = components::new_names(tables, new, &row.observation);
        components::read(tables, &setting, &row.observation)
    });
    each.collect()
}

/// The second half of the days under a baseline of the first half: days that are close to one another hide how an agent changes.
fn later<'a>(fitter: &Fitter<'_>, rows: &'a [Row]) -> Option<(&'a [Row], Vec<[Look; DETECTORS]>)> {
    let days: BTreeSet<i64> = rows.iter().map(|row| row.day).collect();
    let middle = days.iter().nth(days.len() / 2)?;
    let (first, second) = rows.split_at(rows.partition_point(|row| row.day < *middle));
    if first.is_empty() {
        return None;
    }
    let tables = fitter.tables(&first.iter().collect::<Vec<_>>());
    let mut new = [0; 2];
    let each = second.iter().map(|row| {
        let setting = Setting { new, ..row.setting };
        new = components::new_names(&tables, new, &row.observation);
        components::read(&tables, &setting, &row.observation)
    });
    Some((second, each.collect()))
}

/// The evidence that revokes if one detector alone holds it.
fn threshold(lambda: u64, weight: u64) -> i64 {
    let lambda = lambda.max(SMALLEST_LAMBDA).saturating_mul(10);
    ln(u128::from(lambda)) + LN_2 - ln_weight(weight)
}

fn step(
    content: &BaselineContent,
    detector: Detector,
    rows: &[Row],
    looks: &[[Look; DETECTORS]],
    later: Option<&(&[Row], Vec<[Look; DETECTORS]>)>,
) -> Step {
    let points = |looks: &[[Look; DETECTORS]]| -> Vec<i64> {
        looks.iter().map(|look| ln_micro(look[detector as usize].e)).collect()
    };
    let d = allowance(detector, rows, looks);
    let limit = threshold(content.lambda, detector.weight(&content.settings)) * REPLAY_PART.0 / REPLAY_PART.1;
    let mut runs = vec![(rows, points(looks))];
    runs.extend(later.map(|(rows, looks)| (*rows, points(looks))));
    let fits = |theta: u32| {
        runs.iter()
            .all(|(rows, points)| largest(detector, rows, points, Step { d, theta }) < limit)
    };
    let mut theta = largest_theta(fits);
    if theta < LEAST_THETA {
        theta = 0;
    }
    Step { d, theta }
}

/// The largest step in twentieths that fits, found by halving: what a step adds up to rises with it.
fn largest_theta(mut fits: impl FnMut(u32) -> bool) -> u32 {
    if fits(MILLION) {
        return MILLION;
    }
    let (mut low, mut high) = (0, MILLION / THETA_STEP);
    while high - low > 1 {
        let middle = (low + high) / 2;
        *(if fits(middle * THETA_STEP) { &mut low } else { &mut high }) = middle;
    }
    low * THETA_STEP
}

/// d: the logarithm of the mean e-value over days, plus one standard error, never below zero: so that on the agent's own days the
/// e-values average at most one.
fn allowance(detector: Detector, rows: &[Row], looks: &[[Look; DETECTORS]]) -> i64 {
    let mut days: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for (at, (row, look)) in rows.iter().zip(looks).enumerate() {
        // A window counts once, with what it came to.
        let judged_later = detector.window().is_some_and(|scale| {
            rows.get(at + 1)
                .is_some_and(|next| next.setting.counted.continued[scale])
        });
        if judged_later || detector.skips(&row.setting.counted) {
            continue;
        }
        let day = days.entry(row.day).or_default();
        day.0 += look[detector as usize].e as f64 / 1e6;
        day.1 += 1.0;
    }
    let means: Vec<f64> = days.values().map(|(sum, count)| sum / count).collect();
    let n = means.len().max(1) as f64;
    let mean = means.iter().sum::<f64>() / n;
    let error = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n / n).sqrt();
    ((mean + error).ln() * 1e6).ceil().clamp(0.0, 1e9) as i64
}

/// Evidence of one detector over the rows, as the order path adds it up.
#[derive(Default)]
struct Running {
    before: i64,
    drift: i64,
}

impl Running {
    fn take(&mut self, detector: Detector, row: &Row, point: i64, step: Step) -> i64 {
        if detector.skips(&row.setting.counted) {
            return self.drift;
        }
        let continued = detector
            .window()
            .is_some_and(|scale| row.setting.counted.continued[scale]);
        if !continued {
            self.before = self.drift;
        }
        self.drift = drift(self.before, point, step.d, step.theta);
        self.drift
    }
}

fn largest(detector: Detector, rows: &[Row], points: &[i64], step: Step) -> i64 {
    let mut running = Running::default();
    rows.iter().zip(points).fold(0, |largest, (row, point)| {
        largest.max(running.take(detector, row, *point, step))
    })
}

/// Each day as it ended.
fn ended(rows: &[Row], looks: &[[Look; DETECTORS]]) -> Vec<Today> {
    let mut days: BTreeMap<i64, Today> = BTreeMap::new();
    for (row, look) in rows.iter().zip(looks) {
        let day = days.entry(row.day).or_default();
        *day = day.with(&row.setting, look);
    }
    days.into_values().collect()
}

fn table(content: &BaselineContent, component: Component, ended: &[Today]) -> DayTable {
    let at = component as usize;
    let own: Vec<i64> = ended.iter().map(|day| day.sums[at]).collect();
    let mut table = day::fit(&own);
    let limit = threshold(content.day.lambda, component_weights(&content.settings)[at]) * REPLAY_PART.0 / REPLAY_PART.1;
    let theta = largest_theta(|theta| {
        table.theta = theta;
        largest_by_day(&table, ended, at) < limit
    });
    table.theta = theta;
    table
}

fn largest_by_day(table: &DayTable, ended: &[Today], at: usize) -> i64 {
    let mut evidence = 0;
    ended.iter().fold(0, |largest, day| {
        evidence = drift(evidence, day_evidence(table, day, at), 0, table.theta);
        largest.max(evidence)
    })
}

/// Counts how often the drift channel reaches a warning and a revocation; it starts anew after each revocation.
fn by_order(content: &BaselineContent, rows: &[Row], looks: &[[Look; DETECTORS]], replay: &mut Replay) {
    let weights = detector::weights(&content.settings);
    let mut running: [Running; DETECTORS] = Default::default();
    let mut warned = false;
    for (row, look) in rows.iter().zip(looks) {
        let drifts =
            std::array::from_fn(|at| running[at].take(Detector::ALL[at], row, ln_micro(look[at].e), content.drift[at]));
        let c = ln_sum(&weights, &drifts);
        replay.largest = replay.largest.max(c);
        if replay.count(0, c, content.lambda, &mut warned) {
            running = Default::default();
        }
    }
}

fn by_day(content: &BaselineContent, ended: &[Today], replay: &mut Replay) {
    let weights = component_weights(&content.settings);
    let (mut before, mut warned) = ([0; COMPONENTS], false);
    for day in ended {
        before = days(content, &Today { before, ..*day });
        if replay.count(1, ln_sum(&weights, &before), content.day.lambda, &mut warned) {
            before = [0; COMPONENTS];
        }
    }
}

impl Replay {
    /// Counts a crossing of either threshold; true after a revocation.
    fn count(&mut self, channel: usize, evidence: i64, lambda: u64, warned: &mut bool) -> bool {
        let score = scale::score_of(evidence - LN_2, lambda);
        if score >= scale::REVOKE {
            self.revocations[channel] += 1;
            *warned = false;
            return true;
        }
        if score >= scale::WARN && !*warned {
            self.warnings[channel] += 1;
        }
        *warned = score >= scale::WARN;
        false
    }
}
