//! One subscription's worker: follows the ledger, sends each entry it wants at once, and again until it is taken or dead.
//!
//! It shares nothing with other subscriptions, so a receiver that swallows everything delays only itself. When it cannot keep
//! up it stops reading; the ledger waits for it, nobody else does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use extensions::{Clock, Random};
use ledger::CommittedEntry;
use revocation_core::jobs::{DeliveryAttempted, DeliveryDead, DeliveryEvent, DeliverySubscribed};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::{MOST_ATTEMPTS, wait};
use super::client::{Outcome, Outgoing, send};
use super::config::{Sender, Subscription};
use super::message::{CONTENT_TYPE, Message, id_of, signatures};
use super::progress::Progress;
use crate::follow::Follower;
use crate::log::{AnyRecord, Log, LogError, Report};

/// Messages of one subscription that wait for their next attempt.
pub const MOST_PENDING: usize = 512;
/// Attempts of one subscription at once.
pub const MOST_IN_FLIGHT: usize = 4;
/// How long a worker waits after the ledger could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// What a worker can be told.
pub(super) enum Command {
    Heartbeat,
    /// Try a dead letter again.
    Replay(u64, oneshot::Sender<bool>),
}

/// What all workers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: Arc<dyn Log>,
    pub(super) random: Arc<Mutex<dyn Random + Send>>,
    pub(super) tls: Arc<rustls::ClientConfig>,
}

struct Waiting {
    attempts: u32,
    budget: u32,
    due: Instant,
    entry: Arc<CommittedEntry>,
    in_flight: bool,
}

struct Finished {
    entry: Option<u64>,
    outcome: Outcome,
}

pub(super) struct Worker {
    commands: mpsc::Receiver<Command>,
    flights: JoinSet<Finished>,
    pending: BTreeMap<u64, Waiting>,
    progress: Arc<Mutex<Progress>>,
    shared: Shared,
    /// For one that officers signed: where they added it. What came before is not its business, also when its name had been used before.
    since: Option<u64>,
    subscription: Arc<Subscription>,
}

impl Worker {
    pub(super) fn new(
        subscription: Subscription,
        shared: Shared,
        commands: mpsc::Receiver<Command>,
        progress: Arc<Mutex<Progress>>,
        since: Option<u64>,
    ) -> Self {
        Self {
            commands,
            flights: JoinSet::new(),
            pending: BTreeMap::new(),
            progress,
            shared,
            since,
            subscription: Arc::new(subscription),
        }
    }

