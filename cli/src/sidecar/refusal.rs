//! What the sidecar itself says no with: in our own shape, or in the venue's where the path is the venue's, as the gateway does.

use http_body_util::{Either, Full};
use hyper::{
    Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER},
};
use serde_json::json;

/// The body of an answer: the gateway's as it comes, or our own.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

/// The text that clients of the venue read as "away, ask again later"; it stands alone (docs/clients.md).
const AWAY: &str = "System is under maintenance.";
/// The words that they read as "not permitted, do not ask again".
const DENIED: &str = "this bot has no operation privilege for it";
/// The text of a doubt, as the gateway words it.
const IN_DOUBT: &str = "IN_DOUBT: the venue has not answered; ask for the order by its id before anything else.";

/// A refusal before it is put into a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    detail: String,
    retry_after_s: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    /// Nothing was sent; it may be tried again then.
    pub(super) fn away(code: &'static str, detail: impl Into<String>, seconds: u64) -> Self {
        Self {
            retry_after_s: Some(seconds.max(1)),
            ..Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail)
        }
    }

    /// It was sent, and no answer came.
    pub(super) fn in_doubt() -> Self {
        let detail = "the request went to the gateway and no answer came back: send the same order with the same client_order_id again, or read it by \
                      its id, before anything else";
        Self::new(StatusCode::GATEWAY_TIMEOUT, "IN_DOUBT", detail)
    }

    /// In the shape of whoever asked for `path`.
    pub(super) fn answer(self, path: &str) -> Response<Body> {
        let native = ["/api/", "/sapi/", "/wapi/"].iter().any(|root| path.starts_with(root));
        let (status, kind, body) = if native {
            let (status, number, text) = self.native();
            (status, "application/json", json!({ "code": number, "msg": text }))
        } else {
            let body = json!({
                "type": format!("urn:mandatum:refusal:{}", self.code),
                "title": "The sidecar refused it, or could not pass it on.",
                "status": self.status.as_u16(),
                "code": self.code,
                "detail": self.detail,
            });
            (self.status, "application/problem+json", body)
        };
        let mut response = Response::new(Either::Right(Full::from(body.to_string())));
        *response.status_mut() = status;
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        fields.insert("mandatum-code", HeaderValue::from_static(self.code));
        if let Some(seconds) = self.retry_after_s {
            fields.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// Status, number and text in the venue's words.
    fn native(&self) -> (StatusCode, i32, String) {
        let status = self.status;
        match status {
            StatusCode::SERVICE_UNAVAILABLE => (status, -1001, AWAY.to_owned()),
            StatusCode::GATEWAY_TIMEOUT => (status, -1007, IN_DOUBT.to_owned()),
            StatusCode::PAYLOAD_TOO_LARGE | StatusCode::BAD_REQUEST => (
                StatusCode::BAD_REQUEST,
                -1900,
                format!("{}: {}", self.code, self.detail),
            ),
            _ => (status, -1002, format!("{}: {}. {DENIED}", self.code, self.detail)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The venue's words and numbers are those of the gateway's table, which is tested with the client itself.
    ///
    /// Control, tried: another number for the doubt.
    #[test]
    fn the_venues_words_are_the_gateways() {
        let table = include_str!("../../../docs/clients.md");
        let away = Refusal::away("GATEWAY_UNREACHABLE", "", 1);
        let doubt = Refusal::in_doubt();
        let halted = Refusal::new(StatusCode::FORBIDDEN, "AGENT_REVOKED", "");
        for (row, refusal) in [
            ("LEDGER_UNAVAILABLE", &away),
            ("IN_DOUBT", &doubt),
            ("AGENT_REVOKED", &halted),
        ] {
            let (status, number, text) = refusal.native();
            let row = table
                .lines()
                .find(|line| line.starts_with(&format!("| `{row}`")))
                .unwrap();
            assert!(row.contains(&format!("| {} | {number} |", status.as_u16())), "{row}");
            let end = text.rsplit(". ").next().unwrap();
            assert!(row.contains(end), "{row}: {text}");
        }
    }
}
