//! Leave-one-day-out replay: each day is scored under a baseline fitted without it. From it come d and theta.

use std::collections::BTreeMap;

use super::{Row, tables};
use crate::{
    baseline::BaselineContent,
    scale,
    score::{drift, point_evidence},
    settings::MILLION,
};

/// The most folds; longer histories leave out several days at a time.
const MOST_FOLDS: usize = 28;
/// Theta is tried from one downwards in twentieths.
const THETA_STEP: u32 = MILLION / 20;

/// What the replay found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Replay {
    pub(super) d: i64,
    pub(super) theta: u32,
    /// How often the score would have reached 0.85.
    pub(super) revocations: u32,
    /// ln of the highest evidence of the drift channel.
    pub(super) largest: i64,
}

pub(super) fn leave_one_day_out(content: &BaselineContent, rows: &[Row]) -> Replay {
    let points = points(content, rows);
    let d = allowance(rows, &points);
    // Half the threshold on the scale the evidence adds up on: the logarithm.
    let limit = threshold(content.lambda) / 2;
    let mut theta = MILLION;
    while theta > THETA_STEP && largest(&points, d, theta) >= limit {
        theta -= THETA_STEP;
    }
    Replay {
        d,
        theta,
        revocations: revocations(&points, d, theta, threshold(content.lambda)),
        largest: largest(&points, d, theta),
    }
}

/// ln(10 lambda): the evidence at 0.85.
fn threshold(lambda: u64) -> i64 {
    scale::ln_micro(
        lambda
            .max(scale::SMALLEST_LAMBDA)
            .saturating_mul(10)
            .saturating_mul(1_000_000),
    )
}

/// ln E of each row under the baseline that does not know its day.
fn points(content: &BaselineContent, rows: &[Row]) -> Vec<i64> {
    let mut folds: BTreeMap<i64, usize> = BTreeMap::new();
    for row in rows {
        let next = folds.len();
        folds.entry(row.day).or_insert(next);
    }
    let count = folds.len().min(MOST_FOLDS);
    let fold_of = |row: &Row| folds.get(&row.day).map_or(0, |at| at * count / folds.len());
    let mut points = vec![0; rows.len()];
    for fold in 0..count {
        let others: Vec<&Row> = rows.iter().filter(|row| fold_of(row) != fold).collect();
        let tables = tables(content.agent, &others, &content.settings);
        for (row, point) in rows.iter().zip(&mut points).filter(|(row, _)| fold_of(row) == fold) {
            *point = point_evidence(&tables, &row.counts, &row.observation);
        }
    }
    points
}

/// d: the 90th percentile of the daily means of ln E plus one standard deviation of them, never below zero.
fn allowance(rows: &[Row], points: &[i64]) -> i64 {
    let mut days: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (row, point) in rows.iter().zip(points) {
        let day = days.entry(row.day).or_default();
        day.0 += point;
        day.1 += 1;
    }
    let mut means: Vec<f64> = days.values().map(|(sum, count)| *sum as f64 / *count as f64).collect();
    means.sort_by(f64::total_cmp);
    let n = means.len() as f64;
    let mean = means.iter().sum::<f64>() / n;
    let deviation = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / n).sqrt();
    let ninetieth = means
        .get((means.len() * 9 / 10).min(means.len() - 1))
        .copied()
        .unwrap_or(0.0);
    (ninetieth + deviation).ceil().clamp(0.0, 1e9) as i64
}

fn largest(points: &[i64], d: i64, theta: u32) -> i64 {
    let mut evidence = 0;
    points.iter().fold(0, |largest, point| {
        evidence = drift(evidence, *point, d, theta);
        largest.max(evidence)
    })
}

/// Counts how often a channel reaches `threshold`; the drift channel starts anew after each.
fn revocations(points: &[i64], d: i64, theta: u32, threshold: i64) -> u32 {
    let (mut evidence, mut times) = (0, 0);
    for point in points {
        evidence = drift(evidence, *point, d, theta);
        if evidence >= threshold || *point >= threshold {
            (evidence, times) = (0, times + 1);
        }
    }
    times
}
