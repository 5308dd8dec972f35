//! The verifier in another language (`fixtures/verify/verify_receipt.py`) agrees: real exports and receipts hold, and each
//! changed byte that it is shown is named.
//!
//! Needs a Python that has `cryptography`: `MANDATUM_PYTHON`, which `cargo xtask test` sets. Without one the test says so.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use extensions::{AgentId, Clock, Record, StreamId, Timestamp, canonical, record::SealedText};
use ledger::{Append, CheckpointKey, CheckpointKeyAuthorised, Config, EphemeralKey, Ledger, export};

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }
}

#[derive(Debug)]
struct Said {
    agent: &'static str,
    texts: Vec<SealedText>,
}

impl Record for Said {
    fn stream(&self) -> StreamId {
        StreamId::agent(&AgentId::new(self.agent).expect("id"))
    }
    fn kind(&self) -> &'static str {
        "test.said"
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        let commitments: Vec<_> = self.texts.iter().map(SealedText::commitment).collect();
        canonical::write_presorted(
            &serde_json::json!({ "a\u{7f}": "\u{1}\n\"é\\", "texts": commitments }),
            out,
        );
    }
    fn sealed(&self) -> &[SealedText] {
        &self.texts
    }
}

fn key(writer: &str, seed: u8) -> CheckpointKey {
    let key = EphemeralKey::from_seed(&[seed; 32]).expect("seed");
    CheckpointKey::new("house-1", writer, Arc::new(key)).expect("Ed25519")
}

fn said(agent: &'static str, text: &str) -> Append<Said> {
    let salt = [7; 32];
    let (subject, text) = (format!("agent:{agent}"), text.to_owned());
    let texts = vec![SealedText { subject, salt, text }];
    Append::next(Said { agent, texts }, FixedClock.now())
}

/// An export with texts, one erased; the receipt of an entry; the folder they lie in.
async fn written() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let root = EphemeralKey::from_seed(&[9; 32]).expect("seed");
    let mut config = Config::new(folder.path().join("store"), Arc::new(FixedClock));
    config.wal_bytes = 1 << 20;
    let (ledger, first) = Ledger::create(config, "house-1", &root, key("gateway-1", 1))
        .await
        .expect("creates");
    let second = key("gateway-2", 2);
    let authorised = CheckpointKeyAuthorised::sign("house-1", &second, FixedClock.now(), &root).expect("signs");
    let second = ledger.writer(second, Some(authorised)).await.expect("authorised");
    for n in 0..20 {
        first
            .append(said("mm-1", &format!("reason {n}")))
            .await
            .expect("appends");
    }
    // Queued together, so that a checkpoint ends a batch of several entries.
    let queued: Vec<_> = (0..9)
        .map(|_| second.queue(said("arb-1", "why")).expect("room"))
        .collect();
    let mut receipt = None;
    for pending in queued {
        receipt = Some(pending.await.expect("appends").receipt());
    }
    ledger.erase("agent:arb-1").await.expect("erases");
    let mut out = Vec::new();
    export::export(&ledger, true, &mut out).await.expect("exports");
    let authorised = serde_json::to_vec(&ledger.receipt(2).await.expect("the second writer's key")).expect("JSON");
    fs::write(folder.path().join("authorised.json"), authorised).expect("writes");
    ledger.close().await.expect("closes");
    let (exported, kept) = (folder.path().join("export"), folder.path().join("receipt.json"));
    fs::write(&exported, out).expect("writes");
    fs::write(&kept, serde_json::to_vec(&receipt.expect("one")).expect("JSON")).expect("writes");
    (folder, exported, kept)
}

fn verdict(python: &str, args: &[&str]) -> (Option<i32>, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/verify/verify_receipt.py");
    let output = Command::new(python)
        .arg(script)
        .args(args)
        .output()
        .expect("Python runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// Control: the changed copies must be refused, or the first half proves nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_verifier_agrees() {
    let python = std::env::var("MANDATUM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let importable = Command::new(&python).args(["-c", "import cryptography"]).output();
    if !importable.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: {python} has no cryptography; set MANDATUM_PYTHON to one that has");
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
        return;
    }
    let (folder, exported, receipt) = written().await;
    let text = |path: &Path| path.to_str().expect("UTF-8").to_owned();
    let (export_path, receipt_path) = (text(&exported), text(&receipt));
    let root = key("root", 9).public().to_string();
    let (code, said) = verdict(&python, &["export", &export_path, "--root", &root]);
    assert!(code == Some(0) && said.contains("32 entries in 3 streams"), "{said}");
    assert!(said.contains("20 texts checked, 9 erased"), "{said}");
    let (code, said) = verdict(
        &python,
        &["receipt", &receipt_path, "--export", &export_path, "--root", &root],
    );
    assert!(
        code == Some(0) && said.contains("test.said number 8 of agent/arb-1"),
        "{said}"
    );
    let own = key("gateway-2", 2).public().to_string();
    let pinned = ["--ledger", "house-1", "--writer", "gateway-2", "--key", &own];
    let (code, said) = verdict(&python, &[&["receipt", receipt_path.as_str()], &pinned[..]].concat());
    assert_eq!(code, Some(0), "{said}");

    let authorised = text(&folder.path().join("authorised.json"));
    let by_root = |root: &str| {
        verdict(
            &python,
            &["receipt", &receipt_path, "--authorised", &authorised, "--root", root],
        )
    };
    assert_eq!(by_root(&root).0, Some(0), "{}", by_root(&root).1);

    let other = key("root", 8).public().to_string();
    let (code, said) = verdict(&python, &["export", &export_path, "--root", &other]);
    assert!(code == Some(1) && said.contains("another ledger root key"), "{said}");
    let (code, said) = by_root(&other);
    assert!(
        code == Some(1) && said.contains("not signed by the ledger root key given"),
        "{said}"
    );
    let changed = folder.path().join("changed");
    for (path, from, to, named) in [
        (
            &exported,
            "\"number\":3,\"stream\":\"agent/mm-1\"",
            "\"number\":4,\"stream\":\"agent/mm-1\"",
            "leaf hash",
        ),
        (&exported, "reason 5", "reason 6", "does not fit its commitment"),
        (&exported, "\\n12\\n", "\\n13\\n", "signs 13 entries"),
        (&receipt, "\"number\":8", "\"number\":9", "proof"),
        (&receipt, "\"index\":31", "\"index\":30", "proof"),
    ] {
        let whole = fs::read_to_string(path).expect("reads");
        assert!(
            whole.contains(from) || whole.contains(&from.replace('"', "\\\"")),
            "{from} in {whole}"
        );
        let escaped = |text: &str| text.replace('"', "\\\"");
        let new = if whole.contains(from) {
            whole.replacen(from, to, 1)
        } else {
            whole.replacen(&escaped(from), &escaped(to), 1)
        };
        fs::write(&changed, new).expect("writes");
        let changed = text(&changed);
        let (code, said) = if path == &exported {
            verdict(&python, &["export", &changed])
        } else {
            verdict(&python, &["receipt", &changed, "--export", &export_path])
        };
        assert!(code == Some(1) && said.contains(named), "{from} became {to}: {said}");
    }
}
