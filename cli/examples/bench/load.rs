//! A closed loop over kept connections: each of N connections sends an order, waits for its answer and sends the next. HTTP/1.1 over mTLS 1.3
//! without resumption, every order with an id of its own. The handshakes are over before the clock starts.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::request::Orders;

/// How long after its end a load waits for the last answers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Handshakes that are under way at once while connections are opened.
const HANDSHAKES: usize = 16;

/// Who a connection is.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(crate) fn open(chain: &Path, key: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            chain: mandatum::pem::certificates(chain)?,
            key: PrivateKeyDer::from_pem_file(key).map_err(|error| anyhow::anyhow!("{}: {error}", key.display()))?,
        })
    }
}

/// A server, and who connects to it: connection i is identity i mod n.
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) origin: String,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) identities: Vec<Arc<Identity>>,
}

impl Target {
    /// The same with the first `count` identities alone.
    pub(crate) fn of_first(&self, count: usize) -> Self {
        Self {
            address: self.address,
            origin: self.origin.clone(),
            roots: self.roots.clone(),
            identities: self.identities.iter().take(count).cloned().collect(),
        }
    }

    /// How each identity speaks TLS.
    pub(crate) fn connectors(&self) -> anyhow::Result<Vec<TlsConnector>> {
        let connector = |identity: &Arc<Identity>| {
            let mut roots = RootCertStore::empty();
            for root in &self.roots {
                roots.add(root.clone())?;
            }
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let mut config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_root_certificates(roots)
                .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())?;
            config.resumption = rustls::client::Resumption::disabled();
            Ok(TlsConnector::from(Arc::new(config)))
        };
        self.identities.iter().map(connector).collect()
    }
}

/// One handshake.
pub(crate) async fn connect(connector: &TlsConnector, address: SocketAddr) -> anyhow::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(connector.connect(ServerName::try_from("localhost")?, stream).await?)
}

/// Open connections, ready to be used.
pub(crate) struct Ready {
    connections: Vec<(TlsStream<TcpStream>, Orders)>,
}

/// Opens connections; `signed` for targets that ask for a signature on each order.
pub(crate) async fn open(target: &Target, count: usize, signed: bool) -> anyhow::Result<Ready> {
    let connectors = target.connectors()?;
    let mut connections = Vec::with_capacity(count);
    while connections.len() < count {
        let from = connections.len();
        let group = (from..count.min(from + HANDSHAKES)).map(|place| {
            let at = place % connectors.len();
            let (connector, identity) = (connectors[at].clone(), target.identities[at].clone());
            let (address, origin) = (target.address, target.origin.clone());
            tokio::spawn(async move {
                let orders = Orders::new(&origin, signed.then_some(&*identity))?;
                Ok::<_, anyhow::Error>((connect(&connector, address).await?, orders))
            })
        });
        for one in group.collect::<Vec<_>>() {
            connections.push(one.await?.context("a handshake failed")?);
        }
    }
    Ok(Ready { connections })
}

/// What came of a load.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Orders that were answered 200.
    pub(crate) answered: u64,
    /// Orders that were answered otherwise, and the first such answer.
    pub(crate) otherwise: u64,
    pub(crate) example: Option<String>,
    pub(crate) seconds: f64,
    /// Microseconds, sorted.
    pub(crate) latencies: Vec<f32>,
}

impl Outcome {
    pub(crate) fn rate(&self) -> f64 {
        self.answered as f64 / self.seconds
    }

    pub(crate) fn quantile(&self, share: f64) -> f64 {
        quantile(&self.latencies, share)
    }

    /// Takes note of one answer to what was sent at `sent`.
    pub(crate) fn note(&mut self, sent: Instant, status: u16, answer: &[u8]) {
        self.latencies.push(sent.elapsed().as_secs_f32() * 1e6);
        if status == 200 {
            self.answered += 1;
        } else {
            self.otherwise += 1;
            let text = || String::from_utf8_lossy(&answer[..answer.len().min(900)]).into_owned();
            self.example.get_or_insert_with(text);
        }
    }

