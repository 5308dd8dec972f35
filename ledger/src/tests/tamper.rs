//! Guarantee 6: each field of each row kind, changed in the file, is found and named. And the fence that keeps the application from changing it.

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

use super::*;
use crate::{
    store::sqlite::{database_file, open},
    verify::{Fault, Options, Place, Report, verify_directory, verify_export},
};

/// A closed ledger with every kind of row.
async fn filled() -> TempDir {
    let (folder, ledger, writer) = fresh().await;
    let stream = agent("mm-1");
    for number in 0..6 {
        let mut record = sealed_note(&stream, "officer:ada", "words");
        record.text = format!("{} {}", record.text, "05".repeat(18));
        let mut append = Append::exactly(record, now(), number, 0);
        if number == 3 {
            append = append.serial(extensions::Serial::new([5; 18]).expect("positive"));
        }
        writer.append(append).await.expect("recorded");
    }
    let halted = writer.append(Append::next(gate(), now()).narrowing()).await;
    halted.expect("recorded");
    ledger.close().await.expect("closes");
    folder
}

async fn verify(folder: &Path) -> Result<Report, Fault> {
    let config = config(folder);
    let root = PublicKey::from_spki(extensions::Signer::public_key_spki(&root())).expect("Ed25519");
    let options = Options {
        ledger_root: Some(root),
        head_file: Some(config.head_file),
        fold: None,
    };
    verify_directory(&config.directory, options).await
}

/// Someone who holds the file: a plain connection that drops the triggers first.
async fn change(folder: &Path, sql: &str) -> u64 {
    let path = database_file(&config(folder).directory);
    let mut connection = open::writer(&path, false).await.expect("opens");
    for (name, _) in crate::store::sqlite::schema::triggers() {
        let drop = format!("DROP TRIGGER {name}");
        sqlx::raw_sql(AssertSqlSafe(drop))
            .execute(&mut connection)
            .await
            .expect("drops");
    }
    let done = sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .expect(sql);
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await
        .expect("checkpoint");
    connection.close().await.expect("closes");
    done.rows_affected()
}

#[tokio::test]
async fn an_untouched_ledger_verifies() {
    let folder = filled().await;
    let report = verify(folder.path()).await.expect("control: it verifies");
    assert_eq!((report.entries, report.streams, report.epoch), (9, 2, 1));
    assert_eq!(
        (report.texts_checked, report.texts_erased, report.checkpoints),
        (6, 0, 8)
    );
    assert!(report.root_was_given && report.head_file_checked);
    let other = Options {
        ledger_root: Some(PublicKey([1; 32])),
        ..Options::default()
    };
    let fault = verify_directory(&config(folder.path()).directory, other)
        .await
        .expect_err("another root key");
    assert_eq!(fault.place, Place::Entry(0));
}

