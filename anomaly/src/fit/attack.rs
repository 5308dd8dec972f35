//! Attacks injected behind the agent's own history: what the proposed baseline would catch, and after how many orders and days.

use extensions::{Counterparty, Digest, Instrument, Region};

use super::Row;
use crate::{
    baseline::{BaselineContent, PowerCheck},
    observation::Observation,
    scale::REVOKE,
    score::judge,
    state::ScorerState,
};

/// Orders injected per attack.
const MOST_ORDERS: u32 = 200;
/// Between two orders of a loop.
const LOOP_GAP_MICROS: i64 = 300_000;
/// A name no history has; valid as instrument, and in lower case as counterparty and region.
const NEVER_SEEN: &str = "NEVER-SEEN";
/// Half a day.
const HALF_DAY_SECONDS: i64 = 12 * 3_600;

pub(super) fn checks(content: &BaselineContent, rows: &[Row]) -> Vec<PowerCheck> {
    let changed = |attack: &str, change: &dyn Fn(&mut Observation)| {
        let from = rows.len() / 2;
        let orders = repeated(rows, from).map(|mut observation| {
            change(&mut observation);
            observation
        });
        check(content, attack, &rows[..from], orders)
    };
    let lower = NEVER_SEEN.to_ascii_lowercase();
    let mut checks = vec![runaway(content, rows)];
    if let Ok(region) = Region::new(&lower) {
        checks.push(changed("new_region", &|seen| seen.region = Some(region)));
    }
    if let Ok(instrument) = Instrument::new(NEVER_SEEN) {
        checks.push(changed("new_instrument", &|seen| seen.instrument = instrument));
    }
    if let Ok(counterparty) = Counterparty::new(&lower) {
        checks.push(changed("new_counterparty", &|seen| seen.counterparty = counterparty));
    }
    checks.push(changed("off_hours", &|seen| seen.at = seen.at.plus_seconds(HALF_DAY_SECONDS)));
    checks
}

/// The history from `from` on, then again from its start, by whole weeks later.
fn repeated(rows: &[Row], from: usize) -> impl Iterator<Item = Observation> {
    let weeks = rows.last().map_or(0, |last| last.day - rows[0].day) / 7 + 1;
    rows.iter().cycle().enumerate().skip(from).map(move |(at, row)| {
        let round = (at / rows.len()) as i64;
        Observation {
            at: row.observation.at.plus_seconds(round * weeks * 7 * 86_400),
            ..row.observation
        }
    })
}

/// One of the agent's own orders, again and again.
fn runaway(content: &BaselineContent, rows: &[Row]) -> PowerCheck {
    let upto = &rows[..=rows.len() / 2];
    let last = upto[upto.len() - 1].observation;
    let orders = (1..=i64::from(MOST_ORDERS)).map(|order| Observation {
        at: last.at.plus_micros(order * LOOP_GAP_MICROS),
        ..last
    });
    check(content, "runaway", upto, orders)
}

fn check(
    content: &BaselineContent,
    attack: &str,
    before: &[Row],
    orders: impl Iterator<Item = Observation>,
) -> PowerCheck {
    let mut state = ScorerState::NEW;
    before.iter().for_each(|row| state.observe(&row.observation));
    let (mut days, mut day) = (0, i64::MIN);
    let mut caught = None;
    for (observation, order) in orders.take(MOST_ORDERS as usize).zip(1_u32..) {
        if observation.at.day() != day {
            (days, day) = (days + 1, observation.at.day());
        }
        let record = judge(content, Digest([0; 32]), &state, &observation);
        state.apply(&record, &observation);
        if record.score >= REVOKE {
            caught = Some(order);
            break;
        }
    }
    PowerCheck {
        attack: attack.to_owned(),
        days: caught.map(|_| days),
        orders: caught,
        tried: MOST_ORDERS,
    }
}
