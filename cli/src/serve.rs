//! The composition root: every role, its keys and its listeners in one process, in the start order of ARCHITECTURE §2.
//!
//! Head file and reserve file first (opening the ledger), views, then what follows it, then what takes orders. A role holds its own
//! keys alone; neither root's key is ever opened.

mod bots;
mod expiries;
mod house;
mod listeners;
mod operations;
mod registration;
mod status;

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use ca_keys::SecretString;
use ca_service::{CaConfig, CaKeys, CaService, authorise_checkpoint_key};
use extensions::{Clock, Timestamp, oids::Environment};
use gateway_service::{gateway::Gateway, instance::Instance};
use ledger::{CheckpointKey, Ledger, Writer};
use revocation_service::Role as StatusRole;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{SteppedClock, SystemClock},
    config::Config,
    founding,
};

use listeners::Listeners;

pub use house::Published;
pub use operations::Readiness;

/// How long what is under way may take to end after a stop.
const STOP_TIME: Duration = Duration::from_secs(5);

/// One of the four roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Issues certificates and CRLs; holds the issuing keys and the ledger root key.
    Ca,
    /// CRL, OCSP, CA certificates, webhooks, calendar.
    Revocation,
    /// The bots' listener and the venues.
    Gateway,
    /// The officers' API and enrolment.
    Console,
}

/// Which roles this process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Roles {
    /// All four.
    All,
    /// One alone: for a store that several processes share.
    Only(Role),
}

/// The two clocks. The decision clock may be stepped, under the sandbox environment alone.
#[derive(Clone)]
pub struct Clocks {
    real: Arc<dyn Clock>,
    stepped: Option<Arc<SteppedClock>>,
}

impl Clocks {
    /// The system's clock for both.
    #[must_use]
    pub fn system() -> Self {
        Self {
            real: Arc::new(SystemClock),
            stepped: None,
        }
    }

    /// A decision clock that a replay steps. [`run`] refuses it outside of a sandbox.
    #[must_use]
    pub fn stepped(clock: Arc<SteppedClock>) -> Self {
        Self {
            real: Arc::new(SystemClock),
            stepped: Some(clock),
        }
    }

    /// Both by another clock than the system's: what happens over months is tried in a moment.
    #[must_use]
    pub fn of(real: Arc<dyn Clock>) -> Self {
        Self { real, stepped: None }
    }

    /// Real time.
    #[must_use]
    pub fn real(&self) -> Arc<dyn Clock> {
        self.real.clone()
    }

    /// The time of decisions.
    #[must_use]
    pub fn decision(&self) -> Arc<dyn Clock> {
        match &self.stepped {
            Some(clock) => clock.clone(),
            None => self.real.clone(),
        }
    }
}

/// Where the roles listen; absent for roles that do not run here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Bots.
    pub gateway: Option<SocketAddr>,
    /// Bots that speak FIX.
    pub fix: Option<SocketAddr>,
    /// Officers.
    pub officers: Option<SocketAddr>,
    /// Enrolment.
    pub enrolment: Option<SocketAddr>,
    /// CRL, OCSP, CA certificates.
    pub status: Option<SocketAddr>,
    /// Health, readiness, metrics.
    pub operations: Option<SocketAddr>,
}

/// Running roles. Stop them with [`stop`](Self::stop).
pub struct Running {
    /// Where they listen.
    pub addresses: Addresses,
    /// The ledger.
    pub ledger: Ledger,
    /// The gateway instance, for its figures and states, and to refresh prices after a step of the clock.
    pub instance: Option<Instance>,
    /// The role `revocation`, for its state, webhooks and dead letters.
    pub status: Option<StatusRole>,
    /// The house's certificates.
    pub published: Arc<Published>,
    /// The issuing role.
    pub ca: Option<Arc<CaService>>,
    /// What ends the roles `ca` and `console` alone.
    issuing: CancellationToken,
    registering: CancellationToken,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// What every role is started from.
struct Start<'a> {
    config: &'a Config,
    clocks: &'a Clocks,
    ledger: &'a Ledger,
    keys: &'a CaKeys,
    passphrase: Option<&'a SecretString>,
    published: Arc<Published>,
    stop: CancellationToken,
}

