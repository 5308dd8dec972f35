//! Refusals as RFC 9457 problem documents: what happened, why, and what to do next, under a stable code.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    reasons: Vec<String>,
    retry_after: Option<i64>,
    realm: bool,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: &str) -> Self {
        Self {
            status,
            code,
            detail: detail.to_owned(),
            reasons: Vec::new(),
            retry_after: None,
            realm: false,
        }
    }

    /// 400: the request is not what it should be.
    pub(crate) fn bad(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 401: who asks is not known.
    pub(crate) fn unknown(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// 403: who asks may not, or a rule forbids it.
    pub(crate) fn forbidden(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 404.
    pub(crate) fn missing(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", &format!("there is no {what}"))
    }

    /// 409: not as things stand.
    pub(crate) fn conflict(code: &'static str, detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// Any other status.
    pub(crate) fn with_status(status: StatusCode, code: &'static str, detail: &str) -> Self {
        Self::new(status, code, detail)
    }

    /// 503: the ledger cannot be used; nothing happened.
    pub(crate) fn unavailable(detail: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "LEDGER_UNAVAILABLE", detail)
    }

    /// The same with one reason a rule.
    pub(crate) fn with_reasons(mut self, reasons: Vec<String>) -> Self {
        self.reasons = reasons;
        self
    }

    /// The same with a hint when to come again, in seconds.
    pub(crate) fn retry_after(mut self, seconds: i64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same, asking for HTTP Basic authentication with a one-time token.
    pub(crate) fn asking_for_token(mut self) -> Self {
        self.realm = true;
        self
    }

    /// What happened, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// Its stable code.
    pub(crate) fn code(&self) -> &'static str {
        self.code
    }
}

/// The longest text of a refusal by the framework that is repeated, in bytes.
const LONGEST_REPEATED: usize = 1_024;

/// What the framework refuses by itself (a query or a path that does not read) is a problem document too.
pub(crate) async fn always(response: Response) -> Response {
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let plain = kind.is_none_or(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !refused || !plain {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW).cloned();
    let text = axum::body::to_bytes(response.into_body(), LONGEST_REPEATED).await;
    let text = text.unwrap_or_default();
    let detail = match std::str::from_utf8(&text) {
        Ok(text) if !text.is_empty() => text,
        _ => "the request does not read",
    };
    let mut response = Problem::with_status(status, "REQUEST", detail).into_response();
    if let Some(allowed) = allowed {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("urn:mandatum:problem:{}", self.code.to_ascii_lowercase().replace('_', "-")),
            "title": self.status.canonical_reason().unwrap_or("refused"),
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
        });
        if !self.reasons.is_empty() {
            body["reasons"] = json!(self.reasons);
        }
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.realm {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Basic realm=\"mandatum enrolment\""),
            );
        }
        let unavailable = self.status == StatusCode::SERVICE_UNAVAILABLE;
        if let Some(seconds) = self.retry_after.or(unavailable.then_some(5)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
