//! Attacks injected behind the agent's own history: what the proposed baseline would catch, and after how many orders.

use extensions::{Counterparty, Instrument, Region};

use super::Row;
use crate::{
    baseline::{BaselineContent, PowerCheck},
    observation::Observation,
    scale::{REVOKE, score_of},
    score::{drift, point_evidence},
    window::Windows,
};

/// Orders injected per attack.
const MOST_ORDERS: u32 = 200;
/// Between two orders of a loop.
const LOOP_GAP_MICROS: i64 = 300_000;
/// A name no history has; valid as instrument, and in lower case as counterparty and region.
const NEVER_SEEN: &str = "NEVER-SEEN";

pub(super) fn checks(content: &BaselineContent, rows: &[Row]) -> Vec<PowerCheck> {
    let changed = |attack: &str, change: &dyn Fn(&mut Observation)| {
        let from = rows.len() / 2;
        let points = (0..MOST_ORDERS as usize).map(|at| {
            let mut row = rows[(from + at) % rows.len()];
            change(&mut row.observation);
            point_evidence(content, &row.counts, &row.observation)
        });
        check(content, attack, points)
    };
    let lower = NEVER_SEEN.to_ascii_lowercase();
    let mut checks = vec![check(content, "runaway", runaway(content, rows).into_iter())];
    if let Ok(region) = Region::new(&lower) {
        checks.push(changed("new_region", &|seen| seen.region = Some(region)));
    }
    if let Ok(instrument) = Instrument::new(NEVER_SEEN) {
        checks.push(changed("new_instrument", &|seen| seen.instrument = instrument));
    }
    if let Ok(counterparty) = Counterparty::new(&lower) {
        checks.push(changed("new_counterparty", &|seen| seen.counterparty = counterparty));
    }
    checks
}

/// One of the agent's own orders, again and again.
fn runaway(content: &BaselineContent, rows: &[Row]) -> Vec<i64> {
    let mut windows = Windows::EMPTY;
    let upto = &rows[..=rows.len() / 2];
    upto.iter().for_each(|row| windows.add(row.observation.at, 1));
    let Some(last) = upto.last() else { return Vec::new() };
    (1..=i64::from(MOST_ORDERS))
        .map(|order| {
            let observation = Observation {
                at: last.observation.at.plus_micros(order * LOOP_GAP_MICROS),
                ..last.observation
            };
            windows.add(observation.at, 1);
            point_evidence(content, &windows.counts(observation.at), &observation)
        })
        .collect()
}

fn check(content: &BaselineContent, attack: &str, points: impl Iterator<Item = i64>) -> PowerCheck {
    let mut evidence = 0;
    let caught = points.zip(1_u32..).find_map(|(point, order)| {
        evidence = drift(evidence, point, content.d, content.theta);
        (score_of(point.max(evidence), content.lambda) >= REVOKE).then_some(order)
    });
    PowerCheck {
        attack: attack.to_owned(),
        orders: caught,
        tried: MOST_ORDERS,
    }
}
