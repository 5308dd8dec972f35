//! `simpleenroll`: the first certificate of a bot, and what a polling bot is told.

use axum::{body::Bytes, extract::State, http::HeaderMap, response::Response};
use ca_core::{
    csr::InspectedCsr,
    events::{CaCertificateUse, TokenBound},
    register::{Mandate, MandateStatus, RequestState},
    renewal::key_is_free,
    tasks::ISSUE_TASK,
};
use extensions::{Base64, Digest, MandateId};
use revocation_core::{house::HouseMode, standing::Standing};

use super::{issue_task, pkcs7, request_of, token_of, wait};
use crate::{Clocks, Console, problem::Problem, record::Draft, view::View};

pub(super) async fn simple_enroll(
    State(console): State<Console>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let (der, csr) = request_of(&headers, &body)?;
    let token = token_of(&headers)?;
    let known = {
        let view = console.view().await?;
        view.register
            .mandate_of_request(&csr.digest())
            .map(|mandate| *mandate.id())
    };
    let mandate = match (known, token) {
        // A known request is its own name, whatever token comes with it: it only ever leads to its own certificate.
        (Some(mandate), _) => mandate,
        (None, Some(token)) => bind(&console, token, &der, &csr).await?,
        (None, None) => {
            let detail = "a first request needs the one-time token of its mandate, as HTTP Basic password or Bearer";
            return Err(Problem::unknown("TOKEN_MISSING", detail).asking_for_token());
        }
    };
    console.tell(&mandate, &csr.digest()).await
}

/// Uses the token: it is bound to this request for ever.
async fn bind(console: &Console, token: Digest, der: &[u8], csr: &InspectedCsr) -> Result<MandateId, Problem> {
    let mut id = None;
    let bound = console
        .widen(|view| {
            let (mandate, draft) = bound(console, view, token, der, csr)?;
            id = Some(mandate);
            Ok(draft)
        })
        .await?;
    tracing::info!(position = bound.position(), "an enrolment token was used");
    id.ok_or_else(|| Problem::missing("such mandate"))
}

fn bound(
    console: &Console,
    view: &View,
    token: Digest,
    der: &[u8],
    csr: &InspectedCsr,
) -> Result<(MandateId, Draft), Problem> {
    let unknown = || {
        let detail = "this one-time token is not known: ask an officer for a new one";
        Problem::unknown("TOKEN_UNKNOWN", detail).asking_for_token()
    };
    let mandate = view.register.mandate_of_token(&token).ok_or_else(unknown)?;
    let known = mandate.token(&token).ok_or_else(unknown)?;
    if known.bound_to.is_some() {
        let detail = "this one-time token was used with another request: if that was not you, tell an officer at once";
        return Err(Problem::forbidden("TOKEN_BOUND", detail));
    }
    let now = console.clocks.real.now();
    if now >= known.use_before {
        let detail = format!(
            "this one-time token was to be used before {}: ask for a new one",
            known.use_before
        );
        return Err(Problem::unknown("TOKEN_EXPIRED", &detail).asking_for_token());
    }
    // The replacement of a stopped agent, or its certificate for a probation, is asked for while it is inactive; it goes to the `ca` role when the agent is reinstated.
    let waits = view.certificate_waits(mandate, console.clocks.decision.now())
        && view.house.mode_of(mandate.owner()) != HouseMode::Revoked;
    if waits {
        may_use(view, mandate, csr)?;
    } else {
        may_hold(console, view, mandate, csr)?;
    }
    let event = TokenBound {
        agent: *mandate.agent(),
        csr: Base64(der.to_vec()),
        csr_digest: csr.digest(),
        mandate: *mandate.id(),
        spki: csr.spki_digest(),
        token,
    };
    let mut draft = Draft::new(event, console.clocks.real.now());
    if mandate.in_force().is_some() && !waits {
        draft = draft.task(issue_task(mandate.id(), csr.digest(), now));
    }
    Ok((*mandate.id(), draft))
}

/// Whether nobody else holds this key.
fn may_use(view: &View, mandate: &Mandate, csr: &InspectedCsr) -> Result<(), Problem> {
    key_is_free(&view.register, &csr.spki_digest(), mandate.agent())
        .map_err(|error| Problem::forbidden("KEY_IN_USE", &error.to_string()))
}

