//! `POST /v1/orders` and the cancels.

use std::{borrow::Cow, sync::Arc, time::Instant};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use extensions::ClientOrderId;
use gateway_policy::{
    CancelSource, CancelState, Code, OpenOrder, Order, OrderFault, OrdersMalformed, OrdersUnread, Proof, SignedBy,
};
use http_body_util::{BodyExt, Limited};
use serde::Serialize;
use serde_json::json;

use super::{
    Side,
    problem::{FailedCheck, Problem},
    proof::{self, ProofError, SignedRequest},
};
use crate::{
    gateway::Gateway,
    metrics::Metrics,
    pipeline::{
        cancel::cancel,
        endings::{OrderStatus, OrderStory},
        salt_number,
        slot::{Report, Slot},
        submit::{Signed, Submitted, submit},
        unread::Admission,
    },
    session::Session,
};

/// `POST /v1/orders`.
pub(super) async fn post(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    if let Err(refused) = admit(&bots.gateway, &session.slot) {
        return refused.into_response();
    }
    let body = match whole_body(&bots.gateway, body).await {
        Ok(body) => body,
        Err(refused) => return no_order(&bots.gateway, &session.slot, *refused),
    };
    let order = match Order::from_json(&body) {
        Ok(order) => order,
        Err(faults) => return no_order(&bots.gateway, &session.slot, malformed(&faults)),
    };
    let (signed, unproven) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
    let submitted = submit(&bots.gateway, &bots.venues, &session, &order, &signed).await;
    answer(&order.order.client_order_id, submitted, unproven.as_ref())
}

/// An order that came without HTTP, and so without a signature over a request: where the mandate asks for one it is `PROOF_REQUIRED`.
pub(super) async fn bare(bots: &Arc<Side>, session: &Arc<Session>, body: &[u8]) -> Response {
    let longest = bots.gateway.settings.body_bytes;
    if body.len() > longest {
        let detail = format!("the order is longer than {longest} bytes; an order never needs that much");
        return no_order(&bots.gateway, &session.slot, problem(Code::BodyTooLarge, detail));
    }
    let order = match Order::from_json(body) {
        Ok(order) => order,
        Err(faults) => return no_order(&bots.gateway, &session.slot, malformed(&faults)),
    };
    let proof = if asks_for_proof(session) {
        Proof::Missing
    } else {
        Proof::NotRequired
    };
    let submitted = submit(&bots.gateway, &bots.venues, session, &order, &unsigned(proof)).await;
    answer(&order.order.client_order_id, submitted, None)
}

/// Whether the certificate asks for a signature over each order.
pub(super) fn asks_for_proof(session: &Session) -> bool {
    session
        .limits
        .as_ref()
        .is_some_and(extensions::EffectiveLimits::order_proof)
}

/// The body, bounded in length and in time: a bot that never ends one holds a connection no longer than that.
pub(super) async fn whole_body(gateway: &Gateway, body: Body) -> Result<Bytes, Box<Problem>> {
    let (longest, time) = (gateway.settings.body_bytes, gateway.settings.body_time);
    match tokio::time::timeout(time, Limited::new(body, longest).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => {
            let detail =
                format!("the body is longer than {longest} bytes, or ended early; an order never needs that much");
            Err(Box::new(problem(Code::BodyTooLarge, detail)))
        }
        Err(_) => {
            let millis = time.as_millis();
            let detail =
                format!("the body did not end within {millis} ms of its head; nothing was read, send it again");
            Err(Box::new(problem(Code::OrderMalformed, detail)))
        }
    }
}

/// The gateway's own bound on messages; what is above it is counted, not read.
pub(crate) fn admit(gateway: &Gateway, slot: &Arc<Slot>) -> Result<(), Box<Problem>> {
    let most = gateway.settings.messages_per_second;
    let admission = slot.lock().messages.admit(Instant::now(), most);
    let (owed, read) = match admission {
        Admission::Read(owed) => (owed, true),
        Admission::Unread(owed) => (owed, false),
    };
    if owed > 0 {
        report_unread(gateway, slot, owed);
    }
    if read {
        return Ok(());
    }
    Metrics::count(&gateway.metrics.unread);
    let detail = format!(
        "more than {most} messages in a second: this one was counted and not read, its client_order_id is still free; slow down"
    );
    Err(Box::new(problem(Code::RateMessages, detail).retry_after_s(1)))
}

/// Counts a body that was no order: it has no entry of its own, its second has one.
pub(super) fn no_order(gateway: &Gateway, slot: &Slot, refused: Problem) -> Response {
    count_malformed(gateway, slot);
    refused.into_response()
}

/// Counts what was no order.
pub(crate) fn count_malformed(gateway: &Gateway, slot: &Slot) {
    Metrics::count(&gateway.metrics.malformed);
    slot.lock().messages.malformed(Instant::now());
}

/// Records how many bodies of a second were no order.
pub(crate) fn report_malformed(gateway: &Gateway, slot: &Arc<Slot>, count: u32) {
    let now = gateway.clock.now();
    let malformed = OrdersMalformed {
        agent: slot.agent,
        count,
        second: now,
    };
    let id = format!("malformed-{:016x}", salt_number());
    slot.report(&gateway.writer, [Report::new(malformed, id, now)]);
}

