//! The accept loop of both listeners: bounded connections, handshakes, heads and requests; one task a connection.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Extension, Router, middleware::map_request};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use rustls::{ServerConfig, pki_types::CertificateDer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::{Bounds, lingering::linger};

/// What an answer gets to leave after the role was told to stop.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long accepting pauses when the system has no more descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Where a connection comes from and what it presented; in the extensions of each of its requests.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The socket's source.
    pub(crate) address: SocketAddr,
    /// The verified leaf; none when no certificate was presented.
    pub(crate) certificate: Option<CertificateDer<'static>>,
    signed_in: Arc<AtomicBool>,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr, certificate: Option<CertificateDer<'static>>) -> Self {
        Self {
            address,
            certificate,
            signed_in: Arc::default(),
        }
    }

    /// Whether this is asked for the first time on the connection.
    pub(crate) fn is_new(&self) -> bool {
        !self.signed_in.swap(true, Ordering::Relaxed)
    }
}

/// Accepts until `stop` is cancelled, then lets open connections end within the farewell.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    bounds: Bounds,
    router: Router,
    stop: CancellationToken,
) {
    let free = Arc::new(Semaphore::new(bounds.connections));
    let tls = TlsAcceptor::from(tls);
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                let (tls, router, stop) = (tls.clone(), router.clone(), stop.clone());
                tokio::spawn(async move {
                    connection(stream, address, &tls, bounds, router, stop).await;
                    drop(permit);
                });
            }
            // Out of descriptors, or a connection gone before it was taken: neither ends the loop.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed; trying again");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    let all = u32::try_from(bounds.connections).unwrap_or(u32::MAX);
    drop(timeout(FAREWELL, free.acquire_many(all)).await);
}

async fn connection(
    stream: TcpStream,
    address: SocketAddr,
    tls: &TlsAcceptor,
    bounds: Bounds,
    router: Router,
    stop: CancellationToken,
) {
    let stream = match timeout(bounds.handshake, handshake(stream, tls)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return tracing::debug!(%address, %error, "no TLS handshake"),
        Err(_) => return tracing::debug!(%address, "the TLS handshake took too long"),
    };
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let certificate = certificates.first().map(|leaf| leaf.clone().into_owned());
    answer(
        stream,
        router
            .layer(Extension(Peer::new(address, certificate)))
            .layer(map_request(linger)),
        bounds,
        stop,
    )
    .await;
}

async fn handshake(stream: TcpStream, tls: &TlsAcceptor) -> io::Result<TlsStream<TcpStream>> {
    stream.set_nodelay(true)?;
    tls.accept(stream).await
}

async fn answer(stream: TlsStream<TcpStream>, router: Router, bounds: Bounds, stop: CancellationToken) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head)
        .max_buf_size(bounds.head_bytes.max(8_192))
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(Some(Duration::from_secs(20)));
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(timeout(FAREWELL, connection).await);
}