    /// Works until `stop`. What is in flight then is sent again at the next start.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut follower = loop {
            match self.begin().await {
                Ok(follower) => break follower,
                Err(error) => {
                    tracing::warn!(webhook = self.subscription.name, %error, "deliveries wait for the ledger")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(READ_AGAIN) => {}
            }
        };
        loop {
            self.launch(&follower);
            let room = self.pending.len() < MOST_PENDING;
            let due = self.next_due();
            tokio::select! {
                () = stop.cancelled() => return,
                Some(command) = self.commands.recv() => self.obey(command).await,
                Some(finished) = self.flights.join_next() => {
                    if let Ok(finished) = finished {
                        self.settle(finished).await;
                    }
                }
                read = follower.next(), if room => match read {
                    Ok(entries) => self.take(entries).await,
                    Err(error) => {
                        tracing::warn!(webhook = self.subscription.name, %error, "deliveries wait for the ledger");
                        tokio::time::sleep(READ_AGAIN).await;
                    }
                },
                () = sleep_until(due) => {}
            }
        }
    }

    /// Reads what was done before; a subscription never seen begins at the ledger's end, and says so.
    async fn begin(&mut self) -> Result<Follower, LogError> {
        let log = Arc::clone(&self.shared.log);
        let mut progress = Progress::read(log.as_ref(), &self.subscription.stream).await?;
        let through = match (progress.through, self.since) {
            (Some(through), None) => through,
            (Some(through), Some(since)) if since <= through => through,
            (_, since) => {
                let from = since.unwrap_or_else(|| log.size());
                let subscription = self.subscription.name.clone();
                let report = Report {
                    at: self.shared.clock.now(),
                    id: since.map_or("subscribed".to_owned(), |since| format!("subscribed-{since}")),
                    record: AnyRecord::new(DeliverySubscribed { from, subscription }),
                    tasks: Vec::new(),
                };
                log.report(report).await?;
                progress.begin_at(from);
                from
            }
        };
        for (position, failing) in progress.failing.clone() {
            if let Some(entry) = log.read_range(position, 1).await?.into_iter().next() {
                let budget = failing.budget.max(failing.attempts + 1);
                self.wait_for(entry, failing.attempts, budget);
            }
        }
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner) = progress;
        Ok(Follower::new(log, through))
    }

    fn progress<T>(&self, with: impl FnOnce(&mut Progress) -> T) -> T {
        with(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn wait_for(&mut self, entry: Arc<CommittedEntry>, attempts: u32, budget: u32) {
        let waiting = Waiting {
            attempts,
            budget,
            due: Instant::now(),
            in_flight: false,
            entry,
        };
        self.pending.insert(waiting.entry.position, waiting);
    }

    async fn take(&mut self, entries: Vec<Arc<CommittedEntry>>) {
        for entry in entries {
            if entry.stream == self.subscription.stream {
                self.asked(&entry).await;
            }
            let known = self.progress(|progress| progress.knows(entry.position));
            if self.subscription.wants(&entry.kind) && !known {
                self.wait_for(entry, 0, MOST_ATTEMPTS);
            }
        }
    }

    fn next_due(&self) -> Option<Instant> {
        if self.flights.len() >= MOST_IN_FLIGHT {
            return None;
        }
        self.pending
            .values()
            .filter(|waiting| !waiting.in_flight)
            .map(|waiting| waiting.due)
            .min()
    }

    /// Starts what is due, first attempts before repeated ones, within [`MOST_IN_FLIGHT`].
    fn launch(&mut self, follower: &Follower) {
        let now = Instant::now();
        while self.flights.len() < MOST_IN_FLIGHT {
            let ready = self
                .pending
                .iter()
                .filter(|(_, waiting)| !waiting.in_flight && waiting.due <= now);
            let Some(position) = ready
                .min_by_key(|(position, waiting)| (waiting.attempts, **position))
                .map(|(at, _)| *at)
            else {
                return;
            };
            let first = self
                .pending
                .iter()
                .find(|(_, waiting)| waiting.attempts == 0)
                .map(|(at, _)| *at);
            let through = first.unwrap_or(follower.position());
            let Some(waiting) = self.pending.get_mut(&position) else {
                return;
            };
            waiting.in_flight = true;
            let attempt = waiting.attempts + 1;
            let message = self.subscription.message(&self.shared.log.id(), &waiting.entry);
            self.fly(message, attempt, through);
        }
    }

    /// One attempt and its record, as a task of its own.
    fn fly(&mut self, message: Message, attempt: u32, through: u64) {
        let (shared, subscription) = (self.shared.clone(), Arc::clone(&self.subscription));
        self.flights.spawn(async move {
            let outcome = deliver(&shared, &subscription, &message).await;
            let (status, fault) = match &outcome {
                Outcome::Taken(status) => (Some(*status), None),
                Outcome::Failed { status, fault } => (*status, Some(fault.clone())),
                Outcome::Gone => (Some(410), Some("the receiver is gone for good (410)".to_owned())),
            };
            let record = DeliveryAttempted {
                attempt,
                entry: message.entry,
                fault,
                message: message.id.clone(),
                status,
                subscription: subscription.name.clone(),
                through,
            };
            report(
                &shared,
                format!("attempt-{}-{attempt}", message.id),
                AnyRecord::new(record),
            )
            .await;
            let entry = message.entry;
            Finished { entry, outcome }
        });
    }

    async fn settle(&mut self, finished: Finished) {
        let Some(position) = finished.entry else {
            return;
        };
        let Some(waiting) = self.pending.get_mut(&position) else {
            return;
        };
        waiting.in_flight = false;
        waiting.attempts += 1;
        let attempts = waiting.attempts;
        let fault = match finished.outcome {
            Outcome::Taken(_) => {
                self.pending.remove(&position);
                return;
            }
            Outcome::Failed { fault, .. } if attempts < waiting.budget => {
                let mut random = self.shared.random.lock().unwrap_or_else(PoisonError::into_inner);
                let pause = wait(attempts, &mut *random);
                tracing::info!(
                    webhook = self.subscription.name,
                    position,
                    attempts,
                    fault,
                    ?pause,
                    "not delivered"
                );
                waiting.due = Instant::now() + pause;
                return;
            }
            Outcome::Failed { fault, .. } => fault,
            Outcome::Gone => "the receiver is gone for good (410)".to_owned(),
        };
        tracing::error!(
            webhook = self.subscription.name,
            position,
            attempts,
            fault,
            "given up; replay when mended"
        );
        self.pending.remove(&position);
        self.progress(|progress| progress.bury(position, attempts));
        let message = id_of(position, &self.subscription.name);
        let id = format!("dead-{message}-{attempts}");
        let record = DeliveryDead {
            attempts,
            entry: Some(position),
            fault,
            message,
            subscription: self.subscription.name.clone(),
        };
        report(&self.shared, id, AnyRecord::new(record)).await;
    }

    /// What an officer asked for in the ledger, unless the start has folded it in already.
    async fn asked(&mut self, entry: &CommittedEntry) {
        let Some(Ok(DeliveryEvent::Asked(asked))) = DeliveryEvent::decode(&entry.kind, entry.body()) else {
            return;
        };
        if entry.position < self.progress(|progress| progress.asked) {
            return;
        }
        match asked.replay {
            Some(position) => drop(self.again(position).await),
            None => self.sign_of_life(true),
        }
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Heartbeat => self.sign_of_life(false),
            Command::Replay(position, answer) => {
                let room = self.pending.len() < MOST_PENDING;
                let found = room && self.again(position).await;
                let _ = answer.send(found);
            }
        }
    }

    /// People are not told each minute that nothing happened: only when an officer asked for it.
    fn sign_of_life(&mut self, asked: bool) {
        let for_programs = matches!(self.subscription.sender, Sender::CloudEvents(_));
        if self.flights.len() < MOST_IN_FLIGHT && (asked || for_programs) {
            let log = &self.shared.log;
            let (ledger, size, now) = (log.id(), log.size(), self.shared.clock.now());
            self.fly(self.subscription.sign_of_life(&ledger, size, now), 1, 0);
        }
    }

    /// Tries a dead letter again; whether there was one.
    async fn again(&mut self, position: u64) -> bool {
        let entry = self.shared.log.read_range(position, 1).await;
        let Some(entry) = entry.ok().and_then(|found| found.into_iter().next()) else {
            return false;
        };
        let Some((_, failing)) = self.progress(|progress| progress.revive(position)) else {
            return false;
        };
        self.wait_for(entry, failing.attempts, failing.budget);
        true
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

async fn deliver(shared: &Shared, subscription: &Subscription, message: &Message) -> Outcome {
    let out = match &subscription.sender {
        Sender::CloudEvents(signers) => {
            let sent = shared.clock.now();
            let Some(signature) = signatures(signers, message, sent) else {
                let fault = "the message could not be signed".to_owned();
                return Outcome::Failed { status: None, fault };
            };
            Outgoing {
                body: message.body.clone(),
                content_type: CONTENT_TYPE,
                headers: vec![
                    (standardwebhooks::HEADER_WEBHOOK_ID, message.id.clone()),
                    (standardwebhooks::HEADER_WEBHOOK_TIMESTAMP, sent.seconds().to_string()),
                    (standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature),
                ],
            }
        }
        Sender::Pagerduty(_) | Sender::Slack => Outgoing {
            body: message.body.clone(),
            content_type: "application/json",
            headers: Vec::new(),
        },
    };
    send(&subscription.target, &subscription.allow, &shared.tls, out).await
}

/// Records; a record that is lost means one more delivery after a restart, never one less.
async fn report(shared: &Shared, id: String, record: AnyRecord) {
    let report = Report {
        at: shared.clock.now(),
        id,
        record,
        tasks: Vec::new(),
    };
    if let Err(error) = shared.log.report(report).await {
        tracing::warn!(%error, "a delivery was not recorded");
    }
}
