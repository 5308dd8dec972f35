//! Reads of the log by position, as followers and starts make them: thousands of rows at a time, each parsed where it lies, on a thread that may
//! block.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use extensions::Timestamp;
use rusqlite::{Connection, params};

use super::{append, signed, unsigned};
use crate::{append::CommittedEntry, entry, store::StoreError};

/// The connections, used in turn: roles fold the log side by side.
pub(super) struct Ranges {
    files: [Arc<Mutex<Connection>>; 2],
    turn: AtomicUsize,
}

impl Ranges {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let open = || {
            let file = append::connect(path, "FULL").map_err(|e| append::failed(&e))?;
            file.execute_batch("PRAGMA query_only = ON;")
                .map_err(|e| append::failed(&e))?;
            Ok::<_, StoreError>(Arc::new(Mutex::new(file)))
        };
        Ok(Self {
            files: [open()?, open()?],
            turn: AtomicUsize::new(0),
        })
    }

    /// The entries from position `from` to before `until`.
    pub(super) async fn read(&self, from: u64, until: u64) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        self.reading(move |file| entries(file, from, until)).await
    }

    /// The entries at these positions: one turn on the thread, however many.
    pub(super) async fn each(&self, positions: Vec<u64>) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        let each = move |file: &Connection| {
            let mut found = Vec::with_capacity(positions.len());
            for position in positions {
                found.extend(entries(file, position, position.saturating_add(1))?);
            }
            Ok(found)
        };
        self.reading(each).await
    }

    async fn reading(
        &self,
        read: impl FnOnce(&Connection) -> Result<Vec<Arc<CommittedEntry>>, StoreError> + Send + 'static,
    ) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.files.len();
        let file = Arc::clone(&self.files[turn]);
        let reading = tokio::task::spawn_blocking(move || {
            let file = file.lock().unwrap_or_else(PoisonError::into_inner);
            read(&file)
        });
        let read = reading.await;
        read.map_err(|error| StoreError::Failed(format!("the entries were not read: {error}")))?
    }
}

fn entries(file: &Connection, from: u64, until: u64) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
    let failed = |error| append::failed(&error);
    let sql = "SELECT position, bytes, recorded_at, append_id FROM entries WHERE position >= ? AND position < ? ORDER BY position";
    let mut query = file.prepare_cached(sql).map_err(failed)?;
    let mut rows = query.query(params![signed(from), signed(until)]).map_err(failed)?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next().map_err(failed)? {
        let position = unsigned(row.get(0).map_err(failed)?);
        let bytes = row.get_ref(1).map_err(failed)?;
        let bytes = bytes.as_blob().map_err(|e| StoreError::Failed(e.to_string()))?;
        let mut entry = entry::parse(position, bytes)
            .map_err(|e| StoreError::Failed(format!("the entry at position {position} is unreadable: {e}")))?;
        entry.recorded_at = Timestamp::from_micros(row.get(2).map_err(failed)?);
        entry.id = row.get::<_, Option<String>>(3).map_err(failed)?.map(Into::into);
        entries.push(Arc::new(entry));
    }
    Ok(entries)
}
