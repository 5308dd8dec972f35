//! One webhook: where it goes, what was delivered, what could not be; and the forms that propose another one, a change, or its end.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Session,
    agents::After,
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    proposals,
    render::{self, Frame, When, page, page_with},
    webhooks::{Dead, Webhook, find},
};

/// Messages that were given up, of one page.
const LETTERS: usize = 25;

/// What was tried, one line each.
#[derive(Debug, Deserialize)]
struct Delivery {
    at: When,
    attempts: Option<u32>,
    by: Option<String>,
    entry: Option<u64>,
    fault: Option<String>,
    position: u64,
    status: Option<u16>,
    what: String,
}

impl Delivery {
    /// What it was, in words.
    fn words(&self) -> String {
        let attempt = self
            .attempts
            .map(|number| format!(" at attempt {number}"))
            .unwrap_or_default();
        let status = self
            .status
            .map(|status| format!(", status {status}"))
            .unwrap_or_default();
        let fault = self
            .fault
            .as_ref()
            .map(|fault| format!(": {fault}"))
            .unwrap_or_default();
        match (self.what.as_str(), &self.by) {
            ("delivered", _) => format!("taken{attempt}{status}"),
            ("failed", _) => format!("failed{attempt}{status}{fault}"),
            ("given_up", _) => format!("given up after {} attempts{fault}", self.attempts.unwrap_or_default()),
            ("asked", Some(officer)) => format!("asked for by {officer}"),
            ("subscribed", _) => "told of entries from here on".to_owned(),
            (other, _) => other.to_owned(),
        }
    }
}

#[derive(Deserialize)]
struct Deliveries {
    deliveries: Vec<Delivery>,
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct One<'a> {
    frame: Frame,
    webhook: &'a Webhook,
    deliveries: Vec<Delivery>,
    letters: Dead,
    fault: &'a str,
    typed: &'a Fields,
}

#[derive(Template)]
#[template(path = "webhook_new.html")]
struct New<'a> {
    frame: Frame,
    fault: &'a str,
    typed: &'a Fields,
}

#[derive(Template)]
#[template(path = "webhook_secret.html")]
struct Once<'a> {
    frame: Frame,
    secret: &'a str,
    proposal: &'a str,
}

async fn one(
    session: &Session,
    client: &Client,
    name: &str,
    after: &After,
    failed: Option<(&Refusal, &Fields)>,
) -> Response {
    let webhook = match find(client, name).await {
        Ok(webhook) => webhook,
        Err(refusal) => return render::refused(session, &refusal),
    };
    let path = format!("/v1/webhooks/{}/deliveries?limit=50", segment(name));
    let deliveries = match client.get::<Deliveries>(&path).await {
        Ok(found) => found.deliveries,
        Err(refusal) => return render::refused(session, &refusal),
    };
    let letters = match Dead::of(client, name, after, LETTERS).await {
        Ok(letters) => letters,
        Err(refusal) => return render::refused(session, &refusal),
    };
    let typed = match (failed, &webhook.signed) {
        (Some((_, fields)), _) => fields.clone(),
        (None, Some(signed)) => signed.fields(),
        (None, None) => Fields::default(),
    };
    let shown = One {
        frame: Frame::of(session),
        webhook: &webhook,
        deliveries,
        letters,
        fault: failed.map_or("", |(refusal, _)| &refusal.detail),
        typed: &typed,
    };
    page_with(failed.map_or(StatusCode::OK, |(refusal, _)| status_of(refusal)), &shown)
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(webhook): Path<String>,
    Query(after): Query<After>,
) -> Response {
    one(&session, &client, &webhook, &after, None).await
}

pub(super) async fn form(Extension(session): Extension<Session>) -> Response {
    page(&New {
        frame: Frame::of(&session),
        fault: "",
        typed: &Fields::default(),
    })
}

/// What the API is asked for.
fn asked(name: &str, fields: &Fields) -> Value {
    let mut body = json!({
        "format": fields.of("format"),
        "kinds": fields.list("kinds"),
        "new_secret": fields.of("new_secret") == "yes",
        "url": fields.of("url"),
        "webhook": name,
    });
    if !fields.of("secret").is_empty() {
        body["secret"] = json!(fields.of("secret"));
    }
    body
}

/// A proposal was made: its secret is shown once when there is one, otherwise its own page follows.
fn proposed(session: &Session, made: &Value) -> Response {
    let proposal = proposals::address(made);
    match made.get("secret").and_then(Value::as_str) {
        Some(secret) => page(&Once {
            frame: Frame::of(session),
            secret,
            proposal: &proposal,
        }),
        None => Redirect::to(&proposal).into_response(),
    }
}

pub(super) async fn add(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    fields: Fields,
) -> Response {
    match client.post("/v1/webhooks", &asked(fields.of("webhook"), &fields)).await {
        Ok(made) => proposed(&session, &made),
        Err(refusal) => page_with(
            status_of(&refusal),
            &New {
                frame: Frame::of(&session),
                fault: &refusal.detail,
                typed: &fields,
            },
        ),
    }
}

pub(super) async fn act(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(webhook): Path<String>,
    fields: Fields,
) -> Response {
    let done = match fields.of("act") {
        "remove" => {
            let path = format!("/v1/webhooks/{}/remove", segment(&webhook));
            client.post(&path, &json!({})).await
        }
        _ => client.post("/v1/webhooks", &asked(&webhook, &fields)).await,
    };
    match done {
        Ok(made) => proposed(&session, &made),
        Err(refusal) => {
            one(
                &session,
                &client,
                &webhook,
                &After::default(),
                Some((&refusal, &fields)),
            )
            .await
        }
    }
}
