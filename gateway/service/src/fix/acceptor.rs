//! FIX over the bots' TLS: one task a connection, which reads, tells and ends; and the sessions' numbers between connections.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::BytesMut;
use extensions::AgentId;
use gateway_policy::{Code, Validity};
use revocation_core::Standing;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use super::{
    codec::{self, DecodeError, FrameError, Message},
    desk::Desk,
    feed::Feed,
    session::{Act, At, Numbers, Session as FixSession},
    tags::SENDER_COMP_ID,
};
use crate::{
    api::{Side, failed_handshake},
    gateway::{Gateway, Venues},
    listener::{
        accept::{Bounds, Peer, Service},
        sessions::Registered,
    },
    session::{Inspected, Session},
};

/// From the handshake to the end of the Logon.
const LOGON_TIME: Duration = Duration::from_secs(10);
/// A bot that takes none of what it is sent for so long is cut off.
const WRITE_TIME: Duration = Duration::from_secs(5);
/// How often time is looked at.
const TICK: Duration = Duration::from_millis(200);
/// What a Logout gets to leave.
const FAREWELL: Duration = Duration::from_millis(250);

/// The numbers of each agent's session, for as long as this process lives. One session of an agent is on at a time.
#[derive(Default)]
pub struct Kept(Mutex<HashMap<AgentId, Option<Numbers>>>);

/// The right to an agent's session; dropping it keeps the numbers.
struct Lease {
    kept: Arc<Kept>,
    agent: AgentId,
    numbers: Numbers,
}

impl Kept {
    fn agents(&self) -> MutexGuard<'_, HashMap<AgentId, Option<Numbers>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, agent: AgentId) -> Option<Lease> {
        let numbers = match self.agents().insert(agent, None) {
            Some(None) => return None,
            Some(Some(numbers)) => numbers,
            None => Numbers::default(),
        };
        let kept = self.clone();
        Some(Lease { kept, agent, numbers })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.kept.agents().insert(self.agent, Some(self.numbers));
    }
}

/// The FIX side of one runtime.
pub struct FixBots {
    side: Arc<Side>,
    inspected: Arc<Inspected>,
    kept: Arc<Kept>,
}

impl FixBots {
    /// The FIX side; `kept` is shared by all runtimes, `inspected` with the listener's verifier.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, venues: Arc<Venues>, inspected: Arc<Inspected>, kept: Arc<Kept>) -> Arc<Self> {
        let side = Arc::new(Side::new(gateway, venues));
        Arc::new(Self { side, inspected, kept })
    }

    /// Who is there: the session of its certificate, and the right to its one FIX session.
    fn admit(&self, peer: &Peer) -> Result<(Arc<Session>, Registered, Lease), String> {
        let certificate = peer.certificates.first().and_then(|leaf| self.inspected.of(leaf));
        let certificate = certificate.ok_or_else(|| {
            format!(
                "{}: this listener needs the bot's own client certificate (TLS 1.3, mutual); none was presented",
                Code::CertificateRequired
            )
        })?;
        let gateway = &self.side.gateway;
        let (session, registered) = Session::register(gateway, certificate, peer.address)
            .ok_or_else(|| format!("{}: this agent holds as many connections as it may", Code::RateMessages))?;
        if let Some(why) = reason_to_end(gateway, &session) {
            return Err(why);
        }
        let agent = session.slot.agent;
        let lease = self.kept.begin(agent);
        let lease = lease.ok_or_else(|| format!("{agent} has a FIX session already; end that one first"))?;
        Ok((session, registered, lease))
    }
}

impl Service for FixBots {
    async fn serve(
        self: &Arc<Self>,
        stream: TlsStream<TcpStream>,
        peer: Peer,
        _bounds: Bounds,
        stop: CancellationToken,
    ) {
        let mut wire = Wire::new(stream);
        let first = tokio::select! {
            () = stop.cancelled() => return,
            first = timeout(LOGON_TIME, wire.next()) => first,
        };
        let first = match first {
            Ok(Ok(first)) => first,
            Ok(Err(end)) => return self.failed(peer.address, &end.to_string()),
            Err(_) => return self.failed(peer.address, "no Logon came in time"),
        };
        let (session, registered, lease) = match self.admit(&peer) {
            Ok(admitted) => admitted,
            Err(why) => {
                let theirs = first.as_ref().ok().and_then(|message| message.text(SENDER_COMP_ID));
                let mut refused = FixSession::new(theirs.unwrap_or("NONE"), Numbers::default());
                let logout = refused.logout(&why, wire.at(&self.side.gateway));
                wire.farewell(&logout).await;
                return self.failed(peer.address, &why);
            }
        };
        let fix = FixSession::new(session.slot.agent.as_str(), lease.numbers);
        let connection = Connection {
            side: self.side.clone(),
            closing: registered.closing.clone(),
            stop,
            session,
            lease: Some(lease),
            fix,
            wire,
        };
        connection.run(first).await;
        drop(registered);
    }

    fn failed(&self, address: SocketAddr, why: &str) {
        failed_handshake(&self.side.gateway, address, why);
    }
}

