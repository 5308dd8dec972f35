//! An agent's orders, the newest first: what was decided, why, under which score, and what became of each.

use std::collections::HashMap;

use anomaly::Component;
use axum::{
    Json,
    extract::{Path, Query, State},
};
use extensions::{AgentId, StreamId};
use gateway_policy::{AgentEvent, OrderDecided, OutcomeState};
use ledger::CommittedEntry;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, parse};
use crate::{Console, problem::Problem};

/// Entries of the stream that one look reads at most.
const MOST_ENTRIES: u64 = 2_048;
/// Orders of one page, and what is asked when nothing is.
const MOST_ORDERS: usize = 200;
const USUAL_ORDERS: usize = 50;

/// Which orders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Before {
    /// Only orders decided before this number of the agent's stream.
    #[serde(default)]
    before: Option<u64>,
    /// How many.
    #[serde(default)]
    limit: Option<usize>,
}

/// One page, and the number to ask before for the next; none when the stream's beginning was read.
pub(super) async fn orders(
    State(console): State<Console>,
    Path(agent): Path<String>,
    Query(asked): Query<Before>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let levels = {
        let view = console.view().await?;
        view.register
            .agent(&agent)
            .ok_or_else(|| Problem::missing("such agent"))?;
        super::house::score_levels(view.house.thresholds())
    };
    let stream = StreamId::agent(&agent);
    let end = console.ledger.stream_next(&stream);
    let before = asked.before.unwrap_or(end).min(end);
    let limit = asked.limit.unwrap_or(USUAL_ORDERS).clamp(1, MOST_ORDERS);
    let from = before.saturating_sub(MOST_ENTRIES);
    // What became of the last orders of a page stands behind it.
    let until = before.saturating_add(MOST_ENTRIES / 4).min(end);
    let entries = console.ledger.read_stream(&stream, from, (until - from) as usize).await;
    let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let (orders, reached) = newest(&entries, before, limit);
    let next = reached.unwrap_or(from);
    Ok(Json(
        json!({"agent": agent, "levels": levels, "next": (next > 0).then_some(next), "orders": orders}),
    ))
}

/// The newest orders below `before`, and the number of the oldest one when there may be more above the first entry.
fn newest(entries: &[std::sync::Arc<CommittedEntry>], before: u64, limit: usize) -> (Vec<Value>, Option<u64>) {
    let (mut ended, mut orders) = (HashMap::new(), Vec::new());
    for entry in entries.iter().rev() {
        match AgentEvent::decode(&entry.kind, entry.body()) {
            // Read backwards: the first that is met is the latest.
            Ok(AgentEvent::Outcome(outcome)) => drop(ended.entry(outcome.order).or_insert(outcome.state)),
            Ok(AgentEvent::Decided(decided)) if entry.number < before => {
                orders.push(told(entry, &decided, ended.get(&entry.number)));
                if orders.len() == limit {
                    return (orders, Some(entry.number));
                }
            }
            _ => {}
        }
    }
    (orders, None)
}

fn told(entry: &CommittedEntry, decided: &OrderDecided, ended: Option<&OutcomeState>) -> Value {
    json!({
        "at": entry.at,
        "checks": decided.checks,
        "decision": decided.decision,
        "notional": decided.notional,
        "number": entry.number,
        "order": decided.order,
        "outcome": ended,
        "overridden": decided.overridden.as_ref().map(|one| one.checks.iter().map(|check| check.code).collect::<Vec<_>>()),
        "position": entry.position,
        "region": decided.region,
        "score": decided.score.as_ref().map(scored),
        "score_use": decided.score_use,
    })
}

/// The score in millionths, and each component's share of the evidence, millionths that sum to a million.
fn scored(score: &anomaly::ScoreRecord) -> Value {
    let part = |component: &Component| json!({"component": component, "share": score.components.of(*component).share});
    json!({
        "channel": score.channel,
        "contributions": Component::ALL.iter().map(part).collect::<Vec<_>>(),
        "leading": score.top(),
        "score": score.score,
    })
}