#[tokio::test]
async fn each_changed_field_is_found_and_named() {
    let entry = Place::Entry;
    for (sql, place) in [
        ("UPDATE entries SET recorded_at = recorded_at WHERE position = 4", None),
        ("UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"number\":2', '\"number\":7') AS BLOB) WHERE position = 4", Some(entry(4))),
        ("UPDATE entries SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"at\":\"2', '\"at\":\"3') AS BLOB) WHERE position = 5", Some(entry(5))),
        ("UPDATE entries SET leaf = zeroblob(32) WHERE position = 6", Some(entry(6))),
        ("UPDATE entries SET bytes = (SELECT bytes FROM entries WHERE position = 3), leaf = (SELECT leaf FROM entries WHERE position = 3)
          WHERE position = 4", Some(entry(4))),
        ("DELETE FROM entries WHERE position = 5", Some(entry(5))),
        ("DELETE FROM entries WHERE position = 8", Some(entry(8))),
        ("INSERT INTO entries SELECT position + 1, bytes, recorded_at, append_id, leaf FROM entries WHERE position = 8", Some(entry(9))),
        ("UPDATE entries SET position = 100 WHERE position = 8", Some(entry(8))),
        ("UPDATE checkpoints SET note = replace(note, 'mandatum', 'Mandatum') WHERE size = 5", Some(Place::Checkpoint(5))),
        ("UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 4) WHERE size = 5", Some(Place::Checkpoint(5))),
        ("UPDATE checkpoints SET frontier = zeroblob(length(frontier)) WHERE size = 6", Some(Place::Checkpoint(6))),
        ("DELETE FROM checkpoints WHERE size = 9", Some(entry(8))),
        ("UPDATE checkpoints SET size = 90 WHERE size = 9", Some(Place::Entry(9))),
        ("UPDATE sealed SET ciphertext = zeroblob(length(ciphertext)) WHERE position = 3", Some(Place::Sealed(3, 0))),
        ("UPDATE sealed SET commitment = zeroblob(32) WHERE position = 4", Some(Place::Sealed(4, 0))),
        ("UPDATE serials SET serial = zeroblob(18)", Some(Place::Serial(5))),
        ("UPDATE serials SET position = 6666", Some(Place::Serial(6666))),
        ("UPDATE head SET epoch = 0", Some(Place::Head)),
        ("UPDATE head SET root = zeroblob(32)", Some(Place::Head)),
        ("UPDATE head SET size = 3", Some(Place::Head)),
        ("DELETE FROM head", Some(Place::Head)),
    ] {
        let folder = filled().await;
        change(folder.path(), sql).await;
        let verdict = verify(folder.path()).await;
        match place {
            Some(place) => assert_eq!(verdict.expect_err(sql).place, place, "{sql}"),
            None => drop(verdict.expect("control: nothing was replaced")),
        }
    }
}

/// Each byte of an entry, its leaf hash made to fit: the checkpoint still finds it.
#[tokio::test]
async fn each_changed_byte_of_an_entry_is_found_even_with_a_fitting_leaf() {
    let folder = filled().await;
    let path = database_file(&config(folder.path()).directory);
    change(folder.path(), "SELECT 1").await;
    let mut connection = open::writer(&path, false).await.expect("opens");
    let sql = "SELECT bytes FROM entries WHERE position = 4";
    let original: Vec<u8> = sqlx::query_scalar(sql).fetch_one(&mut connection).await.expect("reads");
    for at in 0..original.len() {
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        let update = sqlx::query("UPDATE entries SET bytes = ?, leaf = ? WHERE position = 4");
        let update = update.bind(bytes.clone()).bind(tree::leaf_hash(&bytes).0.to_vec());
        update.execute(&mut connection).await.expect("changes");
        let place = verify(folder.path()).await.expect_err("changed").place;
        assert!(
            matches!(place, Place::Entry(4) | Place::Checkpoint(5)),
            "byte {at}: {place}"
        );
    }
}

/// A writer's key retires with the first checkpoint of its successor: whoever finds it in an old backup extends no log that verifies, and is not
/// let in as a writer. Controls tried: with the newest place that fits forgotten in `Verifier::checkpoint` the log verifies; with any known key
/// let in by `check_authorisation` the retired one writes.
#[tokio::test]
async fn a_retired_key_signs_no_more() {
    let (folder, ledger, old) = fresh().await;
    let append = async |writer: &Writer, text: &str| {
        let record = note(&agent("mm-1"), text);
        writer.append(Append::next(record, now())).await.expect("recorded")
    };
    append(&old, "before").await;
    let new = key("gateway-1", 3);
    let authorised = authorise(&new);
    let new = ledger.writer(new, Some(authorised)).await.expect("authorised");
    append(&new, "after").await;
    let again = ledger.writer(key("gateway-1", 1), None).await.map(drop);
    assert!(
        matches!(&again, Err(LedgerError::NotAuthorised { reason, .. }) if reason.contains("newer key")),
        "{again:?}"
    );
    verify(folder.path()).await.expect("sound until here");
    // The process that held it goes on, as a thief with the key and the store would.
    append(&old, "behind its successor").await;
    ledger.close().await.expect("closes");
    let fault = verify(folder.path()).await.expect_err("by the retired key");
    assert!(
        matches!(fault.place, Place::Checkpoint(6)) && fault.reason.contains("followed before"),
        "{fault}"
    );
}

#[tokio::test]
async fn a_truncated_tail_is_found_by_the_head_file() {
    let folder = filled().await;
    let sql = "DELETE FROM entries WHERE position = 8; DELETE FROM checkpoints WHERE size = 9;
        UPDATE head SET size = 8, epoch = 0, root = (SELECT leaf FROM entries LIMIT 1)";
    change(folder.path(), sql).await;
    let fault = verify(folder.path()).await.expect_err("shorter");
    assert!(matches!(fault.place, Place::Head | Place::HeadFile), "{fault}");
    let store = config(folder.path());
    let opened = Ledger::open(store).await;
    assert!(opened.is_err());
}

#[tokio::test]
async fn an_export_verifies_and_names_a_changed_line() {
    let (folder, ledger, writer) = fresh().await;
    let record = sealed_note(&agent("a"), "officer:ada", "words");
    writer.append(Append::next(record, now())).await.expect("recorded");
    writer
        .append(Append::next(note(&agent("b"), "y"), now()))
        .await
        .expect("recorded");
    let mut out = Vec::new();
    assert_eq!(export::export(&ledger, true, &mut out).await.expect("exports"), 4);
    let mut beside = Vec::new();
    let read = export::export_directory(&folder.path().join("store"), true, &mut beside).await;
    assert_eq!((read.expect("exports"), &beside), (4, &out), "beside the open ledger");
    let path = folder.path().join("export");
    let verify = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("writes");
        verify_export(&path, Options::default())
    };
    let report = verify(&out).expect("verifies");
    assert_eq!((report.entries, report.texts_checked), (4, 1));
    // Whose text it is, and in which order the texts of one entry stand, is not part of a commitment.
    let find = |part: &str| {
        out.windows(part.len())
            .position(|window| window == part.as_bytes())
            .expect("is there")
    };
    let (ordinal, subject) = (find("text 0 ") + 5, find("officer:ada"));
    let unproven = [ordinal..ordinal + 1, subject..subject + 11];
    for at in 0..out.len() {
        let mut changed = out.clone();
        changed[at] ^= 1;
        if unproven.iter().any(|range| range.contains(&at)) {
            continue;
        }
        assert!(verify(&changed).is_err(), "byte {at}");
    }
    for cut in 1..out.len() {
        let whole = out[..cut].ends_with(b"\n")
            && out[..cut]
                .split(|b| *b == b'\n')
                .rev()
                .nth(1)
                .is_some_and(|l| l.starts_with(b"checkpoint"));
        assert_eq!(verify(&out[..cut]).is_ok(), whole, "cut at {cut}");
    }
    ledger.erase("officer:ada").await.expect("erases");
    let mut erased = Vec::new();
    export::export(&ledger, true, &mut erased).await.expect("exports");
    assert_eq!(verify(&erased).expect("erasure breaks no proof").texts_erased, 1);
    ledger.close().await.expect("closes");
    beside.clear();
    let read = export::export_directory(&folder.path().join("store"), true, &mut beside).await;
    assert_eq!((read.expect("exports"), &beside), (4, &erased), "of a closed ledger");
    beside.clear();
    let read = export::export_directory(&folder.path().join("store"), false, &mut beside).await;
    assert_eq!(read.expect("exports"), 4);
    assert_eq!(verify(&beside).expect("redaction breaks no proof").texts_checked, 0);
    assert!(!beside.windows(6).any(|line| line == b"\ntext "), "texts are asked for");
    let report = super::tamper::verify(folder.path())
        .await
        .expect("erasure breaks no proof");
    assert_eq!((report.texts_checked, report.texts_erased), (0, 1));
    assert!(report.to_string().contains("1 erased, not checked"));
}

