//! Positions opened elsewhere: an officer attests them over a nonce of ours, so that reductions can be told from new risk.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use ca_core::approval::{Question, check_signature};
use extensions::{AgentId, ApprovalDecision, ApprovalRecord, Base64, Decimal, Digest, Instrument};
use gateway_policy::events::PositionAttested;
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Body, By, parse};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, place},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A nonce for the caller, good once.
pub(super) async fn nonce(State(console): State<Console>, Extension(caller): By, Body(_): Body<Nothing>) -> Answer {
    let (nonce, until) = console.nonces.draw(caller.officer, console.clocks.real.now());
    Ok(Json(json!({"expires_at": until, "nonce": nonce})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Attestation {
    instrument: Instrument,
    nonce: Digest,
    quantity: Decimal,
    /// Over `PositionAttested::document`, as an approval.
    signature: Base64,
}

pub(super) async fn attest(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<Attestation>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let document = PositionAttested::document(&agent, &body.instrument, body.quantity);
    let signature = ApprovalRecord {
        decision: ApprovalDecision::Approve,
        document,
        key: caller.key,
        nonce: body.nonce,
        officer: caller.officer,
        passkey: None,
        signature: body.signature,
    };
    if !console
        .nonces
        .spend(&body.nonce, caller.officer, console.clocks.real.now())
    {
        return Err(Problem::conflict(
            "NONCE",
            "this nonce is not yours, was used, or has ended: ask for another with POST /v1/nonces and sign again",
        ));
    }
    let recorded = console
        .widen(|view| {
            view.register
                .agent(&agent)
                .ok_or_else(|| Problem::missing("such agent"))?;
            let question = Question {
                document,
                nonce: body.nonce,
                applicant: None,
                on_call: false,
            };
            check_signature(question, &signature, view.next_position(), &[], &view.register)
                .map_err(|fault| Problem::forbidden("SIGNATURE_REFUSED", &fault.to_string()))?;
            let event = PositionAttested {
                agent,
                instrument: body.instrument,
                quantity: body.quantity,
                signature: signature.clone(),
            };
            Ok(Draft::new(event, console.clocks.decision.now()))
        })
        .await?;
    Ok(Json(json!({"entry": place(&recorded)})))
}