/// Why the session of a certificate may not go on, if so: looked at for each message, and as time passes.
#[must_use]
pub fn reason_to_end(gateway: &Gateway, session: &Session) -> Option<String> {
    let now = gateway.clock.now();
    let told = |code: Code| Some(format!("{code}: {}", code.meaning()));
    if session.slot.lock().state.standing_at(now) == Standing::Revoked {
        return told(Code::AgentRevoked);
    }
    if !session.may_stay(gateway, now) {
        return told(Code::CertRevoked);
    }
    let validity = session.certificate_at(gateway.real_clock.now()).validity;
    (validity == Validity::Outside)
        .then(|| told(Code::CertExpired))
        .flatten()
}

/// Why a connection ends without a further word.
#[derive(Debug, thiserror::Error)]
enum WireEnd {
    #[error("the connection was closed")]
    Closed,
    #[error(transparent)]
    Broken(#[from] FrameError),
}

type Read = Result<Result<Message, DecodeError>, WireEnd>;

/// The octets of a connection.
struct Wire {
    stream: TlsStream<TcpStream>,
    buffer: BytesMut,
    began: Instant,
}

impl Wire {
    fn new(stream: TlsStream<TcpStream>) -> Self {
        let buffer = BytesMut::with_capacity(2 * codec::LONGEST_BODY);
        let began = Instant::now();
        Self { stream, buffer, began }
    }

    fn at(&self, gateway: &Gateway) -> At {
        At {
            real: gateway.real_clock.now(),
            elapsed: self.began.elapsed(),
        }
    }

    /// The next whole message. The buffer never holds more than one and what was read with it: a longer one is refused by its length. May be
    /// dropped at any time.
    async fn next(&mut self) -> Read {
        loop {
            if let Some(length) = codec::frame(&self.buffer)? {
                return Ok(codec::decode(&self.buffer.split_to(length)));
            }
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(1..) => {}
                _ => return Err(WireEnd::Closed),
            }
        }
    }

    async fn send(&mut self, octets: &[u8]) -> Result<(), WireEnd> {
        let written = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        match timeout(WRITE_TIME, written).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(WireEnd::Closed),
        }
    }

    /// The last word. What still comes is read and dropped, so that the word is not lost with it.
    async fn farewell(&mut self, octets: &[u8]) {
        let last = async {
            if self.send(octets).await.is_ok() && self.stream.shutdown().await.is_ok() {
                let mut dropped = [0; 1_024];
                while let Ok(1..) = self.stream.read(&mut dropped).await {}
            }
        };
        let _ = timeout(FAREWELL, last).await;
    }
}

/// What happens next on a connection.
enum Next {
    Closing,
    Stopping,
    Tick,
    Tell(Vec<Message>),
    Read(Read),
}

/// One connection of an admitted agent.
struct Connection {
    side: Arc<Side>,
    session: Arc<Session>,
    closing: CancellationToken,
    stop: CancellationToken,
    /// Until the Logout is said: then the bot may log on again at once.
    lease: Option<Lease>,
    fix: FixSession,
    wire: Wire,
}

impl Connection {
    async fn run(mut self, first: Result<Message, DecodeError>) {
        let at = self.wire.at(&self.side.gateway);
        let mut acts = match first {
            Ok(message) => self.fix.received(message, at),
            Err(error) => self.fix.unreadable(&error, at),
        };
        self.keep();
        if !self.fix.is_on() {
            let octets: Vec<u8> = acts.into_iter().flat_map(octets_of).collect();
            tracing::info!(agent = %self.session.slot.agent, address = %self.session.address, "a FIX Logon was refused");
            return self.farewell(&octets).await;
        }
        let begun = tokio::select! {
            () = self.closing.cancelled() => return self.end(None).await,
            begun = Feed::begin(&self.side.gateway, &self.session.slot) => begun,
        };
        let (mut feed, book) = match begun {
            Ok(begun) => begun,
            Err(why) => return self.end(Some(format!("{}: {why}", Code::LedgerUnavailable))).await,
        };
        let mut desk = Desk::new(self.side.clone(), self.session.clone(), book);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ended = loop {
            if let Err(ended) = self.act(std::mem::take(&mut acts), &mut desk).await {
                break ended;
            }
            let next = tokio::select! {
                biased;
                () = self.closing.cancelled() => Next::Closing,
                () = self.stop.cancelled() => Next::Stopping,
                next = next(&mut self.wire, &mut desk, &mut feed, &mut ticks) => next,
            };
            match self.after(next).await {
                Ok(more) => acts = more,
                Err(ended) => break ended,
            }
        };
        if let Ended::With(why) = ended {
            self.last_news(&mut feed, &mut desk).await;
            self.end(why).await;
        }
        desk.leave();
    }

