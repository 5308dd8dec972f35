//! `/v1/stream` through the sidecar: a WebSocket upgrade is passed on, and after it octets go both ways as they are.
//!
//! What is said on it the gateway alone reads and bounds. The certificate is that of the moment it was opened: when that one ends the gateway
//! closes, and the bot connects again, under the newer one.

use std::sync::Arc;

use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE},
    http::uri::PathAndQuery,
};
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;

use super::{Sidecar, forward, hop, refusal::Refusal};

/// Open tunnels; more are refused. Each holds a connection to the gateway.
pub(super) const TUNNELS: usize = 64;

/// Whether a request asks for a WebSocket.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    let websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    headers.get(UPGRADE).is_some_and(websocket)
}

/// Passes the upgrade on; whatever else than 101 the gateway answers goes back as it is.
///
/// # Errors
/// With the refusal, when there is no answer.
pub(super) async fn open(
    sidecar: &Arc<Sidecar>,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, Refusal> {
    let Ok(place) = sidecar.tunnels.clone().try_acquire_owned() else {
        let detail = format!("{TUNNELS} streams are open, as many as the sidecar carries; close one");
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "RATE_MESSAGES", detail));
    };
    let identity = forward::identity(sidecar)?;
    let target = request.uri().path_and_query().cloned();
    let target = target.unwrap_or_else(|| PathAndQuery::from_static("/"));
    let mut headers = request.headers().clone();
    hop::strip(&mut headers);
    switches(&mut headers);
    let answered = sidecar.upstream.upgrade(&identity, target, headers).await;
    let mut response = answered.map_err(|fault| forward::refused(sidecar, &identity, fault))?;
    forward::heard(sidecar, &response);
    hop::strip(response.headers_mut());
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    switches(response.headers_mut());
    let (bot, gateway) = (hyper::upgrade::on(&mut request), hyper::upgrade::on(&mut response));
    let stop = sidecar.stop.clone();
    tokio::spawn(async move {
        let (Ok(bot), Ok(gateway)) = tokio::join!(bot, gateway) else {
            return;
        };
        let (mut bot, mut gateway) = (TokioIo::new(bot), TokioIo::new(gateway));
        tokio::select! {
            _ = copy_bidirectional(&mut bot, &mut gateway) => {}
            () = stop.cancelled() => {}
        }
        drop(place);
    });
    Ok(response)
}

/// Says what the connection becomes: each hop says it for itself.
fn switches(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
}
