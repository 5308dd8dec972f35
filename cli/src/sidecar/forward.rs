//! One request: who may ask, the body within its bounds, to the gateway as it is, and the answer back as it comes.

use std::{sync::Arc, time::Duration};

use extensions::Clock as _;
use http_body_util::{BodyExt as _, Either, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_LENGTH, EXPECT, HeaderMap},
    http::uri::PathAndQuery,
};
use rustls::AlertDescription;
use tokio::time::timeout;

use super::{
    Sidecar, guard, health, hop,
    identity::Identity,
    refusal::{Body, Refusal},
    tunnel,
    upstream::{Draft, Fault},
};
use crate::clock::SystemClock;

/// The longest body that is read: four times what the gateway takes of an order.
const BODY_BYTES: usize = 64 * 1_024;
/// How long it may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(10);
/// The paths whose `POST` is an order.
const ORDERS: [&str; 7] = [
    "/v1/orders",
    "/api/v3/order",
    "/api/v3/order/cancelReplace",
    "/api/v3/order/oco",
    "/api/v3/orderList/oco",
    "/0/private/AddOrder",
    "/0/private/AddOrderBatch",
];
/// What says that the bot, or its certificate, is revoked.
const HALTED: [&str; 3] = ["AGENT_REVOKED", "ANOMALY_REVOKED", "CERT_REVOKED"];

/// Answers one request.
pub(super) async fn answer(sidecar: &Arc<Sidecar>, request: Request<Incoming>) -> Response<Body> {
    let path = request.uri().path().to_owned();
    match passed_on(sidecar, request).await {
        Ok(response) => response,
        Err(refusal) => {
            tracing::info!(path, code = refusal.code, "answered by the sidecar itself");
            refusal.answer(&path)
        }
    }
}

async fn passed_on(sidecar: &Arc<Sidecar>, request: Request<Incoming>) -> Result<Response<Body>, Refusal> {
    guard::check(request.method(), request.uri(), request.headers())?;
    if request.method() == Method::GET && tunnel::wanted(request.headers()) {
        return Ok(tunnel::open(sidecar, request).await?.map(Either::Left));
    }
    let (head, body) = request.into_parts();
    if head.uri.path() == health::PATH {
        return Ok(health::answer(sidecar).await);
    }
    let target = head.uri.path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let body = whole(body).await?;
    let draft = draft(head.method, target, head.headers, body);
    let response = exchange(sidecar, &draft).await?;
    Ok(response.map(Either::Left))
}

/// Sends it as the bot, and remembers what the answer says of the bot.
pub(super) async fn exchange(sidecar: &Arc<Sidecar>, draft: &Draft) -> Result<Response<Incoming>, Refusal> {
    let identity = identity(sidecar)?;
    let mut response = match sidecar.upstream.send(&identity, draft).await {
        Ok(response) => response,
        Err(fault) => return Err(refused(sidecar, &identity, fault)),
    };
    if !heard(sidecar, &response) && draft.method == Method::POST && response.status().is_success() {
        sidecar.remember(None);
    }
    hop::strip(response.headers_mut());
    Ok(response)
}

/// Who the bot is to the gateway.
///
/// # Errors
/// Before it has a certificate.
pub(super) fn identity(sidecar: &Sidecar) -> Result<Arc<Identity>, Refusal> {
    sidecar.identity().ok_or_else(|| {
        let detail = "the bot has no certificate yet: officers have not approved it, or the enrolment listener is away; see GET /sidecar/healthz";
        Refusal::away("NOT_ENROLLED", detail, 2)
    })
}

/// Remembers a refusal that says the bot is halted; whether it was one.
pub(super) fn heard(sidecar: &Sidecar, response: &Response<Incoming>) -> bool {
    let code = response.headers().get("mandatum-code");
    let code = code.and_then(|code| code.to_str().ok());
    let halted = code.filter(|code| HALTED.contains(code));
    if halted.is_some() {
        sidecar.remember(halted);
    }
    halted.is_some()
}

async fn whole(body: Incoming) -> Result<Bytes, Refusal> {
    match timeout(BODY_TIME, Limited::new(body, BODY_BYTES).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(_)) => {
            let detail =
                format!("the body is longer than {BODY_BYTES} bytes, or ended early; an order never needs that much");
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail))
        }
        Err(_) => {
            let detail = format!(
                "the body did not end within {} s; nothing was sent on",
                BODY_TIME.as_secs()
            );
            Err(Refusal::new(StatusCode::BAD_REQUEST, "ORDER_MALFORMED", detail))
        }
    }
}

/// The request as it goes on. What the bot signed itself stays as it is.
pub(super) fn draft(method: Method, target: PathAndQuery, mut headers: HeaderMap, body: Bytes) -> Draft {
    hop::strip(&mut headers);
    headers.remove(CONTENT_LENGTH);
    headers.remove(EXPECT);
    let order = method == Method::POST && ORDERS.contains(&target.path());
    let unsigned = !headers.contains_key("signature") && !headers.contains_key("signature-input");
    let own_route = target.path() == ORDERS[0];
    Draft {
        // A nonce is used once: what the bot signed cannot be sent again by anybody else.
        repeatable: ![Method::POST, Method::PUT].contains(&method) || own_route && unsigned,
        unsigned_order: order && unsigned,
        method,
        target,
        headers,
        body,
    }
}

/// What a fault means for the bot.
pub(super) fn refused(sidecar: &Sidecar, identity: &Identity, fault: Fault) -> Refusal {
    let denied = |code: &'static str, detail: String| Refusal::new(StatusCode::FORBIDDEN, code, detail);
    let away = |why: &str, seconds: u64| {
        let detail = format!(
            "the gateway at {} cannot be reached ({why}); nothing was sent, and a client_order_id is still free: send the same again",
            sidecar.settings.gateway.url()
        );
        Refusal::away("GATEWAY_UNREACHABLE", detail, seconds)
    };
    match fault {
        Fault::Away { why, seconds } => away(&why, seconds),
        Fault::Lost => Refusal::in_doubt(),
        Fault::Key(why) => denied(
            "KEY_UNUSABLE",
            format!("the bot's key does not sign ({why}): look at key.pem"),
        ),
        Fault::Certificate(AlertDescription::CertificateRevoked) => {
            let detail = "the certificate is revoked and does not come back: officers reinstate the bot, then enrol with a new token";
            denied("CERT_REVOKED", detail.to_owned())
        }
        Fault::Certificate(_) if identity.not_after <= SystemClock.now() => {
            let detail = format!(
                "the certificate ended at {}: enrol with a new token",
                identity.not_after
            );
            denied("CERT_EXPIRED", detail)
        }
        Fault::Certificate(alert) => {
            let detail = format!(
                "the gateway does not take this certificate ({alert:?}); its log says why: `mandatum doctor` checks what can be seen from here"
            );
            denied("CERTIFICATE_REFUSED", detail)
        }
        Fault::Closed => match sidecar.halted() {
            Some(code) => {
                let detail = format!(
                    "the bot is halted ({code}) and the gateway closes its connections; do not reconnect in a loop: after review officers reinstate it"
                );
                denied("AGENT_REVOKED", detail)
            }
            None => away("it closes each connection without an answer", 1),
        },
    }
}
