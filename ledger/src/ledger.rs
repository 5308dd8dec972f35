//! The ledger as its readers see it, and the way to a [`Writer`].

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use extensions::{
    AgentId, ClientOrderId, Clock, Digest, Serial, Signer, StreamId, StreamKind, Timestamp, record::SealedText,
};
use thiserror::Error;
use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast, watch},
};

use crate::{
    append::{Append, CommittedEntry, Reserved},
    committer::Committer,
    head_file::HeadFile,
    keys::{CheckpointKey, CheckpointKeyAuthorised, LedgerStarted, PublicKey},
    receipt::{Receipt, origin},
    recent::Recent,
    reserve::Reserve,
    seal::{SealedRow, SubjectKeys, Unsealed},
    store::{Batch, Committed, Item, MOST_ITEMS, MOST_READ, Settled, Store, StoreError, sqlite::SqliteStore},
    writer::{self, Writer},
};

mod behind;

/// Batches a receiver of [`Ledger::committed`] may lag behind before it must re-read by position.
const BATCHES_HELD: usize = 1_024;
/// How the kinds of the order path begin: they alone do not wake the roles at once.
const ORDER_PATH: &str = "order.";

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
#[derive(Debug, Clone, Error)]
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

impl From<StoreError> for LedgerError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy(reason) => Self::Closed(reason),
            StoreError::Absent(reason) => Self::Absent(reason),
            StoreError::Failed(reason) => Self::Io {
                what: "the store",
                reason,
            },
        }
    }
}

/// An open ledger. Cheap to clone; all clones are the same ledger.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

/// What a ledger and its writers share.
pub(crate) struct Inner {
    id: String,
    origin: Arc<str>,
    boot_id: String,
    root: PublicKey,
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    subjects: SubjectKeys,
    reserve: Arc<Reserve>,
    committer: Committer,
    /// Whether what the reserve file held is in the log.
    recovered: tokio::sync::Mutex<bool>,
    head_file: HeadFile,
    head_written: Mutex<u64>,
    authorised: Mutex<HashMap<String, Vec<PublicKey>>>,
    /// Held over a commit and its announcement, so that announcements are in order.
    turn: tokio::sync::Mutex<()>,
    recent: Recent,
    committed: broadcast::Sender<Arc<[Arc<CommittedEntry>]>>,
    news: watch::Sender<u64>,
    changed: Arc<Notify>,
    head_changed: Arc<Notify>,
    closed: OnceLock<Arc<str>>,
    ending: AtomicBool,
}

impl Inner {
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    pub(crate) fn committer(&self) -> &Committer {
        &self.committer
    }

    /// Differs each time the ledger is opened.
    pub(crate) fn boot_id(&self) -> &str {
        &self.boot_id
    }

    pub(crate) fn close_because(&self, reason: &str) {
        if self.closed.set(reason.into()).is_ok() {
            tracing::error!(reason, "the ledger has closed itself; restart to recover");
        }
    }

    pub(crate) fn seal(&self, text: &SealedText) -> Result<SealedRow, StoreError> {
        let sealed = self.subjects.seal(text);
        sealed.map_err(|error| {
            let reason = format!("sealing a text: {error}");
            self.close_because(&reason);
            StoreError::Busy(reason)
        })
    }

    /// Keeps what narrows in the reserve file, on a thread that may block.
    pub(crate) async fn keep(self: &Arc<Self>, item: Item, key: CheckpointKey) -> Reserved {
        let reserve = Arc::clone(&self.reserve);
        let kept = tokio::task::spawn_blocking(move || reserve.keep(&item, &key)).await;
        kept.unwrap_or(Reserved::Counted)
    }

    pub(crate) async fn commit(&self, items: Vec<Item>, key: &CheckpointKey) -> Result<Committed, StoreError> {
        let _turn = self.turn.lock().await;
        if let Some(reason) = self.closed.get() {
            return Err(StoreError::Busy(reason.to_string()));
        }
        let batch = Batch {
            items,
            key: key.clone(),
            origin: Arc::clone(&self.origin),
            recorded_at: self.clock.now(),
        };
        match self.store.commit(batch).await {
            Ok(committed) => {
                if !committed.entries.is_empty() {
                    self.recent.extend(&committed.entries);
                    if committed
                        .entries
                        .iter()
                        .any(|entry| !entry.kind.starts_with(ORDER_PATH))
                    {
                        self.tell(committed.head.size);
                    }
                    // No receiver is no error.
                    drop(self.committed.send(Arc::clone(&committed.entries)));
                    self.changed.notify_one();
                    self.head_changed.notify_one();
                }
                Ok(committed)
            }
            Err(error) => {
                if let StoreError::Failed(reason) = &error {
                    self.close_because(reason);
                }
                Err(error)
            }
        }
    }