    pub(crate) fn add(&mut self, one: Self) {
        self.answered += one.answered;
        self.otherwise += one.otherwise;
        self.example = self.example.take().or(one.example);
        self.latencies.extend(one.latencies);
    }

    pub(crate) fn finish(&mut self, start: Instant) {
        self.seconds = start.elapsed().as_secs_f64();
        self.latencies.sort_by(f32::total_cmp);
    }

    /// A load that is refused measures refusals: that is said, with the first of them, and no figure is made of it when most were.
    pub(crate) fn demand(&self, whom: &str) -> anyhow::Result<()> {
        if self.otherwise > 0 {
            let example = self.example.as_deref().unwrap_or_default();
            println!(
                "! {whom} answered {} of them otherwise, first: {example}",
                self.otherwise
            );
        }
        let (answered, otherwise) = (self.answered, self.otherwise);
        anyhow::ensure!(
            answered > otherwise,
            "{whom} answered {answered} as asked and {otherwise} otherwise: what was measured is refusals"
        );
        Ok(())
    }

    /// Microseconds of the server's processor time per answer.
    pub(crate) fn each(&self, cpu: Duration) -> f64 {
        cpu.as_secs_f64() * 1e6 / self.answered.max(1) as f64
    }
}

pub(crate) fn quantile(sorted: &[f32], share: f64) -> f64 {
    let at = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(at).copied().map_or(f64::NAN, f64::from)
}

impl Ready {
    /// Sends for `time` on every connection.
    pub(crate) async fn drive(self, time: Duration) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let end = start + time;
        let running: Vec<_> = self
            .connections
            .into_iter()
            .map(|(stream, orders)| tokio::spawn(looped(stream, orders, end)))
            .collect();
        collected(running, start, time).await
    }
}

/// The outcomes of loops that end after `time` by themselves; a server that leaves one without an answer ends the bench.
pub(crate) async fn collected(
    running: Vec<JoinHandle<anyhow::Result<Outcome>>>,
    start: Instant,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let mut sum = Outcome::default();
    let end = tokio::time::Instant::from_std(start + time + PATIENCE);
    for one in running {
        let ended = tokio::time::timeout_at(end, one).await;
        sum.add(ended.context("a server left a request without an answer")???);
    }
    sum.finish(start);
    Ok(sum)
}

async fn looped(mut stream: TlsStream<TcpStream>, mut orders: Orders, end: Instant) -> anyhow::Result<Outcome> {
    let mut held = Vec::with_capacity(8_192);
    let mut outcome = Outcome::default();
    while Instant::now() < end {
        let sent = Instant::now();
        stream.write_all(orders.fresh()?).await?;
        stream.flush().await?;
        let answer = answer(&mut stream, &mut held).await?;
        outcome.note(sent, answer.status, &held[..answer.length]);
        held.drain(..answer.length);
    }
    Ok(outcome)
}

/// An answer's status, and its length in the buffer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) length: usize,
}

/// Reads one answer with a `Content-Length` (RFC 9112 §6.3) to the front of `held`.
pub(crate) async fn answer<S: tokio::io::AsyncRead + Unpin>(
    stream: &mut S,
    held: &mut Vec<u8>,
) -> anyhow::Result<Answer> {
    loop {
        if let Some(answer) = whole(held)? {
            return Ok(answer);
        }
        anyhow::ensure!(stream.read_buf(held).await? > 0, "the server closed the connection");
    }
}

fn whole(held: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(head) = held.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&held[..head])?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1))
        .context("a status")?;
    let status: u16 = status.parse()?;
    let mut fields = lines.filter_map(|line| line.split_once(':'));
    let body = match fields.find(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        Some((_, length)) => length.trim().parse()?,
        None if status == 204 => 0,
        None => anyhow::bail!("an answer {status} without a length"),
    };
    let length = head + 4 + body;
    Ok((held.len() >= length).then_some(Answer { status, length }))
}

/// A number that no other order of any run has: microseconds since 1970 with a counter behind them.
pub(crate) fn fresh_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    if number != 0 {
        return number;
    }
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let first = since.map_or(1, |since| since.as_micros() as u64) * 1_000;
    NEXT.store(first + 1, Ordering::Relaxed);
    first
}
