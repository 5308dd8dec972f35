//! One session of `/v1/stream`: what the bot asks, what it is answered, what it is told, and how it ends.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::to_bytes,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
};
use extensions::Clock as _;
use futures_util::{SinkExt as _, StreamExt as _};
use gateway_policy::{Code, Validity};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use revocation_core::Standing;
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{MissedTickBehavior, timeout, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;
use tokio_websockets::{CloseCode, Message, WebSocketStream};

use super::{
    Dialect, Link,
    message::{self, Asked, Op},
};
use crate::{
    api::{
        Side,
        binance::user_stream,
        events::{Feed, Told},
        orders::{self, problem},
    },
    listener::streams::StreamBounds,
    session::Session,
};

/// Events read ahead of a bot that reads slowly; the rest stays in the ledger.
const EVENTS_WAITING: usize = 64;
/// The longest body of an answer.
const ANSWER_BYTES: usize = 1 << 20;
/// How often expiry, silence and pings are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Why a session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Agent, certificate or owner are revoked.
    Revoked,
    /// The certificate has ended.
    Expired,
    /// The gateway stops.
    Stopping,
    /// Nothing was heard for too long.
    Idle,
    /// The bot does not read what it is told.
    Slow,
    /// A binary message.
    Binary,
    /// The bot said goodbye, or closed.
    Clean,
    /// The connection broke, or the bot does not speak the protocol.
    Broken,
}

/// What happens next.
enum Step {
    Look,
    Answered(String),
    Heard(Option<Result<Message, tokio_websockets::Error>>),
    Told(Told),
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A running session.
pub(super) struct Talk {
    side: Arc<Side>,
    session: Arc<Session>,
    link: Link,
    socket: Socket,
    bounds: StreamBounds,
    work: JoinSet<String>,
    heard: Instant,
    pinged: Instant,
    dialect: Dialect,
}

impl Talk {
    pub(super) fn new(side: Arc<Side>, session: Arc<Session>, link: Link, socket: Socket, dialect: Dialect) -> Self {
        let bounds = side.gateway.settings.stream;
        Self {
            side,
            session,
            link,
            socket,
            bounds,
            work: JoinSet::new(),
            heard: Instant::now(),
            pinged: Instant::now(),
            dialect,
        }
    }

