//! The gateway's side: kept mTLS connections, a back-off while it is away, and the rule that nothing risks being sent twice.
//!
//! A request goes out again by itself only when nothing of it was sent, or when sending it again means the same: reads, cancels, and an
//! order whose client order id the gateway uses once. Everything else whose answer is lost is a doubt, and the bot is told so.

use std::{
    error::Error as _,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1::SendRequest,
    header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue},
    http::uri::PathAndQuery,
};
use rustls::AlertDescription;
use tokio::time::timeout;

use super::identity::Identity;
use crate::{
    client::{self, Origin},
    proof::Unsigned,
};

/// Connections that are kept when nobody uses them.
const KEPT: usize = 32;
/// How long they are: the gateway closes them after 75 s, and one that is just being closed loses what is sent on it.
const KEPT_FOR: Duration = Duration::from_secs(55);
/// The longest wait for a connection, and for the head of an answer.
const CONNECT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(30);
/// How often a request that may be sent again is.
const ATTEMPTS: usize = 3;
/// While the gateway is away it is asked again after this long, doubled each time, at most.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Why there is no answer of the gateway.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nothing was sent.
    Away { why: String, seconds: u64 },
    /// The gateway does not take the certificate; nothing was sent.
    Certificate(AlertDescription),
    /// It closes each connection without an answer.
    Closed,
    /// It was sent, and what became of it is not known.
    Lost,
    /// The key does not sign.
    Key(String),
}

/// A request as it goes out, once or again.
pub(super) struct Draft {
    pub(super) method: Method,
    pub(super) target: PathAndQuery,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// An order without a signature of the bot's own.
    pub(super) unsigned_order: bool,
    /// Sending it twice means the same as once.
    pub(super) repeatable: bool,
}

struct Kept {
    sender: SendRequest<Full<Bytes>>,
    /// Who it was opened as: signatures on it name that certificate.
    identity: Arc<Identity>,
    since: Instant,
    /// Whether the gateway has answered on it: then it took the certificate, and may have taken what came after.
    answered: bool,
}

#[derive(Default)]
struct Away {
    failures: u32,
    until: Option<Instant>,
}

/// The way to one gateway.
pub(super) struct Upstream {
    origin: Origin,
    kept: Mutex<Vec<Kept>>,
    away: Mutex<Away>,
}

impl Upstream {
    pub(super) fn new(origin: Origin) -> Self {
        Self {
            origin,
            kept: Mutex::default(),
            away: Mutex::default(),
        }
    }

    /// Sends it, over a connection of `identity`.
    ///
    /// # Errors
    /// When there is no answer, with what is known of the request.
    pub(super) async fn send(&self, identity: &Arc<Identity>, draft: &Draft) -> Result<Response<Incoming>, Fault> {
        let reads = matches!(draft.method, Method::GET | Method::HEAD);
        let (mut sent, mut taken) = (false, false);
        for _ in 0..ATTEMPTS {
            let connection = self.connection(identity).await;
            let mut connection = connection.map_err(|fault| if sent && !reads { Fault::Lost } else { fault })?;
            let request = self.request(draft, &connection.identity)?;
            match timeout(ANSWER, connection.sender.try_send_request(request)).await {
                Ok(Ok(response)) => {
                    self.keep(connection);
                    return Ok(response);
                }
                Ok(Err(error)) => {
                    // The alert answers the handshake: what was written behind it was read by nobody.
                    if let Some(alert) = alert(error.error()) {
                        return Err(if sent && !reads {
                            Fault::Lost
                        } else {
                            Fault::Certificate(alert)
                        });
                    }
                    sent |= error.message().is_none();
                    taken |= error.message().is_none() && connection.answered;
                    if sent && !draft.repeatable {
                        return Err(Fault::Lost);
                    }
                }
                Err(_) if reads => {
                    let why = format!("no answer within {} s", ANSWER.as_secs());
                    return Err(Fault::Away { why, seconds: 1 });
                }
                Err(_) => return Err(Fault::Lost),
            }
        }
        Err(if taken && !reads { Fault::Lost } else { Fault::Closed })
    }

    /// A kept connection of this identity that is free, or a new one.
    async fn connection(&self, identity: &Arc<Identity>) -> Result<Kept, Fault> {
        if let Some(kept) = self.free(identity) {
            return Ok(kept);
        }
        if let Some(left) = self.wait() {
            let why = "it was away a moment ago".to_owned();
            return Err(Fault::Away {
                why,
                seconds: left.as_secs() + 1,
            });
        }
        self.fresh(identity).await
    }

