//! The embedded store: one process, one file for the append, another for the views that follow it.

use std::{
    collections::HashSet,
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use extensions::{Digest, Serial, StreamId, StreamKind, Timestamp};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::{Mutex, MutexGuard};

use super::{
    Answer, Batch, Committed, Item, KnownIds, Marked, Outcome, OutcomeProof, Settled, Store, StoreError,
    StoredCheckpoint,
    sequence::{self, Numbered, Sequence, Truth},
};
use crate::{
    append::{CommittedEntry, Proof},
    checkpoint::Checkpoint,
    files,
    ledger::{Head, LeasedTask, TaskId},
    seal::SealedRow,
    search::Mark,
    tree::{self, BatchTree, Frontier},
};

mod append;
pub(crate) mod open;
mod ranges;
mod read;
pub(crate) mod schema;
mod tasks;
mod views;

#[cfg(test)]
mod tests;

use append::AppendFile;
use open::failed;
use ranges::Ranges;
pub(crate) use read::sealed_of;
use views::Views;

/// Bytes of the WAL's frames after which it is brought back into the database.
const CHECKPOINT_BYTES: u64 = 32 << 20;

/// The SQLite store.
pub struct SqliteStore {
    write: Mutex<WriteSide>,
    readers: [Mutex<SqliteConnection>; 2],
    ranges: Ranges,
    bulk: Mutex<SqliteConnection>,
    tip: RwLock<Tip>,
    views: Arc<Views>,
    wal_bytes: u64,
    /// Held while the store is open; gone after `close`.
    lock: std::sync::Mutex<Option<File>>,
}

struct WriteSide {
    file: AppendFile,
    since_checkpoint: u64,
    broken: Option<StoreError>,
}

struct Tip {
    head: Arc<Head>,
    frontier: Frontier,
}

impl SqliteStore {
    /// Makes a new, empty store in `directory`.
    ///
    /// # Errors
    /// When there is one already, another process has it, or a file cannot be made.
    pub async fn create(directory: &Path, wal_bytes: u64) -> Result<Self, StoreError> {
        files::make_private_folder(directory).map_err(|e| StoreError::Failed(e.to_string()))?;
        let lock = lock(directory)?;
        let path = directory.join("ledger.db");
        if path.exists() {
            return Err(StoreError::Absent(format!(
                "there is a ledger in {} already",
                directory.display()
            )));
        }
        let mut connection = open::writer(&path, true).await?;
        open::make_tables(&mut connection).await?;
        drop(connection.close().await);
        files::sync_folder(directory).map_err(|e| StoreError::Failed(e.to_string()))?;
        Self::open_locked(directory, wal_bytes, lock).await
    }

    /// Opens the store in `directory`, catching its views up.
    ///
    /// # Errors
    /// When there is none, another process has it, or its settings, triggers or head do not hold.
    pub async fn open(directory: &Path, wal_bytes: u64) -> Result<Self, StoreError> {
        if !directory.join("ledger.db").exists() {
            return Err(StoreError::Absent(format!(
                "there is no ledger in {}",
                directory.display()
            )));
        }
        let lock = lock(directory)?;
        Self::open_locked(directory, wal_bytes, lock).await
    }

    async fn open_locked(directory: &Path, wal_bytes: u64, lock: File) -> Result<Self, StoreError> {
        let path = directory.join("ledger.db");
        let io = |e: std::io::Error| StoreError::Failed(e.to_string());
        files::grow(&directory.join("ledger.db-wal"), wal_bytes).map_err(io)?;
        let mut connection = open::writer(&path, false).await?;
        open::assert_triggers(&mut connection).await?;
        let tip = read_tip(&mut connection).await?;
        drop(connection.close().await);
        let views_path = directory.join("views.db");
        let views = Arc::new(Views::open(&views_path, &path)?);
        let reader = async || {
            let mut reader = open::reader(&path).await?;
            let attach = sqlx::query("ATTACH ? AS views").bind(views_path.to_string_lossy().into_owned());
            attach.execute(&mut reader).await.map_err(|e| failed(&e))?;
            Ok::<_, StoreError>(Mutex::new(reader))
        };
        let store = Self {
            readers: [reader().await?, reader().await?],
            ranges: Ranges::open(&path)?,
            bulk: Mutex::new(open::writer(&path, false).await?),
            write: Mutex::new(WriteSide {
                file: AppendFile::open(&path)?,
                since_checkpoint: CHECKPOINT_BYTES,
                broken: None,
            }),
            tip: RwLock::new(tip),
            views,
            wal_bytes,
            lock: std::sync::Mutex::new(Some(lock)),
        };
        store.catch_up().await?;
        Ok(store)
    }

    async fn reader(&self) -> MutexGuard<'_, SqliteConnection> {
        match self.readers[0].try_lock() {
            Ok(guard) => guard,
            Err(_) => self.readers[1].lock().await,
        }
    }

    /// Brings the WAL back into the database: the bulk on a second connection beside the commits, the rest between two commits.
    async fn checkpoint_wal(&self) -> Result<(), StoreError> {
        const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";
        let mut bulk = self.bulk.lock().await;
        sqlx::raw_sql(PASSIVE)
            .execute(&mut *bulk)
            .await
            .map_err(|e| failed(&e))?;
        drop(bulk);
        self.write
            .lock()
            .await
            .file
            .checkpoint()
            .map_err(|e| append::failed(&e))
    }

    fn head_now(&self) -> Arc<Head> {
        Arc::clone(&self.tip.read().unwrap_or_else(PoisonError::into_inner).head)
    }

    async fn commit_batch(&self, batch: Batch) -> Result<Committed, StoreError> {
        // Before the lock: the views' task needs the same lock to bring the WAL back.
        self.views.wait_for_room().await?;
        let mut write = self.write.lock().await;
        if let Some(broken) = &write.broken {
            return Err(broken.clone());
        }
        let known = self.known_ids(&batch.items).await?;
        let serials = taken_serials(&write.file, &batch.items)?;
        let (head, before) = {
            let tip = self.tip.read().unwrap_or_else(PoisonError::into_inner);
            (Arc::clone(&tip.head), tip.frontier.clone())
        };
        let truth = Truth {
            size: head.size,
            epoch: head.epoch,
            next: &|stream| self.views.stream_next(stream),
            known_ids: &known,
            taken_serials: &serials,
        };
        let sequence = sequence::sequence(&batch.items, batch.key.writer(), &truth);
        if sequence.entries.is_empty() {
            let outcomes = outcomes(
                sequence.items,
                &[],
                &Arc::new(BatchTree::grow(&before, &[])),
                &head.checkpoint,
            );
            return Ok(Committed {
                outcomes,
                entries: Arc::from([]),
                head,
            });
        }
        let (grown, sequence) = grow(&batch, &before, sequence)?;
        match write.file.commit(&batch, &sequence, &grown) {
            Ok(bytes) => write.since_checkpoint += bytes,
            Err(error) => {
                // A failed write or sync of the WAL: whether its frames come back after a restart is unknown. Never retried.
                let error = append::failed(&error);
                write.broken = Some(error.clone());
                return Err(error);
            }
        }
        self.publish(&sequence, &grown);
        let entries: Arc<[Arc<CommittedEntry>]> = grown.entries.into();
        let outcomes = outcomes(sequence.items, &entries, &grown.tree, &grown.head.checkpoint);
        Ok(Committed {
            outcomes,
            entries,
            head: grown.head,
        })
    }

    fn publish(&self, sequence: &Sequence, grown: &Grown) {
        self.views.commit(&sequence.next, &grown.entries);
        let mut tip = self.tip.write().unwrap_or_else(PoisonError::into_inner);
        *tip = Tip {
            head: Arc::clone(&grown.head),
            frontier: grown.frontier.clone(),
        };
    }

    async fn known_ids(&self, items: &[Item]) -> Result<KnownIds, StoreError> {
        let mut known = KnownIds::new();
        for item in items {
            let (Some(id), Some(draft)) = (&item.id, item.drafts.first()) else {
                continue;
            };
            if let Some(position) = self.views.append_id(&draft.stream, id)? {
                known.insert(
                    (draft.stream.clone(), Arc::clone(id)),
                    self.prove_entry(position).await?,
                );
            }
        }
        Ok(known)
    }
}

