//! Every agent's state folded from zero, and each recorded digest of it held to what the fold gives (ARCHITECTURE §2); the report of a halt is
//! held to its plan.
//!
//! A digest stands in the first `order.decided` at or after each 256th entry of a stream, and in `state.digest`. One that does
//! not match means that a decision was taken on another state than the entries before it make.

use std::collections::HashMap;

use extensions::{AgentId, StreamKind, canonical};
use gateway_policy::{AgentEvent, AgentState, EntryAt};
use revocation_core::HaltReported;

use super::Fold;
use crate::append::CommittedEntry;

/// The fold; give it to [`Options::fold`](super::Options::fold).
#[derive(Debug, Default)]
pub struct States {
    agents: HashMap<AgentId, AgentState>,
    compared: u64,
}

impl States {
    /// How many recorded digests were compared so far.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.compared
    }
}

impl Fold for States {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        if entry.stream.kind() != StreamKind::Agent {
            return Ok(());
        }
        let agent = AgentId::new(entry.stream.name()).map_err(|error| error.to_string())?;
        let event = AgentEvent::decode(&entry.kind, entry.body()).map_err(|error| error.to_string())?;
        if &*entry.kind == HaltReported::KIND {
            let reported: HaltReported = canonical::from_slice(entry.body()).map_err(|error| error.to_string())?;
            reported
                .defect(entry.number)
                .map_or(Ok(()), |defect| Err(defect.to_owned()))?;
        }
        let state = self.agents.entry(agent).or_insert_with(|| AgentState::new(agent));
        let recorded = match &event {
            AgentEvent::Decided(decided) if decided.folded_to != state.folded_to() => {
                return Err(format!(
                    "decided on the state at entry {:?}, and entry {:?} stands before it",
                    decided.folded_to,
                    state.folded_to()
                ));
            }
            AgentEvent::Decided(decided) => decided.state,
            AgentEvent::StateDigest(digest) if Some(digest.folded_to) == state.folded_to() => Some(digest.digest),
            _ => None,
        };
        if let Some(recorded) = recorded {
            let folded = state.digest();
            self.compared += 1;
            if folded != recorded {
                return Err(format!(
                    "the recorded state digest is {recorded}, the entries before it fold to {folded}"
                ));
            }
        }
        let (number, at) = (entry.number, entry.at);
        state.apply(EntryAt { number, at }, &event);
        Ok(())
    }
}
