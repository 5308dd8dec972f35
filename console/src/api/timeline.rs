//! What happened after a revocation, read from the ledger entry by entry: each line names the position that proves it.

use axum::{
    Json,
    extract::{Path, State},
};
use extensions::{IncidentId, StreamId, canonical};
use ledger::CommittedEntry;
use serde_json::{Value, json};

use super::{Answer, parse};
use crate::{
    Console,
    problem::Problem,
    view::{Delivery, List, View},
};

/// Entries of the agent's stream that are read from the revocation on; what came later stands in the ledger.
const MOST_READ: usize = 1_024;
/// Lines of one answer.
const MOST_LINES: usize = 128;

/// What an entry of the agent's stream means to a reader of the incident; none for one that is not of its story.
fn told(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "agent.revoked" => "the bot was revoked: sessions close, every certificate it has ever had is void",
        "agent.probation_started" => {
            "somebody on call and an officer let the bot trade for some hours, under a small mandate"
        }
        "agent.reinstated" => "two officers brought the bot back",
        "baseline.approved" => "a baseline was approved",
        "certificate.revoked" => "a certificate was revoked",
        "halt.reported" => "the open orders were cancelled as far as the venue answered",
        "incident.acknowledged" => "somebody has seen it",
        "incident.opened" => "the incident was opened",
        "incident.reviewed" => "the review was signed",
        "warning.closed" => "the warning ended",
        _ => return None,
    })
}

fn line(entry: &CommittedEntry) -> Option<Value> {
    let what = told(&entry.kind)?;
    let body: Value = canonical::from_slice(entry.body()).ok()?;
    let by = body.get("by").or_else(|| body.get("officer"));
    Some(json!({
        "at": entry.at,
        "by": by,
        "detail": body.get("in_words"),
        "kind": &*entry.kind,
        "position": entry.position,
        "what": what,
    }))
}

/// What others made of an entry: the list its revocation is on, and the webhooks that told of it, each by the entry that says so.
fn around(view: &View, entry: &CommittedEntry, lines: &mut Vec<(u64, Value)>) {
    if matches!(&*entry.kind, "agent.revoked" | "certificate.revoked") {
        lines.extend(
            view.list_behind(entry.position)
                .map(|list| (list.position, published(list))),
        );
    }
    let told = view.deliveries_of(entry.position);
    lines.extend(told.map(|(webhook, one)| (one.position, delivered(webhook, one, &entry.kind))));
}

fn published(list: List) -> Value {
    json!({
        "at": list.at,
        "by": null,
        "detail": format!("list number {} with {} revoked certificates", list.number, list.entries),
        "kind": "crl.published",
        "position": list.position,
        "what": "the next list of revoked certificates (CRL) was signed",
    })
}

/// The latest attempt of one webhook to tell of an entry of this kind.
fn delivered(webhook: &str, one: &Delivery, of: &str) -> Value {
    let (kind, what) = match (&one.fault, one.dead) {
        (None, _) => ("delivery.attempted", "a webhook was delivered"),
        (Some(_), false) => ("delivery.attempted", "a webhook was not taken yet and is tried again"),
        (Some(_), true) => ("delivery.dead", "a webhook was given up: it is a dead letter"),
    };
    let fault = one.fault.as_ref().map(|fault| format!(", {fault}")).unwrap_or_default();
    json!({
        "at": one.at,
        "by": null,
        "detail": format!("{of} to {webhook}, attempt {}{fault}", one.attempts),
        "kind": kind,
        "position": one.position,
        "what": what,
    })
}

pub(super) async fn show(State(console): State<Console>, Path(incident): Path<String>) -> Answer {
    let incident: IncidentId = parse("INCIDENT", &incident)?;
    let (agent, from) = {
        let view = console.view().await?;
        let found = view.incidents.get(&incident);
        let agent = found.ok_or_else(|| Problem::missing("such incident"))?.0;
        (agent, view.revoked_with(&incident))
    };
    let Some(from) = from else {
        return Ok(Json(json!({"agent": agent, "complete": true, "timeline": []})));
    };
    let read = console
        .ledger
        .read_stream(&StreamId::agent(&agent), from, MOST_READ)
        .await;
    let entries = read.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let told = entries.iter().filter_map(|entry| Some((entry, line(entry)?)));
    let mut lines = Vec::new();
    let view = console.view().await?;
    for (entry, line) in told {
        lines.push((entry.position, line));
        around(&view, entry, &mut lines);
    }
    // One list may hold what several entries revoked.
    lines.sort_by_key(|(position, _)| *position);
    lines.dedup_by_key(|(position, _)| *position);
    let complete = entries.len() < MOST_READ && lines.len() <= MOST_LINES;
    let mut lines: Vec<Value> = lines.into_iter().map(|(_, line)| line).collect();
    lines.truncate(MOST_LINES);
    Ok(Json(json!({"agent": agent, "complete": complete, "timeline": lines})))
}
