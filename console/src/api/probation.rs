//! Probation: some hours of trade under a small mandate that officers signed ahead, between a behavioural halt and the end of its review.
//!
//! The mandate is applied for and approved like any other, with `conduct.probation_hours`; it opens to the bot when one person on call and
//! one officer sign its activation, and ends by itself. Once after a halt, never after a key was compromised.

use axum::{
    Extension,
    extract::{Path, State},
};
use ca_core::narrowing::{DIMENSIONS, within};
use extensions::{AgentId, Decimal, MandateDocument, MandateId, Timestamp, limits::Authority};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, parse, proposals};
use crate::{Console, problem::Problem, replacements, view::View};

/// No amount of a mandate for probations is more than this part of the everyday mandate's.
const SMALLEST_DIVISOR: i128 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Activation {
    mandate: MandateId,
}

/// Asks for a probation after the latest revocation, which the document names: one person on call and one officer sign it.
pub(super) async fn propose(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<Activation>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let document = {
        let view = console.view().await?;
        view.register
            .agent(&agent)
            .ok_or_else(|| Problem::missing("such agent"))?;
        let none = || Problem::conflict("STANDING", "no revocation of the agent stands in the ledger");
        let revocation = view.revocation_of(&agent).ok_or_else(none)?;
        is_possible(&view, &agent)?;
        let mut ready = replacements::signed_ahead(&view, agent);
        let mandate = ready
            .find(|mandate| *mandate.id() == body.mandate)
            .and_then(|mandate| mandate.in_force());
        let mandate =
            mandate.ok_or_else(|| Problem::missing("such mandate of this agent, signed ahead for a probation"))?;
        json!({
            "agent": agent,
            "document": mandate.document().digest(),
            "hours": mandate.document().conduct.probation_hours,
            "incident": revocation.incident,
            "mandate": body.mandate,
            "purpose": "agent.probation_started",
            "revoked_at": revocation.number,
        })
    };
    proposals::propose(&console, caller, "agent.probation_started", document, Vec::new()).await
}

/// Whether the agent was stopped for its behaviour and nothing else, and has had no probation since.
pub(super) fn is_possible(view: &View, agent: &AgentId) -> Result<(), Problem> {
    let possible = view.register.probation_is_possible(agent);
    possible.map_err(|why| impossible(&why.to_string()))
}

pub(super) fn impossible(why: &str) -> Problem {
    let detail = format!("this {why}: review its halt and reinstate it");
    Problem::conflict("NO_PROBATION", &detail)
}

/// What an agent's page says of probations: the one under way, and the mandates that could begin one now.
pub(super) fn shown(view: &View, agent: &AgentId, (decision, real): (Timestamp, Timestamp)) -> Value {
    let under_way = view.standing_of(agent).probation(decision);
    let possible = under_way.is_none() && view.register.probation_is_possible(agent).is_ok();
    let ready = replacements::signed_ahead(view, *agent).filter_map(|mandate| mandate.in_force());
    let ready = ready.filter(|mandate| mandate.document().expires > real).map(|mandate| {
        json!({"hours": mandate.document().conduct.probation_hours, "mandate": mandate.mandate(), "possible": possible})
    });
    json!({
        "ready": ready.collect::<Vec<_>>(),
        "under_way": under_way.map(|one| json!({"mandate": one.mandate, "until": one.until})),
    })
}

/// A mandate for probations lies within the everyday mandate, and each of its amounts is a tenth of that at most. One that is for probations
/// stays so.
pub(super) fn is_small(view: &View, document: &MandateDocument) -> Result<(), Problem> {
    let earlier = view
        .register
        .mandate(&document.mandate)
        .and_then(|mandate| mandate.in_force());
    let ahead = document.conduct.probation_hours.is_some();
    if earlier.is_some_and(|earlier| earlier.document().conduct.probation_hours.is_some() != ahead) {
        let detail = "a mandate is for probations or for every day, and stays so: ask for another mandate id";
        return Err(Problem::conflict("PROBATION", detail));
    }
    if !ahead {
        return Ok(());
    }
    let of_agent = view
        .register
        .mandates()
        .filter(|mandate| *mandate.agent() == document.agent);
    let everyday = of_agent
        .filter_map(|mandate| mandate.in_force())
        .map(|one| one.document());
    let mut everyday = everyday.filter(|one| one.conduct.probation_hours.is_none()).peekable();
    if everyday.peek().is_none() {
        let detail = "probation_hours: the agent has no mandate in force yet that a probation could be a small part of";
        return Err(Problem::bad("PROBATION", detail));
    }
    let mut reasons = Vec::new();
    for outer in everyday {
        reasons = too_wide(&document.limits, &outer.limits);
        reasons.extend(document.conduct.wider_bounds(&outer.conduct));
        if reasons.is_empty() {
            return Ok(());
        }
    }
    let detail = "a mandate for probations lies within the one in force, with a tenth of each amount at most";
    Err(Problem::bad("PROBATION", detail).with_reasons(reasons))
}

fn too_wide(small: &Authority, outer: &Authority) -> Vec<String> {
    let claims = DIMENSIONS
        .into_iter()
        .filter_map(|dimension| within(small, outer, dimension).err());
    let mut reasons: Vec<String> = claims.map(|claim| claim.to_string()).collect();
    let ten = Decimal::new(SMALLEST_DIVISOR, 0);
    for (what, mine, theirs) in [
        ("per_order", small.per_order(), outer.per_order()),
        ("per_day", small.per_day(), outer.per_day()),
    ] {
        for money in mine {
            let same = theirs.iter().find(|other| other.unit() == money.unit());
            let fits = same.zip(ten.and_then(|ten| money.to_decimal().checked_mul(ten)));
            if fits.is_some_and(|(most, tenfold)| tenfold > most.to_decimal()) {
                reasons.push(format!(
                    "{what}: {money} is more than a tenth of {}",
                    same.map_or_else(String::new, ToString::to_string)
                ));
            }
        }
    }
    reasons
}
