//! A store that fails on purpose: a commit is lost, or kept and reported as failed, or late. Or its disk hangs: a commit blocks its thread,
//! as a real one does in `fsync`.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use extensions::{Digest, Serial, StreamId, StreamKind, Timestamp};

use super::{Answer, Batch, Committed, Marked, Settled, Store, StoreError, StoredCheckpoint};
use crate::{
    append::CommittedEntry,
    ledger::{Head, LeasedTask, TaskId},
    seal::SealedRow,
    search::Mark,
    tree::BatchTree,
};

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is written.
    Lost,
    /// Everything is written and the answer is lost.
    Kept,
    /// One commit takes this long, or until [`FaultStore::wake`]; those after it are sound.
    Slow(Duration),
    /// Everything is written, each time after this long.
    Late(Duration),
}

/// Wraps a store; the commits pass until the one that is to fail.
pub struct FaultStore {
    inner: Arc<dyn Store>,
    fault: Fault,
    left: AtomicU64,
    disk: Mutex<Disk>,
    woken: Condvar,
}

/// What a slow disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    Sound,
    /// A commit is in it now.
    Hangs,
    /// It has hung, and will not again.
    Woken,
}

impl FaultStore {
    /// Lets `passes` commits through; every one after them fails, or is late, or the next is slow.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>, fault: Fault, passes: u64) -> Self {
        Self {
            inner,
            fault,
            left: AtomicU64::new(passes),
            disk: Mutex::new(Disk::Sound),
            woken: Condvar::new(),
        }
    }

    /// Whether a commit hangs in a slow disk now.
    #[must_use]
    pub fn hangs(&self) -> bool {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) == Disk::Hangs
    }

    /// Lets the commit that hangs go on.
    pub fn wake(&self) {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = Disk::Woken;
        self.woken.notify_all();
    }

    fn hang(&self, longest: Duration) {
        let mut disk = self.disk.lock().unwrap_or_else(PoisonError::into_inner);
        if *disk == Disk::Woken {
            return;
        }
        *disk = Disk::Hangs;
        let slept = self
            .woken
            .wait_timeout_while(disk, longest, |disk| *disk == Disk::Hangs);
        *slept.unwrap_or_else(PoisonError::into_inner).0 = Disk::Woken;
    }
}

impl Store for FaultStore {
    fn commit(&self, batch: Batch) -> Answer<'_, Committed> {
        Box::pin(async move {
            let pass = self
                .left
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1));
            if pass.is_ok() {
                return self.inner.commit(batch).await;
            }
            match self.fault {
                Fault::Lost => {}
                Fault::Kept => drop(self.inner.commit(batch).await?),
                Fault::Late(by) => {
                    tokio::time::sleep(by).await;
                    return self.inner.commit(batch).await;
                }
                Fault::Slow(longest) => {
                    self.hang(longest);
                    return self.inner.commit(batch).await;
                }
            }
            Err(StoreError::Failed("injected fault".into()))
        })
    }

    fn head(&self) -> Arc<Head> {
        self.inner.head()
    }

    fn stream_next(&self, stream: &StreamId) -> u64 {
        self.inner.stream_next(stream)
    }

    fn streams(&self, kind: StreamKind) -> Vec<StreamId> {
        self.inner.streams(kind)
    }

    fn read_range(&self, from: u64, limit: usize) -> Answer<'_, Vec<Arc<CommittedEntry>>> {
        self.inner.read_range(from, limit)
    }

    fn read_each(&self, positions: Vec<u64>) -> Answer<'_, Vec<Arc<CommittedEntry>>> {
        self.inner.read_each(positions)
    }

    fn read_stream<'a>(
        &'a self,
        stream: &'a StreamId,
        from: u64,
        limit: usize,
    ) -> Answer<'a, Vec<Arc<CommittedEntry>>> {
        self.inner.read_stream(stream, from, limit)
    }

    fn checkpoint_at(&self, size: u64) -> Answer<'_, Option<StoredCheckpoint>> {
        self.inner.checkpoint_at(size)
    }

    fn checkpoint_after(&self, position: u64) -> Answer<'_, Option<StoredCheckpoint>> {
        self.inner.checkpoint_after(position)
    }

    fn sealed_of_entry(&self, position: u64) -> Answer<'_, Vec<SealedRow>> {
        self.inner.sealed_of_entry(position)
    }

    fn prove(&self, position: u64) -> Answer<'_, (Arc<CommittedEntry>, Arc<BatchTree>, Arc<str>)> {
        self.inner.prove(position)
    }

    fn order_position<'a>(&'a self, agent: &'a StreamId, client_order_id: &'a str) -> Answer<'a, Option<u64>> {
        self.inner.order_position(agent, client_order_id)
    }

    fn append_position<'a>(&'a self, stream: &'a StreamId, id: &'a str) -> Answer<'a, Option<u64>> {
        self.inner.append_position(stream, id)
    }

    fn marked<'a>(
        &'a self,
        mark: &'a Mark,
        stream: Option<&'a StreamId>,
        lowest: u64,
        highest: u64,
        limit: usize,
    ) -> Answer<'a, Marked> {
        self.inner.marked(mark, stream, lowest, highest, limit)
    }

    fn certificate<'a>(&'a self, serial: &'a Serial) -> Answer<'a, Option<(StreamId, String)>> {
        self.inner.certificate(serial)
    }

    fn sealed<'a>(&'a self, position: u64, commitment: &'a Digest) -> Answer<'a, Option<SealedRow>> {
        self.inner.sealed(position, commitment)
    }

    fn lease_tasks<'a>(
        &'a self,
        role: &'a str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Answer<'a, Vec<LeasedTask>> {
        self.inner.lease_tasks(role, now, until, limit)
    }

    fn settle_task(&self, id: TaskId, settled: Settled) -> Answer<'_, ()> {
        self.inner.settle_task(id, settled)
    }

    fn dead_tasks<'a>(&'a self, role: &'a str) -> Answer<'a, Vec<LeasedTask>> {
        self.inner.dead_tasks(role)
    }

    fn rebuild(&self) -> Answer<'_, u64> {
        self.inner.rebuild()
    }

    fn catch_up(&self) -> Answer<'_, ()> {
        self.inner.catch_up()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.inner.close()
    }
}
