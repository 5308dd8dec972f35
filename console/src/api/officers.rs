//! Officers themselves: the first certificate from a one-time token, inviting another, removing one, erasing a person's texts.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_core::{
    csr,
    events::{CaCertificateUse, OfficerRemoved, OfficerRequested, Role},
    register::Officer,
    tasks::{OFFICER_TASK, OfficerTask},
};
use extensions::{Base64, Digest, OfficerId, SealedText, Timestamp};
use ledger::Task;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, Page, parse, proposals};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, acted, place, seal, token},
    view::View,
};

fn shown(officer: &Officer) -> Value {
    json!({"in_office": officer.in_office(), "officer": officer.id(), "roles": officer.roles()})
}

pub(super) async fn whoami(State(console): State<Console>, Extension(caller): By) -> Answer {
    let view = console.view().await?;
    let officer = view.register.officer(&caller.officer);
    let mut answer = officer.map(shown).ok_or_else(|| Problem::missing("such officer"))?;
    answer["key"] = json!(caller.key);
    Ok(Json(answer))
}

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Page>) -> Answer {
    let view = console.view().await?;
    let rows = view.register.officers();
    let (officers, next) = page.of(rows.map(|officer| (officer.id().to_string(), shown(officer))));
    Ok(Json(json!({"next": next, "officers": officers})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Invitation {
    officer: OfficerId,
    roles: Vec<Role>,
}

/// Proposes a further officer, or other roles for one: two officers sign it, and only then the token works. The token is shown once.
pub(super) async fn invite(
    State(console): State<Console>,
    Extension(caller): By,
    Body(mut body): Body<Invitation>,
) -> Answer {
    body.roles.sort_unstable();
    body.roles.dedup();
    if body.roles.is_empty() {
        return Err(Problem::bad("ROLES", "name at least one role"));
    }
    if body.officer == caller.officer {
        let detail = "nobody proposes their own roles: another administrator must";
        return Err(Problem::forbidden("OWN_ROLES", detail));
    }
    let (secret, digest) = token();
    let use_before = console
        .clocks
        .real
        .now()
        .plus_seconds(console.config.officer_token_seconds);
    let document = json!({
        "officer": body.officer,
        "purpose": "officer.token_issued",
        "roles": body.roles,
        "token": digest,
        "use_before": use_before,
    });
    let Json(mut answer) = proposals::propose(&console, caller, "officer.token_issued", document, Vec::new()).await?;
    answer["token"] = json!(secret);
    Ok(Json(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    reason: String,
}

pub(super) async fn remove(
    State(console): State<Console>,
    Extension(caller): By,
    Path(officer): Path<String>,
    Body(body): Body<Removal>,
) -> Answer {
    let officer: OfficerId = parse("OFFICER", &officer)?;
    if officer == caller.officer {
        let detail = "nobody removes themselves: another administrator must";
        return Err(Problem::forbidden("OWN_REMOVAL", detail));
    }
    {
        let view = console.view().await?;
        let found = view.register.officer(&officer).filter(|officer| officer.in_office());
        found.ok_or_else(|| Problem::missing("such officer in office"))?;
    }
    let reason = acted(
        caller.officer,
        "officer.removed",
        &format!("officer/{officer}"),
        &body.reason,
    )?;
    let event = OfficerRemoved {
        officer,
        removed_by: caller.officer,
    };
    let draft = Draft::new(event, console.clocks.real.now()).also(reason);
    let recorded = console.narrow(draft, None).await?;
    Ok(Json(json!({"entry": place(&recorded)})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Erasure {
    reason: String,
    /// `agent:<id>`, `officer:<id>` or `owner:<id>`.
    subject: String,
}

/// Destroys the keys under which a subject's texts are sealed. The entries stay and every proof still verifies.
pub(super) async fn erase(State(console): State<Console>, Extension(caller): By, Body(body): Body<Erasure>) -> Answer {
    let named = body.subject.split_once(':').is_some_and(|(kind, id)| {
        matches!(kind, "agent" | "officer" | "owner") && extensions::AgentId::new(id).is_ok()
    });
    if !named {
        return Err(Problem::bad(
            "SUBJECT",
            "subject: expected agent:<id>, officer:<id> or owner:<id>",
        ));
    }
    // The intent first: an erasure that is not recorded does not happen.
    let event = acted(caller.officer, "subject.erased", &body.subject, &body.reason)?;
    let recorded = console
        .report(Draft::new(event, console.clocks.real.now()), None)
        .await?;
    let keys = console.ledger.erase(&body.subject).await;
    let keys = keys.map_err(|error| Problem::unavailable(&format!("the keys could not be destroyed: {error}")))?;
    Ok(Json(
        json!({"entry": place(&recorded), "keys_destroyed": keys, "subject": body.subject}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolment {
    /// PKCS#10, DER, key P-256 or Ed25519.
    csr: Base64,
    /// The person's name; sealed.
    name: String,
    /// The one-time token.
    token: String,
}

/// The first certificate of an officer. The same token and request may ask again until it is there.
pub(super) async fn enrol(State(console): State<Console>, Body(body): Body<Enrolment>) -> Result<Response, Problem> {
    let inspected = csr::inspect(&body.csr.0).map_err(|error| Problem::bad("CSR_REFUSED", &error.to_string()))?;
    let digest = Digest::of(body.token.as_bytes());
    let officer = {
        let view = console.view().await?;
        let token = view.register.officer_token(&digest).ok_or_else(unknown_token)?;
        match &token.request {
            Some(request) if *request == body.csr.0 => Some(token.officer),
            _ => None,
        }
    };
    let officer = match officer {
        Some(officer) => officer,
        None => bind(&console, &body, digest, &inspected.spki_digest()).await?,
    };
    let until = tokio::time::Instant::now() + console.config.patience;
    let mut news = console.ledger.news();
    loop {
        {
            let view = console.view().await?;
            let found = view.register.officer(&officer);
            if let Some(found) = found.filter(|found| found.holds(&inspected.spki_digest())) {
                let house = view
                    .register
                    .issuer_of(CaCertificateUse::HouseIssuing, found.certificate());
                let chain = [pem(found.certificate()), house.as_deref().map(pem).unwrap_or_default()].concat();
                return Ok(Json(json!({"certificate": chain, "officer": officer})).into_response());
            }
        }
        if tokio::time::timeout_at(until, news.changed()).await.is_err() {
            let answer = Json(json!({"officer": officer, "status": "pending"}));
            let mut response = (StatusCode::ACCEPTED, answer).into_response();
            crate::enrolment::come_again(response.headers_mut());
            return Ok(response);
        }
    }
}

fn unknown_token() -> Problem {
    Problem::unknown(
        "TOKEN_UNKNOWN",
        "this one-time token is not known, or officers have not signed it yet",
    )
}

/// Uses the token: it is bound to this request for ever.
async fn bind(console: &Console, body: &Enrolment, digest: Digest, key: &Digest) -> Result<OfficerId, Problem> {
    let officer = {
        let view = console.view().await?;
        view.register.officer_token(&digest).ok_or_else(unknown_token)?.officer
    };
    let name = seal(format!("officer:{officer}"), "name", &body.name)?;
    let recorded = console
        .widen(|view| requested(console, view, body, digest, key, &name))
        .await?;
    tracing::info!(%officer, position = recorded.position(), "an officer's token was used");
    Ok(officer)
}

fn requested(
    console: &Console,
    view: &View,
    body: &Enrolment,
    digest: Digest,
    key: &Digest,
    name: &SealedText,
) -> Result<Draft, Problem> {
    let now: Timestamp = console.clocks.real.now();
    let token = view.register.officer_token(&digest).ok_or_else(unknown_token)?;
    if token.request.is_some() || token.used {
        let detail =
            "this one-time token was used with another request: if that was not you, tell the other officers at once";
        return Err(Problem::forbidden("TOKEN_BOUND", detail));
    }
    if now < token.use_from {
        let detail = format!(
            "{} has held office before: a new token works from {} on, a day after two officers signed it, so that all can hear of it",
            token.officer, token.use_from
        );
        return Err(Problem::forbidden("RECOVERY_WAITS", &detail));
    }
    if now >= token.use_before {
        let detail = format!(
            "this one-time token was to be used before {}: ask for a new one",
            token.use_before
        );
        return Err(Problem::unknown("TOKEN_EXPIRED", &detail));
    }
    if !view.register.may_certify(key, &token.officer) {
        let detail = "this key is somebody else's or a passkey: an officer's certificate needs a key of its own";
        return Err(Problem::forbidden("KEY_IN_USE", detail));
    }
    let event = OfficerRequested {
        csr: body.csr.clone(),
        name: name.commitment(),
        officer: token.officer,
        sealed: vec![name.clone()],
        token: digest,
    };
    let task = Task {
        role: ca_core::tasks::ROLE.to_owned(),
        kind: OFFICER_TASK.to_owned(),
        payload: OfficerTask { token: digest }.to_payload(),
        due: now,
    };
    Ok(Draft::new(event, console.clocks.real.now()).task(task))
}

/// RFC 7468.
fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(64)
        .filter_map(|line| std::str::from_utf8(line).ok())
        .collect();
    format!(
        "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
        lines.join("\n")
    )
}