    /// What the machine makes of what happened.
    async fn after(&mut self, next: Next) -> Result<Vec<Act>, Ended> {
        let at = self.wire.at(&self.side.gateway);
        match next {
            Next::Closing => Err(Ended::With(None)),
            Next::Stopping => Err(Ended::With(Some("the gateway is stopping; log on again".to_owned()))),
            Next::Tick => match reason_to_end(&self.side.gateway, &self.session) {
                Some(why) => Err(Ended::With(Some(why))),
                None => Ok(self.fix.tick(at)),
            },
            Next::Tell(messages) => {
                self.tell(&messages).await?;
                Ok(Vec::new())
            }
            Next::Read(Ok(Ok(message))) => Ok(self.fix.received(message, at)),
            Next::Read(Ok(Err(error))) => Ok(self.fix.unreadable(&error, at)),
            Next::Read(Err(WireEnd::Broken(error))) => {
                tracing::info!(agent = %self.session.slot.agent, %error, "a FIX session sent what is no message");
                Err(Ended::With(Some(error.to_string())))
            }
            Next::Read(Err(WireEnd::Closed)) => Err(Ended::Silently),
        }
    }

    async fn act(&mut self, acts: Vec<Act>, desk: &mut Desk) -> Result<(), Ended> {
        self.keep();
        let mut octets = Vec::new();
        for act in acts {
            match act {
                Act::Close => {
                    self.farewell(&octets).await;
                    return Err(Ended::Said);
                }
                Act::Deliver(message) => {
                    // Whatever was read before it was known: after a halt nothing is taken any more.
                    if let Some(why) = reason_to_end(&self.side.gateway, &self.session) {
                        return Err(Ended::With(Some(why)));
                    }
                    let answers = desk.take(&message);
                    self.tell(&answers).await?;
                }
                other => octets.extend(octets_of(other)),
            }
        }
        self.write(&octets).await
    }

    /// The numbers for the next connection, however this one ends.
    fn keep(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.numbers = self.fix.numbers();
        }
    }

    /// The last word of the session.
    async fn farewell(&mut self, octets: &[u8]) {
        self.keep();
        self.lease = None;
        self.wire.farewell(octets).await;
    }

    async fn tell(&mut self, messages: &[Message]) -> Result<(), Ended> {
        let at = self.wire.at(&self.side.gateway);
        let octets: Vec<u8> = messages.iter().flat_map(|message| self.fix.send(message, at)).collect();
        self.keep();
        self.write(&octets).await
    }

    /// A bot that does not read must not keep its session open past a halt.
    async fn write(&mut self, octets: &[u8]) -> Result<(), Ended> {
        if octets.is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            sent = self.wire.send(octets) => sent.map_err(|_| Ended::Silently),
            () = self.closing.cancelled() => Err(Ended::Silently),
        }
    }

    /// What is in the ledger already, such as the refusal that told of the halt, leaves before the Logout.
    async fn last_news(&mut self, feed: &mut Feed, desk: &mut Desk) {
        if let Ok(Ok(entries)) = timeout(FAREWELL / 10, feed.read()).await {
            let at = self.wire.at(&self.side.gateway);
            let news = desk.news(&entries);
            let octets: Vec<u8> = news.iter().flat_map(|message| self.fix.send(message, at)).collect();
            let _ = timeout(FAREWELL, self.wire.send(&octets)).await;
        }
    }

    /// What closed the session: the state may be folded anew at this moment, and say it only then.
    async fn closed_by(&self, gateway: &Gateway) -> String {
        loop {
            if let Some(why) = reason_to_end(gateway, &self.session) {
                return why;
            }
            tokio::time::sleep(FAREWELL / 50).await;
        }
    }

    /// Ends the session with a Logout that says why: what closed it, where no other reason is given.
    async fn end(mut self, why: Option<String>) {
        let gateway = self.side.gateway.clone();
        let why = match why {
            Some(why) => why,
            None => timeout(FAREWELL, self.closed_by(&gateway))
                .await
                .unwrap_or_else(|_| "the gateway closed this agent's connections; its standing says why".to_owned()),
        };
        tracing::info!(agent = %self.session.slot.agent, %why, "a FIX session ends");
        let logout = self.fix.logout(&why, self.wire.at(&gateway));
        self.farewell(&logout).await;
    }
}

/// How a session ends.
enum Ended {
    /// With a Logout that gives this reason, or the one that closed it.
    With(Option<String>),
    /// The Logout has been said.
    Said,
    /// Nobody is there to hear.
    Silently,
}

fn octets_of(act: Act) -> Vec<u8> {
    match act {
        Act::Send(octets) | Act::LoggedOn(octets) => octets,
        Act::Deliver(_) | Act::Close => Vec::new(),
    }
}

/// The next thing that happens, whatever comes first. Nothing is lost of what does not.
async fn next(wire: &mut Wire, desk: &mut Desk, feed: &mut Feed, ticks: &mut tokio::time::Interval) -> Next {
    let room = desk.has_room();
    tokio::select! {
        _ = ticks.tick() => Next::Tick,
        messages = desk.ended() => Next::Tell(messages),
        entries = feed.next() => Next::Tell(desk.news(&entries)),
        read = wire.next(), if room => Next::Read(read),
    }
}
