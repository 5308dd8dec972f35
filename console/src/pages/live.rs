//! What is live: a stream that says when something changed, so that an open page looks again (HTML, server-sent events).
//!
//! It carries no content: what a page shows, it reads by its own address under its own session. A browser connects again by itself.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use tokio::time::{Instant, timeout_at};

use super::Pages;

/// At most one event in this time.
const EVERY: Duration = Duration::from_millis(500);
/// A comment at least this often, so that silence shows.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// A stream ends after this; the browser asks again, and the session is looked at again.
const LIFE: Duration = Duration::from_secs(45);

pub(super) async fn changes(State(pages): State<Pages>) -> Response {
    let news = pages.console.ledger.news();
    let until = Instant::now() + LIFE;
    let stream = futures_util::stream::unfold((news, until, true), |(mut news, until, first)| async move {
        if first {
            let hello = Bytes::from_static(b"retry: 1000\n\n");
            return Some((Ok::<_, Infallible>(hello), (news, until, false)));
        }
        tokio::time::sleep(EVERY).await;
        if Instant::now() >= until {
            return None;
        }
        let text = match timeout_at(until.min(Instant::now() + SIGN_OF_LIFE), news.changed()).await {
            Ok(Ok(())) => format!("event: changed\ndata: {}\n\n", *news.borrow_and_update()),
            Ok(Err(_)) => return None,
            Err(_) => ": still here\n\n".to_owned(),
        };
        Some((Ok(Bytes::from(text)), (news, until, false)))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}