/// What a batch makes of the tree.
struct Grown {
    entries: Vec<Arc<CommittedEntry>>,
    leaves: Vec<Digest>,
    tree: Arc<BatchTree>,
    frontier: Frontier,
    head: Arc<Head>,
}

fn grow(batch: &Batch, before: &Frontier, mut sequence: Sequence) -> Result<(Grown, Sequence), StoreError> {
    let leaves: Vec<Digest> = sequence
        .entries
        .iter()
        .map(|entry| tree::leaf_hash(&entry.bytes))
        .collect();
    let tree = BatchTree::grow(before, &leaves);
    let checkpoint = Checkpoint {
        origin: batch.origin.to_string(),
        size: tree.size(),
        root: tree.root(),
    };
    let note = checkpoint
        .sign(&batch.key)
        .map_err(|e| StoreError::Busy(e.to_string()))?;
    let head = Head {
        size: tree.size(),
        root: tree.root(),
        epoch: sequence.epoch,
        checkpoint: note.into(),
    };
    let entries = std::mem::take(&mut sequence.entries).into_iter().map(|mut entry| {
        entry.recorded_at = batch.recorded_at;
        Arc::new(entry)
    });
    let grown = Grown {
        entries: entries.collect(),
        leaves,
        frontier: tree.frontier(before),
        tree: Arc::new(tree),
        head: Arc::new(head),
    };
    Ok((grown, sequence))
}

