//! The role as it runs: tasks of the outbox, CRLs when something was revoked and when the last one grows old.

use std::{path::PathBuf, sync::Arc, time::Duration};

use ca_core::{
    Register,
    approval::ApprovalError,
    csr::CsrError,
    events::CaCertificateUse,
    issue::{IssueError, IssuingCa},
    profiles::Settings,
    renewal::RenewalError,
    succession::Issuing,
};
use extensions::{Clock, Digest, KeyAlgorithm, Signer, Timestamp};
use ledger::{LeasedTask, Ledger, LedgerError, Writer};
use thiserror::Error;
use tokio::sync::Mutex;

use crate::{CaKeys, ISSUE_TASK, OFFICER_TASK, ROLE, view::View};

/// Tasks leased at once.
const TASKS_AT_ONCE: usize = 16;
/// A lease: as long as the slowest signing device may take for a batch.
const LEASE_MICROS: i64 = 30_000_000;
/// How far the clock may stand behind the last record (security.md §2.3): the ledger's and ours are read at different moments.
const CLOCK_SLACK_MICROS: i64 = 2_000_000;
/// How long the role waits for news before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A task that failed for a reason that may pass is tried again after this.
const RETRY_SECONDS: i64 = 5;
/// And no more often than this.
const MOST_ATTEMPTS: u32 = 60;

/// How the role is set up.
#[derive(Debug, Clone)]
pub struct CaConfig {
    /// Which issuing instance this is, 0x01 to 0x7f.
    pub instance: u8,
    /// Life of bots' certificates in seconds; at most 7 days.
    pub bot_life_seconds: i64,
    /// Life of officers' certificates in seconds.
    pub officer_life_seconds: i64,
    /// Life of a CRL in seconds; a new one is made at half of it, and at every revocation.
    pub crl_life_seconds: i64,
    /// Where the newest CRL is also written as DER, for other programs.
    pub crl_file: Option<PathBuf>,
}

impl Default for CaConfig {
    fn default() -> Self {
        Self {
            instance: 1,
            bot_life_seconds: ca_core::issue::DEFAULT_LIFE_SECONDS,
            officer_life_seconds: 90 * 86_400,
            crl_life_seconds: 86_400,
            crl_file: None,
        }
    }
}

/// Why something was not issued.
#[derive(Debug, Error)]
pub enum CaError {
    /// The ledger cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An append did not get through.
    #[error("not recorded: {0}")]
    Append(String),
    /// The house was not founded: no ceremony has run on this ledger.
    #[error("this ledger has no {0}: run `mandatum init` first")]
    NotFounded(&'static str),
    /// The record that a task names does not exist or is not as it should be.
    #[error("nothing is issued: {0}")]
    Refused(String),
    /// The approval does not hold.
    #[error("the approval does not hold: {0}")]
    Approval(#[from] ApprovalError),
    /// The request does not hold.
    #[error(transparent)]
    Csr(#[from] CsrError),
    /// No renewal.
    #[error(transparent)]
    Renewal(#[from] RenewalError),
    /// Issuing failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The CRL failed.
    #[error(transparent)]
    Crl(#[from] revocation_core::crl::CrlError),
    /// The clock is behind the ledger.
    #[error(
        "the clock says {now}, but an entry was recorded at {last}: no certificate is issued until the clock has passed that; check the clock"
    )]
    Clock {
        /// What it says.
        now: Timestamp,
        /// When the latest entry was recorded.
        last: Timestamp,
    },
    /// The key of an issuing CA is not here.
    #[error(
        "no file in the key folder holds the key of the issuing CA whose certificate has the SHA-256 {0}: put it back"
    )]
    KeyMissing(Digest),
    /// The throwaway key could not be made.
    #[error(transparent)]
    Key(#[from] ca_keys::KeyError),
}

impl CaError {
    /// Whether trying again may help: the ledger's fault, not the request's.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Ledger(_)
                | Self::Append(_)
                | Self::Clock { .. }
                | Self::KeyMissing(_)
                | Self::Issue(IssueError::Sign(_))
        )
    }
}

/// The role.
pub struct CaService {
    pub(crate) ledger: Ledger,
    pub(crate) writer: Writer,
    pub(crate) keys: CaKeys,
    pub(crate) config: CaConfig,
    /// Real time: certificates, CRLs.
    pub(crate) clock: Arc<dyn Clock>,
    /// One per process: lints look at certificates under its signature, never under the real one's.
    pub(crate) throwaway: Arc<dyn Signer>,
    pub(crate) view: Mutex<View>,
}

