//! Webhooks as the record knows them: dead letters, and asking for a message now. The role `revocation` reads what is asked here in the
//! subscription's own stream, and obeys; so an ask outlives both processes.

use std::collections::BTreeSet;

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
    // Those that ever ran, and those that were signed and have yet to begin.
    let started = view.webhooks.keys().map(String::as_str);
    let signed = view.webhook_book.current().map(|(name, _)| name);
    let names: BTreeSet<&str> = started.chain(signed).collect();
    let rows = names.into_iter().map(|name| {
        let signed = view.webhook_book.find(name).map(|one| {
            let webhook = &one.webhook;
            json!({"format": webhook.format, "kinds": webhook.kinds, "since": one.since, "url": webhook.url})
        });
        let dead = view.webhooks.get(name).map_or(0, std::collections::BTreeMap::len);
        (
            name.to_owned(),
            json!({"dead": dead, "signed": signed, "webhook": name}),
        )
    });
    let (webhooks, next) = page.of(rows);
    Ok(Json(json!({"next": next, "webhooks": webhooks})))
}

pub(super) fn unknown() -> Problem {
    Problem::missing("such webhook: it is known from its first start on, or from the signatures of two officers")
}

pub(super) async fn dead(
    State(console): State<Console>,
    Path(webhook): Path<String>,
    Query(page): Query<Page>,
) -> Answer {
    let view = console.view().await?;
    let letters = view.webhooks.get(&webhook);
    if letters.is_none() && !view.webhook_book.knows(&webhook) {
        return Err(unknown());
    }
    let rows = letters.into_iter().flatten().map(|(position, letter)| {
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
    {
        let view = console.view().await?;
        if !view.webhooks.contains_key(&webhook) && view.webhook_book.find(&webhook).is_none() {
            return Err(unknown());
        }
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
