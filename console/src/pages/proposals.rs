//! What officers sign beside mandates: baselines, settings of the house, reinstatements, reviews, further officers.

use std::collections::BTreeMap;

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Pages, Session,
    agents::{After, MOST_WAITING},
    applications::{Given, Words},
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    render::{self, Frame, When, page, page_with},
    signing::Question,
};

#[derive(Debug, Deserialize)]
pub(super) struct Brief {
    pub(super) proposal: String,
    pub(super) becomes: String,
    pub(super) proposer: String,
    pub(super) expires_at: When,
    pub(super) accepted: Option<bool>,
    pub(super) document_digest: String,
    pub(super) nonce: String,
    pub(super) officers_needed: usize,
    pub(super) signatures: Vec<Given>,
}

impl Brief {
    pub(super) fn is_open(&self) -> bool {
        self.accepted.is_none()
    }

    /// What it would do, in words.
    pub(super) fn title(&self) -> &str {
        match self.becomes.as_str() {
            "agent.probation_started" => "Let a stopped bot trade for some hours",
            "agent.reinstated" => "Bring a bot back",
            "baseline.approved" => "A baseline",
            "house.exposure_set" => "What a group may have at stake",
            "house.regions_set" => "The table of source networks",
            "house.reinstated" => "Open the house again",
            "house.thresholds_set" => "When two officers must sign",
            "house.webhook_removed" => "The end of a webhook",
            "house.webhook_set" => "A webhook",
            "incident.reviewed" => "The review of an incident",
            "officer.token_issued" => "A further officer",
            "order.override_granted" => "Let one refused order pass, once",
            other => other,
        }
    }

    pub(super) fn status(&self) -> &str {
        match self.accepted {
            None => "waits for signatures",
            Some(true) => "accepted",
            Some(false) => "refused or lapsed",
        }
    }

    /// Its page.
    pub(super) fn page(&self) -> String {
        match self.proposal.strip_prefix("officer/") {
            Some(reference) => format!("/proposals/{reference}"),
            None => "/proposals".to_owned(),
        }
    }
}

/// The page of a proposal that was made just now.
pub(super) fn address(made: &Value) -> String {
    let reference = made.get("proposal").and_then(Value::as_str).unwrap_or_default();
    match reference.strip_prefix("officer/") {
        Some(reference) => format!("/proposals/{reference}"),
        None => "/proposals".to_owned(),
    }
}

#[derive(Deserialize)]
struct Proposals {
    proposals: Vec<Brief>,
    next: Option<String>,
}

#[derive(Template)]
#[template(path = "proposals.html")]
struct List {
    frame: Frame,
    proposals: Vec<Brief>,
    next: Option<String>,
}

/// The first that wait for signatures, and whether there are more.
pub(super) async fn open(client: &Client) -> Result<(Vec<Brief>, bool), Refusal> {
    let path = format!("/v1/proposals?limit={MOST_WAITING}&open=true");
    let found = client.get::<Proposals>(&path).await?;
    Ok((found.proposals, found.next.is_some()))
}

pub(super) async fn list(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(after): Query<After>,
) -> Response {
    match client.get::<Proposals>(&after.of("/v1/proposals")).await {
        Ok(Proposals { proposals, next }) => page(&List {
            frame: Frame::of(&session),
            proposals,
            next,
        }),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

#[derive(Debug, Deserialize)]
struct Proposal {
    #[serde(flatten)]
    brief: Brief,
    document: Value,
    in_words: Option<Words>,
    /// What the document's commitments stand for; none where a text was erased.
    texts: BTreeMap<String, Option<String>>,
}

impl Proposal {
    /// The document's members, each on a line, for people.
    fn members(&self) -> Vec<(String, String)> {
        let members = self.document.as_object().into_iter().flatten();
        let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let text = |name: &str| {
            let text = self.texts.get(name)?;
            Some(text.clone().unwrap_or_else(|| "this text was erased".to_owned()))
        };
        members
            .map(|(name, value)| (name.replace('_', " "), text(name).unwrap_or_else(|| shown(value))))
            .collect()
    }
}

#[derive(Template)]
#[template(path = "proposal.html")]
struct One<'a> {
    frame: Frame,
    proposal: &'a Proposal,
    question: Question,
    fault: &'a str,
    reasons: &'a [String],
    reason: &'a str,
}

pub(super) async fn show(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path((officer, number)): Path<(String, String)>,
) -> Response {
    one(&pages, &session, &client, &path(&officer, &number), None).await
}

fn path(officer: &str, number: &str) -> String {
    format!("/proposals/{}/{}", segment(officer), segment(number))
}

async fn one(
    pages: &Pages,
    session: &Session,
    client: &Client,
    path: &str,
    failed: Option<(&Refusal, &str)>,
) -> Response {
    let proposal = match client.get::<Proposal>(&format!("/v1{path}")).await {
        Ok(proposal) => proposal,
        Err(refusal) => return render::refused(session, &refusal),
    };
    let (nonce, digest) = (proposal.brief.nonce.clone(), proposal.brief.document_digest.clone());
    let command = format!("mandatum officer sign {} --document {digest}", proposal.brief.proposal);
    let question = Question::of(pages, session, nonce, digest, &proposal.document).await;
    let one = One {
        frame: Frame::of(session),
        question: question.answered(proposal.brief.page(), command),
        proposal: &proposal,
        fault: failed.map_or("", |(refusal, _)| &refusal.detail),
        reasons: failed.map_or(&[], |(refusal, _)| &refusal.reasons),
        reason: failed.map_or("", |(_, reason)| reason),
    };
    page_with(failed.map_or(StatusCode::OK, |(refusal, _)| status_of(refusal)), &one)
}

pub(super) async fn sign(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path((officer, number)): Path<(String, String)>,
    fields: Fields,
) -> Response {
    let body = pages.signature(&session, &fields).await;
    let path = path(&officer, &number);
    match client.post(&format!("/v1{path}/signatures"), &body).await {
        Ok(_) => Redirect::to(&path).into_response(),
        Err(refusal) => one(&pages, &session, &client, &path, Some((&refusal, fields.of("reason")))).await,
    }
}
