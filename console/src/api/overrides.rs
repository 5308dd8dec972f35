//! An override: two officers let one refused order pass, once and within minutes (RTS 6 Art. 15(6)). It is bound to the hash of the order's terms,
//! so the bot sends the same order again under a fresh id.

use axum::{
    Extension,
    extract::{Path, State},
};
use extensions::{AgentId, StreamId};
use gateway_policy::{AgentEvent, Code, DecisionKind, LONGEST_OVERRIDE_MINUTES, OrderDecided, OverrideGranted};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Body, By, parse, proposals};
use crate::{Console, problem::Problem, record::seal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// How long it may be used, from now on.
    minutes: u8,
    /// The number of the refused order's entry in the agent's stream.
    order: u64,
    /// Why; sealed.
    reason: String,
}

/// Asks for an override of a refused order: two officers sign it before its minutes are over.
pub(super) async fn propose(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<Wanted>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    if !(1..=LONGEST_OVERRIDE_MINUTES).contains(&body.minutes) {
        let detail = format!("minutes: {}; expected 1 to {LONGEST_OVERRIDE_MINUTES}", body.minutes);
        return Err(Problem::bad("OVERRIDE", &detail));
    }
    console
        .view()
        .await?
        .register
        .agent(&agent)
        .ok_or_else(|| Problem::missing("such agent"))?;
    let refused = refused(&console, &agent, body.order).await?;
    let reason = seal(format!("agent:{agent}"), "reason", &body.reason)?;
    let expires = console.clocks.decision.now().plus_seconds(i64::from(body.minutes) * 60);
    let checks: Vec<Code> = refused.checks.iter().map(|check| check.code).collect();
    let document = json!({
        "agent": agent,
        "checks": checks,
        "expires": expires,
        "order": body.order,
        "purpose": OverrideGranted::KIND,
        "reason": reason.commitment(),
        "terms": refused.order.terms_digest(),
    });
    proposals::propose(&console, caller, OverrideGranted::KIND, document, vec![reason]).await
}

/// The refusal, when each check that failed is one that officers may let an order pass.
async fn refused(console: &Console, agent: &AgentId, number: u64) -> Result<OrderDecided, Problem> {
    let read = console.ledger.read_stream(&StreamId::agent(agent), number, 1).await;
    let entries = read.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let entry = entries.first().filter(|entry| entry.number == number);
    let decided = match entry.map(|entry| AgentEvent::decode(&entry.kind, entry.body())) {
        Some(Ok(AgentEvent::Decided(decided))) if decided.decision == DecisionKind::Refusal => decided,
        _ => return Err(Problem::missing("such refused order of this agent")),
    };
    let never: Vec<&str> = decided
        .checks
        .iter()
        .filter(|check| !check.code.may_be_overridden())
        .map(|check| check.code.as_str())
        .collect();
    if never.is_empty() {
        return Ok(decided);
    }
    let detail = format!(
        "the order was refused for {}, which no two people override: only how much, when and how often an order is may be let pass once",
        never.join(", ")
    );
    Err(Problem::conflict("NO_OVERRIDE", &detail))
}
