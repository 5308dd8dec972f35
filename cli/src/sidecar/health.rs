//! `GET /sidecar/healthz`: whether the bot could trade now. It asks the gateway, so that the answer is of this moment.

use std::{sync::Arc, time::Duration};

use extensions::Clock as _;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::{
    Method, Response, StatusCode,
    body::Bytes,
    header::{CONTENT_TYPE, HeaderMap, HeaderValue},
    http::uri::PathAndQuery,
};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Sidecar, forward, refusal::Body};
use crate::clock::SystemClock;

/// Its path.
pub(super) const PATH: &str = "/sidecar/healthz";
/// The longest wait for the gateway.
const PATIENCE: Duration = Duration::from_secs(3);
/// More than what the gateway says of a bot.
const LONGEST: usize = 256 * 1_024;

/// 200 when orders would reach the gateway under a good certificate and a standing that trades; else 503. The body says the rest.
pub(super) async fn answer(sidecar: &Arc<Sidecar>) -> Response<Body> {
    let me = timeout(PATIENCE, me(sidecar)).await;
    let me = me.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
    let identity = sidecar.identity();
    let now = SystemClock.now();
    let standing = match (&me, sidecar.halted()) {
        (_, Some(code)) => json!({ "is": "revoked", "code": code }),
        (Ok(me), None) => me["standing"].clone(),
        (Err(_), None) => Value::Null,
    };
    let trades = ["active", "warned", "reduce_only"].contains(&standing["is"].as_str().unwrap_or_default());
    let current = identity.as_ref().is_some_and(|identity| now < identity.not_after);
    let ready = trades && current && me.is_ok();
    let renewal = sidecar.renewal();
    let body = json!({
        "agent": sidecar.settings.agent,
        "certificate": identity.as_ref().map(|identity| json!({
            "serial": identity.serial,
            "not_after": identity.not_after,
            "expires_in_s": identity.not_after.seconds() - now.seconds(),
            "orders_are_signed": identity.proof.is_some(),
        })),
        "gateway": { "url": sidecar.settings.gateway.url(), "reachable": me.is_ok(), "why": me.as_ref().err() },
        "ready": ready,
        "region": me.as_ref().ok().map(|me| me["region"].clone()),
        "renewal": { "from": renewal.from, "renewed": renewal.renewed, "failed": renewal.failed },
        "standing": standing,
    });
    let mut response = Response::new(Either::Right(Full::from(body.to_string())));
    if !ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// What the gateway says of the bot.
async fn me(sidecar: &Arc<Sidecar>) -> Result<Value, String> {
    let target = PathAndQuery::from_static("/v1/me");
    let draft = forward::draft(Method::GET, target, HeaderMap::new(), Bytes::new());
    let response = forward::exchange(sidecar, &draft).await;
    let response = response.map_err(|refusal| refusal.code.to_owned())?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| error.to_string())?.to_bytes();
    if !status.is_success() {
        return Err(format!("the gateway answered {status}"));
    }
    serde_json::from_slice(&body).map_err(|error| error.to_string())
}
