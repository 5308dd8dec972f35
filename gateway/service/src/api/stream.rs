//! `GET /v1/stream`: a WebSocket (RFC 6455) over the bot's own mTLS connection. The events of `/v1/events`, and orders and cancels as
//! messages, through the same gate and into the same records as the routes.

pub(super) mod message;
mod talk;

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gateway_policy::Code;
use hyper_util::rt::TokioIo;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;
use tokio_websockets::{Config, Limits, ServerBuilder};

use super::{Side, events::Feed, orders::problem};
use crate::{
    listener::{accept::Upgrades, streams::STREAMS_PER_AGENT},
    pipeline::disconnect,
    session::Session,
};
use talk::Talk;

/// What a message has beside the order's own body.
const ENVELOPE_BYTES: usize = 512;
/// What the key is hashed with (RFC 6455 §1.3). SHA-1 protects nothing here: TLS does.
const ACCEPT: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The connection a session runs on.
#[derive(Clone)]
pub(super) struct Link {
    /// Cancelled when the agent, its certificate or its owner is revoked.
    pub(super) closing: CancellationToken,
    pub(super) upgrades: Upgrades,
}

/// The query of `GET /v1/stream`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamQuery {
    /// The number of the last event that was seen; without it the events begin now.
    since: Option<u64>,
}

/// Whose words are spoken on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Our own: events, orders, cancels.
    Own,
    /// Binance's user data stream: what became of orders; `combined` names the stream in each message.
    Venue { combined: bool },
}

/// Why a stream does not begin.
pub(super) enum Unfit {
    /// The request is no WebSocket's.
    NoUpgrade(&'static str),
    /// The agent has as many streams as it may.
    TooMany(String),
}

/// `GET /v1/stream?since=NUMBER`.
pub(super) async fn open(
    State(side): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(link): Extension<Link>,
    request: Request,
) -> Response {
    let invalid = |detail: String| problem(Code::OrderInvalid, detail).into_response();
    let since = match Query::<StreamQuery>::try_from_uri(request.uri()) {
        Ok(Query(query)) => query.since,
        Err(rejection) => return invalid(format!("the query: {}", rejection.body_text())),
    };
    match begin(&side, &session, link, request, since, Dialect::Own) {
        Ok(response) => response,
        Err(Unfit::NoUpgrade(why)) => invalid(format!("/v1/stream is a WebSocket (RFC 6455): {why}")),
        Err(Unfit::TooMany(detail)) => problem(Code::RateMessages, detail).retry_after_s(1).into_response(),
    }
}

/// Begins a stream behind event `since`, or with what happens from now on.
pub(super) fn begin(
    side: &Arc<Side>,
    session: &Arc<Session>,
    link: Link,
    mut request: Request,
    since: Option<u64>,
    dialect: Dialect,
) -> Result<Response, Unfit> {
    let accept = accept_of(request.version(), request.headers()).map_err(Unfit::NoUpgrade)?;
    let Some(mut entered) = side.gateway.streams.enter(session.slot.agent) else {
        let detail = format!("this agent has {STREAMS_PER_AGENT} streams open, as many as it may; close one");
        return Err(Unfit::TooMany(detail));
    };
    let next = match since {
        Some(since) => since.saturating_add(1),
        None => side.gateway.ledger.stream_next(session.slot.stream()),
    };
    let feed = Feed::begin(side.clone(), session.clone(), next);
    let upgrade = hyper::upgrade::on(&mut request);
    let tasks = link.upgrades.tasks.clone();
    let (side, session) = (side.clone(), session.clone());
    tasks.spawn(async move {
        let clean = match upgrade.await {
            Ok(upgraded) => {
                let longest = side.gateway.settings.body_bytes + ENVELOPE_BYTES;
                let socket = ServerBuilder::new()
                    .config(Config::default().frame_size(usize::MAX))
                    .limits(Limits::default().max_payload_len(Some(longest)))
                    .serve(TokioIo::new(upgraded));
                let talk = Talk::new(side.clone(), session.clone(), link, socket, dialect);
                talk.run(feed).await
            }
            // It was registered, which ended a grace: without a goodbye that begins anew.
            Err(error) => {
                tracing::info!(%error, "a connection ended before it became a stream");
                false
            }
        };
        if !clean {
            entered.breaks(disconnect::due(&side.gateway, &session));
        }
        drop(entered);
    });
    Ok(switched(accept))
}

fn switched(accept: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let fields = response.headers_mut();
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    fields.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    fields.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    response
}

/// What proves to the bot that its upgrade was understood; or what its request lacks (RFC 6455 §4.2.1).
fn accept_of(version: Version, headers: &HeaderMap) -> Result<HeaderValue, &'static str> {
    if version != Version::HTTP_11 {
        return Err("it begins with an upgrade of HTTP/1.1; offer only http/1.1 in ALPN");
    }
    if !names(headers, header::CONNECTION, "upgrade") || !names(headers, header::UPGRADE, "websocket") {
        return Err("send Connection: upgrade and Upgrade: websocket");
    }
    let one = |name: HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    if one(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version.as_bytes() != b"13") {
        return Err("send Sec-WebSocket-Version: 13, once");
    }
    let key = one(header::SEC_WEBSOCKET_KEY).ok_or("send Sec-WebSocket-Key, once")?;
    if STANDARD.decode(key).map_or(true, |nonce| nonce.len() != 16) {
        return Err("Sec-WebSocket-Key has to be 16 octets in base64");
    }
    let hashed = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), ACCEPT.as_bytes()].concat());
    HeaderValue::from_str(&STANDARD.encode(hashed)).map_err(|_| "Sec-WebSocket-Key")
}

/// Whether a list of words has this one, in whatever case.
fn names(headers: &HeaderMap, field: HeaderName, word: &str) -> bool {
    let values = headers.get_all(field).iter().filter_map(|value| value.to_str().ok());
    let mut words = values.flat_map(|value| value.split(','));
    words.any(|one| one.trim().eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(version: Version, fields: &[(&'static str, &'static str)]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let accept = accept_of(version, &headers).ok()?;
        Some(accept.to_str().expect("text").to_owned())
    }

    /// The answer is that of RFC 6455 §1.3. Control, built in: each field on its own is needed.
    #[test]
    fn an_upgrade_is_answered_as_the_standard_says() {
        let fields = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let expected = Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".to_owned());
        assert_eq!(accepted(Version::HTTP_11, &fields), expected);
        assert_eq!(accepted(Version::HTTP_2, &fields), None);
        assert_eq!(accepted(Version::HTTP_10, &fields), None);
        for left_out in 0..fields.len() {
            let mut fewer = fields.to_vec();
            fewer.remove(left_out);
            assert_eq!(accepted(Version::HTTP_11, &fewer), None, "{left_out}");
        }
        for wrong in [
            ("sec-websocket-version", "8"),
            ("sec-websocket-key", "dGhlIHNhbXBsZQ=="),
            ("sec-websocket-key", "no base64"),
        ] {
            let mut more = fields.to_vec();
            more.push(wrong);
            assert_eq!(accepted(Version::HTTP_11, &more), None, "{wrong:?}");
            more.retain(|(name, value)| *name != wrong.0 || *value == wrong.1);
            assert_eq!(accepted(Version::HTTP_11, &more), None, "{wrong:?}");
        }
    }
}
