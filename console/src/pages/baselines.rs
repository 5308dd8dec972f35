//! An agent's baselines: what each says beside the last week, which waits for a signature, and observing for longer before one is signed.

use askama::Template;
use axum::{
    Extension,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Session,
    agents::moment,
    applications::Words,
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    proposals::Brief,
    render::{self, Frame, When, page_with},
    week::{Compared, Drawing},
};

#[derive(Debug, Deserialize)]
struct Baseline {
    at: When,
    digest: String,
    version: u32,
    in_words: Words,
    proposal: Option<Brief>,
}

#[derive(Debug, Deserialize)]
struct InForce {
    digest: String,
    version: u32,
}

#[derive(Debug, Deserialize)]
struct Baselines {
    agent: String,
    in_force: Option<InForce>,
    proposed: Vec<Baseline>,
}

/// Until when the score is only observed.
#[derive(Debug, Deserialize)]
struct Observes {
    until: When,
}

/// What the agent's book says of it.
#[derive(Debug, Deserialize)]
struct Book {
    mandate: Option<String>,
    observes: Option<Observes>,
}

#[derive(Template)]
#[template(path = "baselines.html")]
struct OfAgent<'a> {
    frame: Frame,
    baselines: Baselines,
    book: Option<Book>,
    compared: Option<Compared>,
    drawing: Option<Drawing>,
    fault: &'a str,
    reasons: &'a [String],
    typed: &'a Fields,
}

/// The page; with what was typed, when an act was refused.
async fn shown(session: &Session, client: &Client, agent: &str, failed: Option<(&Refusal, &Fields)>) -> Response {
    let path = format!("/v1/agents/{}/baselines", segment(agent));
    let baselines = match client.get::<Baselines>(&path).await {
        Ok(baselines) => baselines,
        Err(refusal) => return render::refused(session, &refusal),
    };
    // The comparison and the book are beside the point of signing: a page without them is better than none.
    let compared = Compared::of(client, agent).await.ok();
    let book = client.get(&format!("/v1/agents/{}/book", segment(agent))).await.ok();
    let nothing = Fields::default();
    let page = OfAgent {
        frame: Frame::of(session),
        baselines,
        book,
        drawing: compared.as_ref().and_then(Compared::drawing),
        compared,
        fault: failed.map_or("", |(refusal, _)| &refusal.detail),
        reasons: failed.map_or(&[], |(refusal, _)| &refusal.reasons),
        typed: failed.map_or(&nothing, |(_, typed)| typed),
    };
    page_with(failed.map_or(StatusCode::OK, |(refusal, _)| status_of(refusal)), &page)
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
) -> Response {
    shown(&session, &client, &agent, None).await
}

/// Proposes a baseline from what was observed so far, or asks officers to sign that it is only observed for longer.
pub(super) async fn act(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
    fields: Fields,
) -> Response {
    let path = format!("/v1/agents/{}/baselines", segment(&agent));
    let done = if fields.of("act") == "extend" {
        let body = json!({"reason": fields.of("reason"), "until": moment(fields.of("until"))});
        client.post(&format!("{path}/extend"), &body).await
    } else {
        client.post(&path, &json!({})).await
    };
    match done {
        Ok(answer) => {
            let to = match answer.get("mandate").and_then(Value::as_str) {
                Some(mandate) => format!("/applications/{}", segment(mandate)),
                None => format!("/agents/{}/baselines", segment(&agent)),
            };
            Redirect::to(&to).into_response()
        }
        Err(refusal) => shown(&session, &client, &agent, Some((&refusal, &fields))).await,
    }
}