fn outcomes(
    items: Vec<Numbered>,
    entries: &[Arc<CommittedEntry>],
    tree: &Arc<BatchTree>,
    checkpoint: &Arc<str>,
) -> Vec<Outcome> {
    let proof = |first: usize, repeat| {
        Outcome::Recorded(OutcomeProof(Proof {
            entry: Arc::clone(&entries[first]),
            tree: Arc::clone(tree),
            checkpoint: Arc::clone(checkpoint),
            repeat,
        }))
    };
    let outcome = |item| match item {
        Numbered::Written { first } => proof(first, false),
        Numbered::Same { first } => proof(first, true),
        Numbered::Ended(outcome) => outcome,
    };
    items.into_iter().map(outcome).collect()
}

/// Positions, sizes and numbers stay far below 2^63.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn taken_serials(file: &AppendFile, items: &[Item]) -> Result<HashSet<Serial>, StoreError> {
    let mut taken = HashSet::new();
    for serial in items.iter().flat_map(|item| &item.serials) {
        if file.has_serial(serial).map_err(|e| append::failed(&e))? {
            taken.insert(*serial);
        }
    }
    Ok(taken)
}

fn lock(directory: &Path) -> Result<File, StoreError> {
    let path = directory.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|e| StoreError::Failed(format!("{}: {e}", path.display())))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Busy(directory.display().to_string())),
        Err(TryLockError::Error(e)) => Err(StoreError::Failed(format!("{}: {e}", path.display()))),
    }
}

/// Reads the head row and holds it against entries and last checkpoint.
async fn read_tip(connection: &mut SqliteConnection) -> Result<Tip, StoreError> {
    let sql = "SELECT h.size, h.epoch, h.root, (SELECT coalesce(max(position), -1) + 1 FROM entries), c.note, c.frontier, c.size
        FROM head h LEFT JOIN checkpoints c ON c.size = (SELECT max(size) FROM checkpoints)";
    let row = sqlx::query(sql).fetch_one(connection).await.map_err(|e| failed(&e))?;
    let size = unsigned(row.get(0));
    let (entries, checkpointed) = (unsigned(row.get(3)), row.get::<Option<i64>, _>(6).map_or(0, unsigned));
    if size != entries || size != checkpointed {
        return Err(StoreError::Failed(format!(
            "the head row says {size} entries, the table holds {entries}, the last checkpoint signs {checkpointed}"
        )));
    }
    let frontier = row.get::<Option<Vec<u8>>, _>(5).unwrap_or_default();
    let frontier = Frontier::from_bytes(size, &frontier)
        .ok_or_else(|| StoreError::Failed("the last checkpoint's frontier does not fit its size".into()))?;
    if frontier.root().0[..] != row.get::<Vec<u8>, _>(2)[..] {
        return Err(StoreError::Failed(
            "the head row and the last checkpoint's frontier have different roots".into(),
        ));
    }
    let head = Head {
        size,
        root: frontier.root(),
        epoch: unsigned(row.get(1)),
        checkpoint: row.get::<Option<String>, _>(4).unwrap_or_default().into(),
    };
    Ok(Tip {
        head: Arc::new(head),
        frontier,
    })
}

/// Where a store's files are.
#[must_use]
pub fn database_file(directory: &Path) -> PathBuf {
    directory.join("ledger.db")
}