    /// Speaks until the end; whether that was the bot's wish, or a halt's, which has its own plan for what is open.
    pub(super) async fn run(mut self, mut feed: Feed) -> bool {
        let (told, mut events) = mpsc::channel(EVENTS_WAITING);
        // A task of its own: a read of the ledger is not begun again each time something else happens here.
        let _feeding = AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                if let Some(event) = feed.next().await
                    && told.send(event).await.is_err()
                {
                    return;
                }
            }
        }));
        let end = self.until_end(&mut events).await;
        tracing::info!(agent = %self.session.slot.agent, ?end, "a stream ends");
        self.farewell(end).await;
        // What was begun goes on as it would after a lost connection: its records are read by id.
        self.work.detach_all();
        matches!(end, End::Clean | End::Revoked)
    }

    async fn until_end(&mut self, events: &mut mpsc::Receiver<Told>) -> End {
        let mut tick = tokio::time::interval(TICK.min(self.bounds.ping));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let room = self.work.len() < self.bounds.in_flight;
            let step = tokio::select! {
                biased;
                () = self.link.closing.cancelled() => return End::Revoked,
                () = self.link.upgrades.stopping.cancelled() => return End::Stopping,
                _ = tick.tick() => Step::Look,
                Some(answer) = self.work.join_next() => match answer {
                    Ok(answer) => Step::Answered(answer),
                    Err(_) => return End::Broken,
                },
                Some(told) = events.recv() => Step::Told(told),
                heard = self.socket.next(), if room => Step::Heard(heard),
            };
            let done = match step {
                Step::Look => self.look().await,
                Step::Answered(answer) => self.put(Message::text(answer)).await,
                Step::Told(told) => self.tell(&told).await,
                Step::Heard(heard) => self.hear(heard).await,
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    /// Expiry by the real clock, silence, pings.
    async fn look(&mut self) -> Result<(), End> {
        let now = self.side.gateway.real_clock.now();
        if self.session.certificate_at(now).validity != Validity::Current {
            return Err(End::Expired);
        }
        if self.heard.elapsed() > self.bounds.idle {
            return Err(End::Idle);
        }
        if self.heard.elapsed().min(self.pinged.elapsed()) > self.bounds.ping {
            self.pinged = Instant::now();
            return self.put(Message::ping("")).await;
        }
        Ok(())
    }

    /// Sends, within the time that a bot may take to read; a halt does not wait for it.
    async fn put(&mut self, message: Message) -> Result<(), End> {
        let sent = self.socket.send(message);
        tokio::select! {
            biased;
            () = self.link.closing.cancelled() => Err(End::Revoked),
            () = self.link.upgrades.stopping.cancelled() => Err(End::Stopping),
            sent = timeout(self.bounds.slow, sent) => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(End::Broken),
                Err(_) => Err(End::Slow),
            },
        }
    }

    async fn hear(&mut self, heard: Option<Result<Message, tokio_websockets::Error>>) -> Result<(), End> {
        let Some(Ok(message)) = heard else {
            return Err(End::Broken);
        };
        self.heard = Instant::now();
        if message.is_close() {
            return Err(End::Clean);
        }
        if message.is_ping() {
            // The pong is queued: a bot that pings and does not read fills no memory.
            let flushed = timeout(self.bounds.slow, self.socket.flush()).await;
            return flushed.map_err(|_| End::Slow)?.map_err(|_| End::Broken);
        }
        match message.as_text() {
            Some(text) => self.asked(text).await,
            None if message.is_pong() => Ok(()),
            None => Err(End::Binary),
        }
    }

    async fn tell(&mut self, told: &Told) -> Result<(), End> {
        let message = match (self.dialect, &told.entry) {
            (Dialect::Own, _) => Some(told.message()),
            (Dialect::Venue { combined }, Some(entry)) => {
                user_stream::told(&self.side, &self.session, entry, combined).await
            }
            (Dialect::Venue { .. }, None) => None,
        };
        match message {
            Some(message) => self.put(Message::text(message)).await,
            None => Ok(()),
        }
    }

    async fn asked(&mut self, text: &str) -> Result<(), End> {
        if self.dialect != Dialect::Own {
            return self
                .put(Message::text(user_stream::answered(&self.session, text)))
                .await;
        }
        let (gateway, slot) = (&self.side.gateway, &self.session.slot);
        let Asked { id, op } = match message::parse(text) {
            Ok(asked) => asked,
            Err(fault) => {
                let refused = match orders::admit(gateway, slot) {
                    Ok(()) => orders::no_order(gateway, slot, problem(Code::OrderMalformed, fault.why)),
                    Err(refused) => refused.into_response(),
                };
                return self.put(Message::text(answer(fault.id, refused).await)).await;
            }
        };
        let (side, session) = (self.side.clone(), self.session.clone());
        match op {
            Op::Order(order) => {
                // Counted before it is begun, in the order in which messages come.
                if let Err(refused) = orders::admit(gateway, slot) {
                    let refused = answer(id, refused.into_response()).await;
                    return self.put(Message::text(refused)).await;
                }
                let order = order.to_owned();
                let placed = async move { orders::bare(&side, &session, order.as_bytes()).await };
                self.work.spawn(async move { answer(id, placed.await).await });
            }
            Op::Cancel(order) => {
                let cancelled = orders::delete_one(state(side), of(session), Ok(Path(order)));
                self.work.spawn(async move { answer(id, cancelled.await).await });
            }
            Op::CancelAll => {
                let cancelled = orders::delete_all(state(side), of(session));
                self.work.spawn(async move { answer(id, cancelled.await).await });
            }
            Op::Goodbye => return Err(End::Clean),
        }
        Ok(())
    }

    /// Nothing is read any more. The answers that are on their way may still leave, then the close with its reason.
    async fn farewell(&mut self, end: End) {
        let deadline = tokio::time::Instant::now() + self.bounds.farewell;
        if !matches!(end, End::Slow | End::Broken) {
            while let Ok(Some(Ok(answer))) = timeout_at(deadline, self.work.join_next()).await {
                let _ = timeout_at(deadline, self.socket.send(Message::text(answer))).await;
            }
        }
        let (code, reason) = self.reason(end);
        let closed = async {
            let _ = self.socket.send(Message::close(Some(code), reason)).await;
            // The bot's own close; cutting at once could take the reason away from it.
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = timeout(self.bounds.farewell, closed).await;
    }

    fn reason(&self, end: End) -> (CloseCode, &'static str) {
        match end {
            End::Revoked if self.certificate_alone() => (CloseCode::POLICY_VIOLATION, "CERT_REVOKED"),
            End::Revoked => (CloseCode::POLICY_VIOLATION, "AGENT_REVOKED"),
            End::Expired => (CloseCode::POLICY_VIOLATION, "CERT_EXPIRED"),
            End::Slow => (
                CloseCode::POLICY_VIOLATION,
                "SLOW_READER: read faster, then resume with ?since=",
            ),
            End::Idle => (CloseCode::POLICY_VIOLATION, "IDLE: answer pings"),
            End::Binary => (CloseCode::UNSUPPORTED_DATA, "TEXT_ONLY: send JSON as text"),
            End::Stopping => (CloseCode::GOING_AWAY, "STOPPING: connect again"),
            End::Clean => (CloseCode::NORMAL_CLOSURE, ""),
            End::Broken => (CloseCode::PROTOCOL_ERROR, ""),
        }
    }

    /// Whether the certificate is revoked and the agent is not.
    fn certificate_alone(&self) -> bool {
        let (leaf, slot) = (self.session.certificate.leaf(), &self.session.slot);
        let halted = slot.has_unrecorded_halt();
        let inner = slot.lock();
        let agent = halted || inner.state.standing_at(self.side.gateway.clock.now()) == Standing::Revoked;
        let state = &inner.state;
        !agent && state.certificate_revoked(&leaf.serial(), leaf.not_before(), leaf.not_after())
    }
}

fn state(side: Arc<Side>) -> axum::extract::State<Arc<Side>> {
    axum::extract::State(side)
}

fn of(session: Arc<Session>) -> axum::Extension<Arc<Session>> {
    axum::Extension(session)
}

/// The message for a route's answer: its status and its body as they are.
async fn answer(id: Option<String>, response: Response) -> String {
    let status = response.status().as_u16();
    let wait = response.headers().get(header::RETRY_AFTER);
    let wait = wait.and_then(|wait| wait.to_str().ok()?.parse::<u32>().ok());
    let wait = wait
        .map(|wait| format!(",\"retry_after_s\":{wait}"))
        .unwrap_or_default();
    let body = to_bytes(response.into_body(), ANSWER_BYTES).await.unwrap_or_default();
    let body = if body.is_empty() {
        "null".into()
    } else {
        String::from_utf8_lossy(&body)
    };
    let id = serde_json::Value::from(id);
    format!("{{\"body\":{body},\"id\":{id}{wait},\"status\":{status}}}")
}
