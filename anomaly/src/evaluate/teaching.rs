//! Attempts to teach a baseline: a ramp within the observation, and one that is timed to the next baseline.

use extensions::Decimal;

use super::outcome::Teaching;
use crate::{
    baseline::{ApprovedBaseline, Report},
    components::Component,
    fit,
    learning::Lineage,
    observation::Observation,
};

/// How large sizes become, from the first day to the last: within one observation, and by the next.
const WITHIN: f64 = 10.0;
const BETWEEN: f64 = 3.0;

pub(super) fn tried(fitted: &ApprovedBaseline, base: &[Observation], tail: &[Observation]) -> Teaching {
    let lineage = Lineage {
        current: (fitted.content(), fitted.digest()),
        first: None,
    };
    Teaching {
        within: report(fitted, &ramp(base, 1.0, WITHIN), None).map(|report| points_out(&report)),
        within_clean: Some(points_out(&fitted.content().report)),
        between: report(fitted, &ramp(tail, BETWEEN, BETWEEN), Some(lineage)).map(|report| stopped(&report)),
        between_clean: report(fitted, tail, Some(lineage)).map(|report| stopped(&report)),
    }
}

fn report(fitted: &ApprovedBaseline, observations: &[Observation], lineage: Option<Lineage<'_>>) -> Option<Report> {
    let history = fit::History {
        agent: fitted.content().agent,
        dropped: 0,
        observations,
        peers: &[],
    };
    fit::teaching(&history, &fitted.content().settings, lineage)
}

fn points_out(report: &Report) -> bool {
    report.trends.iter().any(|one| one.component == Component::Size)
}

fn stopped(report: &Report) -> bool {
    report.changes.iter().any(|one| one.beyond_cap) || report.slow.iter().any(|one| one.flagged)
}

/// Sizes that grow evenly from `first` to `last` times themselves, day by day.
fn ramp(orders: &[Observation], first: f64, last: f64) -> Vec<Observation> {
    let (Some(from), Some(to)) = (
        orders.first().map(|seen| seen.at.day()),
        orders.last().map(|seen| seen.at.day()),
    ) else {
        return Vec::new();
    };
    let grown = orders.iter().map(|seen| {
        let part = (seen.at.day() - from) as f64 / (to - from).max(1) as f64;
        let factor = Decimal::new((first * (last / first).powf(part) * 1_000.0) as i128, 3);
        Observation {
            notional: seen
                .notional
                .zip(factor)
                .and_then(|(size, factor)| size.checked_mul(factor)),
            ..*seen
        }
    });
    grown.collect()
}