/// Records how many messages of a second were not read.
pub(crate) fn report_unread(gateway: &Gateway, slot: &Arc<Slot>, count: u32) {
    let now = gateway.clock.now();
    let unread = OrdersUnread {
        agent: slot.agent,
        count,
        second: now,
    };
    let id = format!("unread-{:016x}", salt_number());
    let report = Report::new(unread, id, now);
    slot.report(&gateway.writer, [report]);
}

/// The result of the order's signature, and why it does not verify.
pub(super) fn signed(
    gateway: &Gateway,
    session: &Session,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &Bytes,
) -> (Signed, Option<ProofError>) {
    let field = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if !asks_for_proof(session) {
        return (unsigned(Proof::NotRequired), None);
    }
    if field("signature").is_none() && field("signature-input").is_none() {
        return (unsigned(Proof::Missing), None);
    }
    let authority = uri
        .authority()
        .map(|a| a.as_str())
        .or_else(|| field("host"))
        .unwrap_or_default();
    let path = uri.path_and_query().map_or("/", |p| p.as_str());
    let target_uri = format!("https://{authority}{path}");
    let request = SignedRequest {
        method: method.as_str(),
        target_uri: &target_uri,
        content_type: field(header::CONTENT_TYPE.as_str()),
        content_digest: field("content-digest"),
        signature_input: field("signature-input"),
        signature: field("signature"),
        body,
    };
    let now = gateway.real_clock.now();
    let verified = proof::verify_at(&request, &session.proof_key(), now).and_then(|verified| {
        session
            .slot
            .lock()
            .nonces
            .take(verified.nonce.clone(), verified.expires, now)?;
        Ok(verified)
    });
    match verified {
        Ok(verified) => {
            let evidence = Some(evidence(&verified, body));
            let (proof, by) = (Proof::Valid, SignedBy::of_tag(verified.tag.as_deref()));
            (Signed { proof, by, evidence }, None)
        }
        Err(error) => {
            tracing::info!(agent = %session.slot.agent, %error, "an order's signature does not verify");
            (unsigned(Proof::Invalid), Some(error))
        }
    }
}

/// What comes with an order that nobody signed.
pub(crate) fn unsigned(proof: Proof) -> Signed {
    Signed {
        proof,
        by: None,
        evidence: None,
    }
}

/// What a third party needs to check the bot's signature later: base, signature, body.
fn evidence(verified: &proof::VerifiedProof, body: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    json!({
        "base": verified.base,
        "body": String::from_utf8_lossy(body),
        "signature": STANDARD.encode(&verified.signature),
    })
    .to_string()
}

fn answer(id: &ClientOrderId, submitted: Submitted, unproven: Option<&ProofError>) -> Response {
    let refused = |checks: &[gateway_policy::FailedCheck], receipt| {
        refused(id, &explained(checks, unproven), serde_json::to_value(receipt).ok())
    };
    match submitted {
        Submitted::Forwarded(story, receipt) => told(story, Some(receipt)),
        Submitted::Repeated(story) => told(story, None),
        Submitted::Refused(checks, receipt) => refused(&checks, receipt).into_response(),
        Submitted::Halted(checks, receipt, incident) => refused(&checks, receipt)
            .with_incident(incident.to_string())
            .into_response(),
        Submitted::Unavailable(reason) => {
            tracing::error!(%reason, "an order could not be recorded");
            let detail = format!(
                "the decision is not recorded, so the order was not sent ({reason}); try again with the same client_order_id"
            );
            problem(Code::LedgerUnavailable, detail)
                .about_order(id.as_str())
                .retry_after_s(1)
                .into_response()
        }
    }
}

/// The checks with what this request's signature lacks, in words: the record says only that it does not verify.
fn explained<'a>(
    checks: &'a [gateway_policy::FailedCheck],
    unproven: Option<&ProofError>,
) -> Cow<'a, [gateway_policy::FailedCheck]> {
    let Some(error) = unproven else {
        return Cow::Borrowed(checks);
    };
    let mut checks = checks.to_vec();
    for check in checks.iter_mut().filter(|check| check.code == Code::ProofInvalid) {
        check.change = format!("{error}: {}", check.change);
    }
    Cow::Owned(checks)
}

