//! Incidents: what stopped a bot, who has seen it, and its review.

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
    agents::{After, Halt},
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    proposals,
    render::{self, Frame, When, page, page_with},
};

#[derive(Debug, Deserialize)]
pub(super) struct Incident {
    pub(super) incident: String,
    pub(super) agent: String,
    pub(super) opened_at: When,
    pub(super) opened_by: Value,
    pub(super) acknowledged_by: Option<String>,
    pub(super) finding: Option<String>,
    #[serde(default)]
    pub(super) halt: Vec<Halt>,
}

impl Incident {
    pub(super) fn is_open(&self) -> bool {
        self.finding.is_none()
    }

    /// Who opened it, in words.
    fn by(&self) -> String {
        match &self.opened_by {
            Value::String(actor) => actor.clone(),
            other => other.to_string(),
        }
    }

    pub(super) fn status(&self) -> &str {
        match (&self.finding, &self.acknowledged_by) {
            (Some(finding), _) if finding == "false_alarm" => "reviewed: a false alarm",
            (Some(_), _) => "reviewed: the stop was right",
            (None, Some(_)) => "seen, waits for its review",
            (None, None) => "nobody has seen it yet",
        }
    }
}

#[derive(Deserialize)]
struct Incidents {
    incidents: Vec<Incident>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "incidents.html")]
struct List {
    frame: Frame,
    incidents: Vec<Incident>,
    next: Option<String>,
}

/// The first rows, for the overview.
/// The first that nobody reviewed, and whether there are more.
pub(super) async fn open(client: &Client) -> Result<(Vec<Incident>, bool), Refusal> {
    let found = client.get::<Incidents>("/v1/incidents?limit=100&open=true").await?;
    Ok((found.incidents, found.next.is_some()))
}

pub(super) async fn list(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(after): Query<After>,
) -> Response {
    match client.get::<Incidents>(&after.of("/v1/incidents")).await {
        Ok(Incidents { incidents, next }) => page(&List {
            frame: Frame::of(&session),
            incidents,
            next,
        }),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

#[derive(Template)]
#[template(path = "incident.html")]
struct One<'a> {
    frame: Frame,
    incident: Incident,
    fault: &'a str,
    root_cause: &'a str,
}

async fn one(session: &Session, client: &Client, id: &str, failed: Option<(&Refusal, &str)>) -> Response {
    let found = client.get::<Incident>(&format!("/v1/incidents/{}", segment(id))).await;
    match found {
        Ok(incident) => {
            let one = One {
                frame: Frame::of(session),
                incident,
                fault: failed.map_or("", |(refusal, _)| &refusal.detail),
                root_cause: failed.map_or("", |(_, typed)| typed),
            };
            page_with(failed.map_or(StatusCode::OK, |(refusal, _)| status_of(refusal)), &one)
        }
        Err(refusal) => render::refused(session, &refusal),
    }
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(incident): Path<String>,
) -> Response {
    one(&session, &client, &incident, None).await
}

pub(super) async fn act(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(incident): Path<String>,
    fields: Fields,
) -> Response {
    let path = format!("/v1/incidents/{}", segment(&incident));
    let done = if fields.of("act") == "review" {
        let body = json!({"finding": fields.of("finding"), "root_cause": fields.of("root_cause")});
        client
            .post(&format!("{path}/review"), &body)
            .await
            .map(|made| proposals::address(&made))
    } else {
        let seen = client.post(&format!("{path}/acknowledge"), &json!({})).await;
        seen.map(|_| format!("/incidents/{}", segment(&incident)))
    };
    match done {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(refusal) => one(&session, &client, &incident, Some((&refusal, fields.of("root_cause")))).await,
    }
}
