//! The role `revocation`, put together: follow the ledger, serve status, ask for CRLs, call webhooks, keep the calendar.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ca_core::events::CaCertificateUse;
use ca_core::succession::Issuing;
use extensions::{Clock, Digest, Signer};
use revocation_core::jobs::Job;
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::calendar::{Calendar, CalendarError, Due, Work, keep};
use crate::crl_job::CrlSource;
use crate::follow::Follower;
use crate::log::{Boxed, Log};
use crate::status::{OcspKey, Replies, StatusConfig, StatusListener, StatusState};
use crate::webhook::{self, Outside, Rules, Signed, SubscriptionConfig, SubscriptionError, Webhooks};

/// How often the watchdog looks at nextUpdate.
const WATCH_EVERY: Duration = Duration::from_secs(30);
/// How long the CRL job leaves the `ca` role to publish unasked, as it does when it sees the revocation itself.
const UNASKED_WITHIN: Duration = Duration::from_millis(250);
/// How long the CRL job waits for the list it asked for to arrive before it says that it failed.
const CRL_ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// How long a follower waits after the ledger could not be read.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// How the role is set up.
#[derive(Debug, Clone)]
pub struct RoleConfig {
    /// When the CRL's age is looked at, as a cron schedule with seconds, UTC. A list older than half its life is renewed.
    pub crl_schedule: String,
    /// When webhooks get a sign of life: each minute, so that silence shows.
    pub heartbeat_schedule: String,
    /// The status listener.
    pub status: StatusConfig,
    /// What counts for subscriptions that officers sign.
    pub signed_webhooks: Rules,
    /// The subscriptions of the configuration, by name.
    pub webhooks: BTreeMap<String, SubscriptionConfig>,
}

impl Default for RoleConfig {
    fn default() -> Self {
        Self {
            crl_schedule: "0 */5 * * * *".to_owned(),
            heartbeat_schedule: "30 * * * * *".to_owned(),
            status: StatusConfig::default(),
            signed_webhooks: Rules::default(),
            webhooks: BTreeMap::new(),
        }
    }
}

/// What the role needs from outside.
pub struct RoleOutside {
    /// Where CRLs come from.
    pub crl: Arc<dyn CrlSource>,
    /// The OCSP responder's own key. Its certificate is the one the ledger says is installed (`ca.certificate_installed` for
    /// `ocsp_responder`), and the next one when it comes. Without it OCSP answers `internalError`.
    pub ocsp: Option<Arc<dyn Signer>>,
    /// Real clock, ledger, randomness, trust.
    pub outside: Outside,
}

