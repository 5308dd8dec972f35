//! The HTTP client of commands, tests and the demo's bots: one kept-alive connection, mTLS 1.3, pinned roots, bounded replies.

use std::{net::IpAddr, sync::Arc, time::Duration};

use anyhow::{Context, anyhow, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::HeaderMap,
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    client::ResolvesClientCert,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;

/// The longest reply that is read, in bytes.
const LONGEST_REPLY: usize = 16 * 1_024 * 1_024;
/// The longest wait for a connection and for a reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server is: `https://host:port` or `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Reads an origin; a path after it is refused.
    ///
    /// # Errors
    /// When the text is no `http` or `https` origin with a host and a port.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            _ => bail!("{text:?} is no server address: expected https://host:port"),
        };
        let rest = rest.trim_end_matches('/');
        let uri: hyper::Uri = format!("http://{rest}")
            .parse()
            .with_context(|| format!("{text:?} is no server address"))?;
        let host = uri
            .host()
            .filter(|_| uri.path() == "/")
            .ok_or_else(|| anyhow!("{text:?} is no origin"))?
            .to_owned();
        Ok(Self {
            tls,
            host,
            port: uri.port_u16().unwrap_or(if tls { 443 } else { 80 }),
        })
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The origin as text.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

/// A reply, read whole.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> anyhow::Result<serde_json::Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the server answered {} with something that is not JSON", self.status))
    }
}

/// A client of one server.
pub struct Client {
    origin: Origin,
    tls: Option<Arc<ClientConfig>>,
    source: Option<IpAddr>,
    connection: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that trusts `roots` alone and presents what `certificate` holds, if anything.
    ///
    /// # Errors
    /// When a root is no certificate.
    pub fn new(
        origin: Origin,
        roots: &[CertificateDer<'static>],
        certificate: Option<Arc<dyn ResolvesClientCert>>,
    ) -> anyhow::Result<Self> {
        let tls = if origin.tls {
            Some(Arc::new(client_config(roots, certificate)?))
        } else {
            None
        };
        Ok(Self {
            origin,
            tls,
            source: None,
            connection: None,
        })
    }

    /// With connections made from `source`, one of this machine's addresses.
    #[must_use]
    pub fn from_address(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// The server.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Sends one request and reads its reply; a connection that had gone is made anew once, before anything was sent.
    ///
    /// # Errors
    /// When the server cannot be reached, does not answer in time, or answers too much.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.origin.authority());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body.into()))
            .context("the request cannot be written")?;
        let (head, body) = tokio::time::timeout(PATIENCE, self.exchange(request))
            .await
            .map_err(|_| anyhow!("{} did not answer within {PATIENCE:?}", self.origin.url()))??
            .into_parts();
        let body = Limited::new(body, LONGEST_REPLY)
            .collect()
            .await
            .map_err(|e| anyhow!("reading the reply: {e}"))?;
        Ok(Reply {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let ready = match self.connection.as_mut() {
            Some(sender) => sender.ready().await.is_ok(),
            None => false,
        };
        if !ready {
            self.connection = Some(connect(&self.origin, self.tls.as_ref(), self.source).await?);
        }
        let sender = self.connection.as_mut().expect("a connection was just made");
        let answered = sender.send_request(request).await;
        if answered.is_err() {
            self.connection = None;
        }
        answered.with_context(|| format!("{} closed the connection", self.origin.url()))
    }
}

/// A new connection to `origin`, by TLS where that says so; from `source`, one of this machine's addresses, if given.
///
/// # Errors
/// When it cannot be reached, or the handshake fails.
pub(crate) async fn connect(
    origin: &Origin,
    tls: Option<&Arc<ClientConfig>>,
    source: Option<IpAddr>,
) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let url = origin.url();
    let stream = reach(origin, source).await?;
    match tls {
        None => hand_shake(TokioIo::new(stream)).await,
        Some(tls) => {
            let stream = TlsConnector::from(tls.clone())
                .connect(server_name(origin)?, stream)
                .await
                .with_context(|| format!("TLS with {url} failed"))?;
            hand_shake(TokioIo::new(stream)).await
        }
    }
}

/// The name that the server's certificate has to have.
pub(crate) fn server_name(origin: &Origin) -> anyhow::Result<ServerName<'static>> {
    ServerName::try_from(origin.host.clone()).context("the host is no server name")
}

/// A new connection, before anything is said on it.
pub(crate) async fn reach(origin: &Origin, source: Option<IpAddr>) -> anyhow::Result<TcpStream> {
    let url = origin.url();
    let mut addresses = tokio::net::lookup_host((origin.host.as_str(), origin.port))
        .await
        .with_context(|| format!("no address for {url}"))?;
    let address = addresses
        .find(|a| source.is_none_or(|source| source.is_ipv4() == a.is_ipv4()))
        .ok_or_else(|| anyhow!("no fitting address for {url}"))?;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(source) = source {
        socket
            .bind((source, 0).into())
            .with_context(|| format!("cannot connect from {source}"))?;
    }
    let stream = socket
        .connect(address)
        .await
        .with_context(|| format!("cannot reach {url}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn hand_shake<T>(io: TokioIo<T>) -> anyhow::Result<SendRequest<Full<Bytes>>>
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(io).await?;
    // A connection that is never upgraded is served as without this.
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}

/// TLS 1.3 with ring, trusting `roots` alone.
///
/// # Errors
/// When a root is no certificate.
pub fn client_config(
    roots: &[CertificateDer<'static>],
    certificate: Option<Arc<dyn ResolvesClientCert>>,
) -> anyhow::Result<ClientConfig> {
    let mut store = RootCertStore::empty();
    for root in roots {
        store.add(root.clone()).context("a pinned root is no certificate")?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(store);
    let mut config = match certificate {
        Some(certificate) => builder.with_client_cert_resolver(certificate),
        None => builder.with_no_client_auth(),
    };
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}
