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
pub(super) struct Webhook {
    pub(super) webhook: String,
    /// What officers signed; none for one of the configuration.
    pub(super) signed: Option<Signed>,
    #[serde(skip)]
    letters: Vec<Letter>,
}

/// A subscription as it is in force by signatures.
#[derive(Debug, Deserialize)]
pub(super) struct Signed {
    pub(super) format: String,
    pub(super) kinds: Vec<String>,
    pub(super) since: u64,
    pub(super) url: String,
}

impl Signed {
    /// What the receiver reads, in words.
    pub(super) fn words(&self) -> &str {
        match self.format.as_str() {
            "cloud_events" => "CloudEvents, signed",
            "pagerduty" => "PagerDuty, Events v2",
            "slack" => "Slack",
            other => other,
        }
    }

    /// What its form begins with.
    pub(super) fn fields(&self) -> Fields {
        Fields::begun(&[
            ("format", &self.format),
            ("kinds", &self.kinds.join("\n")),
            ("url", &self.url),
        ])
    }
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

/// The one of a name.
pub(super) async fn find(client: &Client, name: &str) -> Result<Webhook, Refusal> {
    let all = client.get::<Webhooks>("/v1/webhooks?limit=500").await?.webhooks;
    let found = all.into_iter().find(|one| one.webhook == name);
    found.ok_or_else(|| Refusal::missing("there is no such webhook"))
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
