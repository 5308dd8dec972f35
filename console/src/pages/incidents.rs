//! Incidents: what stopped a bot, who has seen it, and its review.

use std::collections::BTreeMap;

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
    activity::Book,
    agents::{After, Agent, Halt, MOST_WAITING},
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
    /// On its own page: what two officers signed.
    #[serde(default)]
    review: Option<Reviewed>,
}

/// Who decided something, as people say it.
fn actor_in_words(actor: &Value) -> String {
    match actor.as_str() {
        Some("scorer") => "the score".to_owned(),
        Some("mandate") => "its mandate, after a warning that nobody answered".to_owned(),
        Some("house") => "a decision about its owner's desk or the whole house".to_owned(),
        Some(actor) => actor
            .strip_prefix("officer:")
            .map_or(actor.to_owned(), |id| format!("officer {id}")),
        None => actor.to_string(),
    }
}

/// A review that was signed.
#[derive(Debug, Deserialize)]
struct Reviewed {
    signed_by: Vec<String>,
    texts: BTreeMap<String, Option<String>>,
}

impl Reviewed {
    /// Each text under its name, in the order in which they are asked for.
    fn texts(&self) -> Vec<(&'static str, &str)> {
        let of = |(label, name): (&'static str, &str)| {
            let text = self.texts.get(name)?;
            Some((label, text.as_deref().unwrap_or("this text was erased")))
        };
        [
            ("Root cause", "root_cause"),
            ("Impact", "impact"),
            ("Lessons", "lessons"),
        ]
        .into_iter()
        .filter_map(of)
        .collect()
    }
}

impl Incident {
    pub(super) fn is_open(&self) -> bool {
        self.finding.is_none()
    }

    /// Whether behaviour stopped the bot, and no person.
    fn is_of_the_score(&self) -> bool {
        self.opened_by == "scorer" || self.opened_by == "mandate"
    }

    /// Who opened it, in words.
    fn by(&self) -> String {
        actor_in_words(&self.opened_by)
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

/// What somebody should have done by now.
#[derive(Debug, Deserialize)]
pub(super) struct Overdue {
    pub(super) agent: String,
    pub(super) due: When,
    incident: Option<String>,
    what: String,
}

impl Overdue {
    pub(super) fn words(&self) -> &str {
        match self.what.as_str() {
            "incident_not_seen" => "nobody has acknowledged its incident",
            "incident_not_reviewed" => "its incident is not reviewed",
            "warning_unanswered" => "its warning was not answered, and nobody has acted since",
            other => other,
        }
    }

    /// Where it is done.
    pub(super) fn page(&self) -> String {
        match &self.incident {
            Some(incident) => format!("/incidents/{}", segment(incident)),
            None => format!("/agents/{}", segment(&self.agent)),
        }
    }
}

/// A passkey whose counter did not go on.
#[derive(Debug, Deserialize)]
pub(super) struct Doubted {
    pub(super) at: When,
    pub(super) key: String,
    pub(super) officer: String,
}

/// What is overdue, the longest first; and passkeys of which a copy may be in use.
pub(super) async fn overdue(client: &Client) -> Result<(Vec<Overdue>, Vec<Doubted>), Refusal> {
    #[derive(Deserialize)]
    struct All {
        overdue: Vec<Overdue>,
        passkeys: Vec<Doubted>,
    }
    let all = client.get::<All>("/v1/overdue").await?;
    Ok((all.overdue, all.passkeys))
}

/// One line of what happened, and the entry that proves it.
#[derive(Debug, Deserialize)]
struct Line {
    at: When,
    by: Value,
    detail: Option<String>,
    position: u64,
    what: String,
}

impl Line {
    /// Who did it, in words; empty when nobody in particular.
    fn by(&self) -> String {
        match &self.by {
            Value::Null => String::new(),
            actor => format!(", by {}", actor_in_words(actor)),
        }
    }
}

#[derive(Deserialize)]
struct Timeline {
    complete: bool,
    timeline: Vec<Line>,
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

/// The first that nobody reviewed, and whether there are more.
pub(super) async fn open(client: &Client) -> Result<(Vec<Incident>, bool), Refusal> {
    let path = format!("/v1/incidents?limit={MOST_WAITING}&open=true");
    let found = client.get::<Incidents>(&path).await?;
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
    /// While it is open: the bot, and what it holds, where that can be read.
    stopped: Option<(Agent, Option<Book>)>,
    timeline: Timeline,
    fault: &'a str,
    typed: &'a Fields,
}

/// The acts of an incident stay within reach when this cannot be read.
async fn stopped(client: &Client, agent: &str) -> Option<(Agent, Option<Book>)> {
    let path = format!("/v1/agents/{}", segment(agent));
    let found = client.get::<Agent>(&path).await.ok()?;
    Some((found, Book::of(client, agent).await.ok()))
}

async fn one(session: &Session, client: &Client, id: &str, failed: Option<(&Refusal, &Fields)>) -> Response {
    let nothing = Fields::default();
    let found = client.get::<Incident>(&format!("/v1/incidents/{}", segment(id))).await;
    match found {
        Ok(incident) => {
            let path = format!("/v1/incidents/{}/timeline", segment(id));
            let timeline = match client.get::<Timeline>(&path).await {
                Ok(timeline) => timeline,
                Err(refusal) => return render::refused(session, &refusal),
            };
            let stopped = if incident.is_open() {
                stopped(client, &incident.agent).await
            } else {
                None
            };
            let one = One {
                frame: Frame::of(session),
                incident,
                stopped,
                timeline,
                fault: failed.map_or("", |(refusal, _)| &refusal.detail),
                typed: failed.map_or(&nothing, |(_, typed)| typed),
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
        let body = json!({
            "finding": fields.of("finding"),
            "impact": fields.of("impact"),
            "lessons": fields.of("lessons"),
            "root_cause": fields.of("root_cause"),
        });
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
        Err(refusal) => one(&session, &client, &incident, Some((&refusal, &fields))).await,
    }
}