    /// Sends a request that asks for an upgrade, on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub(super) async fn upgrade(
        &self,
        identity: &Arc<Identity>,
        target: PathAndQuery,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, Fault> {
        let draft = Draft {
            method: Method::GET,
            target,
            headers,
            body: Bytes::new(),
            unsigned_order: false,
            repeatable: true,
        };
        let request = self.request(&draft, identity)?;
        let mut connection = self.fresh(identity).await?;
        match timeout(ANSWER, connection.sender.try_send_request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(alert(error.error()).map_or(Fault::Closed, Fault::Certificate)),
            Err(_) => {
                let why = format!("no answer within {} s", ANSWER.as_secs());
                Err(Fault::Away { why, seconds: 1 })
            }
        }
    }

    /// A new connection of this identity.
    async fn fresh(&self, identity: &Arc<Identity>) -> Result<Kept, Fault> {
        let connected = timeout(CONNECT, client::connect(&self.origin, Some(&identity.tls), None)).await;
        let failed = match connected {
            Ok(Ok(sender)) => {
                self.is_back();
                return Ok(Kept {
                    sender,
                    identity: identity.clone(),
                    since: Instant::now(),
                    answered: false,
                });
            }
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("no connection within {} s", CONNECT.as_secs()),
        };
        Err(self.is_away(failed))
    }

    /// Takes a free connection. Those of an earlier certificate are let go: what is under way on them ends there.
    fn free(&self, identity: &Arc<Identity>) -> Option<Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| {
            let idle = one.sender.is_ready();
            !one.sender.is_closed() && Arc::ptr_eq(&one.identity, identity) && !(idle && one.since.elapsed() > KEPT_FOR)
        });
        let place = kept.iter().rposition(|one| one.sender.is_ready())?;
        Some(kept.remove(place))
    }

    /// Back to the others; it is free again once its answer has been read.
    fn keep(&self, mut connection: Kept) {
        connection.since = Instant::now();
        connection.answered = true;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }

    fn request(&self, draft: &Draft, identity: &Identity) -> Result<Request<Full<Bytes>>, Fault> {
        let fault = |error: anyhow::Error| Fault::Key(format!("{error:#}"));
        let mut headers = draft.headers.clone();
        let authority = self.origin.authority();
        let host = HeaderValue::from_str(&authority).map_err(|error| fault(error.into()))?;
        headers.insert(HOST, host);
        if let Some(proof) = identity.proof.as_ref().filter(|_| draft.unsigned_order) {
            let usual = if draft.target.path().starts_with("/v1/") {
                "application/json"
            } else {
                "application/x-www-form-urlencoded"
            };
            let kind = headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(usual));
            let target_uri = format!("https://{authority}{}", draft.target);
            let order = Unsigned {
                target_uri: &target_uri,
                content_type: kind.to_str().unwrap_or(usual).trim(),
                body: &draft.body,
                tag: Some(gateway_policy::SignedBy::SIDECAR_TAG),
            };
            for (name, value) in proof.sign(&order).map_err(fault)? {
                let value = HeaderValue::from_str(&value).map_err(|error| fault(error.into()))?;
                headers.insert(name, value);
            }
        }
        let mut request = Request::new(Full::new(draft.body.clone()));
        *request.method_mut() = draft.method.clone();
        *request.uri_mut() = draft.target.clone().into();
        *request.headers_mut() = headers;
        Ok(request)
    }

    /// What is left of the back-off.
    fn wait(&self) -> Option<Duration> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.until?
            .checked_duration_since(Instant::now())
            .filter(|left| !left.is_zero())
    }

    fn is_back(&self) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away.failures > 0 {
            tracing::info!(failures = away.failures, "the gateway is back");
        }
        *away = Away::default();
    }

    fn is_away(&self, why: String) -> Fault {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = (FIRST_WAIT * 2_u32.saturating_pow(away.failures.min(10))).min(LONGEST_WAIT);
        away.failures = away.failures.saturating_add(1);
        away.until = Some(Instant::now() + wait);
        tracing::warn!(%why, wait_ms = wait.as_millis(), "the gateway cannot be reached");
        Fault::Away {
            why,
            seconds: wait.as_secs() + 1,
        }
    }
}

/// The TLS alert behind an error, if that is what it is.
fn alert(error: &hyper::Error) -> Option<AlertDescription> {
    let mut cause = error.source();
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let tls = io.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        if let Some(rustls::Error::AlertReceived(alert)) = tls.or_else(|| error.downcast_ref()) {
            return Some(*alert);
        }
        cause = error.source();
    }
    None
}
