//! Webhooks: whoever subscribes is told within half a second, again until it listens, and never through our own walls.

mod backoff;
mod client;
mod config;
mod message;
mod networks;
mod people;
mod progress;
mod signed;
#[cfg(test)]
mod tests;
mod worker;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use extensions::{Clock, Random};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use backoff::MOST_ATTEMPTS;
pub use client::ATTEMPT_TIMEOUT;
pub use config::{DEFAULT_KINDS, Format, PAGED_KINDS, Secret, SubscriptionConfig, SubscriptionError};
pub use progress::MOST_DEAD;
pub(crate) use signed::keep;
pub use signed::{Rules, Signed};
pub use worker::{MOST_IN_FLIGHT, MOST_PENDING};

use crate::log::Log;
use config::Subscription;
use progress::Progress;
use worker::{Command, Shared, Worker};

/// Subscriptions one house may have.
pub const MOST_SUBSCRIPTIONS: usize = 64;
/// Commands that wait for one worker.
const MOST_COMMANDS: usize = 64;

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeadLetter {
    /// Attempts made.
    pub attempts: u32,
    /// The ledger position of the entry it tells of.
    pub position: u64,
    /// The subscription.
    pub subscription: String,
}

/// Why a dead letter is not tried again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// No such subscription.
    #[error("there is no webhook {0:?}, neither in the configuration nor signed by officers")]
    Unknown(String),
    /// Not dead.
    #[error("webhook {subscription} has no dead letter for entry {position}")]
    NotDead {
        /// The subscription.
        subscription: String,
        /// The position asked for.
        position: u64,
    },
    /// The worker is busy or gone.
    #[error("webhook {0} cannot take it now; try again")]
    Busy(String),
}

struct Handle {
    commands: mpsc::Sender<Command>,
    progress: Arc<Mutex<Progress>>,
    /// What officers signed; none for one of the configuration.
    signed: Option<Signed>,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

/// The running webhooks.
pub struct Webhooks {
    handles: Mutex<BTreeMap<String, Handle>>,
    outside: Outside,
    stop: CancellationToken,
    workers: TaskTracker,
}

/// What webhooks need from outside.
#[derive(Clone)]
pub struct Outside {
    /// The real clock.
    pub clock: Arc<dyn Clock>,
    /// The ledger.
    pub log: Arc<dyn Log>,
    /// For jitter.
    pub random: Arc<Mutex<dyn Random + Send>>,
    /// Whom to trust behind `https`.
    pub tls: Arc<rustls::ClientConfig>,
}

impl Webhooks {
    /// Starts one worker for each subscription; they end with `stop`.
    ///
    /// # Errors
    /// When a subscription is not what it should be; then none is started.
    pub fn start(
        subscriptions: &BTreeMap<String, SubscriptionConfig>,
        outside: &Outside,
        stop: &CancellationToken,
    ) -> Result<Self, SubscriptionError> {
        let checked = subscriptions
            .iter()
            .map(|(name, config)| Subscription::new(name, config));
        let checked = checked.collect::<Result<Vec<_>, _>>()?;
        if let Some(over) = checked.get(MOST_SUBSCRIPTIONS) {
            return Err(SubscriptionError::Name(format!(
                "{} (more than {MOST_SUBSCRIPTIONS})",
                over.name
            )));
        }
        let webhooks = Self {
            handles: Mutex::default(),
            outside: outside.clone(),
            stop: stop.clone(),
            workers: TaskTracker::new(),
        };
        for subscription in checked {
            let name = subscription.name.clone();
            let handle = webhooks.spawn(subscription, None);
            webhooks.handles().insert(name, handle);
        }
        webhooks.workers.close();
        Ok(webhooks)
    }

    fn handles(&self) -> MutexGuard<'_, BTreeMap<String, Handle>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A subscription's worker.
    fn spawn(&self, subscription: Subscription, signed: Option<Signed>) -> Handle {
        let (commands, receiver) = mpsc::channel(MOST_COMMANDS);
        let progress = Arc::new(Mutex::new(Progress::default()));
        let shared = Shared {
            clock: Arc::clone(&self.outside.clock),
            log: Arc::clone(&self.outside.log),
            random: Arc::clone(&self.outside.random),
            tls: Arc::clone(&self.outside.tls),
        };
        let since = signed.as_ref().map(|one| one.since);
        let worker = Worker::new(subscription, shared, receiver, Arc::clone(&progress), since);
        let stop = self.stop.child_token();
        Handle {
            commands,
            progress,
            signed,
            worker: self.workers.spawn(worker.run(stop.clone())),
            stop,
        }
    }

    /// Sends every subscription a sign of life. A worker that is busy says nothing, which is a sign too.
    pub fn heartbeat(&self) {
        for handle in self.handles().values() {
            let _ = handle.commands.try_send(Command::Heartbeat);
        }
    }

    /// The messages that were given up.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        let of = |(name, handle): (&String, &Handle)| {
            let progress = handle.progress.lock().unwrap_or_else(PoisonError::into_inner);
            let letter = |(position, attempts): (&u64, &u32)| DeadLetter {
                attempts: *attempts,
                position: *position,
                subscription: name.clone(),
            };
            progress.dead.iter().map(letter).collect::<Vec<_>>()
        };
        self.handles().iter().flat_map(of).collect()
    }

    /// Tries a dead letter again, with a fresh budget of attempts.
    ///
    /// # Errors
    /// When there is no such letter, or its worker cannot take it now.
    pub async fn replay(&self, subscription: &str, position: u64) -> Result<(), ReplayError> {
        let commands = self.handles().get(subscription).map(|handle| handle.commands.clone());
        let commands = commands.ok_or_else(|| ReplayError::Unknown(subscription.to_owned()))?;
        let busy = || ReplayError::Busy(subscription.to_owned());
        let (sender, answer) = oneshot::channel();
        commands
            .try_send(Command::Replay(position, sender))
            .map_err(|_| busy())?;
        match answer.await {
            Ok(true) => Ok(()),
            Ok(false) => Err(ReplayError::NotDead {
                subscription: subscription.to_owned(),
                position,
            }),
            Err(_) => Err(busy()),
        }
    }

    /// Waits until all workers have ended.
    pub async fn ended(&self) {
        self.workers.wait().await;
    }
}
