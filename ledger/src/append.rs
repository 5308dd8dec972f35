//! What producers hand to the ledger and what they get back: [`Append`], [`Recorded`], and the ways an append can end.
//!
//! ARCHITECTURE §2: `Exactly` names the number it expects and loses when another writer was first; `Next` never loses.

use std::sync::Arc;

use extensions::{Record, Serial, StreamId, Timestamp};
use thiserror::Error;

use crate::{receipt::Receipt, tree::BatchTree};

/// The most tasks, serials or further records one append may carry.
pub const MOST_PARTS: usize = 256;

/// Which number an append wants in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// For whatever carries risk or widens: this number, decided under this epoch, or not at all.
    Exactly {
        /// The number in the stream, from 0.
        number: u64,
        /// The epoch under which it was decided.
        epoch: u64,
    },
    /// For whatever narrows or reports: the next number, whatever it is. Idempotent by [`Append::id`].
    Next,
}

/// Where in the queue an append goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// To the back: orders, and whatever else is waited for.
    Ordinary,
    /// To the back, and not alone for a moment ([`crate::writer::PATIENCE`]): reports of what has happened, which nobody waits for.
    Patient,
    /// To the front, before everything queued: halts, freezes, revocations, cancels. When the ledger cannot write, it goes to the
    /// reserve file.
    Narrowing,
}

/// A follow-up task, written in the same transaction as the entries it follows from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The role that does it: `ca`, `revocation`, `gateway`, `console`.
    pub role: String,
    /// What is to be done: `webhook`, `crl.publish`, `certificate.issue`.
    pub kind: String,
    /// What the doer needs, as text (JSON by convention).
    pub payload: String,
    /// Not before this time.
    pub due: Timestamp,
}

/// One atomic append: a record, what must be written with it, and the number it expects.
pub struct Append<R> {
    /// What happened, or was decided.
    pub record: R,
    /// When it was decided, by the decision clock; becomes `at` of the entry.
    pub at: Timestamp,
    /// The number it wants.
    pub expect: Expect,
    /// Makes `Next` idempotent: a second append with this id in the same stream is not written again. At most 128 bytes.
    pub id: Option<String>,
    /// Further records of the same atomic append. Each takes the next number of *its own* stream, after `record`.
    pub also: Vec<Box<dyn Record + Send>>,
    /// Outbox tasks of the same transaction.
    pub tasks: Vec<Task>,
    /// Serials that this append reserves. One that is taken already makes the append fail.
    pub serials: Vec<Serial>,
    /// Its place in the queue.
    pub urgency: Urgency,
}

impl<R: Record> Append<R> {
    /// An append of `record` under exactly `number`, decided under `epoch`.
    pub fn exactly(record: R, at: Timestamp, number: u64, epoch: u64) -> Self {
        Self::new(record, at, Expect::Exactly { number, epoch })
    }

    /// An append of `record` under the next number.
    pub fn next(record: R, at: Timestamp) -> Self {
        Self::new(record, at, Expect::Next)
    }

    fn new(record: R, at: Timestamp, expect: Expect) -> Self {
        Self {
            record,
            at,
            expect,
            id: None,
            also: Vec::new(),
            tasks: Vec::new(),
            serials: Vec::new(),
            urgency: Urgency::Ordinary,
        }
    }

    /// The same, idempotent by `id` within the stream.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same, to the front of the queue.
    #[must_use]
    pub fn narrowing(mut self) -> Self {
        self.urgency = Urgency::Narrowing;
        self
    }

    /// The same, as a report that may wait for a commit to share.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.urgency = Urgency::Patient;
        self
    }

    /// The same, with `record` in the same atomic append.
    #[must_use]
    pub fn also(mut self, record: impl Record + Send + 'static) -> Self {
        self.also.push(Box::new(record));
        self
    }

    /// The same, with a follow-up task.
    #[must_use]
    pub fn task(mut self, task: Task) -> Self {
        self.tasks.push(task);
        self
    }

    /// The same, reserving `serial`.
    #[must_use]
    pub fn serial(mut self, serial: Serial) -> Self {
        self.serials.push(serial);
        self
    }
}

/// The queue is full or the append is malformed; nothing was queued and nothing happened. Gives the append back.
#[derive(Debug, Error)]
#[error("not queued: {reason}")]
pub struct QueueFull<R> {
    /// The append as it was given.
    pub append: Box<Append<R>>,
    /// Why.
    pub reason: QueueRefusal,
}

impl<R> std::fmt::Debug for Append<R> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Append({:?}, {:?})", self.expect, self.id)
    }
}

/// Why an append was not queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum QueueRefusal {
    /// As many appends wait as the writer's queue holds.
    #[error("{waiting} appends wait, the most this writer's queue holds; try again when the disk has caught up")]
    Full {
        /// How many wait.
        waiting: usize,
    },
    /// The entry would be longer than [`crate::entry::LONGEST_ENTRY`].
    #[error(
        "the entry would be {bytes} bytes long, more than the {} an entry may have",
        crate::entry::LONGEST_ENTRY
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// More records, tasks or serials than [`MOST_PARTS`], or an id longer than 128 bytes.
    #[error("more than {MOST_PARTS} records, tasks or serials in one append, or an id longer than 128 bytes")]
    TooManyParts,
}

