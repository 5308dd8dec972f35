//! The page of a live warning, for a phone at three in the morning: why, until when, and what each answer leaves open.

use askama::Template;
use axum::{
    Extension,
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;

use super::{
    Session,
    activity::Book,
    agents::Agent,
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    render::{self, Frame, page_with},
};

/// An answer to a warning, and what it leaves open.
struct Reply {
    name: &'static str,
    title: &'static str,
    leaves: &'static str,
}

/// What the owner's side answers.
const OWNER: [Reply; 2] = [
    Reply {
        name: "acknowledge",
        title: "Seen: go on",
        leaves: "Full caps again at once. Nothing is stopped; the score may warn again with the next order.",
    },
    Reply {
        name: "false_alarm",
        title: "False alarm",
        leaves: "Full caps again at once, and the record says the score was wrong. The baseline stays as it is until another is approved.",
    },
];

/// What the risk side answers.
const RISK: [Reply; 3] = [
    Reply {
        name: "reduce_only",
        title: "Reduce only",
        leaves: "The bot may only make positions smaller. Open orders stay at the venue until an officer resumes or stops it.",
    },
    Reply {
        name: "freeze",
        title: "Freeze",
        leaves: "Nothing but cancels, reductions neither. Open orders and positions stay as they are and must be watched by hand.",
    },
    Reply {
        name: "revoke",
        title: "Revoke",
        leaves: "Stopped for good: open orders are cancelled as the mandate says, positions stay. Back only by review, baseline and two signatures.",
    },
];

#[derive(Template)]
#[template(path = "warning.html")]
struct One<'a> {
    frame: Frame,
    agent: Agent,
    /// What is at risk; the answers stay within reach without it.
    book: Option<Book>,
    owner: &'a [Reply],
    risk: &'a [Reply],
    fault: &'a str,
    reason: &'a str,
}

async fn one(session: &Session, client: &Client, agent: &str, failed: Option<(&Refusal, &str)>) -> Response {
    match client.get::<Agent>(&format!("/v1/agents/{}", segment(agent))).await {
        Ok(agent) => {
            let one = One {
                frame: Frame::of(session),
                book: Book::of(client, &agent.agent).await.ok(),
                agent,
                owner: &OWNER,
                risk: &RISK,
                fault: failed.map_or("", |(refusal, _)| &refusal.detail),
                reason: failed.map_or("", |(_, typed)| typed),
            };
            page_with(failed.map_or(StatusCode::OK, |(refusal, _)| status_of(refusal)), &one)
        }
        Err(refusal) => render::refused(session, &refusal),
    }
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
) -> Response {
    one(&session, &client, &agent, None).await
}

pub(super) async fn answer(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
    fields: Fields,
) -> Response {
    let reason = fields.of("reason");
    let body = json!({"answer": fields.of("answer"), "reason": reason});
    let path = format!("/v1/agents/{}/warnings/answer", segment(&agent));
    match client.post(&path, &body).await {
        Ok(_) => Redirect::to(&format!("/agents/{}", segment(&agent))).into_response(),
        Err(refusal) => one(&session, &client, &agent, Some((&refusal, reason))).await,
    }
}