#[tokio::test]
async fn a_fold_sees_every_entry_and_can_refuse() {
    let folder = filled().await;
    let directory = config(folder.path()).directory;
    let mut seen = 0;
    let mut count = |_: &CommittedEntry| {
        seen += 1;
        Ok(())
    };
    verify_directory(
        &directory,
        Options {
            fold: Some(&mut count),
            ..Options::default()
        },
    )
    .await
    .expect("verifies");
    assert_eq!(seen, 9);
    let mut refuse = |entry: &CommittedEntry| {
        if entry.position == 7 {
            Err("digest".to_owned())
        } else {
            Ok(())
        }
    };
    let verdict = verify_directory(
        &directory,
        Options {
            fold: Some(&mut refuse),
            ..Options::default()
        },
    )
    .await;
    assert_eq!(verdict.expect_err("refused").place, Place::Entry(7));
}

/// The application's own connection can append and nothing else. Control: the same statements pass once the triggers are dropped.
#[tokio::test]
async fn write_once_holds_on_our_connections() {
    let statements = [
        "UPDATE entries SET bytes = x'00' WHERE position = 1",
        "DELETE FROM entries WHERE position = 1",
        "DELETE FROM entries",
        "INSERT OR REPLACE INTO entries VALUES(1, x'00', 0, NULL, x'00')",
        "REPLACE INTO entries VALUES(1, x'00', 0, NULL, x'00')",
        "INSERT INTO entries VALUES(1, x'00', 0, NULL, x'00') ON CONFLICT(position) DO UPDATE SET bytes = excluded.bytes",
        "UPDATE OR REPLACE entries SET position = 1 WHERE position = 2",
        "INSERT INTO entries VALUES(77, x'00', 0, NULL, x'00')",
        "UPDATE checkpoints SET note = 'x'",
        "DELETE FROM checkpoints",
        "INSERT OR REPLACE INTO checkpoints VALUES(2, 'x', x'00')",
        "UPDATE sealed SET subject = 'x'",
        "DELETE FROM sealed",
        "INSERT OR REPLACE INTO sealed SELECT * FROM sealed LIMIT 1",
        "UPDATE serials SET position = 1",
        "DELETE FROM serials",
        "INSERT OR REPLACE INTO serials SELECT serial, 1 FROM serials LIMIT 1",
        "DELETE FROM head",
        "INSERT OR REPLACE INTO head VALUES(1, 0, 0, x'00')",
        "UPDATE head SET size = 1",
        "UPDATE head SET epoch = 0, size = 100",
    ];
    let folder = filled().await;
    let path = database_file(&config(folder.path()).directory);
    let mut connection = open::writer(&path, false).await.expect("opens");
    for sql in statements {
        let refused = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        let reason = refused.expect_err(sql).to_string();
        assert!(reason.contains("append-only"), "{sql}: {reason}");
    }
    connection.close().await.expect("closes");
    verify(folder.path()).await.expect("nothing changed");
    for sql in statements {
        let folder = filled().await;
        assert!(
            change(folder.path(), sql).await > 0 || sql.starts_with("UPDATE OR"),
            "{sql}"
        );
    }
}

/// Without `recursive_triggers` a REPLACE passes the delete trigger; the insert trigger still holds it, and our connections assert the setting.
#[tokio::test]
async fn settings_are_asserted() {
    let folder = filled().await;
    let path = database_file(&config(folder.path()).directory);
    let mut connection: SqliteConnection = open::writer(&path, false).await.expect("opens");
    for sql in [
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA wal_autocheckpoint = 1000",
    ] {
        open::assert_settings(&mut connection).await.expect("in order");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .expect("sets");
        assert!(open::assert_settings(&mut connection).await.is_err(), "{sql}");
        connection = open::writer(&path, false).await.expect("opens");
    }
    change(folder.path(), "SELECT 1").await;
    assert!(
        matches!(Ledger::open(config(folder.path())).await, Err(LedgerError::Io { .. })),
        "triggers are gone"
    );
}
