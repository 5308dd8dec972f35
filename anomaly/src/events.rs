//! The scorer's entries on an agent's stream.

use extensions::{AgentId, Digest, Record, StreamId, canonical};
use serde::{Deserialize, Serialize};

use crate::{baseline::BaselineContent, observation::Observation};

/// The most rows of one [`ObservationsImported`].
pub const MOST_ROWS: usize = 512;

/// History was imported, one batch of it. The rows are in the entry, so that learning can be folded again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObservationsImported {
    /// Whose history.
    pub agent: AgentId,
    /// Which batch of the import, from 0.
    pub batch: u32,
    /// How many batches the import has.
    pub batches: u32,
    /// The orders, at most [`MOST_ROWS`], by time.
    pub rows: Vec<Observation>,
    /// SHA-256 of the file as it was read.
    pub source: Digest,
}

/// A baseline was fitted. It has no force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineProposed {
    /// What it says, report included.
    pub baseline: BaselineContent,
    /// SHA-256 of its canonical JSON.
    pub digest: Digest,
}

/// Officers approved a baseline: it is in force from this entry on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineApproved {
    /// Whose baseline.
    pub agent: AgentId,
    /// References to the officers' recorded approvals; opaque here.
    pub approvals: Vec<String>,
    /// Digest of the approved baseline.
    pub baseline: Digest,
    /// Its version.
    pub version: u32,
}

macro_rules! record {
    ($event:ty, $kind:literal, $agent:expr) => {
        impl Record for $event {
            fn stream(&self) -> StreamId {
                let agent: fn(&$event) -> &AgentId = $agent;
                StreamId::agent(agent(self))
            }
            fn kind(&self) -> &'static str {
                $kind
            }
            fn write_body(&self, out: &mut Vec<u8>) {
                canonical::write_presorted(self, out);
            }
        }
    };
}

record!(ObservationsImported, "observations.imported", |event| &event.agent);
record!(BaselineProposed, "baseline.proposed", |event| &event.baseline.agent);
record!(BaselineApproved, "baseline.approved", |event| &event.agent);

impl BaselineProposed {
    /// The entry for `proposed`.
    #[must_use]
    pub fn of(proposed: &crate::ProposedBaseline) -> Self {
        Self {
            baseline: proposed.content().clone(),
            digest: proposed.digest(),
        }
    }
}
