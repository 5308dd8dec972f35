//! What an agent has open and holds: its stream folded as the gateways fold it.
//!
//! A fold goes on where the last look left it, and reads so many entries a look at most: a stream of millions is caught up with over several looks,
//! each of which answers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use extensions::{AgentId, StreamId};
use gateway_policy::{AgentEvent, AgentState, EntryAt};
use ledger::CommittedEntry;

use crate::{Console, problem::Problem, view::View};

/// Folds that are kept; the one that was looked at longest ago leaves.
const MOST_BOOKS: usize = 64;
/// Entries read at once.
const READ_AT_ONCE: usize = 4_096;
/// Entries folded for one look at most.
const MOST_ENTRIES: u64 = 65_536;

/// The folds of the agents looked at of late.
#[derive(Default)]
pub(crate) struct Books(Mutex<Vec<AgentState>>);

impl Books {
    fn kept(&self) -> MutexGuard<'_, Vec<AgentState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, agent: &AgentId) -> AgentState {
        let mut kept = self.kept();
        match kept.iter().position(|state| state.agent() == agent) {
            Some(at) => kept.remove(at),
            None => AgentState::new(*agent),
        }
    }

    /// Keeps a fold, unless somebody else has one that is further.
    fn keep(&self, state: AgentState) {
        let mut kept = self.kept();
        if let Some(at) = kept.iter().position(|known| known.agent() == state.agent()) {
            if kept[at].next_number() >= state.next_number() {
                return;
            }
            kept.remove(at);
        }
        if kept.len() >= MOST_BOOKS {
            kept.remove(0);
        }
        kept.push(state);
    }
}

impl Console {
    /// Gives `read` the agent's state and how many entries of its stream are not in it yet.
    pub(crate) async fn book<T>(
        &self,
        agent: &AgentId,
        read: impl FnOnce(&AgentState, u64) -> T,
    ) -> Result<T, Problem> {
        let stream = StreamId::agent(agent);
        let mut state = self.books.take(agent);
        let most = state.next_number().saturating_add(MOST_ENTRIES);
        while state.next_number() < most {
            let page = self
                .ledger
                .read_stream(&stream, state.next_number(), READ_AT_ONCE)
                .await;
            let page = page.map_err(|error| Problem::unavailable(&error.to_string()))?;
            {
                let view = self.view().await?;
                page.iter().for_each(|entry| fold(&mut state, entry, &view));
            }
            if page.len() < READ_AT_ONCE {
                break;
            }
        }
        let behind = self.ledger.stream_next(&stream).saturating_sub(state.next_number());
        let told = read(&state, behind);
        self.books.keep(state);
        Ok(told)
    }
}

/// An entry that officers should have decided and did not only takes its number, as at the gateways.
fn fold(state: &mut AgentState, entry: &CommittedEntry, view: &View) {
    let event = if view.obeys(entry) {
        AgentEvent::decode(&entry.kind, entry.body()).unwrap_or_else(|error| {
            tracing::error!(position = entry.position, %error, "an entry of an agent's stream cannot be read; gateways refuse the agent");
            AgentEvent::Other
        })
    } else {
        AgentEvent::Other
    };
    let place = EntryAt {
        number: entry.number,
        at: entry.at,
    };
    state.apply(place, &event);
}
