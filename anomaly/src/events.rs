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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApprovalFault, ProposedBaseline, sample};

    fn body(record: &dyn Record) -> Vec<u8> {
        let mut body = Vec::new();
        record.write_body(&mut body);
        body
    }

    fn approval(proposed: &ProposedBaseline) -> BaselineApproved {
        BaselineApproved {
            agent: sample::agent(),
            approvals: vec!["mandate/m-1/4".to_owned()],
            baseline: proposed.digest(),
            version: 1,
        }
    }

    /// Members are declared in order, so that the plain writer is canonical: moving one turns this red.
    #[test]
    fn bodies_are_canonical_and_read_back() {
        let imported = ObservationsImported {
            agent: sample::agent(),
            batch: 0,
            batches: 1,
            rows: sample::orders(1, 0, 2),
            source: Digest::of(b"file"),
        };
        let proposed = sample::proposed(&sample::orders(1, 0, 14));
        let event = BaselineProposed::of(&proposed);
        let approved = approval(&proposed);
        assert_eq!(body(&imported), canonical::to_vec(&imported));
        assert_eq!(
            canonical::from_slice::<ObservationsImported>(&body(&imported)).unwrap(),
            imported
        );
        assert_eq!(body(&event), canonical::to_vec(&event));
        assert_eq!(canonical::from_slice::<BaselineProposed>(&body(&event)).unwrap(), event);
        assert_eq!(body(&approved), canonical::to_vec(&approved));
        assert_eq!(
            canonical::from_slice::<BaselineApproved>(&body(&approved)).unwrap(),
            approved
        );
        let scored = *crate::score(&sample::approve(proposed), &crate::ScorerState::NEW, &imported.rows[0]).record();
        let mut plain = Vec::new();
        canonical::write_presorted(&scored, &mut plain);
        assert_eq!(plain, canonical::to_vec(&scored));
        assert!(plain.len() < 1_900, "{}", plain.len());
        assert!(body(&event).len() < 32_768, "{}", body(&event).len());
        for event in [&imported as &dyn Record, &approved] {
            assert_eq!(event.stream().to_string(), "agent/mm-1");
        }
    }

    #[test]
    fn only_an_approval_of_exactly_this_baseline_counts() {
        let proposed = sample::proposed(&sample::orders(1, 0, 14));
        let other = sample::proposed(&sample::orders(2, 0, 14));
        let refused = |change: fn(&mut BaselineApproved)| {
            let mut approval = approval(&proposed);
            change(&mut approval);
            proposed.clone().approve(&approval)
        };
        assert_eq!(
            refused(|approval| approval.approvals.clear()),
            Err(ApprovalFault::Unsigned)
        );
        assert_eq!(refused(|approval| approval.version = 2), Err(ApprovalFault::Mismatch));
        assert!(matches!(
            other.approve(&approval(&proposed)),
            Err(ApprovalFault::Other { .. })
        ));
        assert_eq!(refused(|_| ()).unwrap().digest(), proposed.digest());
    }

    /// Any change to what was approved changes the digest, and contents that break a rule of form are refused.
    #[test]
    fn contents_are_held_to_their_form() {
        let proposed = sample::proposed(&sample::orders(1, 0, 14));
        let with = |change: fn(&mut BaselineContent)| {
            let mut content = proposed.content().clone();
            change(&mut content);
            ProposedBaseline::new(content)
        };
        assert_ne!(
            with(|content| content.drift[0].d += 1).unwrap().digest(),
            proposed.digest()
        );
        let breaks: [fn(&mut BaselineContent); 11] = [
            |content| {
                content.channels = crate::baseline::Channels {
                    day: false,
                    order: false,
                }
            },
            |content| content.day.tables.truncate(4),
            |content| content.day.tables[0].knots.reverse(),
            |content| content.hours.truncate(167),
            |content| content.drift[0].theta = 1_000_001,
            |content| content.drift[0].d = -1,
            |content| content.lambda = 0,
            |content| content.instruments.seen.reverse(),
            |content| content.sizes.knots.reverse(),
            |content| content.rates.truncate(3),
            |content| content.settings.weights.size = 0,
        ];
        for change in breaks {
            assert!(with(change).is_err());
        }
    }
}
