//! `simplereenroll`: the next certificate, asked for over TLS with the current one. The same mandate, so never wider.

use axum::{Extension, body::Bytes, extract::State, http::HeaderMap, response::Response};
use ca_core::{
    certificate::{life_of, serial_of},
    csr::InspectedCsr,
    events::RenewalRequested,
    renewal::{self, RenewalError},
};
use extensions::{Base64, MandateId, Serial};
use revocation_core::standing::Mode;

use super::{enrol::may_hold, issue_task, request_of};
use crate::{Console, listener::Peer, problem::Problem, record::Draft, view::View};

/// The longest hint of when renewal begins, in seconds: half of the longest life.
const LONGEST_HINT: i64 = 4 * 86_400;

pub(super) async fn simple_reenroll(
    State(console): State<Console>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let Some(certificate) = peer.certificate else {
        let detail = "renewal needs the current certificate in the TLS handshake; without one, enrol with a new token";
        return Err(Problem::unknown("CERTIFICATE_MISSING", detail));
    };
    let (der, csr) = request_of(&headers, &body)?;
    let current = serial_of(&certificate).zip(life_of(&certificate));
    let (current, life) = current.ok_or_else(|| {
        Problem::forbidden(
            "CERTIFICATE_UNREADABLE",
            "the certificate of the handshake does not read",
        )
    })?;
    let asked = {
        let view = console.view().await?;
        let mandate = admitted(&console, &view, current, life, &csr)?;
        let asked = view.register.mandate_of_request(&csr.digest()).is_some();
        asked.then_some(mandate)
    };
    let mandate = match asked {
        Some(mandate) => mandate,
        None => {
            let mut id = None;
            console
                .widen(|view| {
                    let mandate = admitted(&console, view, current, life, &csr)?;
                    id = Some(mandate);
                    requested(&console, view, mandate, current, &der, &csr)
                })
                .await?;
            id.ok_or_else(|| Problem::missing("such mandate"))?
        }
    };
    console.tell(&mandate, &csr.digest()).await
}

/// Whether this certificate may be renewed with this request now.
fn admitted(
    console: &Console,
    view: &View,
    current: Serial,
    (not_before, not_after): (extensions::Timestamp, extensions::Timestamp),
    csr: &InspectedCsr,
) -> Result<MandateId, Problem> {
    let now = console.clocks.real.now();
    let mandate = renewal::admit(&view.register, current, csr, now).map_err(|error| {
        let problem = Problem::forbidden("RENEWAL_REFUSED", &error.to_string());
        match error {
            RenewalError::Early { from, .. } => {
                problem.retry_after((from.seconds() - now.seconds()).clamp(1, LONGEST_HINT))
            }
            _ => problem,
        }
    })?;
    may_hold(console, view, mandate, csr)?;
    let standing = view.standing_of(mandate.agent());
    let from = view.house.certificates_from(mandate.owner());
    if standing.certificate_revoked(&current, not_before, not_after) || from.is_some_and(|from| not_before < from) {
        let detail = "this certificate is revoked and is not renewed: enrol with a new token";
        return Err(Problem::forbidden("CERTIFICATE_REVOKED", detail));
    }
    // A new certificate would end what an officer decided about this one.
    if standing.certificate_mode(&current, not_after) != Mode::Active {
        let detail = "this certificate is frozen, or may only reduce, and is not renewed: an officer resumes it first";
        return Err(Problem::forbidden("CERTIFICATE_RESTRICTED", detail));
    }
    Ok(*mandate.id())
}

fn requested(
    console: &Console,
    view: &View,
    mandate: MandateId,
    current: Serial,
    der: &[u8],
    csr: &InspectedCsr,
) -> Result<Draft, Problem> {
    let found = view
        .register
        .mandate(&mandate)
        .ok_or_else(|| Problem::missing("such mandate"))?;
    let event = RenewalRequested {
        agent: *found.agent(),
        csr: Base64(der.to_vec()),
        csr_digest: csr.digest(),
        current,
        mandate,
        spki: csr.spki_digest(),
    };
    let task = issue_task(&mandate, csr.digest(), console.clocks.real.now());
    Ok(Draft::new(event, console.clocks.real.now()).task(task))
}
