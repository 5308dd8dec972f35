//! Faults, the reserve file, the head file and the lock.

use super::*;
use crate::store::{
    fault::{Fault, FaultStore},
    sqlite::SqliteStore,
};

async fn faulty(folder: &Path, fault: Fault, passes: u64) -> Ledger {
    let config = config(folder);
    let store = SqliteStore::open(&config.directory, config.wal_bytes)
        .await
        .expect("opens");
    Ledger::open_on(config, Arc::new(FaultStore::new(Arc::new(store), fault, passes)))
        .await
        .expect("opens")
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let (folder, ledger, writer) = fresh().await;
    assert!(matches!(
        Ledger::open(config(folder.path())).await,
        Err(LedgerError::InUse(_))
    ));
    let created = Ledger::create(config(folder.path()), "house-1", &root(), key("gateway-1", 1)).await;
    assert!(matches!(created, Err(LedgerError::InUse(_))));
    ledger.close().await.expect("closes");
    assert!(matches!(
        writer.append(Append::next(note(&agent("a"), "x"), now())).await,
        Err(AppendError::Unavailable { .. })
    ));
}

#[tokio::test]
async fn a_key_without_authorisation_is_refused() {
    let (_folder, ledger, _writer) = fresh().await;
    assert!(matches!(
        ledger.writer(key("gateway-2", 2), None).await,
        Err(LedgerError::NotAuthorised { .. })
    ));
    let other = EphemeralKey::from_seed(&[8; 32]).expect("seed");
    let forged = CheckpointKeyAuthorised::sign("house-1", &key("gateway-2", 2), now(), &other).expect("signs");
    let refused = ledger.writer(key("gateway-2", 2), Some(forged)).await;
    assert!(matches!(refused, Err(LedgerError::NotAuthorised { .. })));
    let of_another = authorise(&key("gateway-2", 3));
    let refused = ledger.writer(key("gateway-2", 2), Some(of_another)).await;
    assert!(matches!(refused, Err(LedgerError::NotAuthorised { .. })));
}

/// A lost commit and one that was kept but reported failed: both close the ledger, both are `Unknown`, what narrows is in the reserve file and
/// comes back first, late, and once. Control: without ids the kept one stands twice.
#[tokio::test]
async fn a_failed_commit_closes_the_ledger_and_the_reserve_file_holds_what_narrows() {
    for fault in [Fault::Lost, Fault::Kept] {
        let (folder, ledger, writer) = fresh().await;
        ledger.close().await.expect("closes");
        drop((ledger, writer));
        let ledger = faulty(folder.path(), fault, 1).await;
        let writer = ledger.writer(key("gateway-1", 1), None).await.expect("authorised");
        let stream = agent("mm-1");
        writer
            .append(Append::exactly(note(&stream, "order"), now(), 0, 0))
            .await
            .expect("passes");
        let halt = Append::next(note(&stream, "revoked"), now()).narrowing();
        let halted = writer.append(halt).await;
        assert!(
            matches!(
                halted,
                Err(AppendError::Unknown {
                    reserved: Reserved::Kept,
                    ..
                })
            ),
            "{fault:?}"
        );
        let order = writer
            .append(Append::exactly(note(&stream, "order"), now(), 1, 0))
            .await;
        assert!(matches!(
            order,
            Err(AppendError::Unavailable {
                reserved: Reserved::No,
                ..
            })
        ));
        let mut cancel = note(&stream, "cancel");
        cancel.kind = "order.cancel_requested";
        let cancelled = writer
            .append(Append::next(cancel, now()).narrowing().with_id("cancel-1"))
            .await;
        assert!(matches!(
            cancelled,
            Err(AppendError::Unavailable {
                reserved: Reserved::Kept,
                ..
            })
        ));
        assert!(ledger.closed().is_some());
        drop(ledger.close().await);
        drop((ledger, writer));
        let ledger = Ledger::open(config(folder.path())).await.expect("opens");
        let _writer = second(&ledger).await;
        let entries = ledger.read_stream(&stream, 0, 10).await.expect("reads");
        let kinds: Vec<_> = entries
            .iter()
            .map(|entry| (entry.kind.to_string(), entry.late))
            .collect();
        let late_halt = fault == Fault::Lost;
        assert_eq!(
            kinds,
            [
                ("test.noted".to_owned(), false),
                ("test.noted".to_owned(), late_halt),
                ("order.cancel_requested".to_owned(), true)
            ]
        );
        // Cleared: a further start appends nothing.
        let size = ledger.head().size;
        ledger.close().await.expect("closes");
        drop((ledger, _writer));
        let ledger = Ledger::open(config(folder.path())).await.expect("opens");
        let _writer = ledger.writer(key("gateway-2", 2), None).await.expect("authorised");
        assert_eq!(ledger.head().size, size);
        assert_sound(&ledger).await;
    }
}

/// A store put back from an older copy, and one with another history of the same size, are refused; the right one opens (control).
#[tokio::test]
async fn the_head_file_finds_an_older_copy_and_another_history() {
    let (folder, ledger, writer) = fresh().await;
    let head = folder.path().join("elsewhere").join("head");
    let config = Config {
        head_file: head.clone(),
        ..config(folder.path())
    };
    ledger.close().await.expect("closes");
    drop((ledger, writer));
    let older = folder.path().join("older");
    copy(&config.directory, &older);
    let open = |adopt_head| {
        Ledger::open(Config {
            adopt_head,
            ..config.clone()
        })
    };
    assert!(
        matches!(open(false).await, Err(LedgerError::Refused(_))),
        "no head file"
    );
    let ledger = open(true).await.expect("adopted");
    let writer = ledger.writer(key("gateway-1", 1), None).await.expect("authorised");
    writer
        .append(Append::next(note(&agent("a"), "x"), now()))
        .await
        .expect("recorded");
    ledger.close().await.expect("closes");
    drop((ledger, writer));
    let ledger = open(false).await.expect("control: the right store opens");
    drop(ledger.close().await);
    drop(ledger);
    replace(&older, &config.directory);
    let Err(LedgerError::Refused(reason)) = open(false).await else {
        panic!("an older copy was accepted")
    };
    assert!(reason.contains("older copy"), "{reason}");
    // The same size, another history.
    let ledger = Ledger::open(Config {
        head_file: folder.path().join("other"),
        adopt_head: true,
        ..config.clone()
    });
    let ledger = ledger.await.expect("adopted");
    let writer = ledger.writer(key("gateway-1", 1), None).await.expect("authorised");
    writer
        .append(Append::next(note(&agent("a"), "another"), now()))
        .await
        .expect("recorded");
    drop(ledger.close().await);
    drop((ledger, writer));
    let Err(LedgerError::Refused(reason)) = open(false).await else {
        panic!("another history was accepted")
    };
    assert!(reason.contains("another root"), "{reason}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for file in std::fs::read_dir(from).expect("reads") {
        let path = file.expect("reads").path();
        if path.is_file() {
            std::fs::copy(&path, to.join(path.file_name().expect("name"))).expect("copies");
        }
    }
}

fn replace(from: &Path, to: &Path) {
    for file in std::fs::read_dir(to).expect("reads") {
        let path = file.expect("reads").path();
        if path.is_file() {
            std::fs::remove_file(path).expect("removes");
        }
    }
    copy(from, to);
}
