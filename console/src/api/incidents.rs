//! Incidents: looking at them, acknowledging one, asking for its review, which two officers sign.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use extensions::{AgentId, IncidentId, Timestamp};
use revocation_core::{
    HaltReported, IncidentState,
    incident::{Finding, IncidentAcknowledged, IncidentEvent},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, Waiting, parse, proposals};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, place, seal},
    view::View,
};

/// What became of a halt's cancels at one gateway.
pub(super) fn halt_shown(reported: &HaltReported) -> Value {
    json!({
        "cancelled": reported.report.cancelled,
        "could_not": reported.report.could_not,
        "gateway": reported.gateway,
        "in_words": reported.in_words,
        "kept": reported.report.kept,
        "revoked": reported.revoked,
    })
}

/// An incident as lists and pages show it.
fn shown(view: &View, id: &IncidentId, agent: &AgentId, incident: &IncidentState, at: Timestamp) -> Value {
    json!({
        "acknowledged_by": incident.acknowledged(),
        "agent": agent,
        "finding": incident.finding(),
        "halt": view.halt_reports_of(agent, id).iter().map(halt_shown).collect::<Vec<_>>(),
        "incident": id,
        "opened_at": at,
        "opened_by": incident.opened_by(),
    })
}

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Waiting>) -> Answer {
    let view = console.view().await?;
    let rows = view.incidents.iter().map(|(id, of)| (id.to_string(), (id, of)));
    let (incidents, next) = page.of(rows, |(_, (_, incident, _))| incident.finding().is_none());
    let rows = incidents
        .into_iter()
        .map(|(id, (agent, incident, at))| shown(&view, id, agent, incident, *at));
    Ok(Json(json!({"incidents": rows.collect::<Vec<_>>(), "next": next})))
}

pub(super) async fn show(State(console): State<Console>, Path(incident): Path<String>) -> Answer {
    let incident: IncidentId = parse("INCIDENT", &incident)?;
    let (mut answer, review) = {
        let view = console.view().await?;
        let found = view.incidents.get(&incident);
        let (agent, state, at) = found.ok_or_else(|| Problem::missing("such incident"))?;
        let mut reviews = view
            .register
            .proposals()
            .filter(|one| one.becomes() == "incident.reviewed");
        let id = json!(incident);
        let review = reviews.find(|one| one.outcome() == Some(true) && one.document().get("incident") == Some(&id));
        (shown(&view, &incident, agent, state, *at), review.cloned())
    };
    answer["review"] = match review {
        Some(review) => {
            let by: Vec<_> = review.signatures().map(|signed| signed.officer).collect();
            json!({"signed_by": by, "texts": proposals::texts(&console, &review).await})
        }
        None => Value::Null,
    };
    Ok(Json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

pub(super) async fn acknowledge(
    State(console): State<Console>,
    Extension(caller): By,
    Path(incident): Path<String>,
    Body(_): Body<Nothing>,
) -> Answer {
    let incident: IncidentId = parse("INCIDENT", &incident)?;
    let recorded = console
        .widen(|view| {
            let found = view.incidents.get(&incident);
            let (agent, state, _) = found.ok_or_else(|| Problem::missing("such incident"))?;
            let event = IncidentAcknowledged {
                agent: *agent,
                incident,
                officer: caller.officer,
            };
            let step = state.clone().step(&IncidentEvent::Acknowledged(event.clone()));
            step.map_err(|error| Problem::conflict("INCIDENT", &error.to_string()))?;
            Ok(Draft::new(event, console.clocks.decision.now()))
        })
        .await?;
    Ok(Json(json!({"entry": place(&recorded)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Review {
    finding: Finding,
    /// What it cost, whom and what it touched; sealed.
    impact: String,
    /// What will be done otherwise; sealed.
    lessons: String,
    /// What led to it, in words; sealed.
    root_cause: String,
}

/// Proposes what a review found: two officers sign it.
pub(super) async fn review(
    State(console): State<Console>,
    Extension(caller): By,
    Path(incident): Path<String>,
    Body(body): Body<Review>,
) -> Answer {
    let incident: IncidentId = parse("INCIDENT", &incident)?;
    let agent = {
        let view = console.view().await?;
        let found = view.incidents.get(&incident);
        found.ok_or_else(|| Problem::missing("such incident"))?.0
    };
    let sealed = |field, text| seal(format!("agent:{agent}"), field, text);
    let impact = sealed("impact", &body.impact)?;
    let lessons = sealed("lessons", &body.lessons)?;
    let root_cause = sealed("root_cause", &body.root_cause)?;
    let document = json!({
        "agent": agent,
        "finding": body.finding,
        "impact": impact.commitment(),
        "incident": incident,
        "lessons": lessons.commitment(),
        "purpose": "incident.reviewed",
        "root_cause": root_cause.commitment(),
    });
    let texts = vec![impact, lessons, root_cause];
    proposals::propose(&console, caller, "incident.reviewed", document, texts).await
}
