//! HTTP answers of the status listener.

use bytes::Bytes;
use extensions::Timestamp;
use http_body_util::Full;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderValue};
use hyper::{Response, StatusCode};

pub(super) type Answered = Response<Full<Bytes>>;

pub(super) fn body(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Answered {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    response
}

pub(super) fn plain(status: StatusCode, text: &'static str) -> Answered {
    body(status, "text/plain; charset=utf-8", text)
}

pub(super) fn not_allowed(allow: &'static str) -> Answered {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here\n");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Says how long `response` may be kept: until a quarter of what is left of its life, so that no cache serves it stale.
pub(super) fn cached(mut response: Answered, next_update: Timestamp, now: Timestamp, etag: &str) -> Answered {
    let left = (next_update.micros_since(now) / 4_000_000).max(0);
    let control = format!("max-age={left}, public, no-transform, must-revalidate");
    if let Ok(control) = HeaderValue::from_str(&control) {
        response.headers_mut().insert(CACHE_CONTROL, control);
    }
    if let Ok(etag) = HeaderValue::from_str(&format!("\"{etag}\"")) {
        response.headers_mut().insert(ETAG, etag);
    }
    response
}

pub(super) fn uncached(mut response: Answered) -> Answered {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
