//! Webhooks: who is told, what could not be delivered, sending it again.

use askama::Template;
use axum::{
    Extension,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Session,
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    render::{self, Frame, When, page_with},
};

#[derive(Debug, Deserialize)]
struct Webhook {
    webhook: String,
    #[serde(skip)]
    letters: Vec<Letter>,
}

#[derive(Debug, Deserialize)]
struct Letter {
    position: u64,
    at: When,
    attempts: u32,
    fault: String,
}

#[derive(Deserialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
struct Dead {
    dead: Vec<Letter>,
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct List<'a> {
    frame: Frame,
    webhooks: Vec<Webhook>,
    fault: &'a str,
}

async fn read(client: &Client) -> Result<Vec<Webhook>, Refusal> {
    let mut webhooks = client.get::<Webhooks>("/v1/webhooks?limit=500").await?.webhooks;
    for webhook in &mut webhooks {
        let path = format!("/v1/webhooks/{}/dead?limit=100", segment(&webhook.webhook));
        webhook.letters = client.get::<Dead>(&path).await?.dead;
    }
    Ok(webhooks)
}

async fn listed(session: &Session, client: &Client, failed: Option<&Refusal>) -> Response {
    match read(client).await {
        Ok(webhooks) => {
            let frame = Frame::of(session);
            let fault = failed.map_or("", |refusal| &refusal.detail);
            page_with(
                failed.map_or(StatusCode::OK, status_of),
                &List { frame, webhooks, fault },
            )
        }
        Err(refusal) => render::refused(session, &refusal),
    }
}

pub(super) async fn list(Extension(session): Extension<Session>, Extension(client): Extension<Client>) -> Response {
    listed(&session, &client, None).await
}

pub(super) async fn act(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    fields: Fields,
) -> Response {
    let path = format!("/v1/webhooks/{}", segment(fields.of("webhook")));
    let done = match fields.of("position").parse::<u64>() {
        Ok(position) => {
            client
                .post(&format!("{path}/replay"), &json!({ "position": position }))
                .await
        }
        Err(_) => client.post(&format!("{path}/test"), &json!({})).await,
    };
    match done {
        Ok(_) => Redirect::to("/webhooks").into_response(),
        Err(refusal) => listed(&session, &client, Some(&refusal)).await,
    }
}
