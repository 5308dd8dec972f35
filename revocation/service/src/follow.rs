//! Following the ledger: by position, gaplessly, woken by announcements, with polling as a backstop.

use std::sync::Arc;
use std::time::Duration;

use ledger::CommittedEntry;

use crate::log::{Announced, Log, LogError};

/// Entries read at once.
pub const READ_AT_ONCE: usize = 512;
/// How long a follower waits for an announcement before it looks by itself.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A place in the ledger that moves forward.
pub struct Follower {
    log: Arc<dyn Log>,
    announced: Announced,
    next: u64,
}

impl Follower {
    /// Follows from position `next` on.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, next: u64) -> Self {
        let announced = log.announced();
        Self { log, announced, next }
    }

    /// The position of the next entry it will give.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// What is there already, at most [`READ_AT_ONCE`]; empty at the end.
    ///
    /// # Errors
    /// When the ledger cannot be read; the place stays.
    pub async fn available(&mut self) -> Result<Vec<Arc<CommittedEntry>>, LogError> {
        let entries = self.log.read_range(self.next, READ_AT_ONCE).await?;
        if let Some(last) = entries.last() {
            self.next = last.position + 1;
        }
        Ok(entries)
    }

    /// Waits for the next entries. Cancelling the wait loses nothing.
    ///
    /// # Errors
    /// When the ledger cannot be read; the place stays.
    pub async fn next(&mut self) -> Result<Vec<Arc<CommittedEntry>>, LogError> {
        loop {
            let entries = self.available().await?;
            if !entries.is_empty() {
                return Ok(entries);
            }
            let woken = tokio::time::timeout(LOOK_EVERY, self.announced.changed()).await;
            if let Ok(Err(_closed)) = woken {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
    }
}
