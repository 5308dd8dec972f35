//! When bots' certificates end, for the figure that warns before the first one does.

use std::collections::BTreeMap;

use ca_core::Event;
use extensions::{AgentId, StreamId, StreamKind, Timestamp};
use ledger::Ledger;

/// Entries of one mandate's stream read at once.
const READ_AT_ONCE: usize = 256;

/// The end of each bot's newest certificate, read on as the ledger grows.
#[derive(Default)]
pub(super) struct Expiries {
    next: BTreeMap<StreamId, u64>,
    ends: BTreeMap<AgentId, Timestamp>,
}

impl Expiries {
    /// The first end that is still to come.
    pub(super) async fn first_after(&mut self, ledger: &Ledger, now: Timestamp) -> Option<Timestamp> {
        for stream in ledger.streams(StreamKind::Mandate) {
            let from = self.next.entry(stream.clone()).or_default();
            while *from < ledger.stream_next(&stream) {
                let Ok(entries) = ledger.read_stream(&stream, *from, READ_AT_ONCE).await else {
                    return None;
                };
                let Some(last) = entries.last() else { break };
                *from = last.number + 1;
                for entry in &entries {
                    if let Some(Ok(Event::CertificateIssued(issued))) = Event::decode(&entry.kind, entry.body()) {
                        let end = self.ends.entry(issued.agent).or_insert(issued.not_after);
                        *end = issued.not_after.max(*end);
                    }
                }
            }
        }
        self.ends.values().copied().filter(|end| *end > now).min()
    }
}
