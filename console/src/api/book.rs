//! What an agent holds, has open and may still do today; what a halt would do with it.

use axum::{
    Json,
    extract::{Path, State},
};
use ca_core::register::{Mandate, Revision};
use extensions::{
    AgentId, Currency, Decimal, EffectiveLimits, MandateDocument, OwnerId, Timestamp,
    limits::{EffectiveRate, LimitsDocument},
    mandate::Scoring,
};
use gateway_policy::{AgentState, OpenOrder};
use revocation_core::exposure::{ExposureLimits, Exposures};
use serde_json::{Value, json};

use super::{Answer, parse};
use crate::{Console, problem::Problem, view::View};

/// Positions, open orders with what a halt does to each, and the day's use against the mandate in force.
pub(super) async fn show(State(console): State<Console>, Path(agent): Path<String>) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let now = console.clocks.decision.now();
    let (mandate, observes, exposure) = {
        let view = console.view().await?;
        let owner = view
            .register
            .agent(&agent)
            .ok_or_else(|| Problem::missing("such agent"))?
            .owner;
        let exposure = exposure(view.house.exposures(), &owner);
        let mandate = in_force(&view, &agent, (now, console.clocks.real.now()));
        let observes = mandate.and_then(|one| observes(one, now));
        let document = mandate.and_then(Mandate::in_force).map(|one| one.document().clone());
        (document, observes, exposure)
    };
    let told = console.book(&agent, |state, behind| told(state, behind, mandate.as_ref(), now));
    let mut told = told.await?;
    told["exposure"] = json!(exposure);
    told["observes"] = json!(observes);
    Ok(Json(told))
}

/// The limits of the groups it belongs to. What a group has at stake only a gateway can tell, which has the prices: `GET /v1/me`, and each refusal.
fn exposure(limits: &Exposures, owner: &OwnerId) -> Vec<Value> {
    let of = |scope: &'static str, limits: Option<&ExposureLimits>| -> Vec<Value> {
        let row = |(unit, limit)| json!({"limit": limit, "scope": scope, "unit": unit});
        limits.into_iter().flat_map(ExposureLimits::rows).map(row).collect()
    };
    [of("owner", limits.of_owner(owner)), of("all", limits.of_all())].concat()
}

/// The mandate of the probation that is under way; else of the certificate that ends last; without one, the newest that is in force for every day.
pub(super) fn in_force<'a>(
    view: &'a View,
    agent: &AgentId,
    (decision, now): (Timestamp, Timestamp),
) -> Option<&'a Mandate> {
    if let Some(probation) = view.standing_of(agent).probation(decision) {
        return view.register.mandate(&probation.mandate);
    }
    let certificates = view.register.certificates_of(agent);
    let valid = certificates.filter(|(_, facts)| facts.issued && facts.not_after >= now);
    let latest = valid
        .max_by_key(|(_, facts)| facts.not_after)
        .map(|(_, facts)| facts.mandate);
    let mut mandates = view
        .register
        .mandates()
        .filter(|one| one.agent() == agent && one.in_force().is_some());
    match latest {
        Some(id) => mandates.find(|one| *one.id() == id),
        None => mandates
            .filter(|one| !one.in_force().is_some_and(Revision::is_for_probation))
            .last(),
    }
}

/// Until when the score is only observed, and who approved that.
fn observes(mandate: &Mandate, now: Timestamp) -> Option<Value> {
    let revision = mandate.in_force()?;
    match revision.document().conduct.scoring {
        Scoring::ObserveUntil(until) if until > now => {
            let approvers = revision.signatures().iter().map(|one| one.record.officer);
            Some(json!({"approved_by": approvers.collect::<Vec<_>>(), "until": until}))
        }
        _ => None,
    }
}

fn told(state: &AgentState, behind: u64, mandate: Option<&MandateDocument>, now: Timestamp) -> Value {
    let on_halt = mandate.map(|one| one.conduct.on_halt);
    let limits = mandate.map(|one| EffectiveLimits::of(&one.limits));
    let plan = on_halt.map(|on_halt| state.halt_plan(on_halt));
    let kept = |open: &OpenOrder| {
        let plan = plan.as_ref()?;
        Some(plan.keep.contains(&open.order.client_order_id))
    };
    let open = state.open_orders().iter().map(|open| {
        json!({
            "filled": open.filled,
            "kept_by_a_halt": kept(open),
            "mark": open.mark,
            "number": open.number,
            "order": open.order,
            "permitted_at": open.permitted_at,
            "remaining": open.remaining,
        })
    });
    json!({
        "agent": state.agent(),
        "behind": behind,
        "bounds": mandate.map(|mandate| state.bounds_left(&mandate.conduct, now)),
        "day": limits.as_ref().map(|limits| day(state, limits, now)),
        "halt_would": plan.as_ref().map(|plan| json!({"cancel": plan.cancel.len(), "keep": plan.keep.len()})),
        "limits": mandate.map(|mandate| LimitsDocument::from(&mandate.limits)),
        "mandate": mandate.map(|mandate| mandate.mandate),
        "on_halt": on_halt,
        "open_orders": open.collect::<Vec<_>>(),
        "positions": state.positions(),
        "rates": limits.as_ref().map(|limits| rates(state, limits, now)),
    })
}

/// The day's notional of each unit that the mandate names.
fn day(state: &AgentState, limits: &EffectiveLimits, now: Timestamp) -> Vec<Value> {
    let row = |(unit, limit): &(Currency, Decimal)| {
        let used = state.day_notional(unit, now);
        json!({"left": used.and_then(|used| limit.checked_sub(used)), "limit": limit, "unit": unit, "used": used})
    };
    limits.per_day_all().iter().map(row).collect()
}

fn rates(state: &AgentState, limits: &EffectiveLimits, now: Timestamp) -> Vec<Value> {
    let row = |rate: &EffectiveRate| json!({"limit": rate.count, "seconds": rate.seconds, "used": state.orders_within(rate.seconds, now)});
    limits.rates().iter().map(row).collect()
}
