//! Connections to one venue, driven on the caller's own task.
//!
//! Not the pooled client of hyper-util: that one hands a request to a task of its own, dials between our last check and
//! the write, and may repeat a request by itself. Here the connection is ready before the gate is asked, and the poll
//! that follows the gate's yes writes the bytes; nothing is ever sent twice.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::Poll,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task::coop::unconstrained,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::settings::{IDLE_TIME, MOST_IDLE, Settings, SettingsError};
use crate::venue::{Doubt, NotSent, SendGate};

/// The longest head of an answer, in bytes, and the most headers in it.
const LONGEST_HEAD: usize = 16 << 10;
const MOST_HEADERS: usize = 64;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type Sender = http1::SendRequest<Full<Bytes>>;
type Driver = Pin<Box<http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>>>;

/// One connection and the future that moves its bytes.
struct Link {
    sender: Sender,
    driver: Driver,
    since: Instant,
}

/// The connections of one venue.
pub(in crate::venue) struct Connections {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    settings: Arc<Settings>,
    idle: Mutex<Vec<Link>>,
}

/// A complete answer. Its connection is kept for the next request only by [`Reply::believed`].
pub(in crate::venue) struct Reply<'a> {
    pub(in crate::venue) status: u16,
    pub(in crate::venue) body: Bytes,
    link: Option<Link>,
    home: &'a Connections,
}

/// Why there is no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::venue) enum Failure {
    /// Nothing was sent.
    NotSent(NotSent),
    /// Something may have been.
    Doubt(Doubt),
}

impl Reply<'_> {
    /// The answer made sense: its connection may carry the next request.
    pub(in crate::venue) fn believed(mut self) {
        if let Some(mut link) = self.link.take() {
            link.since = Instant::now();
            let mut idle = self.home.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < MOST_IDLE {
                idle.push(link);
            }
        }
    }
}

impl Connections {
    pub(in crate::venue) fn new(settings: Arc<Settings>) -> Result<Self, SettingsError> {
        let base = || SettingsError::Base(settings.base.to_string());
        let host = settings.base.host().ok_or_else(base)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let secure = settings.base.scheme_str() == Some("https");
        let tls = match &settings.tls {
            Some(config) => {
                let name = ServerName::try_from(host.clone()).map_err(|_| base())?;
                Some((TlsConnector::from(config.clone()), name))
            }
            None => None,
        };
        let port = settings.base.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self {
            host,
            port,
            tls,
            settings,
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Sends one request at most once and reads its answer, at most `longest` bytes of it.
    pub(in crate::venue) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        gate: Option<&dyn SendGate>,
        longest: usize,
    ) -> Result<Reply<'_>, Failure> {
        let open = || gate.is_none_or(SendGate::may_send);
        let mut request = request;
        loop {
            if !open() {
                return Err(Failure::NotSent(NotSent::GateClosed));
            }
            let (mut link, fresh) = match self.take_idle().await {
                Some(link) => (link, false),
                None => (self.dial().await?, true),
            };
            let deadline = Instant::now() + self.settings.reply_time;
            // Nothing is awaited between this answer and the first poll of the driver inside `send`, which writes; without
            // a budget, so that the scheduler cannot put the write off either.
            if !open() {
                return Err(Failure::NotSent(NotSent::GateClosed));
            }
            let sent = timeout_at(deadline, unconstrained(link.send(request, longest))).await;
            match sent {
                Err(_elapsed) => return Err(Failure::Doubt(Doubt::Timeout)),
                Ok(Ok(Whole {
                    status,
                    retry_after_s,
                    body,
                    reusable,
                })) => {
                    self.settings.back_off.told(status, retry_after_s);
                    let link = reusable.then_some(link);
                    let home = self;
                    return Ok(Reply {
                        status,
                        body,
                        link,
                        home,
                    });
                }
                Ok(Err(Unsent::Whole(unsent))) if !fresh => request = *unsent,
                Ok(Err(Unsent::Whole(_))) => return Err(Failure::NotSent(NotSent::NoConnection)),
                Ok(Err(Unsent::Doubt(doubt))) => return Err(Failure::Doubt(doubt)),
            }
        }
    }

    /// An idle connection that the venue has neither closed nor written to unasked.
    async fn take_idle(&self) -> Option<Link> {
        loop {
            let mut link = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            if link.since.elapsed() < IDLE_TIME && link.is_quiet().await {
                return Some(link);
            }
        }
    }

    async fn dial(&self) -> Result<Link, Failure> {
        timeout(self.settings.connect_time, self.connect())
            .await
            .ok()
            .flatten()
            .ok_or(Failure::NotSent(NotSent::NoConnection))
    }

    async fn connect(&self) -> Option<Link> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await.ok()?;
        tcp.set_nodelay(true).ok()?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some((connector, name)) => Box::new(connector.connect(name.clone(), tcp).await.ok()?),
            None => Box::new(tcp),
        };
        let (sender, driver) = http1::Builder::new()
            .max_buf_size(LONGEST_HEAD)
            .max_headers(MOST_HEADERS)
            .handshake(TokioIo::new(stream))
            .await
            .ok()?;
        let mut link = Link {
            sender,
            driver: Box::pin(driver),
            since: Instant::now(),
        };
        link.is_quiet().await.then_some(link)
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Connections({}:{})", self.host, self.port)
    }
}

/// A whole answer.
struct Whole {
    status: u16,
    retry_after_s: Option<u64>,
    body: Bytes,
    reusable: bool,
}

/// What `send` could not finish.
enum Unsent {
    /// No byte was written; here is the request back.
    Whole(Box<Request<Full<Bytes>>>),
    /// Some may have been.
    Doubt(Doubt),
}

impl Link {
    /// One look at the connection: open, silent and ready for a request.
    async fn is_quiet(&mut self) -> bool {
        std::future::poll_fn(|context| {
            let ended = self.driver.as_mut().poll(context).is_ready();
            Poll::Ready(!ended && matches!(self.sender.poll_ready(context), Poll::Ready(Ok(()))))
        })
        .await
    }

    /// Writes the request on the first poll, then reads the answer.
    async fn send(&mut self, request: Request<Full<Bytes>>, longest: usize) -> Result<Whole, Unsent> {
        let mut ended = false;
        let answer = self.sender.try_send_request(request);
        let answer = drive(&mut self.driver, &mut ended, answer).await;
        let response: Response<Incoming> = match answer {
            Ok(response) => response,
            Err(mut error) => {
                return Err(match error.take_message() {
                    Some(request) => Unsent::Whole(Box::new(request)),
                    None => Unsent::Doubt(Doubt::Broken),
                });
            }
        };
        let status = response.status().as_u16();
        let retry_after = response.headers().get(hyper::header::RETRY_AFTER);
        let retry_after_s = retry_after.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let body = Limited::new(response.into_body(), longest).collect();
        let body = match drive(&mut self.driver, &mut ended, body).await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                return Err(Unsent::Doubt(Doubt::TooLong));
            }
            Err(_) => return Err(Unsent::Doubt(Doubt::Broken)),
        };
        Ok(Whole {
            status,
            retry_after_s,
            body,
            reusable: !ended,
        })
    }
}

/// Polls the connection, then what waits on it, in one task.
async fn drive<F: Future>(driver: &mut Driver, ended: &mut bool, waits: F) -> F::Output {
    let mut waits = std::pin::pin!(waits);
    std::future::poll_fn(|context| {
        if !*ended {
            *ended = driver.as_mut().poll(context).is_ready();
        }
        waits.as_mut().poll(context)
    })
    .await
}
