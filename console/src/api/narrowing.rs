//! An officer grants less than was asked: a further revision, in which nothing is wider. It is still the applicant's application, so that whoever
//! narrowed it may sign it; signatures on the wider one count no more.

use axum::{
    Extension,
    extract::{Path, State},
};
use ca_core::{
    events::ApplicationSubmitted,
    register::{Mandate, MandateStatus},
};
use extensions::{Digest, MandateDocument, MandateId, Timestamp, limits::Authority, mandate::Conduct};
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Body, By, applications, parse};
use crate::{
    Console,
    access::Caller,
    problem::Problem,
    record::{Draft, acted, place, random_bytes},
    view::View,
};

/// The act of the entry that says why.
pub(crate) const NARROWED: &str = "application.narrowed";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Narrower {
    #[serde(default)]
    conduct: Option<Conduct>,
    #[serde(default)]
    expires: Option<Timestamp>,
    #[serde(default)]
    limits: Option<Authority>,
    /// For the applicant to read; sealed.
    reason: String,
}

pub(super) async fn narrow(
    State(console): State<Console>,
    Extension(caller): By,
    Path(mandate): Path<String>,
    Body(body): Body<Narrower>,
) -> Answer {
    let id: MandateId = parse("MANDATE", &mandate)?;
    let nonce = Digest(random_bytes());
    let mut shown = Value::Null;
    let recorded = console
        .widen(|view| {
            let found = view.register.mandate(&id);
            let asked = found.ok_or_else(|| Problem::missing("such application"))?;
            let event = narrowed(&console, view, caller, asked, &body, nonce)?;
            shown = applications::asked_now(&event);
            let reason = acted(caller.officer, NARROWED, &format!("mandate/{id}"), &body.reason)?;
            Ok(Draft::new(event, console.clocks.real.now()).also(reason))
        })
        .await?;
    shown["entry"] = place(&recorded);
    Ok(axum::Json(shown))
}

fn narrowed(
    console: &Console,
    view: &View,
    caller: Caller,
    asked: &Mandate,
    body: &Narrower,
    nonce: Digest,
) -> Result<ApplicationSubmitted, Problem> {
    let now = console.clocks.real.now();
    if *asked.status() != MandateStatus::Pending || now >= asked.expires_at() {
        let detail = format!("this application is {}, not pending", applications::status(asked, now));
        return Err(Problem::conflict("NOT_PENDING", &detail));
    }
    let before = asked.document();
    let document = MandateDocument {
        conduct: body.conduct.clone().unwrap_or_else(|| before.conduct.clone()),
        expires: body.expires.unwrap_or(before.expires),
        limits: body.limits.clone().unwrap_or_else(|| before.limits.clone()),
        ..before.clone()
    };
    let changes = before.diff(&document);
    let wider: Vec<String> = changes
        .iter()
        .filter(|one| one.wider)
        .map(ToString::to_string)
        .collect();
    if !wider.is_empty() {
        let detail = "this is more than was asked for: the applicant has to ask for it";
        return Err(Problem::bad("WIDER", detail).with_reasons(wider));
    }
    if changes.is_empty() {
        return Err(Problem::bad(
            "UNCHANGED",
            "this is what was asked for: sign it, or say what is to be less",
        ));
    }
    document
        .check()
        .map_err(|error| Problem::bad("DOCUMENT", &error.to_string()))?;
    applications::inside_envelope(view, &document)?;
    super::probation::is_small(view, &document)?;
    Ok(ApplicationSubmitted {
        agent: *asked.agent(),
        applicant: *asked.applicant(),
        document_digest: document.digest(),
        document,
        expires_at: asked.expires_at(),
        mandate: *asked.id(),
        narrowed_by: Some(caller.officer),
        nonce,
        owner: *asked.owner(),
        revision: asked.revision().saturating_add(1),
        sealed: Vec::new(),
    })
}
