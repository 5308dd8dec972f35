//! What officers decided, held to their signatures before this instance obeys it (ARCHITECTURE §1: a record "becomes a proof again only by
//! re-checking its signatures").
//!
//! Whoever may append as another role could write a reinstatement, a baseline or a region table that nobody signed. It stands in the log, is
//! reported by `verify`, and moves nothing here.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use ca_core::register::{Held, Place, is_held};
use ledger::{CommittedEntry, Ledger, LedgerError};

/// Entries read at a time.
const PAGE: usize = 4_096;
/// Entries nobody signed that are told apart; once there are more, none behind them is obeyed.
const MOST_REFUSED: usize = 4_096;

/// The officers and their open proposals as the log tells of them, and the entries they did not decide.
#[derive(Debug, Default)]
pub struct Decisions(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    held: Held,
    /// The position of the next entry to be folded.
    next: u64,
    refused: BTreeSet<u64>,
}

impl Decisions {
    /// Whether the entry may be obeyed: it takes no signatures, or has them. What was not folded yet may not.
    #[must_use]
    pub fn holds(&self, entry: &CommittedEntry) -> bool {
        if !is_held(&entry.kind) {
            return true;
        }
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told_apart = inner.refused.len() < MOST_REFUSED || inner.refused.last() > Some(&entry.position);
        entry.position < inner.next && told_apart && !inner.refused.contains(&entry.position)
    }

    /// Folds the next entry of the log; any other is left alone.
    pub fn fold(&self, entry: &CommittedEntry) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entry.position == inner.next {
            inner.next += 1;
            inner.fold(entry);
        }
    }

    /// Folds the log up to the entry at `position`, as far as that was not done.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn reach(&self, ledger: &Ledger, position: u64) -> Result<(), LedgerError> {
        loop {
            let next = self.0.lock().unwrap_or_else(PoisonError::into_inner).next;
            if next > position {
                return Ok(());
            }
            let page = ledger.read_range(next, PAGE).await?;
            if page.is_empty() {
                return Ok(());
            }
            page.iter().for_each(|entry| self.fold(entry));
        }
    }
}

impl Inner {
    fn fold(&mut self, entry: &CommittedEntry) {
        let place = Place {
            position: entry.position,
            number: entry.number,
            at: entry.at,
        };
        if let Err(why) = self.held.fold(&entry.kind, &entry.stream, entry.body(), place) {
            tracing::error!(position = entry.position, kind = &*entry.kind, %why, "an entry that officers did not decide is not obeyed");
            if self.refused.len() < MOST_REFUSED {
                self.refused.insert(entry.position);
            }
        }
    }
}
