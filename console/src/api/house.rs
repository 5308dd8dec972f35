//! Acts above one agent: an owner's desk, or all. Each is a gating entry and raises the epoch. Settings of the house are proposals that
//! two officers sign.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use extensions::{OwnerId, Record};
use revocation_core::{
    Actor, ExposureLimits, HouseEvent, HouseMode, HouseScope, HouseState,
    house::{HouseFrozen, HouseReduceOnly, HouseResumed, HouseRevoked, Thresholds},
    regions::{NetworkRegion, RegionTable},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, parse, proposals, standing::ActBody};
use crate::{
    Console,
    access::Caller,
    problem::Problem,
    record::{Draft, acted, place},
    view::View,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Freeze,
    ReduceOnly,
    Resume,
    Revoke,
}

macro_rules! acts {
    ($($owner:ident, $all:ident, $act:ident;)*) => {
        $(
            pub(super) async fn $owner(
                State(console): State<Console>,
                Extension(caller): By,
                Path(owner): Path<String>,
                Body(body): Body<ActBody>,
            ) -> Answer {
                let owner: OwnerId = parse("OWNER", &owner)?;
                decide(&console, caller, HouseScope::Owner(owner), Act::$act, &body).await
            }

            pub(super) async fn $all(
                State(console): State<Console>,
                Extension(caller): By,
                Body(body): Body<ActBody>,
            ) -> Answer {
                decide(&console, caller, HouseScope::All, Act::$act, &body).await
            }
        )*
    };
}

acts! {
    freeze_owner, freeze_all, Freeze;
    reduce_owner, reduce_all, ReduceOnly;
    resume_owner, resume_all, Resume;
    revoke_owner, revoke_all, Revoke;
}

fn event(act: Act, by: Actor, scope: HouseScope, body: &ActBody) -> HouseEvent {
    match act {
        Act::Freeze => HouseFrozen { by, scope }.into(),
        Act::ReduceOnly => HouseReduceOnly { by, scope }.into(),
        Act::Resume => HouseResumed { by, scope }.into(),
        Act::Revoke => HouseRevoked {
            by,
            reason: body.code(),
            scope,
        }
        .into(),
    }
}

/// An owner that no agent names is a slip of the pen.
fn known(view: &View, scope: HouseScope) -> Result<(), Problem> {
    match scope {
        HouseScope::Owner(owner) if !view.register.agents().any(|agent| agent.owner == owner) => {
            Err(Problem::missing("agent of such an owner"))
        }
        _ => Ok(()),
    }
}

fn mode(view: &View, scope: HouseScope) -> HouseMode {
    match scope {
        HouseScope::All => view.house.mode_of_all(),
        HouseScope::Owner(owner) => view.house.mode_of(&owner),
    }
}

