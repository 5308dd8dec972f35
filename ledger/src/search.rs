//! Looking for entries, newest first: by stream, kind, decision, code and time, in bounded work for each question.
//!
//! What is rare (everything but the course of orders, and each order that was not permitted) is found by an index in the views. What is
//! common is found by reading backwards, where it is never far. Either way one question looks at [`MOST_LOOKED`] entries at most, and
//! says where the next goes on; so an answer may be empty and not be the last.

use std::sync::Arc;

use extensions::{StreamId, Timestamp};
use serde::Deserialize;

use crate::{
    append::CommittedEntry,
    ledger::{Ledger, LedgerError},
};

/// The most entries one question looks at.
pub const MOST_LOOKED: usize = 2_048;
/// Entries read at once while looking.
const AT_ONCE: usize = 256;
/// The most codes of one entry in the index.
pub(crate) const MOST_CODES: usize = 8;

const DECIDED: &str = "order.decided";

/// Kinds of an order's course: nearly all entries are of them, so they are not in the index by kind.
const COMMON: [&str; 5] = [
    DECIDED,
    "order.outcome",
    "order.filled",
    "order.cancel_requested",
    "order.cancel_outcome",
];

/// What is looked for; every part that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// In this stream.
    pub stream: Option<StreamId>,
    /// Of this kind: `agent.revoked`.
    pub kind: Option<String>,
    /// An order with this decision: `permit`, `refusal`, `halt`.
    pub decision: Option<String>,
    /// With this stable code: of a refused order's checks, or of an officer's refusal.
    pub code: Option<String>,
    /// Recorded at or after this.
    pub from: Option<Timestamp>,
    /// Recorded before this.
    pub until: Option<Timestamp>,
    /// Before this position: where an earlier answer said that the next goes on.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// One entry that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// The entry.
    pub entry: Arc<CommittedEntry>,
    /// The decision in it, when it is an order's.
    pub decision: Option<String>,
    /// Its stable codes.
    pub codes: Vec<String>,
}

/// One answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// What was found, newest first.
    pub found: Vec<Found>,
    /// How many entries were looked at.
    pub looked: usize,
    /// Where the next answer goes on; none when nothing older is left.
    pub next: Option<u64>,
}

/// By what the index is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// A stable code.
    Code(String),
    /// A decision other than a permit.
    Decision(String),
    /// A kind that is rare.
    Kind(String),
}

/// What the index knows of one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) decision: Option<String>,
    pub(crate) codes: Vec<String>,
}

#[derive(Deserialize)]
struct Facts {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decision: Option<String>,
    #[serde(default)]
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    code: String,
}

impl Marks {
    pub(crate) fn of(entry: &CommittedEntry) -> Self {
        // What fills and outcomes say has no code: they are most of a log, and are not read here.
        if COMMON.contains(&&*entry.kind) && &*entry.kind != DECIDED {
            return Self::default();
        }
        let Ok(facts) = serde_json::from_slice::<Facts>(entry.body()) else {
            return Self::default();
        };
        let mut codes: Vec<String> = facts
            .checks
            .into_iter()
            .map(|check| check.code)
            .chain(facts.code)
            .collect();
        codes.dedup();
        codes.truncate(MOST_CODES);
        let decision = facts.decision.filter(|_| &*entry.kind == DECIDED);
        Self { decision, codes }
    }

    /// Whether the index holds an entry: not the course of orders that were let through.
    pub(crate) fn indexed(&self, kind: &str) -> bool {
        !COMMON.contains(&kind) || self.decision.as_deref().is_some_and(|decision| decision != "permit")
    }
}

impl Search {
    fn mark(&self) -> Option<Mark> {
        if let Some(code) = &self.code {
            return Some(Mark::Code(code.clone()));
        }
        if let Some(decision) = self.decision.as_ref().filter(|decision| *decision != "permit") {
            return Some(Mark::Decision(decision.clone()));
        }
        let kind = self.kind.as_ref().filter(|kind| !COMMON.contains(&kind.as_str()));
        kind.map(|kind| Mark::Kind(kind.clone()))
    }

    fn matches(&self, entry: &Arc<CommittedEntry>) -> Option<Found> {
        let is =
            |wanted: &Option<String>, there: Option<&str>| wanted.as_deref().is_none_or(|wanted| there == Some(wanted));
        if self.stream.as_ref().is_some_and(|stream| *stream != entry.stream) || !is(&self.kind, Some(&entry.kind)) {
            return None;
        }
        let Marks { decision, codes } = Marks::of(entry);
        if !is(&self.decision, decision.as_deref()) || self.code.as_ref().is_some_and(|code| !codes.contains(code)) {
            return None;
        }
        Some(Found {
            entry: Arc::clone(entry),
            decision,
            codes,
        })
    }
}

