//! The ledger as a whole: conflicts, recovery, tampering. Each test names its negative control.

use std::{path::Path, sync::Arc};

use extensions::{AgentId, Clock, Record, StreamId, Timestamp, record::SealedText};
use tempfile::TempDir;

use crate::*;

mod recovery;
mod search;
mod slow;
mod streams;
mod tamper;

/// A record for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) stream: StreamId,
    pub(crate) text: String,
    pub(crate) kind: &'static str,
    pub(crate) gating: bool,
    pub(crate) sealed: Vec<SealedText>,
}

pub(crate) fn agent(name: &str) -> StreamId {
    StreamId::agent(&AgentId::new(name).expect("id"))
}

pub(crate) fn note(stream: &StreamId, text: &str) -> Note {
    Note {
        stream: stream.clone(),
        text: text.into(),
        kind: "test.noted",
        gating: false,
        sealed: Vec::new(),
    }
}

pub(crate) fn sealed_note(stream: &StreamId, subject: &str, text: &str) -> Note {
    let sealed = SealedText {
        subject: subject.into(),
        salt: [7; 32],
        text: text.into(),
    };
    let mut note = note(stream, &sealed.commitment().to_string());
    note.sealed.push(sealed);
    note
}

pub(crate) fn gate() -> Note {
    Note {
        kind: "house.frozen",
        gating: true,
        ..note(&StreamId::house(), "freeze")
    }
}

impl Record for Note {
    fn stream(&self) -> StreamId {
        self.stream.clone()
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        extensions::canonical::write_presorted(&serde_json::json!({ "text": self.text }), out);
    }
    fn sealed(&self) -> &[SealedText] {
        &self.sealed
    }
    fn gating(&self) -> bool {
        self.gating
    }
}

pub(crate) struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        now()
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_000_000)
}

pub(crate) fn config(directory: &Path) -> Config {
    Config {
        wal_bytes: 1 << 20,
        ..Config::new(directory.join("store"), Arc::new(FixedClock))
    }
}

pub(crate) fn root() -> EphemeralKey {
    EphemeralKey::from_seed(&[9; 32]).expect("seed")
}

pub(crate) fn key(writer: &str, seed: u8) -> CheckpointKey {
    let key = EphemeralKey::from_seed(&[seed; 32]).expect("seed");
    CheckpointKey::new("house-1", writer, Arc::new(key)).expect("Ed25519")
}

pub(crate) fn authorise(key: &CheckpointKey) -> CheckpointKeyAuthorised {
    CheckpointKeyAuthorised::sign("house-1", key, now(), &root()).expect("signs")
}

pub(crate) async fn fresh() -> (TempDir, Ledger, Writer) {
    let folder = tempfile::tempdir().expect("folder");
    let (ledger, writer) = Ledger::create(config(folder.path()), "house-1", &root(), key("gateway-1", 1))
        .await
        .expect("creates");
    (folder, ledger, writer)
}

pub(crate) async fn second(ledger: &Ledger) -> Writer {
    let key = key("gateway-2", 2);
    let authorisation = authorise(&key);
    ledger.writer(key, Some(authorisation)).await.expect("authorised")
}

/// Every receipt of the whole log verifies, and streams are gapless.
pub(crate) async fn assert_sound(ledger: &Ledger) {
    let mut next = std::collections::HashMap::new();
    let mut from = 0;
    loop {
        let entries = ledger.read_range(from, 1_000).await.expect("reads");
        let Some(last) = entries.last() else { break };
        from = last.position + 1;
        for entry in &entries {
            let number = next.entry(entry.stream.clone()).or_insert(0);
            assert_eq!(entry.number, *number, "{} has a gap", entry.stream);
            *number += 1;
            assert!(entry::is_canonical(entry));
        }
    }
    assert_eq!(from, ledger.head().size);
    for (stream, count) in next {
        assert_eq!(ledger.stream_next(&stream), count);
    }
}
