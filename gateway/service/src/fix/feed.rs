//! What the ledger says of one agent, in order, from the moment its session begins: the source of every execution report, as it is of `/v1/events`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ledger::{CommittedEntry, LedgerError};
use tokio::sync::broadcast::error::RecvError;

use super::reports::Book;
use crate::{gateway::Gateway, pipeline::slot::Slot};

/// Entries read at a time.
const PAGE: usize = 256;
/// How long a session waits at its beginning for what is on its way to the ledger.
const PATIENCE: Duration = Duration::from_secs(5);
/// How soon it looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The reader of one agent's stream.
pub(super) struct Feed {
    gateway: Arc<Gateway>,
    slot: Arc<Slot>,
    next: u64,
}

impl Feed {
    /// Begins behind what the agent's open orders are folded from, with a book of those; so each fill counts once.
    pub(super) async fn begin(gateway: &Arc<Gateway>, slot: &Arc<Slot>) -> Result<(Self, Book), String> {
        let (began, mut seen) = (Instant::now(), None);
        loop {
            let mut committed = gateway.ledger.committed();
            {
                let inner = slot.lock();
                if inner.is_stale() {
                    seen = None;
                } else if seen.is_none() {
                    seen = Some((Book::of(&inner), inner.state.next_number()));
                }
            }
            if let Some((book, next)) = seen.take_if(|(_, next)| gateway.ledger.stream_next(slot.stream()) >= *next) {
                let (gateway, slot) = (gateway.clone(), slot.clone());
                return Ok((Self { gateway, slot, next }, book));
            }
            if began.elapsed() >= PATIENCE {
                return Err("the ledger does not answer; log on again in a moment".to_owned());
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, committed.recv()).await;
        }
    }

    /// The next entries, as soon as there are some. May be dropped at any time without losing one.
    pub(super) async fn next(&mut self) -> Vec<Arc<CommittedEntry>> {
        loop {
            // Listened for before the read: what becomes durable after it ends the wait.
            let mut committed = self.gateway.ledger.committed();
            match self.read().await {
                Ok(page) if !page.is_empty() => return page,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "a FIX session cannot read the ledger; it waits");
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
            }
            while self.gateway.ledger.stream_next(self.slot.stream()) <= self.next {
                if let Err(RecvError::Closed) = committed.recv().await {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// What there is now, perhaps nothing.
    pub(super) async fn read(&mut self) -> Result<Vec<Arc<CommittedEntry>>, LedgerError> {
        let ledger = &self.gateway.ledger;
        let page = ledger.read_stream(self.slot.stream(), self.next, PAGE).await?;
        self.next += page.len() as u64;
        Ok(page)
    }
}
