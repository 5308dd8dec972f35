//! `GET /v1/events`: server-sent events of an agent's own stream, resumable by `Last-Event-ID` (the entry's number).
//!
//! The stream of the ledger is the source, so nothing is missed and nothing is told before it is durable.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use ledger::CommittedEntry;
use tokio::sync::broadcast::error::RecvError;

use super::{Side, orders::problem};
use crate::session::Session;

/// Entries read from the ledger at a time.
const PAGE: usize = 256;
/// How long the stream stays silent before a comment keeps it alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Feed {
    bots: Arc<Side>,
    session: Arc<Session>,
    next: u64,
    waiting: VecDeque<Bytes>,
}

/// `GET /v1/events`. Without `Last-Event-ID` it begins with what happens from now on.
pub(super) async fn events(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    headers: HeaderMap,
) -> Response {
    let last = headers
        .get("last-event-id")
        .map(|id| id.to_str().ok().and_then(|id| id.parse::<u64>().ok()));
    let next = match last {
        None => bots.gateway.ledger.stream_next(session.slot.stream()),
        Some(Some(last)) => last.saturating_add(1),
        Some(None) => {
            let detail = "Last-Event-ID has to be the id of an event of this stream: a number";
            return problem(gateway_policy::Code::OrderInvalid, detail).into_response();
        }
    };
    let feed = Feed {
        bots,
        session,
        next,
        waiting: VecDeque::new(),
    };
    let frames = futures_util::stream::unfold(feed, |mut feed| async move {
        let bytes = feed.next().await;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), feed))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Feed {
    async fn next(&mut self) -> Bytes {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return bytes;
            }
            // Listened for before the read: what becomes durable after it ends the wait. (The slot tells when an entry is queued, which
            // is too early: its commit would then be missed.)
            let gateway = self.bots.gateway.clone();
            let committed = gateway.ledger.committed();
            let stream = self.session.slot.stream();
            match gateway.ledger.read_stream(stream, self.next, PAGE).await {
                Ok(page) if !page.is_empty() => {
                    self.next += page.len() as u64;
                    self.waiting.extend(page.iter().filter_map(|entry| event(entry)));
                    continue;
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "an event stream cannot read the ledger; it waits"),
            }
            let longer = async {
                let mut committed = committed;
                while gateway.ledger.stream_next(stream) <= self.next {
                    if let Err(RecvError::Closed) = committed.recv().await {
                        std::future::pending::<()>().await;
                    }
                }
            };
            if tokio::time::timeout(KEEP_ALIVE, longer).await.is_err() {
                return Bytes::from_static(b": still here\n\n");
            }
        }
    }
}

/// The event of an entry, for the kinds a bot is told of. The data is the entry's body.
fn event(entry: &CommittedEntry) -> Option<Bytes> {
    let name = match &*entry.kind {
        "order.decided" => "order",
        "order.outcome" | "order.cancel_outcome" => "outcome",
        "order.filled" => "fill",
        "warning.opened" | "warning.closed" => "warning",
        "agent.frozen"
        | "agent.reduce_only"
        | "agent.resumed"
        | "agent.revoked"
        | "agent.reinstated"
        | "certificate.revoked" => "standing",
        "baseline.approved" => "baseline",
        _ => return None,
    };
    let body = String::from_utf8_lossy(entry.body());
    let text = format!(
        "id: {}\nevent: {name}\ndata: {{\"at\":\"{}\",\"body\":{body},\"kind\":\"{}\"}}\n\n",
        entry.number, entry.at, entry.kind
    );
    Some(Bytes::from(text))
}