impl Ledger {
    /// Looks for entries, newest first, complete up to the last commit.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search(&self, search: &Search) -> Result<Answer, LedgerError> {
        let size = self.head().size;
        let lowest = match search.from {
            Some(from) => self.first_recorded_at(from, size).await?,
            None => 0,
        };
        let highest = match search.until {
            Some(until) => self.first_recorded_at(until, size).await?,
            None => size,
        };
        let highest = highest.min(search.before.unwrap_or(size));
        match (search.mark(), &search.stream) {
            (Some(mark), _) => self.search_marks(search, &mark, lowest, highest).await,
            (None, Some(stream)) => self.search_stream(search, stream, lowest, highest).await,
            (None, None) => self.search_log(search, lowest, highest).await,
        }
    }

    /// The first position recorded at or after a moment. The system's clock goes forward; where it was set back, the answer is near.
    async fn first_recorded_at(&self, moment: Timestamp, size: u64) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (0, size);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.read_range(middle, 1).await?.first() {
                Some(entry) if entry.recorded_at < moment => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    async fn search_marks(
        &self,
        search: &Search,
        mark: &Mark,
        lowest: u64,
        highest: u64,
    ) -> Result<Answer, LedgerError> {
        let store = self.store();
        store.catch_up().await?;
        let stream = search.stream.as_ref();
        let marked = store.marked(mark, stream, lowest, highest, MOST_LOOKED).await?;
        let mut answer = Answer {
            looked: marked.looked,
            next: (marked.looked >= MOST_LOOKED && marked.through > lowest).then_some(marked.through),
            ..Answer::default()
        };
        for position in marked.positions {
            if answer.found.len() >= search.limit {
                answer.next = answer.found.last().map(|found| found.entry.position);
                break;
            }
            let entries = self.read_range(position, 1).await?;
            answer
                .found
                .extend(entries.first().and_then(|entry| search.matches(entry)));
        }
        Ok(answer)
    }

    async fn search_stream(
        &self,
        search: &Search,
        stream: &StreamId,
        lowest: u64,
        highest: u64,
    ) -> Result<Answer, LedgerError> {
        let mut below = self.first_in_stream_at(stream, highest).await?;
        let mut answer = Answer::default();
        while below > 0 && answer.looked < MOST_LOOKED {
            let from = below.saturating_sub(AT_ONCE as u64);
            let count = usize::try_from(below - from).unwrap_or(AT_ONCE);
            let entries = self.read_stream(stream, from, count).await?;
            if !answer.take(search, &entries, lowest) {
                return Ok(answer);
            }
            below = from;
        }
        Ok(answer.ending(below > 0))
    }

    /// The first number of a stream whose position is not before `position`.
    async fn first_in_stream_at(&self, stream: &StreamId, position: u64) -> Result<u64, LedgerError> {
        let (mut low, mut high) = (0, self.stream_next(stream));
        while low < high {
            let middle = low + (high - low) / 2;
            match self.read_stream(stream, middle, 1).await?.first() {
                Some(entry) if entry.position < position => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    async fn search_log(&self, search: &Search, lowest: u64, highest: u64) -> Result<Answer, LedgerError> {
        let mut below = highest;
        let mut answer = Answer::default();
        while below > lowest && answer.looked < MOST_LOOKED {
            let from = below.saturating_sub(AT_ONCE as u64).max(lowest);
            let count = usize::try_from(below - from).unwrap_or(AT_ONCE);
            let entries = self.read_range(from, count).await?;
            if !answer.take(search, &entries, lowest) {
                return Ok(answer);
            }
            below = from;
        }
        Ok(answer.ending(below > lowest))
    }
}

impl Answer {
    /// Takes what fits of `entries`, newest first; `false` when there is nothing more to look for.
    fn take(&mut self, search: &Search, entries: &[Arc<CommittedEntry>], lowest: u64) -> bool {
        for entry in entries.iter().rev() {
            if entry.position < lowest {
                self.next = None;
                return false;
            }
            if self.found.len() >= search.limit {
                return false;
            }
            self.looked += 1;
            self.next = Some(entry.position);
            self.found.extend(search.matches(entry));
        }
        true
    }

    fn ending(mut self, more: bool) -> Self {
        self.next = self.next.filter(|_| more);
        self
    }
}
