//! The accept loop of the bots' listener: bounded, one task a connection, each raced with its closing token.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::{
    server::conn::{http1, http2},
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use revocation_core::regions::Network;
use rustls::pki_types::CertificateDer;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::proxy_protocol::{self, ProxySource};

/// Bounds of one listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Open connections, of all agents together.
    pub connections: usize,
    /// From the first byte to the end of the TLS handshake, PROXY header included.
    pub handshake: Duration,
    /// From the end of the handshake, or of the last answer, to the end of the next request's head.
    pub request_head: Duration,
    /// All header fields of a request, in bytes.
    pub head_bytes: usize,
    /// Requests in flight on one HTTP/2 connection.
    pub streams: u32,
    /// Requests that an HTTP/2 peer takes back before they are answered, and streams that we end for its errors, on one connection: it is closed
    /// at more, for each costs work and no stream bound counts it.
    pub resets: usize,
    /// What an answer gets to leave after the connection was told to close.
    pub farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 4_096,
            handshake: Duration::from_secs(5),
            request_head: Duration::from_secs(75),
            head_bytes: 16 * 1_024,
            streams: 128,
            resets: 32,
            farewell: Duration::from_millis(20),
        }
    }
}

/// Where a connection comes from, and who presented what.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The source: of the socket, or of the balancer's PROXY header.
    pub address: SocketAddr,
    /// The certificates presented, leaf first; empty when none was.
    pub certificates: Vec<CertificateDer<'static>>,
}

/// What a listener makes of its connections: HTTP, or FIX.
pub trait Service: Send + Sync + 'static {
    /// Serves one connection after its handshake, to its end.
    fn serve(
        self: &Arc<Self>,
        stream: TlsStream<TcpStream>,
        peer: Peer,
        bounds: Bounds,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + Send;
    /// Called for a connection that did not reach a request.
    fn failed(&self, address: SocketAddr, why: &str);
}

/// A connection whose requests may be answered.
pub struct Opened {
    /// Answers its requests.
    pub router: Router,
    /// Cancelled when it has to close.
    pub closing: CancellationToken,
    /// What becomes of it after an upgrade.
    pub upgrades: Upgrades,
    /// Closed after this long in any case: for whoever presented nothing that tells who it is.
    pub longest: Option<Duration>,
    /// Dropped when it has closed.
    pub guard: Box<dyn std::any::Any + Send>,
}

/// What goes on over a connection that has left HTTP (RFC 9110 §7.8). Until it has ended the connection counts as open, and is registered.
#[derive(Debug, Clone, Default)]
pub struct Upgrades {
    /// The tasks that speak on it.
    pub tasks: TaskTracker,
    /// Cancelled when the listener stops.
    pub stopping: CancellationToken,
}

/// What an upgraded connection gets to say goodbye when the listener stops.
const UPGRADED_FAREWELL: Duration = Duration::from_millis(500);

/// A listening socket that several runtimes can share (`SO_REUSEPORT`): the kernel spreads the connections.
///
/// # Errors
/// When the address cannot be bound.
pub fn bind_shared(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4_096)?;
    Ok(socket.into())
}

/// One listener: its TLS, its bounds, whether a balancer stands before it.
pub struct Listener<S> {
    /// The TLS side.
    pub tls: TlsAcceptor,
    /// The bounds.
    pub bounds: Bounds,
    /// Whether each connection begins with a PROXY protocol version 2 header.
    pub proxy_protocol: bool,
    /// The balancers: a connection from elsewhere is dropped before its header is read.
    pub proxy_from: Arc<[Network]>,
    /// Open connections that are still free.
    pub free: Arc<Semaphore>,
    /// What answers.
    pub service: Arc<S>,
}

