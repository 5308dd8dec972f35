//! Agents: registering one, looking at them. What the owner declares is shown as declared, never as verified.

use std::collections::HashMap;

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use ca_core::{events::AgentRegistered, register::Mandate};
use extensions::{
    AgentId, Digest, Environment, OwnerId, Timestamp, canonical, limits::LimitsDocument, mandate::LONGEST_MODEL,
};
use gateway_policy::OrderDecided;
use ledger::Ledger;
use revocation_core::standing::Standing;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, Waiting, parse};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, place, seal},
    view::View,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Registration {
    agent: AgentId,
    #[serde(default)]
    declared_code_digest: Option<Digest>,
    declared_model: String,
    environment: Environment,
    expires_at: Timestamp,
    owner: OwnerId,
    /// What it is for; sealed.
    purpose: String,
}

impl Registration {
    fn check(&self, view: &View, now: Timestamp) -> Result<(), Problem> {
        let model = &self.declared_model;
        let printable = model.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if !(1..=LONGEST_MODEL).contains(&model.len()) || !printable {
            let detail = format!("declared_model: 1 to {LONGEST_MODEL} printable ASCII characters");
            return Err(Problem::bad("DECLARED_MODEL", &detail));
        }
        if self.expires_at <= now {
            let detail = format!(
                "expires_at is {}, and it is {now} now: choose a later end",
                self.expires_at
            );
            return Err(Problem::bad("EXPIRES_AT", &detail));
        }
        let house = view.register.house();
        if house.is_none_or(|house| house.environment != self.environment) {
            return Err(Problem::bad(
                "ENVIRONMENT",
                "this house is of the other environment: sandbox and production have separate roots",
            ));
        }
        if view.register.agent(&self.agent).is_some() {
            let detail = "an agent of this id is registered already; ids are never used again";
            return Err(Problem::conflict("AGENT_EXISTS", detail));
        }
        Ok(())
    }
}

pub(super) async fn register(
    State(console): State<Console>,
    Extension(caller): By,
    Body(body): Body<Registration>,
) -> Answer {
    let purpose = seal(format!("agent:{}", body.agent), "purpose", &body.purpose)?;
    let now = console.clocks.real.now();
    let recorded = console
        .widen(|view| {
            body.check(view, now)?;
            let event = AgentRegistered {
                agent: body.agent,
                declared_code_digest: body.declared_code_digest,
                declared_model: body.declared_model.clone(),
                environment: body.environment,
                expires_at: body.expires_at,
                owner: body.owner,
                purpose: purpose.commitment(),
                registered_by: caller.officer,
                sealed: vec![purpose.clone()],
            };
            Ok(Draft::new(event, console.clocks.decision.now()))
        })
        .await?;
    Ok(Json(json!({"agent": body.agent, "entry": place(&recorded)})))
}

/// A standing in JSON.
pub(super) fn standing_shown(standing: Standing) -> Value {
    match standing {
        Standing::Active => json!({"state": "active"}),
        Standing::Warned { deadline, default } => {
            json!({"deadline": deadline, "default": default, "state": "warned"})
        }
        Standing::ReduceOnly => json!({"state": "reduce_only"}),
        Standing::Frozen => json!({"state": "frozen"}),
        Standing::Revoked => json!({"state": "revoked"}),
    }
}

