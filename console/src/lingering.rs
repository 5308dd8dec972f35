//! A request that is refused before its body was read: what still comes of the body is read and dropped, within bounds, so that the client can
//! finish writing and read why (RFC 9112 §9.6). Without that the connection is closed under its hands, and the answer may be lost with it.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{body::Body, extract::Request};
use futures_util::StreamExt as _;
use hyper::body::{Body as _, Bytes, Frame, SizeHint};

/// The most of a body that is read for nothing.
const MOST_BYTES: usize = 256 * 1_024;
/// How long.
const LONGEST: Duration = Duration::from_secs(2);

/// Wraps the body of a request.
pub(crate) async fn linger(request: Request) -> Request {
    request.map(|body| Body::new(Lingering(Some(body))))
}

/// A body that is read to its end, whoever drops it; none once it has ended.
struct Lingering(Option<Body>);

impl hyper::body::Body for Lingering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(body) = self.0.as_mut() else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.0 = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let unread = self.0.take().filter(|body| !body.is_end_stream());
        if let (Some(body), Ok(runtime)) = (unread, tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                let mut parts = body.into_data_stream();
                let mut left = MOST_BYTES;
                let read = async {
                    while let Some(Ok(part)) = parts.next().await {
                        left = left.saturating_sub(part.len());
                        if left == 0 {
                            return;
                        }
                    }
                };
                let _ = tokio::time::timeout(LONGEST, read).await;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, http::StatusCode, middleware::map_request};
    use hyper_util::{rt::TokioIo, service::TowerToHyperService};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn answered(stream: &mut tokio::io::DuplexStream) -> String {
        let (mut said, mut part) = (Vec::new(), [0; 256]);
        while !said.ends_with(b"no such page") {
            let read = stream.read(&mut part).await.unwrap();
            assert!(read > 0, "closed: {}", String::from_utf8_lossy(&said));
            said.extend_from_slice(&part[..read]);
        }
        String::from_utf8(said).unwrap()
    }

    /// A refusal comes before the body does; then the body, and the next request on the same connection. Control tried: without the layer the
    /// connection is closed behind the refusal.
    #[tokio::test]
    async fn a_refused_body_is_read_to_its_end() {
        let router = Router::new()
            .fallback(|| async { (StatusCode::NOT_FOUND, "no such page") })
            .layer(map_request(linger));
        let (mut client, server) = tokio::io::duplex(1_024);
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(server), TowerToHyperService::new(router)),
        );
        for _ in 0..2 {
            let head = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\n";
            client.write_all(head).await.unwrap();
            let said = answered(&mut client).await;
            assert!(
                said.starts_with("HTTP/1.1 404") && !said.contains("connection: close"),
                "{said}"
            );
            client.write_all(b"body").await.unwrap();
        }
    }
}