impl Start<'_> {
    /// A writer of this process: its own short-lived key, authorised by the ledger root key.
    async fn writer(&self, name: &str) -> anyhow::Result<Writer> {
        let key = CheckpointKey::ephemeral(self.ledger.id(), name);
        let from = self.clocks.real().now();
        let authorisation = authorise_checkpoint_key(self.keys, self.ledger.id(), &key, from)
            .map_err(|error| anyhow::anyhow!("the ledger root key cannot sign: {error}"))?;
        Ok(self.ledger.writer(key, Some(authorisation)).await?)
    }

    fn key_file(&self, name: &str) -> anyhow::Result<Arc<dyn extensions::Signer>> {
        let path = self.config.paths.keys.join(format!("{name}.key"));
        let protection = founding::protection(self.passphrase);
        Ok(Arc::new(ca_keys::FileSigner::open(&path, protection)?))
    }
}

/// Refuses what this build or the house's environment does not permit.
fn permitted(config: &Config, roles: Roles, clocks: &Clocks) -> anyhow::Result<()> {
    if let Roles::Only(role) = roles {
        bail!(
            "--role {role:?} needs a store that several processes share; the embedded SQLite store has one process. \
             Run `mandatum serve` without --role: all four roles in one process"
        );
    }
    if clocks.stepped.is_some() && config.house.environment != Environment::Sandbox {
        bail!(
            "a stepped clock exists in the sandbox environment only; this house is {}",
            config.house.environment
        );
    }
    Ok(())
}

/// Starts the roles on the house that `config` names; they stop when `stop` is cancelled or by [`Running::stop`].
///
/// # Errors
/// When the house was not founded, another process has its ledger, a key or certificate cannot be used, an address is taken, or the
/// environment does not permit what is asked.
pub async fn run(config: &Config, roles: Roles, clocks: Clocks, stop: CancellationToken) -> anyhow::Result<Running> {
    permitted(config, roles, &clocks)?;
    let ledger = Ledger::open(founding::ledger_config(config, clocks.real()))
        .await
        .with_context(|| format!("the ledger in {} cannot be opened", config.paths.ledger.display()))?;
    let published = Arc::new(Published::read(config, &ledger).await?);
    let passphrase = founding::passphrase(config)?;
    let keys = keys(config, passphrase.as_ref(), &published)?;
    let start = Start {
        config,
        clocks: &clocks,
        ledger: &ledger,
        keys: &keys,
        passphrase: passphrase.as_ref(),
        published: published.clone(),
        stop: stop.child_token(),
    };
    let mut tasks = JoinSet::new();
    let ca = Arc::new(issuing(&start).await?);
    let (issuing, registering) = (start.stop.child_token(), start.stop.child_token());
    tasks.spawn(issue_until(ca.clone(), issuing.clone()));
    let status = status::start(&start).await?;
    let listeners = Arc::new(Listeners::open(&start).await?);
    tasks.spawn(listeners.clone().follow(ledger.clone(), start.stop.clone()));
    let registration = registration::start(&start, &listeners, &registering, &mut tasks).await?;
    let bots = bots::start(&start, &listeners).await?;
    let readiness = Arc::new(Readiness {
        gateway: bots.gateway().clone(),
        ledger: ledger.clone(),
        state: status.state().clone(),
        expiries: tokio::sync::Mutex::default(),
        listeners,
        published: published.clone(),
        real: clocks.real(),
        stopping: start.stop.clone(),
    });
    let operations = operations::serve(config.operations.listen, readiness, &start.stop, &mut tasks).await?;
    let addresses = Addresses {
        gateway: Some(bots.address()),
        fix: bots.fix_address(),
        officers: Some(registration.0),
        enrolment: Some(registration.1),
        status: Some(status.address()),
        operations: Some(operations),
    };
    tracing::info!(
        ?addresses,
        ledger = ledger.id(),
        entries = ledger.head().size,
        "serving"
    );
    Ok(Running {
        addresses,
        instance: Some(bots),
        status: Some(status),
        published,
        ca: Some(ca),
        issuing,
        registering,
        stop: start.stop,
        tasks,
        ledger,
    })
}

