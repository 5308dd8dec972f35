//! What an agent has open and holds: its stream folded as the gateways fold it.
//!
//! A look folds a few entries by itself, so that it answers at once, and says how many are left. What is left is folded behind: for whoever was looked
//! at, and from the start on for the agents with the longest streams, so that hardly any look meets much that is not folded yet. Every fold begins at
//! the stream's first entry in this process; nothing that lies on a disk is believed.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use extensions::{AgentId, StreamId, StreamKind};
use gateway_policy::{AgentEvent, AgentState, EntryAt};
use ledger::{CommittedEntry, Ledger};
use tokio::{sync::Notify, time::Instant};

use crate::{Console, problem::Problem, view::View};

/// Folds kept because somebody looked; the one that was looked at longest ago leaves.
const MOST_LOOKED_AT: usize = 64;
/// Folds kept because their streams are the longest.
const MOST_LONGEST: usize = 64;
/// Entries folded by one look at most: some 10 ms.
const AT_A_LOOK: usize = 1_024;
/// A fold that is further behind is carried on before anybody looks.
const MOST_BEHIND: u64 = AT_A_LOOK as u64 / 2;
/// Entries folded behind at once.
const READ_AT_ONCE: usize = 4_096;
/// How long the task behind waits for a look before it sees for itself who has traded.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the longest streams are taken to be the longest.
const SEARCH_EVERY: Duration = Duration::from_secs(60);

/// The folds that are kept, the latest looked at last.
#[derive(Default)]
pub(crate) struct Books {
    kept: Mutex<Kept>,
    /// A look left something to fold.
    left: Notify,
}

#[derive(Default)]
struct Kept {
    states: Vec<AgentState>,
    longest: BTreeSet<AgentId>,
}

impl Kept {
    fn place_of(&self, agent: &AgentId) -> Option<usize> {
        self.states.iter().position(|state| state.agent() == agent)
    }

    /// Of those that are not among the longest, the first ones leave.
    fn bound(&mut self) {
        let kept_by_looks = |state: &AgentState| !self.longest.contains(state.agent());
        let mut over = self.states.iter().filter(|state| kept_by_looks(state)).count();
        over = over.saturating_sub(MOST_LOOKED_AT);
        let longest = &self.longest;
        self.states.retain(|state| {
            let leaves = over > 0 && !longest.contains(state.agent());
            over -= usize::from(leaves);
            !leaves
        });
    }
}

impl Books {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A copy to go on with: whoever looks meanwhile finds the fold as it was.
    fn take(&self, agent: &AgentId) -> AgentState {
        let kept = self.kept();
        let found = kept.place_of(agent).map(|place| kept.states[place].clone());
        found.unwrap_or_else(|| AgentState::new(*agent))
    }

    /// Keeps a fold, unless there is one that is further; one that was looked at stays the longest.
    fn keep(&self, state: AgentState, looked_at: bool) {
        let mut kept = self.kept();
        match kept.place_of(state.agent()) {
            Some(place) => {
                if kept.states[place].next_number() < state.next_number() {
                    kept.states[place] = state;
                }
                if looked_at {
                    kept.states[place..].rotate_left(1);
                }
            }
            None => kept.states.push(state),
        }
        kept.bound();
    }

    /// A fold that is far behind: the latest looked at first, then the longest streams that nobody has folded yet.
    fn behind(&self, ledger: &Ledger) -> Option<AgentState> {
        let kept = self.kept();
        let far =
            |agent: &AgentId, next: u64| ledger.stream_next(&StreamId::agent(agent)) > next.saturating_add(MOST_BEHIND);
        let known = kept.states.iter().rev();
        let known = known.filter(|state| far(state.agent(), state.next_number())).cloned();
        let unknown = kept.longest.iter().filter(|agent| kept.place_of(agent).is_none());
        let unknown = unknown
            .filter(|agent| far(agent, 0))
            .map(|agent| AgentState::new(*agent));
        known.chain(unknown).next()
    }
}

impl Console {
    /// Gives `read` the agent's state and how many entries of its stream are not in it yet.
    pub(crate) async fn book<T>(
        &self,
        agent: &AgentId,
        read: impl FnOnce(&AgentState, u64) -> T,
    ) -> Result<T, Problem> {
        let mut state = self.books.take(agent);
        for (entry, obeyed) in self.unfolded(&state, AT_A_LOOK).await? {
            fold(&mut state, &entry, obeyed);
        }
        let end = self.ledger.stream_next(&StreamId::agent(agent));
        let behind = end.saturating_sub(state.next_number());
        let told = read(&state, behind);
        self.books.keep(state, true);
        if behind > MOST_BEHIND {
            self.books.left.notify_one();
        }
        Ok(told)
    }