/// Whether this agent may hold a certificate with this key at all.
pub(super) fn may_hold(console: &Console, view: &View, mandate: &Mandate, csr: &InspectedCsr) -> Result<(), Problem> {
    may_use(view, mandate, csr)?;
    let standing = view
        .standing_of(mandate.agent())
        .effective(console.clocks.decision.now());
    if standing == Standing::Revoked || view.house.mode_of(mandate.owner()) == HouseMode::Revoked {
        let detail = "the agent, its owner or all are revoked: officers must reinstate it first";
        return Err(Problem::forbidden("AGENT_REVOKED", detail));
    }
    Ok(())
}

/// Where a request stands.
enum Stand {
    Issued(Vec<u8>, Vec<u8>),
    Rejected(String, u64, Digest),
    Undecided,
    Approved,
}

fn stand(view: &View, mandate: &MandateId, csr: &Digest, clocks: &Clocks) -> Result<Stand, Problem> {
    let now = clocks.real.now();
    let found = view
        .register
        .mandate(mandate)
        .ok_or_else(|| Problem::missing("such mandate"))?;
    let request = found.request(csr).ok_or_else(|| Problem::missing("such request"))?;
    if let RequestState::Issued {
        certificate, not_after, ..
    } = &request.state
    {
        if now >= *not_after {
            let detail = format!("the certificate of this request ended at {not_after}: enrol with a new token");
            return Err(Problem::forbidden("CERTIFICATE_ENDED", &detail));
        }
        let issuer = view.register.issuer_of(CaCertificateUse::AgentIssuing, certificate);
        return Ok(Stand::Issued(certificate.clone(), issuer.unwrap_or_default()));
    }
    if view.certificate_waits(found, clocks.decision.now()) {
        return Ok(Stand::Undecided);
    }
    // What is in force answers; a change that waits or was refused takes nothing from it.
    if found.in_force().is_some() {
        return Ok(Stand::Approved);
    }
    match found.status() {
        MandateStatus::Rejected { by, reason, position } => Ok(Stand::Rejected(by.to_string(), *position, *reason)),
        MandateStatus::Pending if now >= found.expires_at() => {
            let detail = format!(
                "nobody decided before {}: ask for the mandate again",
                found.expires_at()
            );
            Err(Problem::forbidden("APPLICATION_LAPSED", &detail))
        }
        MandateStatus::Pending => Ok(Stand::Undecided),
        MandateStatus::Approved { .. } => Ok(Stand::Approved),
    }
}

impl Console {
    /// 200 with the certificate, 202 while it is not there, 403 with the reasons when officers said no. Waits a little for the `ca` role.
    pub(super) async fn tell(&self, mandate: &MandateId, csr: &Digest) -> Result<Response, Problem> {
        let until = tokio::time::Instant::now() + self.config.patience;
        let mut news = self.ledger.news();
        loop {
            let stand = stand(&*self.view().await?, mandate, csr, &self.clocks)?;
            match stand {
                Stand::Issued(certificate, issuer) => {
                    return Ok(pkcs7(
                        &[&certificate, &issuer],
                        "application/pkcs7-mime; smime-type=certs-only",
                    ));
                }
                Stand::Rejected(by, position, reason) => {
                    let told = self.ledger.unseal(position, &reason).await.ok().flatten();
                    let told = told.unwrap_or_else(|| "the reason was erased".to_owned());
                    let problem = Problem::forbidden("APPLICATION_REJECTED", "officers refused this mandate");
                    return Err(problem.with_reasons(vec![format!("officer {by}: {told}")]));
                }
                Stand::Undecided => return Ok(wait()),
                Stand::Approved => {}
            }
            if tokio::time::timeout_at(until, news.changed()).await.is_err() {
                self.given_up(csr).await?;
                return Ok(wait());
            }
        }
    }

    /// A request that the `ca` role has refused will not get better by polling.
    async fn given_up(&self, csr: &Digest) -> Result<(), Problem> {
        let dead = self.ledger.dead_tasks(ca_core::tasks::ROLE).await;
        let dead = dead.map_err(|error| Problem::unavailable(&error.to_string()))?;
        let digest = csr.to_string();
        if dead
            .iter()
            .any(|task| task.kind == ISSUE_TASK && task.payload.contains(&digest))
        {
            let detail = "the authority's own checks refused this request; its log names the rule. Tell an officer";
            return Err(Problem::forbidden("NOT_ISSUED", detail));
        }
        Ok(())
    }
}
