//! The ledger as its readers see it, and the way to a [`Writer`].

use std::{path::PathBuf, sync::Arc};

use extensions::{AgentId, ClientOrderId, Clock, Digest, Signer, StreamId, Timestamp};
use thiserror::Error;
use tokio::sync::broadcast;

use crate::{
    append::{CommittedEntry, Serial},
    keys::{CheckpointKey, CheckpointKeyAuthorised},
    receipt::Receipt,
    writer::Writer,
};

/// Where a ledger lives and how it is opened.
#[derive(Clone)]
pub struct Config {
    /// The folder of the store: `ledger.db`, `views.db`, `subjects/`.
    pub directory: PathBuf,
    /// The head file, on another disk where there is one.
    pub head_file: PathBuf,
    /// The reserve file.
    pub reserve_file: PathBuf,
    /// The system's clock, for `recorded_at` and leases.
    pub clock: Arc<dyn Clock>,
    /// The size to which the write-ahead log is grown ahead of use, in bytes.
    pub wal_bytes: u64,
    /// Accept a store without a head file (after its disk was lost); the next commit writes it anew.
    pub adopt_head: bool,
}

impl Config {
    /// Everything under `directory`, with the defaults.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        let directory = directory.into();
        Self {
            head_file: directory.join("head"),
            reserve_file: directory.join("reserve"),
            directory,
            clock,
            wal_bytes: 64 << 20,
            adopt_head: false,
        }
    }
}

/// The state of the whole log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The count of entries.
    pub size: u64,
    /// The root of the tree.
    pub root: Digest,
    /// The epoch.
    pub epoch: u64,
    /// The signed note of the last batch; empty before the first.
    pub checkpoint: Arc<str>,
}

/// Names one task for ever: the entry it follows from, and which of that entry's tasks. Use its text as the id of the result's append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// Position of the entry.
    pub position: u64,
    /// Its place among the entry's tasks.
    pub ordinal: u32,
}

impl std::fmt::Display for TaskId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "task-{}-{}", self.position, self.ordinal)
    }
}

/// A task that this process may do until the lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedTask {
    /// Its name.
    pub id: TaskId,
    /// The role that does it.
    pub role: String,
    /// What is to be done.
    pub kind: String,
    /// What the doer needs.
    pub payload: String,
    /// When it was due.
    pub due: Timestamp,
    /// How often it was leased before.
    pub attempts: u32,
}

/// Why the ledger cannot be opened, read or used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// Another process has it open.
    #[error("another process has the ledger in {0} open; stop it first")]
    InUse(PathBuf),
    /// There is no ledger, or there is one already.
    #[error("{0}")]
    Absent(String),
    /// The store is not what the head file, the checkpoints or the settings say.
    #[error("the ledger is refused: {0}")]
    Refused(String),
    /// The checkpoint key is not authorised, or its authorisation does not hold.
    #[error("the checkpoint key of {writer} is not authorised: {reason}")]
    NotAuthorised {
        /// The writer.
        writer: String,
        /// Why.
        reason: String,
    },
    /// A file or the database failed.
    #[error("{what}: {reason}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// The ledger has closed itself after an I/O error; a restart recovers.
    #[error("the ledger closed itself after an I/O error; restart to recover: {0}")]
    Closed(String),
}

/// An open ledger. Cheap to clone; all clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {}

#[allow(unused_variables, clippy::unused_async, reason = "signatures land first")]
impl Ledger {
    /// Makes a new ledger: its first batch is `ledger.started` and the authorisation of `key`. `root` is the ledger root key.
    ///
    /// # Errors
    /// When there is one already, or a file cannot be made.
    pub async fn create(
        config: Config,
        ledger_id: &str,
        root: &dyn Signer,
        key: CheckpointKey,
    ) -> Result<(Self, Writer), LedgerError> {
        Err(LedgerError::Absent("not yet".into()))
    }

    /// Opens a ledger: takes the lock, checks settings and head file, catches the views up.
    ///
    /// # Errors
    /// When another process has it, or it is not what the head file says.
    pub async fn open(config: Config) -> Result<Self, LedgerError> {
        Err(LedgerError::Absent("not yet".into()))
    }

    /// A writer named by `key`. Its key is authorised by an entry of the log already, or `authorisation` is appended first. The first writer
    /// of a process also appends what the reserve file holds, marked late, before anything else.
    ///
    /// # Errors
    /// When the key is not authorised or the ledger cannot write.
    pub async fn writer(
        &self,
        key: CheckpointKey,
        authorisation: Option<CheckpointKeyAuthorised>,
    ) -> Result<Writer, LedgerError> {
        Err(LedgerError::Absent("not yet".into()))
    }