/// Why the role does not start.
#[derive(Debug, Error)]
pub enum RoleError {
    /// The listener.
    #[error("the status listener cannot listen on {address}: {source}")]
    Listen {
        /// Where it should have.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A subscription.
    #[error(transparent)]
    Subscription(#[from] SubscriptionError),
    /// A schedule.
    #[error(transparent)]
    Calendar(#[from] CalendarError),
}

/// The running role.
pub struct Role {
    address: SocketAddr,
    calendar: Option<Calendar>,
    replies: Arc<Replies>,
    state: Arc<StatusState>,
    stop: CancellationToken,
    tasks: TaskTracker,
    webhooks: Arc<Webhooks>,
}

impl Role {
    /// Starts everything; it ends with [`stop`](Self::stop).
    ///
    /// # Errors
    /// When an address, a subscription or a schedule is wrong; then nothing runs.
    pub async fn start(config: RoleConfig, given: RoleOutside) -> Result<Self, RoleError> {
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let Outside { clock, log, .. } = given.outside.clone();
        let state = Arc::new(StatusState::default());
        let replies = Arc::new(Replies::new(Arc::clone(&state), Arc::clone(&clock)));
        let listen = |source| RoleError::Listen {
            address: config.status.listen,
            source,
        };
        let bound = StatusListener::bind(
            &config.status,
            Arc::clone(&state),
            Arc::clone(&replies),
            Arc::clone(&clock),
        );
        let listener = bound.await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let webhooks = Arc::new(Webhooks::start(&config.webhooks, &given.outside, &stop)?);
        let (crl_due, beat_due) = (Due::default(), Due::default());
        let entries = vec![
            (config.crl_schedule, crl_due.clone()),
            (config.heartbeat_schedule, beat_due.clone()),
        ];
        let calendar = Calendar::start(entries).await?;
        let tasks = TaskTracker::new();
        tasks.spawn(listener.run(stop.clone()));
        let crl = Arc::new(CrlWork {
            clock: Arc::clone(&clock),
            source: Arc::clone(&given.crl),
            state: Arc::clone(&state),
        });
        let (hooks, wanted) = watch::channel(Vec::new());
        let keeping = webhook::keep(Arc::clone(&webhooks), config.signed_webhooks, wanted, stop.clone());
        tasks.spawn(keeping);
        let following = Following {
            clock: Arc::clone(&clock),
            crl_due: crl_due.clone(),
            hooks,
            log,
            ocsp: given.ocsp,
            replies: Arc::clone(&replies),
            source: given.crl,
            state: Arc::clone(&state),
        };
        tasks.spawn(following.run(crl, stop.clone(), tasks.clone()));
        tasks.spawn(keep(Arc::new(Heartbeat(Arc::clone(&webhooks))), beat_due, stop.clone()));
        tasks.spawn(watch(
            Arc::clone(&state),
            clock,
            config.status.bounds.crl_alarm_seconds,
            stop.clone(),
        ));
        tasks.close();
        drop(guard.disarm());
        Ok(Self {
            address,
            calendar: Some(calendar),
            replies,
            state,
            stop,
            tasks,
            webhooks,
        })
    }

    /// Where the status listener listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The OCSP replies.
    #[must_use]
    pub fn replies(&self) -> &Arc<Replies> {
        &self.replies
    }

    /// What is known and served; `health` holds the figures for `/readyz` and `/metrics`.
    #[must_use]
    pub fn state(&self) -> &Arc<StatusState> {
        &self.state
    }

    /// The webhooks, for dead letters and replay.
    #[must_use]
    pub fn webhooks(&self) -> &Arc<Webhooks> {
        &self.webhooks
    }

    /// Stops everything and waits for it.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(calendar) = self.calendar.take() {
            calendar.stop().await;
        }
        self.tasks.wait().await;
        self.webhooks.ended().await;
    }
}

/// The one follower that folds the ledger into the status state.
struct Following {
    clock: Arc<dyn Clock>,
    crl_due: Due,
    hooks: watch::Sender<Vec<Signed>>,
    log: Arc<dyn Log>,
    ocsp: Option<Arc<dyn Signer>>,
    replies: Arc<Replies>,
    source: Arc<dyn CrlSource>,
    state: Arc<StatusState>,
}

impl Following {
    /// Catches up first; only then is it known whether a CRL is due, and only then does the CRL job begin.
    async fn run(self, crl: Arc<CrlWork>, stop: CancellationToken, tasks: TaskTracker) {
        let mut follower = Follower::new(Arc::clone(&self.log), 0);
        let (mut caught_up, mut delegated, mut sought) = (false, Vec::new(), None);
        loop {
            let read = if caught_up {
                tokio::select! {
                    () = stop.cancelled() => return,
                    read = follower.next() => read,
                }
            } else {
                follower.available().await
            };
            match read {
                Ok(entries) if entries.is_empty() => {
                    caught_up = true;
                    self.hooks.send_replace(self.state.webhooks());
                    self.fetch(self.state.crl_wanted(), &mut sought).await;
                    tasks.spawn(keep(
                        Arc::clone(&crl) as Arc<dyn Work>,
                        self.crl_due.clone(),
                        stop.clone(),
                    ));
                }
                Ok(entries) => {
                    let changed = self.state.fold(&entries, self.clock.now());
                    if caught_up && changed.webhooks {
                        self.hooks.send_replace(self.state.webhooks());
                    }
                    if caught_up {
                        self.fetch(changed.crl_wanted, &mut sought).await;
                    }
                    self.delegate(&mut delegated);
                    if caught_up && changed.crl_due {
                        self.crl_due.now();
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the status service waits for the ledger");
                    tokio::select! {
                        () = stop.cancelled() => return,
                        () = tokio::time::sleep(READ_AGAIN) => {}
                    }
                }
            }
        }
    }

    /// Signs with the newest responder's certificate that each issuing CA has delegated to, whenever any of them has changed.
    fn delegate(&self, known: &mut Vec<(Bytes, Bytes)>) {
        let Some(signer) = &self.ocsp else { return };
        let responders = self.state.certificates(CaCertificateUse::OcspResponder);
        let issuing = self.state.certificates(CaCertificateUse::AgentIssuing);
        let of = |(index, certificate): (usize, &Bytes)| {
            let number = index + 1;
            let issuing = Issuing {
                certificate: certificate.to_vec(),
                number,
            };
            let responder = responders.iter().rev().find(|responder| issuing.issued(responder))?;
            Some((certificate.clone(), responder.clone()))
        };
        let installed: Vec<(Bytes, Bytes)> = issuing.iter().enumerate().filter_map(of).collect();
        if *known == installed {
            return;
        }
        let mut keys = Vec::new();
        for (issuer, responder) in &installed {
            match OcspKey::new(issuer, responder, Arc::clone(signer)) {
                Ok(key) => keys.push(key),
                Err(error) => tracing::error!(%error, "an installed OCSP responder cannot be used"),
            }
        }
        if !keys.is_empty() {
            self.replies.set_keys(keys);
        }
        *known = installed;
    }

    /// Takes a list that was too long for its entry. It is there before its entry is, so each is looked for once; if it is not, the CRL
    /// job asks for another.
    async fn fetch(&self, wanted: Option<Digest>, sought: &mut Option<Digest>) {
        let Some(digest) = wanted.filter(|digest| *sought != Some(*digest)) else {
            return;
        };
        *sought = Some(digest);
        match self.source.list(digest).await {
            Some(der) => self.state.provide_crl(der),
            None => tracing::error!(%digest, "the CRL's bytes are not to be had; another one will be asked for"),
        }
        // Of another CA, perhaps: each is looked for in its turn, once.
        let next = self.state.crl_wanted().filter(|next| *next != digest);
        if let Some(next) = next
            && let Some(der) = self.source.list(next).await
        {
            self.state.provide_crl(der);
        }
    }
}

/// The CRL job: asks when one is due, and is not content before the list has arrived.
struct CrlWork {
    clock: Arc<dyn Clock>,
    source: Arc<dyn CrlSource>,
    state: Arc<StatusState>,
}

impl Work for CrlWork {
    fn name(&self) -> &'static str {
        Job::Crl.as_str()
    }

