//! A disk that hangs, and a queue without room: who may wait for it, and what is kept all the same.

use std::time::Duration;

use super::*;
use crate::{
    append::QueueRefusal,
    store::{
        fault::{Fault, FaultStore},
        sqlite::SqliteStore,
    },
    writer::MOST_WAITING,
};

/// Longer than any test may take where its guard holds; short enough to see it red where not.
const LONG: Duration = Duration::from_secs(20);

/// A ledger whose disk hangs at the first append of its one writer.
async fn hanging() -> (TempDir, Ledger, Writer, Arc<FaultStore>) {
    let (folder, ledger, writer) = fresh().await;
    ledger.close().await.expect("closes");
    drop((writer, ledger));
    let config = config(folder.path());
    let store = SqliteStore::open(&config.directory, config.wal_bytes)
        .await
        .expect("opens");
    let disk = Arc::new(FaultStore::new(Arc::new(store), Fault::Slow(LONG), 0));
    let ledger = Ledger::open_on(config, disk.clone()).await.expect("opens");
    let writer = ledger.writer(key("gateway-1", 1), None).await.expect("known");
    (folder, ledger, writer, disk)
}

/// Turns of the runtime until the disk hangs; `false` when it never did while the runtime went on.
async fn hangs(disk: &FaultStore) -> bool {
    for _ in 0..2_000 {
        if disk.hangs() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    false
}

/// On one thread, which has to go on: what narrows is committed elsewhere, and so is everything that a spared thread queues. Controls tried:
/// with `fits_here` true for a lone append, the thread itself sits in the commit and finds the disk woken when it goes on.
#[tokio::test(flavor = "current_thread")]
async fn a_hung_disk_holds_neither_what_narrows_nor_a_spared_thread() {
    for spared in [false, true] {
        let (_folder, ledger, writer, disk) = hanging().await;
        let append = Append::next(note(&agent("mm-1"), "act"), now());
        let append = match spared {
            true => {
                writer.spare_this_thread();
                append
            }
            false => append.narrowing(),
        };
        let pending = writer.queue(append).expect("room");
        assert!(
            hangs(&disk).await,
            "this thread goes on while the disk hangs (spared: {spared})"
        );
        disk.wake();
        pending.await.expect("recorded once the disk is back");
        assert_sound(&ledger).await;
    }
}

/// Orders leave a quarter of the queue to what narrows; when that is full too, the record goes to the reserve file and stands in the log, late,
/// after the next start. Controls tried: without `keep_aside` the next start finds nothing; with one bound for all, the cancel finds no room
/// behind orders alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_narrows_is_kept_when_the_queue_is_full() {
    let (folder, ledger, writer, disk) = hanging().await;
    let stream = agent("mm-1");
    let first = writer.queue(Append::next(note(&stream, "first"), now()).narrowing());
    assert!(hangs(&disk).await);
    let mut pending = vec![first.expect("room")];
    let full = loop {
        match writer.queue(Append::next(note(&stream, "order"), now())) {
            Ok(one) => pending.push(one),
            Err(full) => break full.reason,
        }
    };
    let waiting = MOST_WAITING / 4 * 3;
    assert_eq!(full, QueueRefusal::Full { waiting });
    let narrow = |id: &str| writer.queue(Append::next(note(&stream, id), now()).narrowing().with_id(id));
    for place in waiting..MOST_WAITING {
        pending.push(narrow(&format!("cancel-{place}")).expect("what is left to what narrows"));
    }
    let refused = narrow("revoked").err().expect("full");
    assert_eq!(refused.reason, QueueRefusal::Full { waiting: MOST_WAITING });
    let reserve = folder.path().join("store/reserve");
    let kept = || String::from_utf8_lossy(&std::fs::read(&reserve).expect("reads")).contains("\"id\":\"revoked\"");
    let began = std::time::Instant::now();
    while !kept() {
        assert!(began.elapsed() < LONG, "it is kept while the queue is full");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    disk.wake();
    for one in pending {
        one.await.expect("recorded");
    }
    let after = narrow("after").expect("there is room again");
    after.await.expect("recorded");
    ledger.close().await.expect("closes");
    drop((writer, ledger));
    let ledger = Ledger::open(config(folder.path())).await.expect("opens");
    let _writer = ledger.writer(key("gateway-1", 1), None).await.expect("known");
    let last = ledger.head().size - 1;
    let last = ledger.read_range(last, 1).await.expect("reads");
    assert!(last[0].late && last[0].id.as_deref() == Some("revoked"), "{last:?}");
    assert_sound(&ledger).await;
}
