//! The baseline in force beside the agent's last week: hours, names, sizes.

use std::collections::BTreeMap;

use anomaly::{BaselineContent, Observation};
use axum::{
    Json,
    extract::{Path, State},
};
use extensions::{AgentId, Currency, Decimal, StreamId, Timestamp, canonical};
use gateway_policy::OrderDecided;
use serde_json::{Value, json};

use super::{Answer, baselines::content_at, parse};
use crate::{Console, problem::Problem};

/// Hours of a week.
const HOURS: usize = 168;
/// Seconds of a week.
const WEEK: i64 = 7 * 86_400;
/// Entries of the agent's stream that are looked at, the newest.
const MOST_ENTRIES: u64 = 65_536;
const READ_AT_ONCE: usize = 4_096;
/// Shares are told in parts of a million.
const WHOLE: u64 = 1_000_000;

/// The comparison; `baseline` is `null` while none is in force.
pub(super) async fn show(State(console): State<Console>, Path(agent): Path<String>) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let position = {
        let view = console.view().await?;
        view.register
            .agent(&agent)
            .ok_or_else(|| Problem::missing("such agent"))?;
        let approved = view.baselines.get(&agent).and_then(|known| known.approved.as_ref());
        approved.and_then(|(_, position)| *position)
    };
    let baseline = match position {
        Some(position) => Some(of_baseline(&content_at(&console.ledger, position).await?)),
        None => None,
    };
    let since = console.clocks.decision.now().plus_seconds(-WEEK);
    let week = last_week(&console, agent, since).await?;
    Ok(Json(json!({"agent": agent, "baseline": baseline, "week": week})))
}

fn of_baseline(content: &BaselineContent) -> Value {
    let ppm = |ppb: u32| ppb / 1_000;
    let instruments = content.instruments.seen.iter();
    let counterparties = content.counterparties.seen.iter();
    let sizes = content.sizes.currencies.iter();
    json!({
        "counterparties": counterparties.map(|one| json!({"name": one.name, "share": ppm(one.share_ppb)})).collect::<Vec<_>>(),
        "hours": content.hours.iter().map(|hour| ppm(hour.mass_ppb)).collect::<Vec<_>>(),
        "instruments": instruments.map(|one| json!({"name": one.name, "share": ppm(one.share_ppb)})).collect::<Vec<_>>(),
        "sizes": sizes.map(|one| json!({"currency": one.currency, "p50": one.p50, "p99": one.p99})).collect::<Vec<_>>(),
        "version": content.version,
    })
}

/// What was counted of a week.
#[derive(Default)]
struct Week {
    orders: u64,
    /// Active hours: an hour with orders counts once, as in a baseline.
    hours: BTreeMap<(i64, u8), u64>,
    instruments: BTreeMap<String, u64>,
    counterparties: BTreeMap<String, u64>,
    sizes: BTreeMap<Currency, Vec<Decimal>>,
}

async fn last_week(console: &Console, agent: AgentId, since: Timestamp) -> Result<Value, Problem> {
    let stream = StreamId::agent(&agent);
    let end = console.ledger.stream_next(&stream);
    let first = end.saturating_sub(MOST_ENTRIES);
    let (mut week, mut from, mut whole) = (Week::default(), end, first == 0);
    while from > first {
        let to = from;
        from = to.saturating_sub(READ_AT_ONCE as u64).max(first);
        let entries = console.ledger.read_stream(&stream, from, (to - from) as usize).await;
        let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
        let decided = entries
            .iter()
            .filter(|entry| &*entry.kind == OrderDecided::KIND && entry.at >= since);
        for entry in decided {
            if let Ok(decided) = canonical::from_slice::<OrderDecided>(entry.body()) {
                week.count(&decided.observation(entry.at));
            }
        }
        if entries.first().is_some_and(|entry| entry.at < since) {
            whole = true;
            break;
        }
    }
    Ok(week.told(since, whole))
}

impl Week {
    fn count(&mut self, order: &Observation) {
        self.orders += 1;
        let hour = order.at.seconds().div_euclid(3_600);
        *self.hours.entry((hour, order.at.hour_of_week())).or_default() += 1;
        *self.instruments.entry(order.instrument.to_string()).or_default() += 1;
        *self.counterparties.entry(order.counterparty.to_string()).or_default() += 1;
        if let Some(notional) = order.notional {
            self.sizes.entry(order.currency).or_default().push(notional);
        }
    }

    fn told(mut self, since: Timestamp, whole: bool) -> Value {
        let mut hours = vec![0_u64; HOURS];
        for (_, hour) in self.hours.keys() {
            if let Some(count) = hours.get_mut(usize::from(*hour)) {
                *count += 1;
            }
        }
        let active = self.hours.len() as u64;
        let sizes = self.sizes.iter_mut().map(|(currency, sizes)| {
            sizes.sort_unstable();
            let at = |percent: usize| sizes.get((sizes.len() * percent).div_ceil(100).saturating_sub(1));
            json!({"currency": currency, "p50": at(50), "p99": at(99)})
        });
        let sizes: Vec<Value> = sizes.collect();
        json!({
            "counterparties": shares(&self.counterparties, self.orders),
            "hours": hours.iter().map(|count| count * WHOLE / active.max(1)).collect::<Vec<_>>(),
            "instruments": shares(&self.instruments, self.orders),
            "orders": self.orders,
            "since": since,
            "sizes": sizes,
            "whole": whole,
        })
    }
}

fn shares(counts: &BTreeMap<String, u64>, all: u64) -> Vec<Value> {
    let share = |(name, count): (&String, &u64)| json!({"name": name, "share": count * WHOLE / all.max(1)});
    counts.iter().map(share).collect()
}