impl Store for SqliteStore {
    fn commit(&self, batch: Batch) -> Answer<'_, Committed> {
        Box::pin(self.commit_batch(batch))
    }

    fn head(&self) -> Arc<Head> {
        self.head_now()
    }

    fn stream_next(&self, stream: &StreamId) -> u64 {
        self.views.stream_next(stream)
    }

    fn streams(&self, kind: StreamKind) -> Vec<StreamId> {
        self.views.streams(kind)
    }

    fn read_range(&self, from: u64, limit: usize) -> Answer<'_, Vec<Arc<CommittedEntry>>> {
        Box::pin(self.range(from, limit))
    }

    fn read_each(&self, positions: Vec<u64>) -> Answer<'_, Vec<Arc<CommittedEntry>>> {
        Box::pin(self.ranges.each(positions))
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        from: u64,
        limit: usize,
    ) -> Answer<'a, Vec<Arc<CommittedEntry>>> {
        Box::pin(self.stream(stream, from, limit))
    }

    fn checkpoint_at(&self, size: u64) -> Answer<'_, Option<StoredCheckpoint>> {
        Box::pin(self.stored_checkpoint("size = ?", size))
    }

    fn checkpoint_after(&self, position: u64) -> Answer<'_, Option<StoredCheckpoint>> {
        Box::pin(self.stored_checkpoint("size > ? ORDER BY size LIMIT 1", position))
    }

    fn sealed_of_entry(&self, position: u64) -> Answer<'_, Vec<SealedRow>> {
        Box::pin(self.sealed_rows(position))
    }

    fn prove(&self, position: u64) -> Answer<'_, (Arc<CommittedEntry>, Arc<BatchTree>, Arc<str>)> {
        Box::pin(self.prove_entry(position))
    }

    fn order_position<'a>(&'a self, agent: &'a StreamId, client_order_id: &'a str) -> Answer<'a, Option<u64>> {
        Box::pin(async move { self.views.order(agent, client_order_id) })
    }

    fn append_position<'a>(&'a self, stream: &'a StreamId, id: &'a str) -> Answer<'a, Option<u64>> {
        Box::pin(async move { self.views.append_id(stream, &Arc::from(id)) })
    }

    fn marked<'a>(
        &'a self,
        mark: &'a Mark,
        stream: Option<&'a StreamId>,
        lowest: u64,
        highest: u64,
        limit: usize,
    ) -> Answer<'a, Marked> {
        Box::pin(async move { self.views.marked(mark, stream, (lowest, highest), limit) })
    }

    fn certificate<'a>(&'a self, serial: &'a Serial) -> Answer<'a, Option<(StreamId, String)>> {
        Box::pin(async move { self.views.certificate(serial) })
    }

    fn sealed<'a>(&'a self, position: u64, commitment: &'a Digest) -> Answer<'a, Option<SealedRow>> {
        Box::pin(self.sealed_row(position, commitment))
    }

    fn lease_tasks<'a>(
        &'a self,
        role: &'a str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<'a, Vec<LeasedTask>> {
        Box::pin(self.lease(role, now, until, limit))
    }

    fn settle_task(&self, id: TaskId, settled: Settled) -> Answer<'_, ()> {
        Box::pin(self.settle(id, settled))
    }

    fn dead_tasks<'a>(&'a self, role: &'a str) -> Answer<'a, Vec<LeasedTask>> {
        Box::pin(self.dead(role))
    }

    fn rebuild(&self) -> Answer<'_, u64> {
        Box::pin(async {
            self.views.clear()?;
            self.catch_up().await?;
            Ok(self.head_now().size)
        })
    }

    fn catch_up(&self) -> Answer<'_, ()> {
        Box::pin(async {
            if self.lock.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
                return Ok(());
            }
            let (views, size) = (Arc::clone(&self.views), self.head_now().size);
            let followed = tokio::task::spawn_blocking(move || views.catch_up(size)).await;
            followed.unwrap_or_else(|error| Err(StoreError::Failed(format!("the views: {error}"))))?;
            let due = {
                let mut write = self.write.lock().await;
                let due = write.since_checkpoint >= CHECKPOINT_BYTES.min(self.wal_bytes / 2).max(1);
                if due {
                    write.since_checkpoint = 0;
                }
                due
            };
            if due { self.checkpoint_wal().await } else { Ok(()) }
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            self.catch_up().await?;
            let mut write = self.write.lock().await;
            write.broken = Some(StoreError::Busy("the ledger is closed".into()));
            // The file holds all of the record from here on. The last connection to close would do it too, but not every time: a driver closes its
            // connections on threads of their own. A reader in its way is no error, the next start reads the log as it is.
            let mut bulk = self.bulk.lock().await;
            drop(
                sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                    .execute(&mut *bulk)
                    .await,
            );
            drop(bulk);
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
            Ok(())
        })
    }
}