/// How an append that was queued ended without being recorded. Each variant gives the record back.
#[derive(Debug, Error)]
pub enum AppendError<R> {
    /// Another writer was first, the epoch has risen, or an append that was queued before this one lost. Nothing of it is written.
    /// Read what came between, decide again. A pipelining caller must call [`crate::Writer::resume`] for the stream first.
    #[error("decided under number or epoch that is no longer the next: now number {next_number}, epoch {epoch}")]
    Conflict {
        /// The record.
        record: R,
        /// The stream's next number.
        next_number: u64,
        /// The current epoch.
        epoch: u64,
    },
    /// A serial that it reserves is taken. Nothing of it is written. Draw another; a pipelining caller must call
    /// [`crate::Writer::resume`] first.
    #[error("a serial number that it reserves is taken")]
    SerialTaken {
        /// The record.
        record: R,
    },
    /// An entry with this id and *another body* stands in the stream already; this one is not written. (With the same body the append
    /// succeeds and [`Recorded::is_repeat`] says so.)
    #[error("its id stands at position {position} already, number {number}, with another body")]
    AlreadyRecorded {
        /// The record that was not written.
        record: R,
        /// Where the entry with this id stands.
        position: u64,
        /// Its number in the stream.
        number: u64,
    },
    /// The ledger cannot write and this was not tried. What narrows is in the reserve file when `reserved` says so.
    #[error("the ledger cannot write; nothing was recorded (reserve file: {reserved:?})")]
    Unavailable {
        /// The record.
        record: R,
        /// Whether the reserve file holds it.
        reserved: Reserved,
    },
    /// The commit was tried and its answer was lost: it may or may not be durable. Never act on it and never retry it in this process; the
    /// next start tells.
    #[error(
        "the answer to the commit was lost; the next start tells whether it was recorded (reserve file: {reserved:?})"
    )]
    Unknown {
        /// The record.
        record: R,
        /// Whether the reserve file holds it too (the id makes that harmless).
        reserved: Reserved,
    },
}

impl<R> AppendError<R> {
    /// The record that was not recorded.
    pub fn into_record(self) -> R {
        match self {
            Self::Conflict { record, .. }
            | Self::SerialTaken { record }
            | Self::AlreadyRecorded { record, .. }
            | Self::Unavailable { record, .. }
            | Self::Unknown { record, .. } => record,
        }
    }

    /// Whether this says that the ledger cannot write (for [`QueueRefusal`] and `503 LEDGER_UNAVAILABLE`).
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Unknown { .. })
    }
}

/// What became of a narrowing record that the ledger could not write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// Not narrowing: not kept.
    No,
    /// Durable in the reserve file; appended first at the next start, marked late.
    Kept,
    /// The reserve file's part for it is full or fails too: only counted.
    Counted,
}

/// A record that is durable. Only the ledger makes one: holding it is the proof.
#[derive(Debug)]
pub struct Recorded<R> {
    pub(crate) record: R,
    pub(crate) proof: Proof,
}

#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) entry: Arc<CommittedEntry>,
    pub(crate) tree: Arc<BatchTree>,
    pub(crate) checkpoint: Arc<str>,
    pub(crate) repeat: bool,
}

impl<R> Recorded<R> {
    /// The record.
    pub fn record(&self) -> &R {
        &self.record
    }

    /// The record, giving the proof up.
    pub fn into_record(self) -> R {
        self.record
    }

    /// The record and the rest of the proof apart.
    pub fn map<T>(self, map: impl FnOnce(R) -> T) -> (T, Arc<CommittedEntry>) {
        (map(self.record), self.proof.entry)
    }

    /// The position in the whole log, from 0.
    pub fn position(&self) -> u64 {
        self.proof.entry.position
    }

    /// The number in the stream, from 0.
    pub fn number(&self) -> u64 {
        self.proof.entry.number
    }

    /// The epoch in the entry.
    pub fn epoch(&self) -> u64 {
        self.proof.entry.epoch
    }

    /// The entry as committed.
    pub fn entry(&self) -> &Arc<CommittedEntry> {
        &self.proof.entry
    }

    /// Whether an earlier append with the same id and body wrote it.
    pub fn is_repeat(&self) -> bool {
        self.proof.repeat
    }

    /// Entry bytes, inclusion proof and signed checkpoint: the signature over this record.
    pub fn receipt(&self) -> Receipt {
        Receipt {
            checkpoint: self.proof.checkpoint.to_string(),
            entry: self.proof.entry.bytes.to_vec(),
            index: self.proof.entry.position,
            proof: self.proof.tree.inclusion(self.proof.entry.position).unwrap_or_default(),
        }
    }
}

/// One entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedEntry {
    /// Position in the whole log, from 0.
    pub position: u64,
    /// Its stream.
    pub stream: StreamId,
    /// Number in the stream, from 0.
    pub number: u64,
    /// The epoch it was written under.
    pub epoch: u64,
    /// Its kind: `order.decided`.
    pub kind: Arc<str>,
    /// When it was decided.
    pub at: Timestamp,
    /// Whether it was acted on before it was recorded (reserve file).
    pub late: bool,
    /// Who appended it.
    pub writer: Arc<str>,
    /// The id that makes its append idempotent; beside the entry, not part of it.
    pub id: Option<Arc<str>>,
    /// When the store wrote it, by the system's clock; beside the entry, not part of it.
    pub recorded_at: Timestamp,
    /// The canonical bytes; their leaf hash is in the tree.
    pub bytes: Arc<[u8]>,
    /// Where the body stands in `bytes`.
    pub body: std::ops::Range<usize>,
}

impl CommittedEntry {
    /// The body, canonical JSON.
    pub fn body(&self) -> &[u8] {
        self.bytes.get(self.body.clone()).unwrap_or_default()
    }
}
