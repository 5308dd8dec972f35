//! Days: each component's statistic of a day under a baseline that does not know that day, ranked, with an exponential tail beyond.

use std::collections::BTreeSet;

use super::{Row, probability_ppb, share_ppb};
use crate::{
    baseline::{DayKnot, DayTable},
    settings::MILLION,
};

/// Steps beyond the most unusual day.
const TAIL_KNOTS: usize = 64;
/// The smallest p of a day, ppb.
pub(super) const FLOOR: u32 = 10;
/// The least scale of the tail: one nat of evidence, or one order.
const LEAST_SCALE: f64 = 1e6;

/// Active days per year.
pub(super) fn lambda(rows: &[&Row]) -> u64 {
    let active = rows.iter().map(|row| row.day).collect::<BTreeSet<_>>().len() as u64;
    (active * 365 / super::span_days(rows)).max(1)
}

/// `sums` are the statistics of the days, in any order.
pub(super) fn fit(sums: &[i64]) -> DayTable {
    let mut sorted = sums.to_vec();
    sorted.sort_unstable();
    let n = sorted.len();
    let mut knots = vec![DayKnot {
        p: crate::settings::BILLION,
        sum: 0,
    }];
    for (at, sum) in sorted.iter().enumerate() {
        let at_least = n - sorted.partition_point(|other| other < sum);
        if at == 0 || sorted[at - 1] != *sum {
            knots.push(DayKnot {
                p: share_ppb(1 + at_least as u64, n as u64 + 1, FLOOR),
                sum: *sum,
            });
        }
    }
    let most = sorted.last().copied().unwrap_or(0);
    let base = 2.0 / (n as f64 + 1.0);
    let scale = scale(&sorted);
    let ratio = (f64::from(FLOOR) / 1e9 / base).powf(1.0 / TAIL_KNOTS as f64);
    for step in 1..=TAIL_KNOTS {
        let beyond = ratio.powi(step as i32);
        let sum = most.saturating_add((-scale * beyond.ln()).ceil().min(1e15) as i64);
        knots.push(DayKnot {
            p: probability_ppb(base * beyond, FLOOR),
            sum,
        });
    }
    DayTable {
        knots: falling(knots),
        theta: MILLION,
    }
}

/// The scale of the tail: the mean excess over the median, or a half more than the standard error allows, whichever is larger.
fn scale(sorted: &[i64]) -> f64 {
    let n = sorted.len();
    let median = sorted.get(n / 2).copied().unwrap_or(0);
    let above: Vec<f64> = sorted
        .iter()
        .filter(|sum| **sum > median)
        .map(|sum| (sum - median) as f64)
        .collect();
    let k = above.len() as f64;
    let mean = if above.is_empty() {
        0.0
    } else {
        above.iter().sum::<f64>() / k
    };
    (mean * (1.0 + 1.0 / k.max(1.0).sqrt())).max(LEAST_SCALE)
}

fn falling(mut knots: Vec<DayKnot>) -> Vec<DayKnot> {
    // Long histories are thinned where they are dense: the usual days.
    let most = crate::baseline::MOST_KNOTS;
    knots.sort_by_key(|knot| (knot.sum, std::cmp::Reverse(knot.p)));
    knots.dedup_by_key(|knot| knot.sum);
    while knots.len() > most {
        let body = knots.len() - TAIL_KNOTS;
        let mut at = 0;
        knots.retain(|_| {
            at += 1;
            at > body || at % 2 == 1
        });
    }
    for at in (1..knots.len()).rev() {
        knots[at - 1].p = knots[at - 1].p.max(knots[at].p);
    }
    knots
}
