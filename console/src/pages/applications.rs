//! Applications: asking for a mandate, reading one in plain words, signing yes or no with a passkey, the bot's token.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Pages, Session,
    agents::{After, MOST_WAITING, Token, moment},
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    narrowing,
    questions::{self, Said},
    render::{self, Frame, When, page, page_with},
    signing::Question,
};

#[derive(Debug, Deserialize)]
pub(super) struct Brief {
    pub(super) mandate: String,
    pub(super) agent: String,
    pub(super) owner: String,
    pub(super) applicant: String,
    pub(super) narrowed_by: Option<String>,
    pub(super) revision: u32,
    pub(super) status: String,
    pub(super) submitted_at: When,
    pub(super) expires_at: When,
}

impl Brief {
    pub(super) fn is_pending(&self) -> bool {
        self.status == "pending"
    }
}

#[derive(Deserialize)]
struct Applications {
    applications: Vec<Brief>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "applications.html")]
struct List {
    frame: Frame,
    applications: Vec<Brief>,
    next: Option<String>,
}

/// The first that wait for signatures, and whether there are more.
pub(super) async fn open(client: &Client) -> Result<(Vec<Brief>, bool), Refusal> {
    let path = format!("/v1/applications?limit={MOST_WAITING}&open=true");
    let found = client.get::<Applications>(&path).await?;
    Ok((found.applications, found.next.is_some()))
}

pub(super) async fn list(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(after): Query<After>,
) -> Response {
    match client.get::<Applications>(&after.of("/v1/applications")).await {
        Ok(Applications { applications, next }) => page(&List {
            frame: Frame::of(&session),
            applications,
            next,
        }),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

#[derive(Debug, Deserialize)]
struct Change {
    what: String,
    old: String,
    new: String,
    wider: bool,
}

#[derive(Debug, Deserialize)]
struct Changes {
    from: String,
    list: Vec<Change>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    rule: String,
    reason: String,
}

/// A signature that was given.
#[derive(Debug, Deserialize)]
pub(super) struct Given {
    pub(super) officer: String,
    pub(super) decision: String,
    passkey: Option<Value>,
}

impl Given {
    pub(super) fn how(&self) -> &str {
        if self.passkey.is_some() {
            "passkey"
        } else {
            "certificate"
        }
    }
}

/// Plain words: lines, or lines under headings.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Words {
    Lines(Vec<String>),
    Text(String),
}

impl Words {
    pub(super) fn lines(&self) -> Vec<&str> {
        match self {
            Self::Lines(lines) => lines.iter().map(String::as_str).collect(),
            Self::Text(text) => text.lines().collect(),
        }
    }

    /// Each line's label and text: the label stands in the first columns.
    fn rows(&self) -> Vec<(&str, &str)> {
        const LABEL: usize = 22;
        let row = |line| match str::split_at_checked(line, LABEL) {
            Some((label, text)) => (label.trim(), text.trim()),
            None => ("", line),
        };
        self.lines().into_iter().map(row).collect()
    }
}

#[derive(Debug, Deserialize)]
struct Application {
    #[serde(flatten)]
    brief: Brief,
    changes: Option<Changes>,
    document: Value,
    document_digest: String,
    in_words: Words,
    nonce: String,
    officers_needed: usize,
    purpose: Option<String>,
    questions: Vec<Said>,
    rationale: Option<String>,
    rules_open: Vec<Rule>,
    signatures: Vec<Given>,
    unusual: Vec<Flag>,
}

impl Application {
    /// What was said last, and how much was said before.
    fn latest(&self) -> (usize, &[Said]) {
        questions::latest(&self.questions, usize::MAX)
    }
}

/// Something unusual, in words with its figures.
#[derive(Debug, Deserialize)]
pub(super) struct Flag {
    pub(super) code: String,
    pub(super) words: String,
}

#[derive(Template)]
#[template(path = "application.html")]
struct One<'a> {
    frame: Frame,
    application: &'a Application,
    question: Question,
    fault: &'a str,
    reasons: &'a [String],
    reason: &'a str,
    /// What was typed into the form that narrows; at first what was asked for.
    narrower: Fields,
    /// What was typed as a question and not taken.
    said: &'a str,
}

pub(super) async fn show(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(mandate): Path<String>,
) -> Response {
    one(&pages, &session, &client, &mandate, Failed::default()).await
}

/// An act on an application that was refused, with what was typed for it.
#[derive(Default)]
pub(super) struct Failed<'a> {
    pub(super) refusal: Option<&'a Refusal>,
    pub(super) reason: &'a str,
    pub(super) narrower: Option<&'a Fields>,
    pub(super) said: &'a str,
}

pub(super) async fn one(
    pages: &Pages,
    session: &Session,
    client: &Client,
    mandate: &str,
    failed: Failed<'_>,
) -> Response {
    let found = client
        .get::<Application>(&format!("/v1/applications/{}", segment(mandate)))
        .await;
    let application = match found {
        Ok(application) => application,
        Err(refusal) => return render::refused(session, &refusal),
    };
    let (nonce, digest) = (application.nonce.clone(), application.document_digest.clone());
    let id = &application.brief.mandate;
    let command = format!("mandatum application approve {id} --document {digest}");
    let question = Question::of(pages, session, nonce, digest, &application.document).await;
    let one = One {
        frame: Frame::of(session),
        question: question.answered(format!("/applications/{id}"), command),
        application: &application,
        fault: failed.refusal.map_or("", |refusal| &refusal.detail),
        reasons: failed.refusal.map_or(&[], |refusal| &refusal.reasons),
        reason: failed.reason,
        narrower: failed
            .narrower
            .cloned()
            .unwrap_or_else(|| narrowing::asked(&application.document)),
        said: failed.said,
    };
    page_with(failed.refusal.map_or(StatusCode::OK, status_of), &one)
}

