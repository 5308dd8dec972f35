//! The pages are clients of the API: each act and each look goes through the same routes, gates and checks as a script's, in this process.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode, header},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tower::ServiceExt as _;

use super::Session;
use crate::access::SignedIn;

/// The longest answer that is read.
const LONGEST_ANSWER: usize = 8 << 20;

/// What the API said no with (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: String,
    pub(super) detail: String,
    #[serde(default)]
    pub(super) reasons: Vec<String>,
}

impl Refusal {
    /// What is not there.
    pub(super) fn missing(detail: &str) -> Self {
        Self {
            status: 404,
            code: "NOT_FOUND".to_owned(),
            ..Self::broken(detail)
        }
    }

    fn broken(detail: &str) -> Self {
        Self {
            status: 500,
            code: "ANSWER".to_owned(),
            detail: detail.to_owned(),
            reasons: Vec::new(),
        }
    }
}

/// One officer's way to the API.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) api: Router,
    pub(super) session: Session,
}

impl Client {
    /// Reads `path`, with its query.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Refusal> {
        self.ask("GET", path, String::new()).await
    }

    /// Posts to `path`.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.ask("POST", path, body.to_string()).await
    }

    async fn ask<T: DeserializeOwned>(&self, method: &str, path: &str, body: String) -> Result<T, Refusal> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json")
            .extension(SignedIn(self.session.caller))
            .body(Body::from(body));
        let request = request.map_err(|_| Refusal::broken("this is no address of the house"))?;
        let response = match self.api.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        let body = to_bytes(response.into_body(), LONGEST_ANSWER).await;
        let body = body.map_err(|_| Refusal::broken("the answer is too long for a page; use the API"))?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| Refusal::broken(&error.to_string()));
        }
        let refusal = serde_json::from_slice(&body);
        Err(refusal.unwrap_or_else(|_| Refusal::broken(status.canonical_reason().unwrap_or("refused"))))
    }
}

/// One segment of a path (RFC 3986 §2.3): whatever is not unreserved is encoded.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The status of a page that shows a refusal.
pub(super) fn status_of(refusal: &Refusal) -> StatusCode {
    StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
