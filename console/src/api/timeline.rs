//! What happened after a revocation, read from the ledger entry by entry: each line names the position that proves it.

use axum::{
    Json,
    extract::{Path, State},
};
use extensions::{IncidentId, StreamId, canonical};
use ledger::CommittedEntry;
use serde_json::{Value, json};

use super::{Answer, parse};
use crate::{Console, problem::Problem};

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
    let mut lines: Vec<Value> = entries.iter().filter_map(|entry| line(entry)).collect();
    let complete = entries.len() < MOST_READ && lines.len() <= MOST_LINES;
    lines.truncate(MOST_LINES);
    Ok(Json(json!({"agent": agent, "complete": complete, "timeline": lines})))
}