/// The answer for an order's story: its refusal again, or what it has come to.
pub(super) fn told(story: OrderStory, receipt: Option<ledger::Receipt>) -> Response {
    let id = story.order.client_order_id;
    let receipt_value = || receipt.as_ref().and_then(|r| serde_json::to_value(r).ok());
    let why = story.why.clone().unwrap_or_default();
    let failed = |code: Code, detail: String| {
        let problem = problem(code, detail).about_order(id.as_str());
        match receipt_value() {
            Some(receipt) => problem.with_receipt(receipt).into_response(),
            None => problem.into_response(),
        }
    };
    let status = match story.status {
        OrderStatus::Refused => return refused(&id, &story.checks, receipt_value()).into_response(),
        OrderStatus::Rejected => return failed(Code::VenueRejected, format!("the venue refused the order: {why}")),
        OrderStatus::Withheld => {
            let detail =
                format!("the order was permitted and not sent: {why}; send it again under a new client_order_id");
            return failed(Code::Withheld, detail);
        }
        OrderStatus::Permitted | OrderStatus::InDoubt => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    let body = answered(&story, receipt.as_ref());
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// The body of an answer to an order that was forwarded, or was before: the story, and the receipt beside its members.
fn answered(story: &OrderStory, receipt: Option<&ledger::Receipt>) -> Vec<u8> {
    let mut body = Vec::with_capacity(4_096);
    if let Err(error) = serde_json::to_writer(&mut body, story) {
        tracing::error!(%error, "an order's story could not be written");
    }
    if let (Some(receipt), Some(b'}')) = (receipt, body.last()) {
        body.pop();
        body.extend_from_slice(b",\"receipt\":");
        receipt.write_json(&mut body);
        body.push(b'}');
    }
    body
}

fn refused(id: &ClientOrderId, checks: &[gateway_policy::FailedCheck], receipt: Option<serde_json::Value>) -> Problem {
    let primary = checks.first().map_or(Code::StatusUnknown, |check| check.code);
    let detail = checks
        .first()
        .map_or_else(|| primary.meaning().to_owned(), |check| check.change.clone());
    let listed = checks
        .iter()
        .map(|check| FailedCheck {
            code: check.code.as_str(),
            detail: check.change.clone(),
            limit: Some(check.limit.clone()),
            observed: Some(check.observed.clone()),
        })
        .collect();
    let problem = problem(primary, detail).about_order(id.as_str()).with_checks(listed);
    match receipt {
        Some(receipt) => problem.with_receipt(receipt),
        None => problem,
    }
}

fn malformed(faults: &[OrderFault]) -> Problem {
    let code = faults.iter().map(OrderFault::code).min().unwrap_or(Code::OrderInvalid);
    let detail = faults
        .first()
        .map_or_else(|| code.meaning().to_owned(), ToString::to_string);
    let listed = faults
        .iter()
        .map(|fault| FailedCheck {
            code: fault.code().as_str(),
            detail: fault.to_string(),
            limit: None,
            observed: None,
        })
        .collect();
    problem(code, detail).with_checks(listed)
}

/// A problem of a registered code.
pub(crate) fn problem(code: Code, detail: impl Into<String>) -> Problem {
    let status = StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Problem::new(status, code.as_str(), code.meaning(), detail)
}

/// How cancels ended, for the bot.
#[derive(Debug, Serialize)]
pub(crate) struct CancelAnswer {
    client_order_id: ClientOrderId,
    #[serde(flatten)]
    pub(crate) state: CancelState,
}

/// `DELETE /v1/orders/{client_order_id}`. Nothing refuses a cancel.
pub(super) async fn delete_one(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    // A path that is not UTF-8 names nothing.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let not_found = |id: &str| {
        let detail = format!("no open order {id:?}; it may have ended: ask GET /v1/orders/{{client_order_id}}");
        problem(Code::OrderNotFound, detail).into_response()
    };
    let Ok(id) = ClientOrderId::new(&id) else {
        return not_found(&id);
    };
    let target = session
        .slot
        .lock()
        .state
        .cancel_targets(Some(&id))
        .first()
        .map(|open| (*open).clone());
    let Some(open) = target else {
        return not_found(id.as_str());
    };
    let ended = cancel_on_task(&bots, &session, open).await;
    Json(ended).into_response()
}

/// `DELETE /v1/orders`: all open orders.
pub(super) async fn delete_all(State(bots): State<Arc<Side>>, Extension(session): Extension<Arc<Session>>) -> Response {
    let targets: Vec<OpenOrder> = session
        .slot
        .lock()
        .state
        .cancel_targets(None)
        .into_iter()
        .cloned()
        .collect();
    let cancels: Vec<_> = targets
        .into_iter()
        .map(|open| cancel_on_task(&bots, &session, open))
        .collect();
    let mut ended = Vec::with_capacity(cancels.len());
    for cancel in cancels {
        ended.push(cancel.await);
    }
    Json(json!({ "cancels": ended })).into_response()
}

/// Cancels on a task of its own, so that a bot that hangs up does not stop its own cancel.
pub(crate) fn cancel_on_task(
    bots: &Arc<Side>,
    session: &Arc<Session>,
    open: OpenOrder,
) -> impl Future<Output = CancelAnswer> + use<> {
    let id = open.order.client_order_id;
    let (bots, slot) = (bots.clone(), session.slot.clone());
    let task = tokio::spawn(async move { cancel(&bots.gateway, &bots.venues, &slot, &open, CancelSource::Bot).await });
    async move {
        let state = match task.await {
            Ok(cancelled) => cancelled.state,
            Err(_) => CancelState::CouldNot {
                why: "the gateway is stopping; ask again".to_owned(),
            },
        };
        CancelAnswer {
            client_order_id: id,
            state,
        }
    }
}
