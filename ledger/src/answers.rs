//! How the ledger's answers get back to those who queued: a burst for one runtime in one wake across threads.

use std::thread::{self, ThreadId};

use tokio::{runtime::Handle, sync::oneshot};

use crate::append::{Proof, Reserved};

/// How one queued append ended.
pub(crate) enum Reply {
    Recorded(Proof),
    Conflict { next_number: u64, epoch: u64 },
    SerialTaken,
    AlreadyRecorded { position: u64, number: u64 },
    Unavailable(Reserved),
    Unknown(Reserved),
}

/// Where an answer goes.
pub(crate) enum Sink {
    /// To a future that was made on this runtime's thread.
    Future(oneshot::Sender<Reply>, Option<Home>),
    /// To a function, called on the thread that committed.
    Call(Box<dyn FnOnce(Reply) + Send>),
}

/// The runtime, and the thread, that an append was queued from.
pub(crate) struct Home {
    thread: ThreadId,
    runtime: Handle,
}

impl Home {
    /// Where this is called; none outside of a runtime.
    pub(crate) fn here() -> Option<Self> {
        let runtime = Handle::try_current().ok()?;
        Some(Self {
            thread: thread::current().id(),
            runtime,
        })
    }
}

impl Sink {
    /// Gives one answer.
    pub(crate) fn give(self, reply: Reply) {
        match self {
            // Nobody waits for it any more: the append stands all the same.
            Self::Future(future, _) => drop(future.send(reply)),
            Self::Call(call) => call(reply),
        }
    }
}

/// A future that waits elsewhere, with its answer.
type Waiting = (oneshot::Sender<Reply>, Reply);

/// Gives all answers; those for another thread's runtime together, on a task of that runtime.
pub(crate) fn give_all(answers: impl Iterator<Item = (Sink, Reply)>) {
    let here = thread::current().id();
    let mut elsewhere: Vec<(Home, Vec<Waiting>)> = Vec::new();
    for (sink, reply) in answers {
        match sink {
            Sink::Future(future, Some(home)) if home.thread != here => {
                match elsewhere.iter_mut().find(|(known, _)| known.thread == home.thread) {
                    Some((_, waiting)) => waiting.push((future, reply)),
                    None => elsewhere.push((home, vec![(future, reply)])),
                }
            }
            sink => sink.give(reply),
        }
    }
    for (home, waiting) in elsewhere {
        drop(home.runtime.spawn(async move {
            for (future, reply) in waiting {
                drop(future.send(reply));
            }
        }));
    }
}