/// The issuing keys and the ledger root key; those of the newest CAs must be among them.
fn keys(config: &Config, passphrase: Option<&SecretString>, published: &Published) -> anyhow::Result<CaKeys> {
    let folder = &config.paths.keys;
    let keys = CaKeys::open(folder, founding::protection(passphrase))?;
    let newest = [
        ("agents'", &published.agent_issuing),
        ("house's", &published.house_issuing),
    ];
    for (name, certificate) in newest {
        if keys.signer_of(certificate).is_none() {
            bail!(
                "{} holds no key of the {name} newest issuing CA: put back what the ceremony wrote there",
                folder.display()
            );
        }
    }
    Ok(keys)
}

async fn issue_until(ca: Arc<CaService>, until: CancellationToken) {
    tokio::select! {
        () = ca.run() => {}
        () = until.cancelled() => {}
    }
}

async fn issuing(start: &Start<'_>) -> anyhow::Result<CaService> {
    let config = CaConfig {
        bot_life_seconds: start.config.ca.bot_life_seconds,
        officer_life_seconds: start.config.ca.officer_life_seconds,
        crl_life_seconds: start.config.ca.crl_life_seconds,
        crl_file: Some(start.config.paths.crl.clone()),
        ..CaConfig::default()
    };
    let writer = start.writer("ca").await?;
    Ok(CaService::new(
        start.ledger.clone(),
        writer,
        start.keys.clone(),
        config,
        start.clocks.real(),
    )?)
}

impl Running {
    /// Cancelled once the roles stop.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The gateway, for its figures and the states of its agents.
    #[must_use]
    pub fn gateway(&self) -> Option<&Arc<Gateway>> {
        self.instance.as_ref().map(Instance::gateway)
    }

    /// The present by the ledger: entries and root of its last checkpoint, signed.
    #[must_use]
    pub fn checkpoint(&self) -> Arc<str> {
        self.ledger.head().checkpoint.clone()
    }

    /// Stops one role and leaves the others as they are, as when its process ends: the order path goes on without `ca`, `revocation` and
    /// `console`.
    pub async fn stop_role(&mut self, role: Role) {
        match role {
            Role::Ca => {
                self.issuing.cancel();
                self.ca = None;
            }
            Role::Console => self.registering.cancel(),
            Role::Revocation => self.stop_status().await,
            Role::Gateway => self.stop_gateway().await,
        }
    }

    async fn stop_gateway(&mut self) {
        if let Some(instance) = self.instance.take() {
            let stopped = tokio::task::spawn_blocking(move || instance.stop());
            if tokio::time::timeout(STOP_TIME, stopped).await.is_err() {
                tracing::error!("the gateway did not end in order");
            }
        }
    }

    async fn stop_status(&mut self) {
        if let Some(status) = self.status.take()
            && tokio::time::timeout(STOP_TIME, status.stop()).await.is_err()
        {
            tracing::error!("the status role did not end in order");
        }
    }

    /// Stops taking anything new, lets what is under way end, writes what is to be written, closes the ledger.
    ///
    /// # Errors
    /// When the ledger's last state cannot be written.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.stop.cancel();
        self.stop_gateway().await;
        self.stop_status().await;
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_TIME, ended).await.is_err() {
            self.tasks.abort_all();
        }
        self.ledger.close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Reads a certificate chain of the house's folder.
fn chain(folder: &Path, name: &str) -> anyhow::Result<Vec<rustls::pki_types::CertificateDer<'static>>> {
    crate::pem::certificates(&folder.join(format!("{name}.pem")))
}

/// The seconds from `now` to `end`, for figures.
fn seconds_until(end: Timestamp, now: Timestamp) -> i64 {
    end.micros_since(now).div_euclid(1_000_000)
}
