//! The ledger as this role needs it: read forward, wait for more, report. A trait, so that tests can make it fail.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use extensions::record::SealedText;
use extensions::{Digest, Record, StreamId, Timestamp};
use ledger::{Append, CommittedEntry, Ledger, LedgerError, Task, Writer};
use thiserror::Error;
use tokio::sync::watch;

/// A future on the heap, as trait objects need it.
pub type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The ledger could not be read or written just now; what was asked is tried again.
#[derive(Debug, Clone, Error)]
#[error("the ledger could not be used: {0}")]
pub struct LogError(pub String);

/// The size of the log whenever there is news: a wake-up call.
pub type Announced = watch::Receiver<u64>;

/// A record of any kind, on the heap.
pub struct AnyRecord(Box<dyn Record + Send>);

impl AnyRecord {
    /// Any record.
    pub fn new(record: impl Record + Send + 'static) -> Self {
        Self(Box::new(record))
    }
}

impl Record for AnyRecord {
    fn stream(&self) -> StreamId {
        self.0.stream()
    }
    fn kind(&self) -> &'static str {
        self.0.kind()
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        self.0.write_body(out);
    }
    fn sealed(&self) -> &[SealedText] {
        self.0.sealed()
    }
    fn gating(&self) -> bool {
        self.0.gating()
    }
}

/// One report: a record that takes the next number of its stream.
pub struct Report {
    /// When.
    pub at: Timestamp,
    /// Makes a repeated report harmless.
    pub id: String,
    /// What happened.
    pub record: AnyRecord,
    /// What follows from it.
    pub tasks: Vec<Task>,
}

/// What this role does with the ledger.
pub trait Log: Send + Sync + 'static {
    /// The ledger's id.
    fn id(&self) -> String;
    /// How many entries are committed.
    fn size(&self) -> u64;
    /// Up to `limit` entries from position `from`.
    fn read_range(&self, from: u64, limit: usize) -> Boxed<'_, Result<Vec<Arc<CommittedEntry>>, LogError>>;
    /// Up to `limit` entries of one stream from number `from`.
    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        from: u64,
        limit: usize,
    ) -> Boxed<'a, Result<Vec<Arc<CommittedEntry>>, LogError>>;
    /// The text behind a commitment of the entry at `position`; `None` when it was erased, or never stood there.
    fn unseal<'a>(&'a self, position: u64, commitment: &'a Digest) -> Boxed<'a, Result<Option<String>, LogError>>;
    /// News from now on; a wake-up call, read by position.
    fn announced(&self) -> Announced;
    /// Appends a report.
    fn report(&self, report: Report) -> Boxed<'_, Result<(), LogError>>;
}

/// The ledger itself.
pub struct LedgerLog {
    ledger: Ledger,
    writer: Writer,
}

impl LedgerLog {
    /// Reads `ledger`, reports through `writer` (the writer of the role `revocation`).
    #[must_use]
    pub fn new(ledger: Ledger, writer: Writer) -> Self {
        Self { ledger, writer }
    }
}

impl Log for LedgerLog {
    fn id(&self) -> String {
        self.ledger.id().to_owned()
    }

    fn size(&self) -> u64 {
        self.ledger.head().size
    }

    fn read_range(&self, from: u64, limit: usize) -> Boxed<'_, Result<Vec<Arc<CommittedEntry>>, LogError>> {
        Box::pin(async move {
            let read = self.ledger.read_range(from, limit).await;
            read.map_err(|error| LogError(error.to_string()))
        })
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        from: u64,
        limit: usize,
    ) -> Boxed<'a, Result<Vec<Arc<CommittedEntry>>, LogError>> {
        Box::pin(async move {
            let read = self.ledger.read_stream(stream, from, limit).await;
            read.map_err(|error| LogError(error.to_string()))
        })
    }

    fn unseal<'a>(&'a self, position: u64, commitment: &'a Digest) -> Boxed<'a, Result<Option<String>, LogError>> {
        Box::pin(async move {
            match self.ledger.unseal(position, commitment).await {
                Ok(text) => Ok(text),
                Err(LedgerError::Absent(_) | LedgerError::Refused(_)) => Ok(None),
                Err(error) => Err(LogError(error.to_string())),
            }
        })
    }

    fn announced(&self) -> Announced {
        self.ledger.news()
    }

    fn report(&self, report: Report) -> Boxed<'_, Result<(), LogError>> {
        Box::pin(async move {
            let mut append = Append::next(report.record, report.at).with_id(report.id);
            append.tasks = report.tasks;
            match self.writer.append(append).await {
                Ok(_) | Err(ledger::AppendError::AlreadyRecorded { .. }) => Ok(()),
                Err(error) => Err(LogError(error.to_string())),
            }
        })
    }
}

#[cfg(test)]
mod tests;
