//! The contract between the ledger and what keeps it: one batch, one transaction.
//!
//! A store commits a [`Batch`] wholly or not at all, assigns numbers inside the transaction, and is durable when `commit` returns. SQLite is the
//! first ([`sqlite`]); [`fault`] wraps any store and fails both ways, for tests.

use std::{collections::HashMap, pin::Pin, sync::Arc};

use extensions::{Digest, Serial, StreamId, StreamKind, Timestamp};
use thiserror::Error;

use crate::{
    append::{CommittedEntry, Expect, Proof, Task},
    entry::Draft,
    keys::CheckpointKey,
    ledger::{Head, LeasedTask, TaskId},
    seal::SealedRow,
    search::Mark,
    tree::BatchTree,
};

pub mod fault;
pub(crate) mod sequence;
pub mod sqlite;

/// The most appends of one batch.
pub const MOST_ITEMS: usize = 256;
/// The most entries one read answers with.
pub const MOST_READ: usize = 4_096;

/// What an asynchronous method of a store answers with.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Why a store could not.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// Nothing was written; the store goes on.
    #[error("{0}")]
    Busy(String),
    /// The disk or the database failed. Whether the batch is durable is unknown. Never retried.
    #[error("{0}")]
    Failed(String),
    /// There is no such thing.
    #[error("{0}")]
    Absent(String),
}

/// One append, prepared.
#[derive(Debug, Clone)]
pub struct Item {
    pub(crate) drafts: Vec<Draft>,
    pub(crate) expect: Expect,
    pub(crate) id: Option<Arc<str>>,
    pub(crate) sealed: Vec<(usize, SealedRow)>,
    pub(crate) tasks: Vec<Task>,
    pub(crate) serials: Vec<Serial>,
}

impl Default for Item {
    fn default() -> Self {
        Self {
            drafts: Vec::new(),
            expect: Expect::Next,
            id: None,
            sealed: Vec::new(),
            tasks: Vec::new(),
            serials: Vec::new(),
        }
    }
}

/// What waits, in order, of one writer.
#[derive(Debug, Clone)]
pub struct Batch {
    pub(crate) items: Vec<Item>,
    pub(crate) key: CheckpointKey,
    pub(crate) origin: Arc<str>,
    pub(crate) recorded_at: Timestamp,
}

/// How one item ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Written, or written before with the same id and body.
    Recorded(OutcomeProof),
    /// Another was first.
    Conflict {
        /// The stream's next number.
        next_number: u64,
        /// The epoch.
        epoch: u64,
    },
    /// A serial is taken.
    SerialTaken,
    /// The id stands with another body.
    AlreadyRecorded {
        /// Where.
        position: u64,
        /// Its number.
        number: u64,
    },
}

/// The proof inside a recorded outcome; only the ledger reads it.
#[derive(Debug, Clone)]
pub struct OutcomeProof(pub(crate) Proof);

/// What a commit did.
#[derive(Debug, Clone)]
pub struct Committed {
    /// One per item, in order.
    pub outcomes: Vec<Outcome>,
    /// The new entries.
    pub entries: Arc<[Arc<CommittedEntry>]>,
    /// The head after it.
    pub head: Arc<Head>,
}

/// A checkpoint as stored: the size it speaks of, the note, and the frontier at that size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The count of entries.
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// The hashes of the frontier.
    pub frontier: Vec<u8>,
}

/// What keeps the log. Every method may be called from any thread; commits are serialised by the store.
pub trait Store: Send + Sync {
    /// Commits a batch in one transaction: durable when it answers.
    fn commit(&self, batch: Batch) -> Answer<'_, Committed>;
    /// The head after the last commit.
    fn head(&self) -> Arc<Head>;
    /// The next number of a stream.
    fn stream_next(&self, stream: &StreamId) -> u64;
    /// The streams of a family.
    fn streams(&self, kind: StreamKind) -> Vec<StreamId>;
    /// Entries by position.
    fn read_range(&self, from: u64, limit: usize) -> Answer<'_, Vec<Arc<CommittedEntry>>>;
    /// The entries at these positions, in their order; what is not there is left out.
    fn read_each(&self, positions: Vec<u64>) -> Answer<'_, Vec<Arc<CommittedEntry>>>;
    /// Entries of a stream by number.
    fn read_stream<'a>(&'a self, stream: &'a StreamId, from: u64, limit: usize)
    -> Answer<'a, Vec<Arc<CommittedEntry>>>;
    /// The checkpoint at exactly `size`.
    fn checkpoint_at(&self, size: u64) -> Answer<'_, Option<StoredCheckpoint>>;
    /// The first checkpoint that signs the entry at `position`.
    fn checkpoint_after(&self, position: u64) -> Answer<'_, Option<StoredCheckpoint>>;
    /// The sealed rows of an entry, in order.
    fn sealed_of_entry(&self, position: u64) -> Answer<'_, Vec<SealedRow>>;
    /// An entry with the tree and checkpoint of its batch.
    fn prove(&self, position: u64) -> Answer<'_, (Arc<CommittedEntry>, Arc<BatchTree>, Arc<str>)>;
    /// The position of an order by its client id.
    fn order_position<'a>(&'a self, agent: &'a StreamId, client_order_id: &'a str) -> Answer<'a, Option<u64>>;
    /// The position of an append by its id.
    fn append_position<'a>(&'a self, stream: &'a StreamId, id: &'a str) -> Answer<'a, Option<u64>>;
    /// Positions from `lowest` to before `highest` that the index has under a mark, newest first; those of `stream` when one is given. It looks
    /// at `limit` of them at most.
    fn marked<'a>(
        &'a self,
        mark: &'a Mark,
        stream: Option<&'a StreamId>,
        lowest: u64,
        highest: u64,
        limit: usize,
    ) -> Answer<'a, Marked>;
    /// Stream and last kind about a serial.
    fn certificate<'a>(&'a self, serial: &'a Serial) -> Answer<'a, Option<(StreamId, String)>>;
    /// The sealed row of a commitment.
    fn sealed<'a>(&'a self, position: u64, commitment: &'a Digest) -> Answer<'a, Option<SealedRow>>;
    /// Leases due tasks.
    fn lease_tasks<'a>(
        &'a self,
        role: &'a str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<'a, Vec<LeasedTask>>;
    /// Moves a task: done, due again, or dead.
    fn settle_task(&self, id: TaskId, settled: Settled) -> Answer<'_, ()>;
    /// The dead letters of a role.
    fn dead_tasks<'a>(&'a self, role: &'a str) -> Answer<'a, Vec<LeasedTask>>;
    /// Makes the views again; the count of entries read.
    fn rebuild(&self) -> Answer<'_, u64>;
    /// Catches the views up with what is committed.
    fn catch_up(&self) -> Answer<'_, ()>;
    /// Ends the connections in order.
    fn close(&self) -> Answer<'_, ()>;
}

/// What the index has under a mark.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// Where, newest first.
    pub positions: Vec<u64>,
    /// How many were looked at.
    pub looked: usize,
    /// The oldest position that was looked at.
    pub through: u64,
}

/// What becomes of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Done: the task is removed.
    Done,
    /// Due again.
    Due(Timestamp),
    /// A dead letter.
    Dead,
}

/// Ids of earlier appends that a batch names again, by stream and id.
pub(crate) type KnownIds = HashMap<(StreamId, Arc<str>), (Arc<CommittedEntry>, Arc<BatchTree>, Arc<str>)>;
