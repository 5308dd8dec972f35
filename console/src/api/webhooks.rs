//! Webhooks as the record knows them: dead letters, and asking for a message now. The role `revocation` reads what is asked here in the
//! subscription's own stream, and obeys; so an ask outlives both processes.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use revocation_core::jobs::DeliveryAsked;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Body, By, Page};
use crate::{
    Console,
    access::Caller,
    problem::Problem,
    record::{Draft, place},
};

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Page>) -> Answer {
    let view = console.view().await?;
    let rows = view
        .webhooks
        .iter()
        .map(|(name, dead)| (name.clone(), json!({"dead": dead.len(), "webhook": name})));
    let (webhooks, next) = page.of(rows);
    Ok(Json(json!({"next": next, "webhooks": webhooks})))
}

fn unknown() -> Problem {
    Problem::missing("such webhook: it is named in the configuration and known from its first start on")
}

pub(super) async fn dead(
    State(console): State<Console>,
    Path(webhook): Path<String>,
    Query(page): Query<Page>,
) -> Answer {
    let view = console.view().await?;
    let letters = view.webhooks.get(&webhook).ok_or_else(unknown)?;
    let rows = letters.iter().map(|(position, letter)| {
        let row = json!({
            "at": letter.at,
            "attempts": letter.attempts,
            "fault": letter.fault,
            "position": position,
        });
        // Names sort as text: positions are filled up with zeros.
        (format!("{position:020}"), row)
    });
    let (dead, next) = page.of(rows);
    Ok(Json(json!({"dead": dead, "next": next, "webhook": webhook})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    /// The ledger position of the entry that the dead letter tells of.
    position: u64,
}

pub(super) async fn replay(
    State(console): State<Console>,
    Extension(caller): By,
    Path(webhook): Path<String>,
    Body(body): Body<Replay>,
) -> Answer {
    {
        let view = console.view().await?;
        let letters = view.webhooks.get(&webhook).ok_or_else(unknown)?;
        if !letters.contains_key(&body.position) {
            let detail = format!("{webhook} has no dead letter for the entry at {}", body.position);
            return Err(Problem::conflict("NOT_DEAD", &detail));
        }
    }
    ask(&console, caller, webhook, Some(body.position)).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A sign of life now. Whether the receiver took it is recorded beside it.
pub(super) async fn test(
    State(console): State<Console>,
    Extension(caller): By,
    Path(webhook): Path<String>,
    Body(_): Body<Nothing>,
) -> Answer {
    if !console.view().await?.webhooks.contains_key(&webhook) {
        return Err(unknown());
    }
    ask(&console, caller, webhook, None).await
}

async fn ask(console: &Console, caller: Caller, subscription: String, replay: Option<u64>) -> Answer {
    let event = DeliveryAsked {
        officer: caller.officer,
        replay,
        subscription,
    };
    let recorded = console
        .report(Draft::new(event, console.clocks.real.now()), None)
        .await?;
    Ok(Json(json!({"entry": place(&recorded)})))
}
