//! The few files that pages load, compiled in.

use axum::{
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

const FILES: [(&str, &str, &str); 6] = [
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("../../assets/style.css"),
    ),
    (
        "passkey.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/passkey.js"),
    ),
    (
        "live.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/live.js"),
    ),
    (
        "later.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/later.js"),
    ),
    (
        "countdown.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/countdown.js"),
    ),
    (
        "verify.js",
        "text/javascript; charset=utf-8",
        include_str!("../../assets/verify.js"),
    ),
];

pub(super) async fn file(Path(name): Path<String>) -> Response {
    let found = FILES.iter().find(|(known, _, _)| *known == name);
    let Some((_, kind, text)) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    (
        [(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, "no-cache")],
        *text,
    )
        .into_response()
}
