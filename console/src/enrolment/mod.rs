//! Enrolment over secure transport (RFC 7030): `cacerts`, `simpleenroll`, `simplereenroll`.
//!
//! A one-time token is bound to the first request that uses it; from then on that very request is its own name and may poll without a
//! token, so polling never makes a second one. While officers have not decided: 202 with Retry-After (certificates.md §8).

mod enrol;
mod renew;
#[cfg(test)]
mod tests;

use axum::{
    Router,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_core::{
    csr::{self, InspectedCsr},
    events::CaCertificateUse,
    pkcs7::certs_only,
    tasks::{ISSUE_TASK, IssueTask},
};
use extensions::{Digest, MandateId, Timestamp};
use ledger::Task;

use crate::{Console, LARGEST_REQUEST, problem::Problem, record::random_bytes};

/// What a client that must wait is told at least, in seconds; jitter up to as much again keeps clients apart.
const RETRY_AFTER_SECONDS: u8 = 5;
/// Characters of a line of base64 (RFC 2045 §6.8 allows 76): what stock decoders expect.
const LINE: usize = 64;

pub(crate) fn router(console: &Console) -> Router {
    Router::new()
        .route("/.well-known/est/cacerts", get(ca_certificates))
        .route("/.well-known/est/simpleenroll", post(enrol::simple_enroll))
        .route("/.well-known/est/simplereenroll", post(renew::simple_reenroll))
        .fallback(|| async { Problem::missing("such address") })
        .method_not_allowed_fallback(|| async {
            Problem::with_status(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD",
                "this address takes another method",
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .layer(middleware::from_fn_with_state(
            console.config.enrolment.request,
            crate::api::in_time,
        ))
        .with_state(console.clone())
}

/// The issuing CA and its root, for the bot to keep.
async fn ca_certificates(State(console): State<Console>) -> Result<Response, Problem> {
    let view = console.view().await?;
    let certificate = |purpose| {
        let found = view.register.authority_certificate(purpose);
        found.ok_or_else(|| Problem::unavailable("this house was not founded yet"))
    };
    let certificates = [
        certificate(CaCertificateUse::AgentIssuing)?,
        certificate(CaCertificateUse::AgentRoot)?,
    ];
    Ok(pkcs7(&certificates, "application/pkcs7-mime"))
}

/// A certs-only envelope in base64 lines (RFC 7030 §4.1.3, §4.2.3).
fn pkcs7(certificates: &[&[u8]], kind: &'static str) -> Response {
    let encoded = STANDARD.encode(certs_only(certificates));
    let mut body = String::with_capacity(encoded.len() + encoded.len() / LINE + 1);
    for line in encoded.as_bytes().chunks(LINE) {
        body.extend(line.iter().map(|byte| char::from(*byte)));
        body.push('\n');
    }
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("content-transfer-encoding", HeaderValue::from_static("base64"));
    response
}

/// Writes when to come again.
pub(crate) fn come_again(headers: &mut HeaderMap) {
    let jitter = random_bytes()[0] % (RETRY_AFTER_SECONDS + 1);
    let seconds = u16::from(RETRY_AFTER_SECONDS + jitter);
    headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
}

/// 202: come again with the same request.
fn wait() -> Response {
    let mut response = StatusCode::ACCEPTED.into_response();
    come_again(response.headers_mut());
    response
}

/// The request in the body: `application/pkcs10`, base64 with or without line breaks (RFC 7030 §4.2.1).
fn request_of(headers: &HeaderMap, body: &[u8]) -> Result<(Vec<u8>, InspectedCsr), Problem> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/pkcs10") {
        return Err(Problem::with_status(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "CONTENT_TYPE",
            "send the request as application/pkcs10 in base64",
        ));
    }
    let text: Vec<u8> = body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let encoding = |_| {
        Problem::bad(
            "CSR_ENCODING",
            "the body is not base64 of a DER certificate request, without PEM armour",
        )
    };
    let der = STANDARD.decode(text).map_err(encoding)?;
    let inspected = csr::inspect(&der).map_err(|error| Problem::bad("CSR_REFUSED", &error.to_string()))?;
    Ok((der, inspected))
}

/// The one-time token: HTTP Basic (any user name, the token as password) or Bearer. SHA-256 of it.
fn token_of(headers: &HeaderMap) -> Result<Option<Digest>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let unreadable = || {
        let detail = "the Authorization header is neither Basic with the token as password nor Bearer with the token";
        Problem::unknown("TOKEN_UNREADABLE", detail).asking_for_token()
    };
    let text = value.to_str().map_err(|_| unreadable())?;
    let (scheme, rest) = text.split_once(' ').ok_or_else(unreadable)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Digest::of(rest.trim().as_bytes())));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unreadable());
    }
    let decoded = STANDARD.decode(rest.trim()).map_err(|_| unreadable())?;
    let colon = decoded.iter().position(|byte| *byte == b':').ok_or_else(unreadable)?;
    Ok(decoded.get(colon + 1..).map(Digest::of))
}

/// The task by which the `ca` role hears of a request.
pub(crate) fn issue_task(mandate: &MandateId, csr: Digest, due: Timestamp) -> Task {
    let payload = IssueTask { csr, mandate: *mandate };
    Task {
        role: ca_core::tasks::ROLE.to_owned(),
        kind: ISSUE_TASK.to_owned(),
        payload: payload.to_payload(),
        due,
    }
}

/// Fuzz target: any bytes are a request or a refusal.
#[cfg(test)]
fn fuzz_request(data: &[u8]) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pkcs10"));
    let _ = request_of(&headers, data);
    if let Ok(value) = HeaderValue::from_bytes(data) {
        headers.insert(header::AUTHORIZATION, value);
        let _ = token_of(&headers);
    }
}
