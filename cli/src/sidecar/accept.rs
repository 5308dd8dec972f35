//! The loopback side: a bounded number of connections with bounded heads, each served until it ends or the sidecar stops.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{FAREWELL, Sidecar, forward};

/// Open connections of bots; more wait to be accepted. Each has one request under way, so as many go to the gateway at most.
const CONNECTIONS: usize = 128;
/// From the end of an answer to the end of the next request's head.
const IDLE: Duration = Duration::from_secs(300);
/// A request's head, in bytes, and its fields.
const HEAD_BYTES: usize = 16 * 1_024;
const HEAD_FIELDS: usize = 64;

/// Accepts until `stop`, then waits for what is being answered.
pub(super) async fn run(listener: TcpListener, sidecar: Arc<Sidecar>, stop: CancellationToken) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = free.clone().acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (sidecar, stop) = (sidecar.clone(), stop.clone());
                tokio::spawn(async move {
                    serve(stream, sidecar, stop).await;
                    drop(permit);
                });
            }
            // Out of descriptors, or gone before it was taken: neither ends the loop.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed; trying again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _ = timeout(FAREWELL, free.acquire_many(all)).await;
}

async fn serve(stream: TcpStream, sidecar: Arc<Sidecar>, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let sidecar = sidecar.clone();
        async move { Ok::<_, Infallible>(forward::answer(&sidecar, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(FAREWELL, connection).await;
}