fn brief(view: &View, agent: &AgentRegistered, now: Timestamp) -> Value {
    json!({
        "agent": agent.agent,
        "declared": {"code_digest": agent.declared_code_digest, "model": agent.declared_model, "verified": false},
        "environment": agent.environment,
        "expires_at": agent.expires_at,
        "house": view.house.mode_of(&agent.owner),
        "owner": agent.owner,
        "registered_by": agent.registered_by,
        "standing": standing_shown(view.standing_of(&agent.agent).effective(now)),
    })
}

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Waiting>) -> Answer {
    let (rows, next) = {
        let view = console.view().await?;
        let now = console.clocks.decision.now();
        let rows = view.register.agents().map(|agent| (agent.agent.to_string(), agent));
        let trades = |agent: &AgentId| view.standing_of(agent).effective(now) == Standing::Active;
        let (agents, next) = page.of(rows, |agent| !trades(&agent.agent));
        let limits = limits_of(&view, &agents);
        let row = |agent: &AgentRegistered| {
            let mut row = brief(&view, agent, now);
            row["limits"] = json!(limits.get(&agent.agent));
            (row, view.latest_order.get(&agent.agent).copied())
        };
        (agents.into_iter().map(row).collect::<Vec<_>>(), next)
    };
    let latest = latest_orders(&console.ledger, rows.iter().filter_map(|(_, latest)| *latest).collect()).await?;
    let told = |(mut row, at): (Value, Option<u64>)| {
        row["latest_order"] = json!(at.and_then(|at| latest.get(&at)));
        row
    };
    let agents: Vec<Value> = rows.into_iter().map(told).collect();
    Ok(Json(json!({"agents": agents, "next": next})))
}

/// What one order and one day may come to under each mandate in force, by agent.
fn limits_of(view: &View, agents: &[&AgentRegistered]) -> HashMap<AgentId, Vec<Value>> {
    let mut limits: HashMap<AgentId, Vec<Value>> = agents.iter().map(|one| (one.agent, Vec::new())).collect();
    for revision in view.register.mandates().filter_map(Mandate::in_force) {
        let document = revision.document();
        if let Some(of_agent) = limits.get_mut(&document.agent) {
            let shown = LimitsDocument::from(&document.limits);
            of_agent.push(json!({"mandate": document.mandate, "per_day": shown.per_day, "per_order": shown.per_order}));
        }
    }
    limits
}

/// When the latest orders were decided, how, and their scores, by position.
async fn latest_orders(ledger: &Ledger, positions: Vec<u64>) -> Result<HashMap<u64, Value>, Problem> {
    let entries = ledger.read_each(positions).await;
    let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let told = entries.iter().filter_map(|entry| {
        let decided = canonical::from_slice::<OrderDecided>(entry.body()).ok()?;
        let score = decided.score.map(|score| score.score);
        Some((
            entry.position,
            json!({"at": entry.at, "decision": decided.decision, "score": score}),
        ))
    });
    Ok(told.collect())
}

pub(super) async fn show(State(console): State<Console>, Path(agent): Path<String>) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let scored = super::scored::shown(&console, &agent).await?;
    let view = console.view().await?;
    let found = view
        .register
        .agent(&agent)
        .ok_or_else(|| Problem::missing("such agent"))?;
    let mut shown = brief(&view, found, console.clocks.decision.now());
    let real = console.clocks.real.now();
    let standing = view.standing_of(&agent);
    let certificates = view.register.certificates_of(&agent);
    let certificates = certificates
        .filter(|(_, facts)| facts.not_after >= real)
        .map(|(serial, facts)| {
            json!({
                "issued": facts.issued,
                "mandate": facts.mandate,
                "not_after": facts.not_after,
                "not_before": facts.not_before,
                "revoked": standing.certificate_revoked(serial, facts.not_before, facts.not_after),
                "serial": serial,
                "standing": standing.certificate_mode(serial, facts.not_after),
            })
        });
    shown["certificates"] = certificates.collect();
    let mandates = view.register.mandates().filter(|mandate| *mandate.agent() == agent);
    shown["mandates"] = mandates.map(|mandate| json!(mandate.id())).collect();
    let incidents = view.incidents.iter().filter(|(_, (of, _, _))| *of == agent);
    if let Some(revocation) = view.revocation_of(&agent) {
        let reports = view.halt_reports(&agent, revocation.number);
        shown["halt"] = reports.iter().map(super::incidents::halt_shown).collect();
    }
    shown["incidents"] = incidents.map(|(id, _)| json!(id)).collect();
    shown["probation"] = super::probation::shown(&view, &agent, (console.clocks.decision.now(), real));
    shown["replacements"] = json!(crate::replacements::shown(&view, agent));
    shown["scored"] = scored;
    Ok(Json(shown))
}