    fn is_overdue(&self) -> bool {
        self.state.crl_due(self.clock.now())
    }

    fn run(&self) -> Boxed<'_, Result<(), String>> {
        Box::pin(async move {
            if !self.is_overdue() {
                return Ok(());
            }
            let unasked = async {
                while self.is_overdue() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            if tokio::time::timeout(UNASKED_WITHIN, unasked).await.is_ok() {
                return Ok(());
            }
            let before = self.state.crl_record().map(|crl| crl.number);
            self.source.request().await.map_err(|error| error.to_string())?;
            let arrived = async {
                while self.state.crl_record().map(|crl| crl.number) == before {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            match tokio::time::timeout(CRL_ARRIVES_WITHIN, arrived).await {
                Ok(()) => Ok(()),
                Err(_) => Err(format!("no new CRL arrived within {} s", CRL_ARRIVES_WITHIN.as_secs())),
            }
        })
    }
}

struct Heartbeat(Arc<Webhooks>);

impl Work for Heartbeat {
    fn name(&self) -> &'static str {
        Job::Heartbeat.as_str()
    }
    fn is_overdue(&self) -> bool {
        true
    }
    fn run(&self) -> Boxed<'_, Result<(), String>> {
        Box::pin(async {
            self.0.heartbeat();
            Ok(())
        })
    }
}

/// The watchdog: says aloud, again and again, that nextUpdate nears. It never stops anything of ours.
async fn watch(state: Arc<StatusState>, clock: Arc<dyn Clock>, alarm_seconds: i64, stop: CancellationToken) {
    let mut every = tokio::time::interval(WATCH_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = every.tick() => {}
        }
        let now = clock.now();
        state.forget(now);
        let left = state.health(now, alarm_seconds).crl_next_update_seconds;
        if left.is_some_and(|left| left < alarm_seconds) {
            tracing::error!(
                crl_next_update_seconds = left,
                "the CRL is about to end or has ended; third parties will notice"
            );
        }
    }
}

#[cfg(test)]
mod tests;