pub(super) async fn sign(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(mandate): Path<String>,
    fields: Fields,
) -> Response {
    let body = pages.signature(&session, &fields).await;
    let path = format!("/v1/applications/{}", segment(&mandate));
    match client.post(&format!("{path}/signatures"), &body).await {
        Ok(_) => Redirect::to(&format!("/applications/{}", segment(&mandate))).into_response(),
        Err(refusal) => {
            one(
                &pages,
                &session,
                &client,
                &mandate,
                Failed {
                    refusal: Some(&refusal),
                    reason: fields.of("reason"),
                    ..Failed::default()
                },
            )
            .await
        }
    }
}

#[derive(Template)]
#[template(path = "application_new.html")]
struct New<'a> {
    frame: Frame,
    typed: &'a Fields,
    fault: &'a str,
    reasons: &'a [String],
}

impl New<'_> {
    fn chosen(&self, name: &str, value: &str) -> bool {
        self.typed.all(name).any(|one| one == value)
    }
}

#[derive(Deserialize)]
pub(super) struct For {
    #[serde(default)]
    agent: String,
}

pub(super) async fn form(Extension(session): Extension<Session>, Query(wanted): Query<For>) -> Response {
    let typed = Fields::begun(&[
        ("agent", &wanted.agent),
        ("hours", "Mon-Fri 07:00-20:00"),
        ("order_types", "limit"),
        ("price_collar_bps", "200"),
        ("order_rates", "60/1s"),
        ("repeat_window_ms", "1000"),
    ]);
    begun(&session, StatusCode::OK, &typed, "")
}

/// The form with what was typed or read so far.
pub(super) fn begun(session: &Session, status: StatusCode, typed: &Fields, fault: &str) -> Response {
    let new = New {
        frame: Frame::of(session),
        typed,
        fault,
        reasons: &[],
    };
    page_with(status, &new)
}

pub(super) async fn submit(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    fields: Fields,
) -> Response {
    match client.post("/v1/applications", &asked(&fields)).await {
        Ok(_) => Redirect::to(&format!("/applications/{}", segment(fields.of("mandate")))).into_response(),
        Err(refusal) => {
            let new = New {
                frame: Frame::of(&session),
                typed: &fields,
                fault: &refusal.detail,
                reasons: &refusal.reasons,
            };
            page_with(status_of(&refusal), &new)
        }
    }
}

/// The application as the API takes it.
fn asked(fields: &Fields) -> Value {
    let number = |name| fields.number(name);
    let scoring = match fields.of("observe_until") {
        "" => json!("enforce"),
        until => json!(format!("observe until {}", moment(until))),
    };
    let mut asked = json!({
        "agent": fields.of("agent"),
        "conduct": {
            "on_halt": fields.of("on_halt"),
            "on_unanswered_warning": fields.of("on_unanswered_warning"),
            "repeat_window_ms": number("repeat_window_ms"),
            "scoring": scoring,
        },
        "expires": moment(fields.of("expires")),
        "limits": {
            "counterparties": fields.list_or_any("counterparties"),
            "hours": fields.list("hours"),
            "instruments": fields.list_or_any("instruments"),
            "order_proof": fields.of("order_proof") == "on",
            "order_rates": fields.list("order_rates"),
            "order_types": fields.all("order_types").collect::<Vec<_>>(),
            "per_day": fields.list("per_day"),
            "per_order": fields.list("per_order"),
            "price_collar_bps": number("price_collar_bps"),
            "regions": fields.list_or_any("regions"),
        },
        "mandate": fields.of("mandate"),
        "rationale": fields.of("rationale"),
    });
    if !fields.of("probation_hours").is_empty() {
        asked["conduct"]["probation_hours"] = number("probation_hours");
    }
    if !fields.of("cancel_after_disconnect_s").is_empty() {
        asked["conduct"]["cancel_after_disconnect_s"] = number("cancel_after_disconnect_s");
    }
    if !fields.of("max_day_loss").is_empty() {
        asked["conduct"]["max_day_loss"] = json!(fields.list("max_day_loss"));
    }
    if !fields.of("max_executions").is_empty() {
        asked["conduct"]["max_executions"] = number("max_executions");
    }
    if !fields.of("max_open_orders").is_empty() {
        asked["conduct"]["max_open_orders"] = number("max_open_orders");
    }
    if !fields.of("max_position").is_empty() {
        asked["conduct"]["max_position"] = json!(fields.list("max_position"));
    }
    if !fields.of("self_trade").is_empty() {
        asked["conduct"]["self_trade"] = json!(fields.of("self_trade"));
    }
    asked
}

/// A one-time token for the bot, shown once on the agent's page.
pub(super) async fn token(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(agent): Path<String>,
    fields: Fields,
) -> Response {
    let path = format!("/v1/agents/{}/enrolment-tokens", segment(&agent));
    let made = client.post(&path, &json!({"mandate": fields.of("mandate")})).await;
    match made.map(serde_json::from_value::<Token>) {
        Ok(Ok(token)) => Pages::agent_page(&session, &client, &agent, None, Some(token)).await,
        Ok(Err(_)) => Pages::agent_page(&session, &client, &agent, None, None).await,
        Err(refusal) => {
            Pages::agent_page(
                &session,
                &client,
                &agent,
                Some(("token", &refusal, &Fields::default())),
                None,
            )
            .await
        }
    }
}