impl<S: Service> Listener<S> {
    /// Accepts until `stop` is cancelled, then lets open connections end within the farewell.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        loop {
            let Ok(free) = self.free.clone().acquire_owned().await else {
                return;
            };
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    let (listener, stop) = (self.clone(), stop.clone());
                    tokio::spawn(async move {
                        listener.connection(stream, address, stop).await;
                        drop(free);
                    });
                }
                // Out of descriptors or a connection gone before it was taken: neither ends the loop.
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed; trying again");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }

    async fn connection(&self, stream: TcpStream, address: SocketAddr, stop: CancellationToken) {
        let (stream, peer) = match timeout(self.bounds.handshake, self.handshake(stream, address)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return self.service.failed(address, &error.to_string()),
            Err(_) => return self.service.failed(address, "the handshake took too long"),
        };
        self.service.serve(stream, peer, self.bounds, stop).await;
    }

    async fn handshake(&self, mut stream: TcpStream, address: SocketAddr) -> io::Result<(TlsStream<TcpStream>, Peer)> {
        let _ = stream.set_nodelay(true);
        let source = if self.proxy_protocol {
            let balancer = address.ip().to_canonical();
            if !self.proxy_from.iter().any(|network| network.contains(balancer)) {
                let why = "only the balancers of gateway.proxy_from may say where a connection comes from";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
            }
            proxied_source(&mut stream, address).await?
        } else {
            address
        };
        let stream = self.tls.accept(stream).await?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let certificates = certificates.iter().map(|c| c.clone().into_owned()).collect();
        Ok((
            stream,
            Peer {
                address: source,
                certificates,
            },
        ))
    }
}

/// Answers the requests of one connection.
pub(crate) async fn answer(stream: TlsStream<TcpStream>, opened: Opened, bounds: Bounds, stop: CancellationToken) {
    let (router, upgrades) = (opened.router, opened.upgrades);
    let asked = AtomicBool::new(false);
    let answers = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        asked.store(true, Ordering::Relaxed);
        answers.call(request)
    });
    // HTTP/2 has no bound of its own on how long its first octets may take.
    let unasked = async {
        tokio::time::sleep(bounds.request_head).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let longest = tokio::time::sleep(opened.longest.unwrap_or(Duration::MAX));
    let ends = async {
        tokio::select! {
            () = opened.closing.cancelled() => {}
            () = stop.cancelled() => {}
            () = unasked => {}
            () = longest => {}
        }
    };
    // The version that TLS agreed on: finding it out from the first octets would wait for them without end.
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        let builder = http2(&bounds);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        until(connection, ends, bounds.farewell, |connection| {
            connection.graceful_shutdown()
        })
        .await;
    } else {
        let builder = http1(&bounds);
        let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
        until(connection, ends, bounds.farewell, |connection| {
            connection.graceful_shutdown()
        })
        .await;
    }
    upgrades.tasks.close();
    tokio::select! {
        () = upgrades.tasks.wait() => return,
        () = stop.cancelled() => upgrades.stopping.cancel(),
    }
    let _ = timeout(UPGRADED_FAREWELL, upgrades.tasks.wait()).await;
}

/// Serves until the connection ends by itself or is told to. The answer that is on its way (the refusal that told of the halt) may still
/// leave; then the connection is cut.
async fn until<C: Future>(
    connection: C,
    ends: impl Future<Output = ()>,
    farewell: Duration,
    shut: impl Fn(Pin<&mut C>),
) {
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = ends => {}
    }
    shut(connection.as_mut());
    let _ = timeout(farewell, connection).await;
}

fn http1(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.request_head)
        .max_buf_size(bounds.head_bytes.max(8_192));
    builder
}

fn http2(bounds: &Bounds) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_pending_accept_reset_streams(bounds.resets)
        .max_local_error_reset_streams(bounds.resets)
        .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(20)));
    builder
}

async fn proxied_source(stream: &mut TcpStream, address: SocketAddr) -> io::Result<SocketAddr> {
    let refuse = |error: proxy_protocol::ProxyHeaderError| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut fixed = [0; proxy_protocol::FIXED_LENGTH];
    stream.read_exact(&mut fixed).await?;
    let mut addresses = vec![0; proxy_protocol::inspect_fixed(&fixed).map_err(refuse)?];
    stream.read_exact(&mut addresses).await?;
    match proxy_protocol::parse(&fixed, &addresses).map_err(refuse)? {
        ProxySource::Local => Ok(address),
        ProxySource::Client(source) => Ok(source),
    }
}
