//! Webhooks: who is told, what could not be delivered, sending it again.

use askama::Template;
use axum::{
    Extension,
    extract::Query,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Session,
    agents::After,
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    render::{self, Frame, When, page_with},
};

/// Webhooks of one page, and what was given up of each there; the rest stands on its own page.
const ROWS: usize = 25;
const LETTERS: usize = 3;

#[derive(Debug, Deserialize)]
pub(super) struct Webhook {
    pub(super) webhook: String,
    /// How many messages were given up.
    dead: usize,
    /// What officers signed; none for one of the configuration.
    pub(super) signed: Option<Signed>,
    #[serde(skip)]
    letters: Vec<Letter>,
}

impl Webhook {
    /// How many more were given up than the list shows.
    fn more(&self) -> usize {
        self.dead.saturating_sub(self.letters.len())
    }
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

/// A message that was given up.
#[derive(Debug, Deserialize)]
pub(super) struct Letter {
    pub(super) position: u64,
    pub(super) at: When,
    pub(super) attempts: u32,
    pub(super) fault: String,
}

#[derive(Deserialize)]
struct Webhooks {
    next: Option<String>,
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
pub(super) struct Dead {
    pub(super) dead: Vec<Letter>,
    pub(super) next: Option<String>,
}

impl Dead {
    /// So many of one webhook, the oldest first.
    pub(super) async fn of(client: &Client, webhook: &str, after: &After, rows: usize) -> Result<Self, Refusal> {
        let path = format!("/v1/webhooks/{}/dead", segment(webhook));
        client.get(&after.rows(&path, rows)).await
    }
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct List<'a> {
    frame: Frame,
    webhooks: Vec<Webhook>,
    next: Option<String>,
    fault: &'a str,
}

/// The one of a name.
pub(super) async fn find(client: &Client, name: &str) -> Result<Webhook, Refusal> {
    let all = client.get::<Webhooks>("/v1/webhooks?limit=500").await?.webhooks;
    let found = all.into_iter().find(|one| one.webhook == name);
    found.ok_or_else(|| Refusal::missing("there is no such webhook"))
}

async fn read(client: &Client, after: &After) -> Result<Webhooks, Refusal> {
    let mut read = client.get::<Webhooks>(&after.rows("/v1/webhooks", ROWS)).await?;
    for webhook in &mut read.webhooks {
        let oldest = Dead::of(client, &webhook.webhook, &After::default(), LETTERS).await?;
        webhook.letters = oldest.dead;
    }
    Ok(read)
}

async fn listed(session: &Session, client: &Client, after: &After, failed: Option<&Refusal>) -> Response {
    match read(client, after).await {
        Ok(Webhooks { next, webhooks }) => {
            let frame = Frame::of(session);
            let fault = failed.map_or("", |refusal| &refusal.detail);
            page_with(
                failed.map_or(StatusCode::OK, status_of),
                &List {
                    frame,
                    webhooks,
                    next,
                    fault,
                },
            )
        }
        Err(refusal) => render::refused(session, &refusal),
    }
}

pub(super) async fn list(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(after): Query<After>,
) -> Response {
    listed(&session, &client, &after, None).await
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
        Err(refusal) => listed(&session, &client, &After::default(), Some(&refusal)).await,
    }
}