    /// Wakes those who follow the log, when there is something they were not told of.
    fn tell(&self, size: u64) {
        self.news
            .send_if_modified(|told| std::mem::replace(told, size.max(*told)) < size);
    }

    fn write_head(&self) -> std::io::Result<()> {
        let head = self.store.head();
        let mut written = self.head_written.lock().unwrap_or_else(PoisonError::into_inner);
        if head.size > *written {
            self.head_file.write(&head.checkpoint)?;
            *written = head.size;
        }
        Ok(())
    }
}

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
        let root_key = PublicKey::from_spki(root.public_key_spki());
        let root_key = root_key.ok_or_else(|| LedgerError::Refused("the ledger root key must be Ed25519".into()))?;
        let now = config.clock.now();
        let authorisation =
            CheckpointKeyAuthorised::sign(ledger_id, &key, now, root).map_err(|error| LedgerError::Io {
                what: "signing with the ledger root key",
                reason: error.to_string(),
            })?;
        let store = Arc::new(
            SqliteStore::create(&config.directory, config.wal_bytes)
                .await
                .map_err(in_use)?,
        );
        let ledger = Self::assemble(&config, store, ledger_id, root_key)?;
        let started = LedgerStarted {
            ledger_id: ledger_id.to_owned(),
            ledger_root: root_key,
        };
        let item = prepared(&Append::next(started, now).also(authorisation.clone()))?;
        ledger.check_authorisation(&key, Some(&authorisation))?;
        ledger.inner.commit(vec![item], &key).await?;
        ledger.accept(&key);
        ledger.inner.write_head().map_err(|error| LedgerError::Io {
            what: "the head file",
            reason: error.to_string(),
        })?;
        *ledger.inner.recovered.lock().await = true;
        let writer = ledger.start_writer(key);
        ledger.follow();
        Ok((ledger, writer))
    }

    /// Opens a ledger: takes the lock, checks settings and head file, catches the views up.
    ///
    /// # Errors
    /// When another process has it, or it is not what the head file says.
    pub async fn open(config: Config) -> Result<Self, LedgerError> {
        let store = Arc::new(
            SqliteStore::open(&config.directory, config.wal_bytes)
                .await
                .map_err(in_use)?,
        );
        Self::open_on(config, store).await
    }

    /// Opens a ledger on any store: a fault-injecting one in tests.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn open_on(config: Config, store: Arc<dyn Store>) -> Result<Self, LedgerError> {
        let started = store.read_range(0, 1).await?;
        let started = started
            .first()
            .filter(|entry| entry.kind.as_ref() == LedgerStarted::KIND);
        let started: Option<LedgerStarted> = started.and_then(|entry| serde_json::from_slice(entry.body()).ok());
        let started = started.ok_or_else(|| {
            LedgerError::Refused(
                "its first entry is not `ledger.started`; was `init` interrupted? Remove it and init again".into(),
            )
        })?;
        let ledger = Self::assemble(&config, store, &started.ledger_id, started.ledger_root)?;
        let inner = &ledger.inner;
        inner
            .head_file
            .check(inner.store(), &inner.origin, config.adopt_head)
            .await?;
        ledger.load_authorised().await?;
        ledger.follow();
        Ok(ledger)
    }

    fn assemble(config: &Config, store: Arc<dyn Store>, id: &str, root: PublicKey) -> Result<Self, LedgerError> {
        let io = |what| {
            move |error: std::io::Error| LedgerError::Io {
                what,
                reason: error.to_string(),
            }
        };
        let inner = Inner {
            id: id.to_owned(),
            origin: origin(id).into(),
            boot_id: format!("boot-{}-{}", store.head().size, config.clock.now().micros()),
            root,
            clock: Arc::clone(&config.clock),
            store,
            subjects: SubjectKeys::open(&config.directory.join("subjects")).map_err(io("the subjects' keys"))?,
            reserve: Arc::new(Reserve::open(&config.reserve_file).map_err(io("the reserve file"))?),
            committer: Committer::start().map_err(io("the ledger's thread"))?,
            recovered: tokio::sync::Mutex::new(false),
            head_file: HeadFile::new(config.head_file.clone()),
            head_written: Mutex::new(0),
            authorised: Mutex::default(),
            turn: tokio::sync::Mutex::new(()),
            recent: Recent::default(),
            committed: broadcast::channel(BATCHES_HELD).0,
            news: watch::Sender::new(0),
            changed: Arc::default(),
            head_changed: Arc::default(),
            closed: OnceLock::new(),
            ending: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    fn follow(&self) {
        drop(tokio::spawn(behind::follow_views(Arc::downgrade(&self.inner))));
        drop(tokio::spawn(behind::follow_head(Arc::downgrade(&self.inner))));
    }

    async fn load_authorised(&self) -> Result<(), LedgerError> {
        let mut from = 0;
        loop {
            let entries = self.read_stream(&StreamId::house(), from, MOST_READ).await?;
            let Some(last) = entries.last() else { return Ok(()) };
            from = last.number + 1;
            for entry in entries
                .iter()
                .filter(|entry| entry.kind.as_ref() == CheckpointKeyAuthorised::KIND)
            {
                let authorised: Option<CheckpointKeyAuthorised> = serde_json::from_slice(entry.body()).ok();
                if let Some(one) = authorised.filter(|one| one.is_signed_by(&self.inner.id, &self.inner.root)) {
                    self.remember(&one.writer, one.key);
                }
            }
        }
    }

    fn remember(&self, writer: &str, key: PublicKey) {
        let mut authorised = self.inner.authorised.lock().unwrap_or_else(PoisonError::into_inner);
        authorised.entry(writer.to_owned()).or_default().push(key);
    }

    fn accept(&self, key: &CheckpointKey) {
        self.remember(key.writer(), *key.public());
    }

    fn start_writer(&self, key: CheckpointKey) -> Writer {
        Writer::new(Arc::clone(&self.inner), key, Handle::current())
    }

    /// Whether the key may sign; `Ok(true)` when its authorisation is in the log already.
    fn check_authorisation(
        &self,
        key: &CheckpointKey,
        authorisation: Option<&CheckpointKeyAuthorised>,
    ) -> Result<bool, LedgerError> {
        let refuse = |reason: &str| LedgerError::NotAuthorised {
            writer: key.writer().to_string(),
            reason: reason.to_owned(),
        };
        if key.name() != crate::keys::key_name(&self.inner.id, key.writer()) {
            return Err(refuse("the key is named for another ledger"));
        }
        let known = self.authorised_keys(key.writer());
        if known.last() == Some(key.public()) {
            return Ok(true);
        }
        if known.contains(key.public()) {
            return Err(refuse(
                "a newer key of this writer has followed it: use that one, or authorise a fresh one",
            ));
        }
        let one =
            authorisation.ok_or_else(|| refuse("no entry of the log authorises it, and no authorisation is given"))?;
        if one.key != *key.public() || one.writer != **key.writer() {
            return Err(refuse("the authorisation is of another key or writer"));
        }
        if !one.is_signed_by(&self.inner.id, &self.inner.root) {
            return Err(refuse("the authorisation is not signed by this ledger's root key"));
        }
        Ok(false)
    }

    /// The authorised checkpoint keys of a writer, oldest first.
    pub fn authorised_keys(&self, writer: &str) -> Vec<PublicKey> {
        let authorised = self.inner.authorised.lock().unwrap_or_else(PoisonError::into_inner);
        authorised.get(writer).cloned().unwrap_or_default()
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
        let known = self.check_authorisation(&key, authorisation.as_ref())?;
        let mut recovered = self.inner.recovered.lock().await;
        let mut items = Vec::new();
        if let Some(authorisation) = authorisation.filter(|_| !known) {
            items.push(prepared(&Append::next(authorisation, self.inner.clock.now()))?);
        }
        let mut kept = 0;
        if !*recovered {
            let contents = self.inner.reserve.contents(&|writer| self.authorised_keys(writer));
            let contents = contents.map_err(|error| LedgerError::Io {
                what: "the reserve file",
                reason: error.to_string(),
            })?;
            kept = contents.items.len() as u64 + contents.counted + contents.refused as u64;
            if kept > 0 {
                tracing::warn!(
                    records = contents.items.len(),
                    counted = contents.counted,
                    refused = contents.refused,
                    "the reserve file holds acts that were taken while the ledger could not write"
                );
            }
            items.extend(contents.items);
        }
        while !items.is_empty() {
            let rest = items.split_off(items.len().min(MOST_ITEMS));
            self.inner.commit(std::mem::replace(&mut items, rest), &key).await?;
        }
        if !known {
            self.accept(&key);
        }
        if !*recovered {
            if kept > 0 {
                let cleared = self.inner.reserve.clear();
                cleared.map_err(|error| LedgerError::Io {
                    what: "the reserve file",
                    reason: error.to_string(),
                })?;
            }
            *recovered = true;
        }
        Ok(self.start_writer(key))
    }

    /// The ledger's id.
    pub fn id(&self) -> &str {
        &self.inner.id
    }

    /// The ledger root public key.
    pub fn root_key(&self) -> PublicKey {
        self.inner.root
    }

    /// Size, root, epoch and checkpoint after the last commit.
    pub fn head(&self) -> Arc<Head> {
        self.inner.store.head()
    }

    /// Why the ledger has closed itself; `None` while it writes.
    pub fn closed(&self) -> Option<Arc<str>> {
        self.inner.closed.get().cloned()
    }

    /// The next number of a stream, 0 when it is empty.
    pub fn stream_next(&self, stream: &StreamId) -> u64 {
        self.inner.store.stream_next(stream)
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
        Ok(self.inner.store.read_stream(stream, from, limit).await?)
    }

    /// Up to `limit` (at most 4,096) entries of the whole log from position `from`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_range(&self, from: u64, limit: usize) -> Result<Vec<Arc<CommittedEntry>>, LedgerError> {
        match self.inner.recent.range(from, limit.min(MOST_READ)) {
            Some(entries) => Ok(entries),
            None => Ok(self.inner.store.read_range(from, limit).await?),
        }
    }

    /// The entries at these positions (at most 4,096), in their order; what is not there is left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read_each(&self, mut positions: Vec<u64>) -> Result<Vec<Arc<CommittedEntry>>, LedgerError> {
        positions.truncate(MOST_READ);
        Ok(self.inner.store.read_each(positions).await?)
    }

    /// The entries of each batch from now on, in order. A receiver that lags re-reads by position with [`read_range`](Self::read_range).
    pub fn committed(&self) -> broadcast::Receiver<Arc<[Arc<CommittedEntry>]>> {
        self.inner.committed.subscribe()
    }

    /// The size of the log, for those who wait for news and then read by position: told at once of whatever is not an order's course, and of
    /// that within about 20 ms, so that a busy gateway does not wake every role at every commit.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.inner.news.subscribe()
    }

    /// The receipt of any entry, against the checkpoint of its batch.
    ///
    /// # Errors
    /// When there is no such entry or the database fails.
    pub async fn receipt(&self, position: u64) -> Result<Receipt, LedgerError> {
        let (entry, tree, checkpoint) = self.inner.store.prove(position).await?;
        Ok(Receipt {
            checkpoint: checkpoint.to_string(),
            entry: entry.bytes.to_vec(),
            index: position,
            proof: tree.inclusion(position).unwrap_or_default(),
        })
    }

    /// The position of the `order.decided` of a bot's order, complete up to the last commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn order_position(&self, agent: &AgentId, id: &ClientOrderId) -> Result<Option<u64>, LedgerError> {
        Ok(self
            .inner
            .store
            .order_position(&StreamId::agent(agent), id.as_str())
            .await?)
    }

    /// The position of the first entry of an append to `stream` by the id that made it idempotent, complete up to the last commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn append_position(&self, stream: &StreamId, id: &str) -> Result<Option<u64>, LedgerError> {
        Ok(self.inner.store.append_position(stream, id).await?)
    }

    /// The stream in which a serial was reserved, and the kind of the last `certificate.` entry about it; `None` for serials never reserved.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certificate(&self, serial: &Serial) -> Result<Option<(StreamId, String)>, LedgerError> {
        Ok(self.inner.store.certificate(serial).await?)
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The streams of one family, by name: all agents, mandates, officers.
    pub fn streams(&self, kind: StreamKind) -> Vec<StreamId> {
        self.inner.store.streams(kind)
    }

    /// The text behind a commitment of the entry at `position`; `None` when its subject was erased.
    ///
    /// # Errors
    /// When there is no such commitment, its text was changed, or the database fails.
    pub async fn unseal(&self, position: u64, commitment: &Digest) -> Result<Option<String>, LedgerError> {
        let absent = || LedgerError::Absent(format!("the entry at position {position} has no text {commitment}"));
        let row = self
            .inner
            .store
            .sealed(position, commitment)
            .await?
            .ok_or_else(absent)?;
        match self.inner.subjects.unseal(&row) {
            Unsealed::Text(text) => Ok(Some(text)),
            Unsealed::Erased => Ok(None),
            Unsealed::Wrong => Err(LedgerError::Refused(format!("the text {commitment} was changed"))),
        }
    }

    /// Size and note of the checkpoint that first signs the entry at `position`.
    pub(crate) async fn batch_end(&self, position: u64) -> Result<(u64, String), LedgerError> {
        let end = self.inner.store.checkpoint_after(position).await?;
        let end = end.ok_or_else(|| LedgerError::Absent(format!("no checkpoint signs position {position}")))?;
        Ok((end.size, end.note))
    }

    /// The texts of an entry: place, commitment, and the text when it is not erased.
    pub(crate) async fn texts(&self, position: u64) -> Result<Vec<(u64, Digest, Option<SealedText>)>, LedgerError> {
        let rows = self.inner.store.sealed_of_entry(position).await?;
        let text = |(ordinal, row): (usize, SealedRow)| match self.inner.subjects.open_sealed(&row) {
            Ok(text) => Ok((ordinal as u64, row.commitment, text)),
            Err(()) => Err(LedgerError::Refused(format!("the text {} was changed", row.commitment))),
        };
        rows.into_iter().enumerate().map(text).collect()
    }

    /// Destroys the keys of a subject (`officer:<id>`), and so every text sealed under them. Returns how many keys there were.
    ///
    /// # Errors
    /// When a key file cannot be destroyed.
    pub async fn erase(&self, subject: &str) -> Result<usize, LedgerError> {
        let (inner, subject) = (Arc::clone(&self.inner), subject.to_owned());
        let erased = tokio::task::spawn_blocking(move || inner.subjects.erase(&subject)).await;
        let erased = erased.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        erased.map_err(|error| LedgerError::Io {
            what: "erasing a subject's keys",
            reason: error.to_string(),
        })
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
        Ok(self
            .inner
            .store
            .lease_tasks(role, now, now.plus_micros(lease_micros), limit)
            .await?)
    }

    /// The task is done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn complete_task(&self, id: TaskId) -> Result<(), LedgerError> {
        Ok(self.inner.store.settle_task(id, Settled::Done).await?)
    }

    /// The task failed and is due again at `due`; also brings a dead letter back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry_task(&self, id: TaskId, due: Timestamp) -> Result<(), LedgerError> {
        Ok(self.inner.store.settle_task(id, Settled::Due(due)).await?)
    }

    /// The task will not be tried again (a dead letter), until [`retry_task`](Self::retry_task).
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bury_task(&self, id: TaskId) -> Result<(), LedgerError> {
        Ok(self.inner.store.settle_task(id, Settled::Dead).await?)
    }

    /// The dead letters of a role, oldest first, at most 4,096.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn dead_tasks(&self, role: &str) -> Result<Vec<LeasedTask>, LedgerError> {
        Ok(self.inner.store.dead_tasks(role).await?)
    }

    /// Makes the views again from the entries; the count of entries read.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rebuild(&self) -> Result<u64, LedgerError> {
        Ok(self.inner.store.rebuild().await?)
    }

    /// Waits until everything committed is in the views and the head file, and closes the store. Writers answer `Unavailable` from then on.
    ///
    /// # Errors
    /// When the last writes fail.
    pub async fn close(&self) -> Result<(), LedgerError> {
        let _turn = self.inner.turn.lock().await;
        self.inner.ending.store(true, Ordering::Release);
        // Closing in order is no failure: set before, so that nothing is logged.
        drop(self.inner.closed.set("the ledger is closed".into()));
        self.inner.changed.notify_one();
        self.inner.head_changed.notify_one();
        self.inner.store.close().await?;
        let inner = Arc::clone(&self.inner);
        let written = tokio::task::spawn_blocking(move || inner.write_head()).await;
        let written = written.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        written.map_err(|error| LedgerError::Io {
            what: "the head file",
            reason: error.to_string(),
        })
    }
}

fn prepared<R: extensions::Record>(append: &Append<R>) -> Result<Item, LedgerError> {
    let item = writer::prepare(append).map_err(|error| LedgerError::Refused(error.to_string()))?;
    Ok(item.0)
}

/// The one busy error of opening is the lock.
fn in_use(error: StoreError) -> LedgerError {
    match error {
        StoreError::Busy(directory) => LedgerError::InUse(directory.into()),
        other => other.into(),
    }
}