async fn decide(console: &Console, caller: Caller, scope: HouseScope, act: Act, body: &ActBody) -> Answer {
    if act != Act::Revoke {
        body.without_code()?;
    }
    let by = Actor::Officer(caller.officer);
    let event = event(act, by, scope, body);
    let moves = |view: &View| view.house.clone().apply(&event);
    let draft = || -> Result<Draft, Problem> {
        let reason = acted(caller.officer, event.kind(), &scope.to_string(), &body.reason)?;
        Ok(Draft::new(event.clone(), console.clocks.decision.now()).also(reason))
    };
    let (moved, before) = {
        let view = console.view().await?;
        known(&view, scope)?;
        (moves(&view), mode(&view, scope))
    };
    let narrows = matches!(act, Act::Freeze | Act::Revoke) || (act == Act::ReduceOnly && before == HouseMode::Active);
    if !moved && narrows && before != HouseMode::Active {
        return Ok(Json(json!({"already": true})));
    }
    let recorded = if narrows {
        console.narrow(draft()?, None).await?
    } else {
        console
            .widen(|view| {
                if moves(view) {
                    return draft();
                }
                let mode = mode(view, scope);
                let detail = format!("{scope} is {mode:?}: from there this is not possible");
                Err(Problem::conflict("STANDING", &detail))
            })
            .await?
    };
    let revoked = if act == Act::Revoke {
        console.revoke_each().await?
    } else {
        0
    };
    Ok(Json(
        json!({"already": false, "entry": place(&recorded), "revoked": revoked}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

async fn reinstate(console: &Console, caller: Caller, scope: HouseScope) -> Answer {
    let revocation = console.view().await?.house_revocation(scope);
    let none = || Problem::conflict("STANDING", "nothing of this scope is revoked");
    let revoked_at = revocation.ok_or_else(none)?.number;
    let document = json!({"purpose": "house.reinstated", "revoked_at": revoked_at, "scope": scope});
    proposals::propose(console, caller, "house.reinstated", document, Vec::new()).await
}

pub(super) async fn reinstate_owner(
    State(console): State<Console>,
    Extension(caller): By,
    Path(owner): Path<String>,
    Body(_): Body<Nothing>,
) -> Answer {
    reinstate(&console, caller, HouseScope::Owner(parse("OWNER", &owner)?)).await
}

pub(super) async fn reinstate_all(
    State(console): State<Console>,
    Extension(caller): By,
    Body(_): Body<Nothing>,
) -> Answer {
    reinstate(&console, caller, HouseScope::All).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Regions {
    networks: Vec<NetworkRegion>,
}

/// Proposes a new table of source networks.
pub(super) async fn regions(
    State(console): State<Console>,
    Extension(caller): By,
    Body(body): Body<Regions>,
) -> Answer {
    let table = RegionTable::new(body.networks).map_err(|error| Problem::bad("REGIONS", &error.to_string()))?;
    let document = json!({"networks": table, "purpose": "house.regions_set"});
    proposals::propose(&console, caller, "house.regions_set", document, Vec::new()).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupLimits {
    limits: ExposureLimits,
    scope: HouseScope,
}

/// Proposes what a group may have at stake, in place of what it may now; without a row its limits end.
pub(super) async fn exposure(
    State(console): State<Console>,
    Extension(caller): By,
    Body(GroupLimits { limits, scope }): Body<GroupLimits>,
) -> Answer {
    known(&*console.view().await?, scope)?;
    let document = json!({"limits": limits, "purpose": "house.exposure_set", "scope": scope});
    proposals::propose(&console, caller, "house.exposure_set", document, Vec::new()).await
}

/// The limits in force: of all agents together, and of each owner's that has any.
pub(super) fn exposure_limits(house: &HouseState) -> Value {
    let limits = house.exposures();
    let owners = limits
        .owners()
        .map(|(owner, limits)| (owner.to_string(), json!(limits)));
    json!({"all": limits.of_all(), "owners": owners.collect::<serde_json::Map<_, _>>()})
}

/// Proposes new thresholds.
pub(super) async fn thresholds(
    State(console): State<Console>,
    Extension(caller): By,
    Body(thresholds): Body<Thresholds>,
) -> Answer {
    let document = json!({"purpose": "house.thresholds_set", "thresholds": thresholds});
    proposals::propose(&console, caller, "house.thresholds_set", document, Vec::new()).await
}

pub(super) async fn show(State(console): State<Console>) -> Answer {
    let view = console.view().await?;
    let owners: std::collections::BTreeSet<OwnerId> = view.register.agents().map(|agent| agent.owner).collect();
    let owners = owners
        .iter()
        .map(|owner| (owner.to_string(), json!(view.house.mode_of(owner))));
    Ok(Json(json!({
        "all": view.house.mode_of_all(),
        "epoch": view.epoch(),
        "exposure": exposure_limits(&view.house),
        "networks": &**view.house.regions(),
        "owners": owners.collect::<serde_json::Map<_, _>>(),
        "score_levels": score_levels(view.house.thresholds()),
        "thresholds": view.house.thresholds(),
    })))
}

/// The levels in force. They are the house's numbers either way, and are named so wherever they are told.
pub(super) fn score_levels(thresholds: &Thresholds) -> Value {
    let default = anomaly::Thresholds::default();
    let (warn, revoke) = match &thresholds.score {
        Some(levels) => (levels.warn(), levels.revoke()),
        None => (default.warn, default.revoke),
    };
    json!({"of": "house", "revoke": revoke, "warn": warn})
}