impl CaService {
    /// The role on an open ledger. `clock` is real time, whatever the sandbox's clock says.
    ///
    /// # Errors
    /// When the throwaway key cannot be made.
    pub fn new(
        ledger: Ledger,
        writer: Writer,
        keys: CaKeys,
        config: CaConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CaError> {
        let throwaway = ca_keys::SecretKey::generate("throwaway", KeyAlgorithm::EcdsaP256Sha256)?;
        Ok(Self {
            ledger,
            writer,
            keys,
            config,
            clock,
            throwaway: Arc::new(throwaway),
            view: Mutex::new(View::default()),
        })
    }

    /// Works until the task is dropped. Each failure is logged with its reason; none ends the role.
    pub async fn run(&self) {
        let mut news = self.ledger.news();
        loop {
            if let Err(error) = self.work().await {
                tracing::warn!(%error, "the ca role could not work; it tries again");
            }
            // A closed channel only means looking by oneself.
            if let Ok(Err(_closed)) = tokio::time::timeout(LOOK_EVERY, news.changed()).await {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }

    /// Does everything that is due now. What third parties read (CRL, the responder's certificate) failing does not stop what bots
    /// need: it is said aloud and tried again at the next look, and issuing goes on.
    ///
    /// # Errors
    /// When the ledger fails; everything else fails by itself.
    pub async fn work(&self) -> Result<(), CaError> {
        if let Err(error) = self.publish_if_due().await {
            tracing::error!(%error, "no new CRL could be published; the last one stays, issuing goes on");
        }
        if let Err(error) = self.renew_responder_if_due().await {
            tracing::error!(%error, "the OCSP responder's certificate could not be renewed; issuing goes on");
        }
        if let Err(error) = self.renew_servers_if_due().await {
            tracing::error!(%error, "a listener's certificate could not be renewed; issuing goes on");
        }
        // The tasks stay in the queue: given back and back again, they would be buried.
        if let Err(error) = self.in_step().await {
            tracing::error!(%error, "nothing is issued");
            return Ok(());
        }
        loop {
            let now = self.clock.now();
            let tasks = self.ledger.lease_tasks(ROLE, now, LEASE_MICROS, TASKS_AT_ONCE).await?;
            if tasks.is_empty() {
                return Ok(());
            }
            for task in tasks {
                self.run_task(&task).await?;
            }
        }
    }

    async fn in_step(&self) -> Result<(), CaError> {
        let mut view = self.view.lock().await;
        view.catch_up(&self.ledger).await?;
        self.in_step_with(&view)
    }

    /// A clock that stands before the last record was set back, or is wrong, or was wrong then: whatever it dates, it dates wrongly. Bots'
    /// and officers' certificates wait. What tells the world of a revocation does not, nor what the listeners need: those are made anew
    /// when they are found to be dated ahead.
    pub(crate) fn in_step_with(&self, view: &View) -> Result<(), CaError> {
        let now = self.clock.now();
        match view.recorded {
            Some(last) if now < last.plus_micros(-CLOCK_SLACK_MICROS) => Err(CaError::Clock { now, last }),
            _ => Ok(()),
        }
    }

    async fn run_task(&self, task: &LeasedTask) -> Result<(), CaError> {
        let outcome = match task.kind.as_str() {
            ISSUE_TASK => self.issue_task(&task.payload).await,
            OFFICER_TASK => self.officer_task(&task.payload).await,
            revocation_core::jobs::CRL_PUBLISH_TASK => self.publish().await.map(drop),
            other => Err(CaError::Refused(format!("no task of this role is named {other}"))),
        };
        match outcome {
            Ok(()) => self.ledger.complete_task(task.id).await?,
            Err(error) if error.may_pass() && task.attempts < MOST_ATTEMPTS => {
                tracing::warn!(task = %task.id, kind = task.kind, %error, "a task failed and is tried again");
                let due = self.clock.now().plus_seconds(RETRY_SECONDS);
                self.ledger.retry_task(task.id, due).await?;
            }
            Err(error) => {
                tracing::error!(task = %task.id, kind = task.kind, %error, "a task is given up");
                self.ledger.bury_task(task.id).await?;
            }
        }
        Ok(())
    }

    pub(crate) fn settings(register: &Register) -> Result<Settings, CaError> {
        register.house().map(Settings::from).ok_or(CaError::NotFounded("house"))
    }

    /// Who issues now: the newest of a purpose.
    pub(crate) fn newest(register: &Register, purpose: CaCertificateUse) -> Result<Issuing, CaError> {
        register.issuing(purpose).pop().ok_or(CaError::NotFounded("issuing CA"))
    }

    /// An issuing CA with the settings that hold for it, and its key.
    pub(crate) fn authority(
        &self,
        register: &Register,
        issuing: &Issuing,
    ) -> Result<(Settings, IssuingCa, Arc<dyn Signer>), CaError> {
        let settings = Self::settings(register)?.of_issuing(issuing.number);
        let issuer = IssuingCa::read(&issuing.certificate, &settings)?;
        let signer = self.keys.signer_of(&issuing.certificate);
        let signer = signer.ok_or_else(|| CaError::KeyMissing(issuer.digest()))?;
        Ok((settings, issuer, signer.clone()))
    }
}
