//! One attempt: resolve once, connect to exactly what was judged, send, read the status. No redirects, no second look.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use revocation_core::regions::Network;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::config::Target;
use super::networks::permitted;

/// A whole attempt, from resolving to the answer.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the connection stands.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// What is read of an answer's body before the connection is dropped, in octets.
const LONGEST_ANSWER: usize = 16 * 1_024;

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver took it (2xx).
    Taken(u16),
    /// It did not; try again.
    Failed { status: Option<u16>, fault: String },
    /// It never will (410 Gone).
    Gone,
}

fn failed(fault: impl Into<String>) -> Outcome {
    let fault = fault.into();
    Outcome::Failed { status: None, fault }
}

/// What is sent.
pub(super) struct Outgoing {
    pub(super) body: Vec<u8>,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// Sends, within [`ATTEMPT_TIMEOUT`].
pub(super) async fn send(
    target: &Target,
    allow: &[Network],
    tls: &Arc<rustls::ClientConfig>,
    out: Outgoing,
) -> Outcome {
    match tokio::time::timeout(ATTEMPT_TIMEOUT, attempt(target, allow, tls, out)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(fault)) => failed(fault),
        Err(_) => failed(format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs())),
    }
}

/// The address to connect to. All that the name resolves to must be permitted: a name that points both inside and outside is
/// an attack, not a receiver.
async fn resolve(target: &Target, allow: &[Network]) -> Result<SocketAddr, String> {
    let found: Vec<SocketAddr> = match target.host.parse::<IpAddr>() {
        Ok(address) => vec![SocketAddr::new(address, target.port)],
        Err(_) => tokio::net::lookup_host((target.host.as_str(), target.port))
            .await
            .map_err(|error| format!("the name does not resolve: {error}"))?
            .collect(),
    };
    if let Some(refused) = found.iter().find(|address| !permitted(address.ip(), allow)) {
        let ip = refused.ip();
        return Err(format!(
            "{ip} is not a public address; add its network to allow_networks if that is meant"
        ));
    }
    let inside = |address: &SocketAddr| allow.iter().any(|network| network.contains(address.ip()));
    if !target.tls && !found.iter().all(inside) {
        return Err("plain http is only for allow_networks; use https".to_owned());
    }
    found
        .first()
        .copied()
        .ok_or_else(|| "the name resolves to nothing".to_owned())
}

async fn attempt(
    target: &Target,
    allow: &[Network],
    tls: &Arc<rustls::ClientConfig>,
    out: Outgoing,
) -> Result<Outcome, String> {
    let address = resolve(target, allow).await?;
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_| format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))?
        .map_err(|error| format!("no connection: {error}"))?;
    if !target.tls {
        return exchange(target, stream, out).await;
    }
    let name = rustls::pki_types::ServerName::try_from(target.host.clone())
        .map_err(|_| "the host is no name a certificate can have".to_owned())?;
    let stream = TlsConnector::from(Arc::clone(tls))
        .connect(name, stream)
        .await
        .map_err(|error| format!("TLS failed: {error}"))?;
    exchange(target, stream, out).await
}

async fn exchange<S>(target: &Target, stream: S, out: Outgoing) -> Result<Outcome, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| format!("HTTP failed: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let driver = tokio::spawn(connection);
    let mut request = Request::post(&target.path)
        .header(HOST, target.authority())
        .header(CONTENT_TYPE, out.content_type)
        .header(USER_AGENT, concat!("Mandatum/", env!("CARGO_PKG_VERSION")));
    for (name, value) in out.headers {
        request = request.header(name, value);
    }
    let request = request
        .body(Full::new(Bytes::from(out.body)))
        .map_err(|error| error.to_string())?;
    let answered = sender.send_request(request).await.map_err(failed);
    let outcome = match answered {
        Ok(response) => {
            let status = response.status();
            // Read a little, so that the receiver is not cut off in mid-sentence; what it says is of no interest.
            let _ = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
            Ok(judge(status))
        }
        Err(fault) => Err(fault),
    };
    driver.abort();
    outcome
}

fn judge(status: StatusCode) -> Outcome {
    let code = status.as_u16();
    match code {
        200..=299 => Outcome::Taken(code),
        410 => Outcome::Gone,
        300..=399 => Outcome::Failed {
            status: Some(code),
            fault: "redirects are not followed".to_owned(),
        },
        _ => Outcome::Failed {
            status: Some(code),
            fault: format!("the receiver answered {code}"),
        },
    }
}
