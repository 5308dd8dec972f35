//! What officers and operators ask and answer each other about an application, before it is signed. Each is an entry, its text sealed.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use extensions::MandateId;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, parse};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, acted, place},
};

/// The act of the entry that a question or an answer is.
pub(crate) const ASKED: &str = "application.asked";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    text: String,
}

pub(super) async fn ask(
    State(console): State<Console>,
    Extension(caller): By,
    Path(mandate): Path<String>,
    Body(body): Body<Said>,
) -> Answer {
    let id: MandateId = parse("MANDATE", &mandate)?;
    {
        let view = console.view().await?;
        view.register
            .mandate(&id)
            .ok_or_else(|| Problem::missing("such application"))?;
    }
    let said = acted(caller.officer, ASKED, &format!("mandate/{id}"), &body.text)?;
    let recorded = console
        .report(Draft::new(said, console.clocks.real.now()), None)
        .await?;
    Ok(Json(json!({"entry": place(&recorded)})))
}

/// What was said of an application, the oldest first; a text that was erased is `null`.
pub(super) async fn shown(console: &Console, mandate: &MandateId) -> Result<Value, Problem> {
    let said = console.view().await?.asked_of(mandate).to_vec();
    let mut lines = Vec::with_capacity(said.len());
    for one in said {
        let text = console.ledger.unseal(one.position, &one.text).await.ok().flatten();
        lines.push(json!({"at": one.at, "narrowed": one.narrowed, "officer": one.officer, "position": one.position, "text": text}));
    }
    Ok(Value::from(lines))
}
