//! Standing of one certificate: freeze, reduce only, resume, revoke. The agent goes on with another one, if it has it.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use ca_core::register::CertificateFacts;
use extensions::Serial;
use revocation_core::{
    Actor,
    standing::{
        CertificateFrozen, CertificateMove, CertificateReduceOnly, CertificateResumed, CertificateRevoked, Mode,
    },
};
use serde_json::json;

use super::{
    Answer, Body, By,
    standing::{ActBody, answered},
};
use crate::{
    Console,
    access::Caller,
    problem::Problem,
    record::{Draft, acted},
    view::View,
};

fn parsed(serial: &str) -> Result<Serial, Problem> {
    Serial::parse(serial).ok_or_else(|| Problem::bad("SERIAL", "a serial is 36 lower-case hexadecimal characters"))
}

/// The certificate, unless it is revoked: then nothing of it is frozen or resumed.
fn live(view: &View, serial: &Serial) -> Result<CertificateFacts, Problem> {
    let facts = view.register.certificate(serial);
    let facts = *facts.ok_or_else(|| Problem::missing("such certificate"))?;
    let standing = view.standing_of(&facts.agent);
    if standing.certificate_revoked(serial, facts.not_before, facts.not_after) {
        return Err(Problem::conflict("STANDING", "the certificate is revoked, for ever"));
    }
    Ok(facts)
}

fn allowed(view: &View, serial: &Serial, wanted: CertificateMove) -> Result<CertificateFacts, Problem> {
    let facts = live(view, serial)?;
    let standing = view.standing_of(&facts.agent);
    if standing.permits_certificate(wanted, serial, facts.not_after) {
        return Ok(facts);
    }
    let mode = json!(standing.certificate_mode(serial, facts.not_after));
    let detail = format!(
        "the certificate is {}: from there {} is not possible",
        mode.as_str().unwrap_or("?"),
        format!("{wanted:?}").to_ascii_lowercase()
    );
    Err(Problem::conflict("STANDING", &detail))
}

/// The entry of a move, with the officer's reason beside it.
fn draft(
    console: &Console,
    caller: Caller,
    serial: Serial,
    facts: &CertificateFacts,
    wanted: CertificateMove,
    words: &str,
) -> Result<Draft, Problem> {
    let (agent, not_after, by) = (facts.agent, facts.not_after, Actor::Officer(caller.officer));
    let subject = format!("certificate {serial}");
    let reason = |kind| acted(caller.officer, kind, &subject, words);
    let now = console.clocks.decision.now();
    Ok(match wanted {
        CertificateMove::Freeze => {
            let event = CertificateFrozen {
                agent,
                by,
                not_after,
                serial,
            };
            Draft::new(event, now).also(reason(CertificateFrozen::KIND)?)
        }
        CertificateMove::ReduceOnly => {
            let event = CertificateReduceOnly {
                agent,
                by,
                not_after,
                serial,
            };
            Draft::new(event, now).also(reason(CertificateReduceOnly::KIND)?)
        }
        CertificateMove::Resume => {
            let event = CertificateResumed { agent, by, serial };
            Draft::new(event, now).also(reason(CertificateResumed::KIND)?)
        }
    })
}

async fn moved(console: Console, caller: Caller, serial: &str, body: ActBody, wanted: CertificateMove) -> Answer {
    let serial = parsed(serial)?;
    body.without_code()?;
    let (facts, mode) = {
        let view = console.view().await?;
        let facts = live(&view, &serial)?;
        let mode = view
            .standing_of(&facts.agent)
            .certificate_mode(&serial, facts.not_after);
        (facts, mode)
    };
    let already = matches!(
        (wanted, mode),
        (CertificateMove::Freeze, Mode::Frozen) | (CertificateMove::ReduceOnly, Mode::ReduceOnly)
    );
    if already {
        return Ok(Json(json!({"already": true})));
    }
    let narrows = wanted == CertificateMove::Freeze || mode == Mode::Active && wanted == CertificateMove::ReduceOnly;
    let recorded = if narrows {
        let draft = draft(&console, caller, serial, &facts, wanted, &body.reason)?;
        console.narrow(draft, None).await?
    } else {
        // It widens: only on exactly the state that was looked at.
        console
            .widen(|view| {
                let facts = allowed(view, &serial, wanted)?;
                draft(&console, caller, serial, &facts, wanted, &body.reason)
            })
            .await?
    };
    Ok(Json(answered(&recorded)))
}

pub(super) async fn freeze(
    State(console): State<Console>,
    Extension(caller): By,
    Path(serial): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    moved(console, caller, &serial, body, CertificateMove::Freeze).await
}

pub(super) async fn reduce_only(
    State(console): State<Console>,
    Extension(caller): By,
    Path(serial): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    moved(console, caller, &serial, body, CertificateMove::ReduceOnly).await
}

pub(super) async fn resume(
    State(console): State<Console>,
    Extension(caller): By,
    Path(serial): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    moved(console, caller, &serial, body, CertificateMove::Resume).await
}

pub(super) async fn revoke(
    State(console): State<Console>,
    Extension(caller): By,
    Path(serial): Path<String>,
    Body(body): Body<ActBody>,
) -> Answer {
    let serial = parsed(&serial)?;
    let facts = {
        let view = console.view().await?;
        let facts = *view
            .register
            .certificate(&serial)
            .ok_or_else(|| Problem::missing("such certificate"))?;
        let standing = view.standing_of(&facts.agent);
        if standing.certificate_revoked(&serial, facts.not_before, facts.not_after) {
            return Ok(Json(json!({"already": true})));
        }
        facts
    };
    let event = CertificateRevoked {
        agent: facts.agent,
        by: Actor::Officer(caller.officer),
        not_after: facts.not_after,
        reason: body.code(),
        serial,
    };
    let subject = format!("certificate {serial}");
    let reason = acted(caller.officer, CertificateRevoked::KIND, &subject, &body.reason)?;
    let draft = Draft::new(event, console.clocks.decision.now()).also(reason);
    let recorded = console
        .narrow(draft, Some(format!("certificate-revoked-{serial}")))
        .await?;
    Ok(Json(answered(&recorded)))
}
