//! What somebody should have done by now: it is told to everyone, so that it cannot lie in one person's lane.

use axum::{Json, extract::State};
use extensions::{AgentId, IncidentId, Timestamp};
use revocation_core::warning::WARNING_SECONDS;
use serde_json::{Value, json};

use super::Answer;
use crate::{Console, view::View};

/// An incident is acknowledged within this time, seconds: as long as a warning waits.
const SEEN_SECONDS: i64 = WARNING_SECONDS;
/// An incident is reviewed within this time, seconds.
const REVIEWED_SECONDS: i64 = 86_400;
/// The most that one answer names, the longest overdue first.
const MOST: usize = 500;

struct Overdue {
    due: Timestamp,
    what: &'static str,
    agent: AgentId,
    incident: Option<IncidentId>,
}

fn overdue(view: &View, now: Timestamp) -> Vec<Overdue> {
    let incidents = view.incidents.iter().filter_map(|(id, (agent, incident, opened))| {
        let (what, seconds) = match (incident.finding(), incident.acknowledged()) {
            (Some(_), _) => return None,
            (None, None) => ("incident_not_seen", SEEN_SECONDS),
            (None, Some(_)) => ("incident_not_reviewed", REVIEWED_SECONDS),
        };
        Some(Overdue {
            due: opened.plus_seconds(seconds),
            what,
            agent: *agent,
            incident: Some(*id),
        })
    });
    let recorded = view.unanswered.iter().map(|(agent, ended)| (*agent, *ended));
    // A deadline that has passed holds before anybody writes it down.
    let passed = view.standing.iter().filter_map(|(agent, standing)| {
        standing.owes_default(now)?;
        Some((*agent, standing.warning()?.deadline))
    });
    let warnings = recorded.chain(passed).map(|(agent, due)| Overdue {
        due,
        what: "warning_unanswered",
        agent,
        incident: None,
    });
    let mut all: Vec<Overdue> = incidents.chain(warnings).filter(|one| one.due <= now).collect();
    all.sort_by_key(|one| (one.due, one.agent));
    all.truncate(MOST);
    all
}

/// Passkeys of officers in office whose counter did not go on once: a copy may exist until their officer has others.
fn doubted(view: &View) -> Vec<Value> {
    let in_office = view.register.officers().filter(|officer| officer.in_office());
    let doubted = in_office.flat_map(|officer| {
        let passkeys = officer
            .passkeys()
            .filter_map(|passkey| Some((passkey, passkey.doubted_at?)));
        passkeys.map(|(passkey, at)| json!({"at": at, "key": passkey.key, "officer": officer.id()}))
    });
    doubted.take(MOST).collect()
}

pub(super) async fn list(State(console): State<Console>) -> Answer {
    let now = console.clocks.decision.now();
    let view = console.view().await?;
    let all = overdue(&view, now);
    let rows: Vec<Value> = all
        .iter()
        .map(|one| json!({"agent": one.agent, "due": one.due, "incident": one.incident, "what": one.what}))
        .collect();
    Ok(Json(json!({"overdue": rows, "passkeys": doubted(&view)})))
}
