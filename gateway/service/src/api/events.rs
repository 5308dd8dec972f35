//! What an agent is told of its own stream, and `GET /v1/events`: the same as server-sent events, resumable by `Last-Event-ID` (the entry's number).
//!
//! What the house decides for the agent's owner, or for all, is told beside it. The stream of the ledger is the source, so nothing is missed and nothing is told before it is durable.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use extensions::{OwnerId, StreamId, Timestamp};
use http_body_util::StreamBody;
use hyper::body::Frame;
use ledger::{CommittedEntry, LedgerError};
use revocation_core::{HouseEvent, house::HouseScope};
use tokio::sync::broadcast::error::RecvError;

use super::{Side, orders::problem, standing::OfHouse};
use crate::session::Session;

/// Entries read from the ledger at a time.
const PAGE: usize = 256;
/// How long the stream stays silent before a comment keeps it alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// One event. Its number is that of its entry in the agent's own stream, by which a bot resumes; the house's events have none.
#[derive(Debug)]
pub(super) struct Told {
    number: Option<u64>,
    name: &'static str,
    /// JSON: `{"at":..,"body":..,"kind":..}`.
    data: String,
    /// The entry, where it is one of the agent's own stream.
    pub(super) entry: Option<Arc<CommittedEntry>>,
}

/// The events of one session, in order.
pub(super) struct Feed {
    bots: Arc<Side>,
    session: Arc<Session>,
    next: u64,
    /// The next entry of the house's stream.
    house: u64,
    waiting: VecDeque<Told>,
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
    let feed = Feed::begin(bots, session, next);
    let frames = futures_util::stream::unfold(feed, |mut feed| async move {
        let told = feed.next().await;
        let bytes = told.map_or_else(|| Bytes::from_static(b": still here\n\n"), |told| told.sent_by_server());
        Some((Ok::<_, Infallible>(Frame::data(bytes)), feed))
    });
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let fields = response.headers_mut();
    fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl Told {
    fn new(number: Option<u64>, name: &'static str, at: Timestamp, body: &str, kind: &str) -> Self {
        let data = format!("{{\"at\":\"{at}\",\"body\":{body},\"kind\":\"{kind}\"}}");
        Self {
            number,
            name,
            data,
            entry: None,
        }
    }

    fn sent_by_server(&self) -> Bytes {
        let id = self.number.map(|number| format!("id: {number}\n")).unwrap_or_default();
        Bytes::from(format!("{id}event: {}\ndata: {}\n\n", self.name, self.data))
    }

    /// As a message of `/v1/stream`.
    pub(super) fn message(&self) -> String {
        let number = self
            .number
            .map(|number| format!(",\"number\":{number}"))
            .unwrap_or_default();
        format!("{{\"data\":{},\"event\":\"{}\"{number}}}", self.data, self.name)
    }
}

impl Feed {
    /// From entry `next` of the agent's stream on. A bot that was away has no number of the house's stream to go on from: it is told at once what the house narrows now.
    pub(super) fn begin(bots: Arc<Side>, session: Arc<Session>, next: u64) -> Self {
        let view = bots.gateway.house.load_full();
        let now = bots.gateway.clock.now();
        let owner = session.owner(&bots.gateway);
        let of_house = OfHouse::of(&view.state, owner.as_ref());
        let told = of_house.narrows().then(|| {
            let body = of_house.told().to_string();
            Told::new(None, "standing", now, &body, "house.standing")
        });
        Self {
            bots,
            session,
            next,
            house: view.next,
            waiting: told.into_iter().collect(),
        }
    }

    /// What is news of both streams; whether there was any.
    async fn read(&mut self) -> Result<bool, LedgerError> {
        let ledger = &self.bots.gateway.ledger;
        let page = ledger.read_stream(self.session.slot.stream(), self.next, PAGE).await?;
        self.next += page.len() as u64;
        self.waiting.extend(page.iter().filter_map(event));
        let house = ledger.read_stream(&StreamId::house(), self.house, PAGE).await?;
        self.house += house.len() as u64;
        let owner = self.session.owner(&self.bots.gateway);
        let told = house.iter().filter_map(|entry| event_of_house(entry, owner.as_ref()));
        self.waiting.extend(told);
        Ok(!page.is_empty() || !house.is_empty())
    }

    /// The next event; nothing when there was none for a while.
    pub(super) async fn next(&mut self) -> Option<Told> {
        loop {
            if let Some(told) = self.waiting.pop_front() {
                return Some(told);
            }
            // Listened for before the read: what becomes durable after it ends the wait. (The slot tells when an entry is queued, which
            // is too early: its commit would then be missed.)
            let gateway = self.bots.gateway.clone();
            let committed = gateway.ledger.committed();
            match self.read().await {
                Ok(true) => continue,
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "an event stream cannot read the ledger; it waits"),
            }
            let (stream, house) = (self.session.slot.stream(), StreamId::house());
            let news =
                || gateway.ledger.stream_next(stream) > self.next || gateway.ledger.stream_next(&house) > self.house;
            let longer = async {
                let mut committed = committed;
                while !news() {
                    if let Err(RecvError::Closed) = committed.recv().await {
                        std::future::pending::<()>().await;
                    }
                }
            };
            if tokio::time::timeout(KEEP_ALIVE, longer).await.is_err() {
                return None;
            }
        }
    }
}

/// The event of an entry, for the kinds a bot is told of. The data is the entry's body.
fn event(entry: &Arc<CommittedEntry>) -> Option<Told> {
    let name = match &*entry.kind {
        "order.decided" => "order",
        "order.outcome" | "order.cancel_outcome" => "outcome",
        "order.filled" => "fill",
        "warning.opened" | "warning.closed" => "warning",
        "agent.frozen"
        | "agent.reduce_only"
        | "agent.resumed"
        | "agent.revoked"
        | "agent.probation_started"
        | "agent.reinstated"
        | "certificate.frozen"
        | "certificate.reduce_only"
        | "certificate.resumed"
        | "certificate.revoked" => "standing",
        "baseline.approved" => "baseline",
        "orders.unread" | "orders.malformed" => "messages",
        _ => return None,
    };
    let body = String::from_utf8_lossy(entry.body());
    let told = Told::new(Some(entry.number), name, entry.at, &body, &entry.kind);
    Some(Told {
        entry: Some(entry.clone()),
        ..told
    })
}

/// The event of an entry of the house that concerns the agents of `owner`. Without an id, so that the numbers of the agent's own stream
/// stay what a bot resumes by.
fn event_of_house(entry: &CommittedEntry, owner: Option<&OwnerId>) -> Option<Told> {
    let scope = match HouseEvent::decode(&entry.kind, entry.body())?.ok()? {
        HouseEvent::Frozen(event) => event.scope,
        HouseEvent::ReduceOnly(event) => event.scope,
        HouseEvent::Resumed(event) => event.scope,
        HouseEvent::Revoked(event) => event.scope,
        HouseEvent::Reinstated(event) => event.scope,
        HouseEvent::ThresholdsSet(_) | HouseEvent::RegionsSet(_) | HouseEvent::ExposureSet(_) => return None,
    };
    let concerned = scope == HouseScope::All || owner.is_some_and(|owner| scope.covers(owner));
    let body = String::from_utf8_lossy(entry.body());
    concerned.then(|| Told::new(None, "standing", entry.at, &body, &entry.kind))
}
