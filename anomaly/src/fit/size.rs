//! Sizes: ranks up to p95, a generalised Pareto tail above it, both as steps.

use std::collections::BTreeMap;

use extensions::{Currency, Decimal};

use super::{Row, probability_ppb, share_ppb};
use crate::{
    baseline::{CurrencySize, MOST_CURRENCIES, SizeKnot, Sizes},
    logarithm::ln_decimal,
};

/// Steps below p95, and in the tail.
const BODY_KNOTS: usize = 48;
const TAIL_KNOTS: usize = 64;
/// The smallest scale of the tail, in nats: sizes are never taken to be more regular than 5 %.
const LEAST_SIGMA: f64 = 0.05;
/// Exceedances from which the shape of the tail is estimated; below, it is exponential in the logarithm (a Pareto law).
const SHAPE_EXCEEDANCES: usize = 30;
/// The largest shape.
const MOST_SHAPE: f64 = 0.5;

pub(super) fn fit(rows: &[&Row], floor: u32) -> Sizes {
    let mut by_currency: BTreeMap<Currency, Vec<Decimal>> = BTreeMap::new();
    for notional in rows
        .iter()
        .filter_map(|row| Some((row.observation.currency, row.observation.notional?)))
    {
        by_currency.entry(notional.0).or_default().push(notional.1.abs());
    }
    let mut groups: Vec<_> = by_currency.into_iter().collect();
    groups.sort_by_key(|(_, notionals)| std::cmp::Reverse(notionals.len()));
    groups.truncate(MOST_CURRENCIES);
    groups.sort_by_key(|(currency, _)| *currency);
    let (mut currencies, mut above) = (Vec::new(), Vec::new());
    for (currency, mut notionals) in groups {
        notionals.sort_unstable();
        let p50 = notionals[(notionals.len() - 1) / 2];
        let median = ln_decimal(p50).unwrap_or(0);
        currencies.push(CurrencySize {
            currency,
            median,
            p50,
            p99: notionals[(notionals.len() - 1) * 99 / 100],
        });
        above.extend(
            notionals
                .iter()
                .filter_map(|notional| Some(ln_decimal(*notional)? - median)),
        );
    }
    above.sort_unstable();
    let small = above.partition_point(|size| *size <= 0) as u64;
    // One order more on each side, so that neither is impossible.
    let small_ppb = share_ppb(small + 1, above.len() as u64 + 2, 1);
    Sizes {
        currencies,
        knots: knots(&above, floor),
        small_ppb,
    }
}

fn knots(sorted: &[i64], floor: u32) -> Vec<SizeKnot> {
    let n = sorted.len();
    if n == 0 {
        return Vec::new();
    }
    let at_least = |size: i64| (n - sorted.partition_point(|other| *other < size)) as u64;
    let rank = |size: i64| share_ppb(1 + at_least(size), n as u64 + 1, floor);
    let p95 = sorted[(n - 1) * 95 / 100];
    let mut knots: Vec<SizeKnot> = (0..=BODY_KNOTS)
        .map(|step| sorted[(n - 1) * 95 * step / (100 * BODY_KNOTS)])
        .map(|size| SizeKnot { p: rank(size), size })
        .collect();
    let excesses: Vec<f64> = sorted
        .iter()
        .filter(|size| **size > p95)
        .map(|size| (size - p95) as f64 / 1e6)
        .collect();
    let base = (1 + excesses.len()) as f64 / (n + 1) as f64;
    let (sigma, shape) = tail(&excesses);
    let ratio = (f64::from(floor) / 1e9 / base).min(1.0).powf(1.0 / TAIL_KNOTS as f64);
    for step in 1..=TAIL_KNOTS {
        let beyond = ratio.powi(step as i32);
        let excess = if shape < 1e-9 {
            -sigma * beyond.ln()
        } else {
            sigma * (beyond.powf(-shape) - 1.0) / shape
        };
        let size = p95.saturating_add((excess * 1e6).ceil().clamp(1.0, 1e12) as i64);
        // Where the sample itself reaches, the larger of model and rank counts.
        let observed = if size <= sorted[n - 1] { rank(size) } else { 0 };
        let p = probability_ppb(base * beyond, floor).max(observed);
        knots.push(SizeKnot { p, size });
    }
    falling(knots)
}

/// Scale and shape of the excesses, by probability-weighted moments, the scale raised by one standard error.
fn tail(excesses: &[f64]) -> (f64, f64) {
    let k = excesses.len();
    if k == 0 {
        return (2.0 * LEAST_SIGMA, 0.0);
    }
    let mean = excesses.iter().sum::<f64>() / k as f64;
    let mut shape = 0.0;
    if k >= SHAPE_EXCEEDANCES {
        // a1 = Σ (1 - rank)·x / k over ascending excesses; shape = 2 - mean / (mean - 2 a1).
        let weighted = excesses
            .iter()
            .enumerate()
            .map(|(at, x)| x * (k - 1 - at) as f64 / (k - 1) as f64);
        let a1 = weighted.sum::<f64>() / k as f64;
        if mean > 2.0 * a1 {
            shape = (2.0 - mean / (mean - 2.0 * a1)).clamp(0.0, MOST_SHAPE);
        }
    }
    let error = 1.0 + 1.0 / (k as f64).sqrt();
    ((mean * (1.0 - shape) * error).max(LEAST_SIGMA * error), shape)
}

/// Rising sizes, falling shares: equal sizes keep the larger share, and no share is below the next.
fn falling(mut knots: Vec<SizeKnot>) -> Vec<SizeKnot> {
    knots.sort_by_key(|knot| (knot.size, std::cmp::Reverse(knot.p)));
    knots.dedup_by_key(|knot| knot.size);
    for at in (1..knots.len()).rev() {
        knots[at - 1].p = knots[at - 1].p.max(knots[at].p);
    }
    knots
}