    /// Folds what looks have left, and the longest streams before anybody looks, until dropped.
    pub(crate) async fn keep_books(&self) {
        loop {
            match self.longest().await {
                Ok(longest) => self.books.kept().longest = longest,
                Err(problem) => {
                    tracing::warn!(code = problem.code(), "the longest streams are not known; trying again")
                }
            }
            let until = Instant::now() + SEARCH_EVERY;
            while Instant::now() < until {
                let Some(state) = self.books.behind(&self.ledger) else {
                    // A time-out only means looking by oneself.
                    let _ = tokio::time::timeout(LOOK_EVERY, self.books.left.notified()).await;
                    continue;
                };
                let begun = Instant::now();
                if let Err(problem) = self.carry_book_on(state).await {
                    tracing::warn!(code = problem.code(), "a book was not carried on; trying again");
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                // As long again for others: nobody waits for this.
                tokio::time::sleep(begun.elapsed()).await;
            }
        }
    }

    async fn carry_book_on(&self, mut state: AgentState) -> Result<(), Problem> {
        let page = self.unfolded(&state, READ_AT_ONCE).await?;
        let folded = tokio::task::spawn_blocking(move || {
            page.iter().for_each(|(entry, obeyed)| fold(&mut state, entry, *obeyed));
            state
        });
        let folded = folded.await;
        self.books.keep(
            folded.map_err(|_| Problem::unavailable("a fold was interrupted"))?,
            false,
        );
        Ok(())
    }

    /// The next entries of a stream, each with whether it is followed.
    async fn unfolded(
        &self,
        state: &AgentState,
        most: usize,
    ) -> Result<Vec<(std::sync::Arc<CommittedEntry>, bool)>, Problem> {
        let stream = StreamId::agent(state.agent());
        let page = self.ledger.read_stream(&stream, state.next_number(), most).await;
        let page = page.map_err(|error| Problem::unavailable(&error.to_string()))?;
        let view = self.view().await?;
        let obeyed = |entry: std::sync::Arc<CommittedEntry>| {
            let obeyed = view.obeys(&entry);
            (entry, obeyed)
        };
        Ok(page.into_iter().map(obeyed).collect())
    }

    /// The agents with the longest streams, of those whose stream one look does not fold.
    async fn longest(&self) -> Result<BTreeSet<AgentId>, Problem> {
        let view = self.view().await?;
        let mut streams: Vec<(u64, AgentId)> = long_streams(&view).collect();
        streams.sort_unstable_by_key(|(length, agent)| (std::cmp::Reverse(*length), *agent));
        streams.truncate(MOST_LONGEST);
        Ok(streams.into_iter().map(|(_, agent)| agent).collect())
    }
}

fn long_streams(view: &View) -> impl Iterator<Item = (u64, AgentId)> {
    let long = view
        .lengths()
        .filter(|(stream, length)| stream.kind() == StreamKind::Agent && *length > MOST_BEHIND);
    long.filter_map(|(stream, length)| Some((length, AgentId::new(stream.name()).ok()?)))
}

/// An entry that officers should have decided and did not only takes its number, as at the gateways.
fn fold(state: &mut AgentState, entry: &CommittedEntry, obeyed: bool) {
    let event = if obeyed {
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

#[cfg(test)]
impl Books {
    /// How far an agent's fold is.
    pub(crate) fn folded(&self, agent: &AgentId) -> u64 {
        self.take(agent).next_number()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(number: usize) -> AgentId {
        AgentId::new(&format!("bot-{number}")).unwrap()
    }

    fn at(number: usize, next: u64) -> AgentState {
        let mut state = AgentState::new(agent(number));
        for number in 0..next {
            let at = extensions::Timestamp::from_seconds(1);
            state.apply(EntryAt { number, at }, &AgentEvent::Other);
        }
        state
    }

    /// Controls: without `bound` all are kept: seen red; with the longest bounded like the others the first look at many takes their folds away.
    #[test]
    fn looks_keep_so_many_and_take_no_long_fold_away() {
        let books = Books::default();
        books.kept().longest = [agent(0), agent(1)].into();
        for number in 0..MOST_LOOKED_AT + 12 {
            books.keep(at(number, 5), number > 1);
        }
        assert_eq!(books.kept().states.len(), MOST_LOOKED_AT + 2);
        assert_eq!((books.folded(&agent(0)), books.folded(&agent(1))), (5, 5));
        assert_eq!(books.folded(&agent(2)), 0, "looked at longest ago");
        books.keep(at(12, 5), true);
        books.keep(at(2, 5), true);
        assert_eq!((books.folded(&agent(12)), books.folded(&agent(13))), (5, 0));
    }

    /// Two looks at once: the fold that is further stays, whichever ends last.
    #[test]
    fn a_fold_never_goes_back() {
        let books = Books::default();
        books.keep(at(1, 9), true);
        books.keep(at(1, 4), true);
        assert_eq!(books.folded(&agent(1)), 9);
    }
}
