//! The accept loop of the status listener: bounded in connections, heads, bodies and time, and apart from every other pool.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use extensions::Clock;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::routes::{CRL_ALARM_SECONDS, Routes};
use super::{Replies, StatusConfig, StatusState};

/// Bounds of the status listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Open connections; further ones wait in the system's queue.
    pub connections: usize,
    /// From a connection's start, or its last answer, to the end of the next head.
    pub request_head: Duration,
    /// A whole connection, whatever it does.
    pub connection: Duration,
    /// A head, in octets.
    pub head_bytes: usize,
    /// How long before nextUpdate `/healthz` raises the alarm, in seconds.
    pub crl_alarm_seconds: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 256,
            request_head: Duration::from_secs(5),
            connection: Duration::from_secs(30),
            head_bytes: 32 * 1_024,
            crl_alarm_seconds: CRL_ALARM_SECONDS,
        }
    }
}

/// A bound status listener.
pub struct StatusListener {
    bounds: Bounds,
    routes: Arc<Routes>,
    socket: TcpListener,
}

impl StatusListener {
    /// Binds. `clock` is the real one.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn bind(
        config: &StatusConfig,
        state: Arc<StatusState>,
        replies: Arc<Replies>,
        clock: Arc<dyn Clock>,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(config.listen).await?;
        let routes = Arc::new(Routes {
            clock,
            crl_alarm_seconds: config.bounds.crl_alarm_seconds,
            replies,
            state,
        });
        Ok(Self {
            bounds: config.bounds,
            routes,
            socket,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(self.bounds.connections));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = accept(&self.socket, &room) => accepted,
            };
            let Some((stream, permit)) = accepted else {
                continue;
            };
            let (routes, bounds, stop) = (Arc::clone(&self.routes), self.bounds, stop.clone());
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let routes = Arc::clone(&routes);
                    async move { Ok::<_, Infallible>(routes.answer(request).await) }
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .header_read_timeout(bounds.request_head)
                    .max_buf_size(bounds.head_bytes)
                    .serve_connection(TokioIo::new(stream), service);
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = tokio::time::timeout(bounds.connection, connection) => {}
                }
                drop(permit);
            });
        }
    }
}

async fn accept(
    socket: &TcpListener,
    room: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, _)) => Some((stream, permit)),
        Err(error) => {
            tracing::warn!(%error, "the status listener could not accept a connection");
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
