//! The one way into the ledger: a bounded queue per writer and a leader that commits what waits when the last commit returned.

use std::{
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll},
};

use extensions::{Record, StreamId};

use crate::append::{Append, AppendError, QueueFull, QueueRefusal, Recorded};

/// Appends for one writer (a gateway instance, a role). Cheap to clone; all clones share one queue.
#[derive(Clone)]
pub struct Writer {}

#[allow(unused_variables, reason = "signatures land first")]
impl Writer {
    /// Queues an append; the order of calls is the order of numbers. Cheap, never blocks. The append goes on when the answer is dropped.
    ///
    /// After an `Exactly` append lost, every `Exactly` append of this writer on that stream comes back as a conflict, those queued before the
    /// loss was known included, until [`resume`](Self::resume): what was decided on a tentative state cannot slip into a number that
    /// happens to fit.
    ///
    /// # Errors
    /// When the queue is full or the append is malformed; gives the append back.
    pub fn queue<R: Record + Send + 'static>(&self, append: Append<R>) -> Result<Pending<R>, QueueFull<R>> {
        Err(QueueFull {
            append: Box::new(append),
            reason: QueueRefusal::Full { waiting: 0 },
        })
    }

    /// Queues and waits; for callers that do not pipeline. On a conflict the stream is resumed for the caller.
    ///
    /// # Errors
    /// As the append ends; a full queue is `Unavailable`.
    pub async fn append<R: Record + Send + 'static>(&self, append: Append<R>) -> Result<Recorded<R>, AppendError<R>> {
        let QueueFull { append, .. } = match self.queue(append) {
            Ok(pending) => return pending.await,
            Err(refused) => refused,
        };
        Err(AppendError::Unavailable {
            record: append.record,
            reserved: crate::Reserved::No,
        })
    }

    /// Says that the caller has dropped its tentative state of `stream` and read what came between. Call it after a conflict, under the same
    /// lock as the state, before queueing on the stream again.
    pub fn resume(&self, stream: &StreamId) {}

    /// The writer's name.
    pub fn name(&self) -> &str {
        ""
    }

    /// How many appends wait.
    pub fn waiting(&self) -> usize {
        0
    }
}

/// The answer to a queued append.
#[must_use = "nothing has happened until the append is recorded"]
pub struct Pending<R> {
    record: PhantomData<R>,
}

impl<R> Future for Pending<R> {
    type Output = Result<Recorded<R>, AppendError<R>>;

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Pending
    }
}