    /// The ledger's id.
    pub fn id(&self) -> &str {
        ""
    }

    /// Size, root, epoch and checkpoint after the last commit.
    pub fn head(&self) -> Arc<Head> {
        Arc::new(Head {
            size: 0,
            root: Digest::default(),
            epoch: 0,
            checkpoint: "".into(),
        })
    }

    /// Whether the ledger still writes; the reason when it has closed itself.
    pub fn closed(&self) -> Option<Arc<str>> {
        None
    }

    /// The next number of a stream, 0 when it is empty.
    pub fn stream_next(&self, stream: &StreamId) -> u64 {
        0
    }

    /// Up to `limit` (at most 4,096) entries of a stream from number `from`, complete up to the last commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_stream(
        &self,
        stream: &StreamId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<CommittedEntry>>, LedgerError> {
        Ok(Vec::new())
    }

    /// Up to `limit` (at most 4,096) entries of the whole log from position `from`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_range(&self, from: u64, limit: usize) -> Result<Vec<Arc<CommittedEntry>>, LedgerError> {
        Ok(Vec::new())
    }

    /// The entries of each batch from now on. A receiver that lags re-reads by position with [`read_range`](Self::read_range).
    pub fn committed(&self) -> broadcast::Receiver<Arc<[Arc<CommittedEntry>]>> {
        broadcast::channel(1).1
    }

    /// The receipt of any entry, against the checkpoint of its batch.
    ///
    /// # Errors
    /// When there is no such entry or the database fails.
    pub async fn receipt(&self, position: u64) -> Result<Receipt, LedgerError> {
        Err(LedgerError::Absent("not yet".into()))
    }

    /// The position of the `order.decided` of a bot's order, complete up to the last commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order_position(&self, agent: &AgentId, id: &ClientOrderId) -> Result<Option<u64>, LedgerError> {
        Ok(None)
    }

    /// The stream in which a serial was reserved, and the kind of the last entry about it; `None` for serials never reserved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate(&self, serial: &Serial) -> Result<Option<(StreamId, String)>, LedgerError> {
        Ok(None)
    }

    /// The streams of one family, by name: all agents, mandates, officers.
    pub fn streams(&self, kind: extensions::StreamKind) -> Vec<StreamId> {
        Vec::new()
    }

    /// The text behind a commitment; `None` when its subject was erased.
    ///
    /// # Errors
    /// When there is no such commitment or the database fails.
    pub async fn unseal(&self, position: u64, commitment: &Digest) -> Result<Option<String>, LedgerError> {
        Ok(None)
    }

    /// Destroys the keys of a subject (`officer:<id>`), and so every text sealed under them. Returns how many keys there were.
    ///
    /// # Errors
    /// When a key file cannot be destroyed.
    pub async fn erase(&self, subject: &str) -> Result<usize, LedgerError> {
        Ok(0)
    }

    /// Leases up to `limit` due tasks of a role until `now + lease_micros`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lease_tasks(
        &self,
        role: &str,
        now: Timestamp,
        lease_micros: i64,
        limit: usize,
    ) -> Result<Vec<LeasedTask>, LedgerError> {
        Ok(Vec::new())
    }

    /// The task is done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn complete_task(&self, id: TaskId) -> Result<(), LedgerError> {
        Ok(())
    }

    /// The task failed and is due again at `due`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_task(&self, id: TaskId, due: Timestamp) -> Result<(), LedgerError> {
        Ok(())
    }

    /// The task will not be tried again (a dead letter), until [`retry_task`](Self::retry_task).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bury_task(&self, id: TaskId) -> Result<(), LedgerError> {
        Ok(())
    }

    /// The dead letters of a role.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dead_tasks(&self, role: &str) -> Result<Vec<LeasedTask>, LedgerError> {
        Ok(Vec::new())
    }

    /// Makes the views again from the entries.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rebuild(&self) -> Result<u64, LedgerError> {
        Ok(0)
    }

    /// Waits until everything committed is in the views and the head file, and closes the store. Writers answer `Unavailable` from then on.
    ///
    /// # Errors
    /// When the last writes fail.
    pub async fn close(&self) -> Result<(), LedgerError> {
        Ok(())
    }
}
