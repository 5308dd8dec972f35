//! Trends within the observation: a baseline can be taught by an agent that grows a little every day. Days are the unit.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Row, probability_ppb, teaches};
use crate::{
    baseline::Trend,
    components::Component,
    logarithm::{ln, ln_decimal},
};

/// Reported when days in no order would show as much this rarely, ppb: one in a hundred.
const REPORTED: u32 = 10_000_000;
/// Fewest days for a line.
const FEWEST_DAYS: usize = 5;

pub(super) fn trends(rows: &[Row]) -> Vec<Trend> {
    let mut days: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for row in rows.iter().filter(|row| teaches(row)) {
        if let Some(size) = row.observation.notional.and_then(ln_decimal) {
            let day = days.entry(row.day).or_default();
            *day = (day.0 + size as f64 / 1e6, day.1 + 1.0);
        }
    }
    let sizes: Vec<(f64, f64)> = days
        .iter()
        .map(|(day, (sum, count))| (*day as f64, sum / count))
        .collect();
    let counts: Vec<(f64, f64)> = days
        .iter()
        .map(|(day, (_, count))| (*day as f64, ln(*count as u128) as f64 / 1e6))
        .collect();
    [(Component::Size, sizes), (Component::Rate, counts)]
        .into_iter()
        .filter_map(|(component, points)| trend(component, &points))
        .collect()
}

/// A rising line through the days, by least squares, with the one-sided p of its slope.
fn trend(component: Component, points: &[(f64, f64)]) -> Option<Trend> {
    let n = points.len() as f64;
    if points.len() < FEWEST_DAYS {
        return None;
    }
    let (x_mean, y_mean) = (
        points.iter().map(|p| p.0).sum::<f64>() / n,
        points.iter().map(|p| p.1).sum::<f64>() / n,
    );
    let spread = points.iter().map(|p| (p.0 - x_mean).powi(2)).sum::<f64>();
    let slope = points.iter().map(|p| (p.0 - x_mean) * (p.1 - y_mean)).sum::<f64>() / spread.max(f64::MIN_POSITIVE);
    let rest = points
        .iter()
        .map(|p| (p.1 - y_mean - slope * (p.0 - x_mean)).powi(2))
        .sum::<f64>();
    let error = (rest / (n - 2.0) / spread).sqrt().max(1e-12);
    let p = probability_ppb(StudentsT::new(0.0, 1.0, n - 2.0).ok()?.sf(slope / error), 1);
    let span = points.last()?.0 - points.first()?.0;
    let times = ((slope * span).exp() * 100.0).clamp(0.0, 1e9) as u32;
    (p <= REPORTED && slope > 0.0).then_some(Trend { component, p, times })
}
