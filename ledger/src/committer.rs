//! The ledger's own thread: bursts are committed here, so that who queued them goes on with other work meanwhile.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// The thread; it ends when this is dropped.
pub(crate) struct Committer {
    runtime: Handle,
    /// Dropped with this: the thread's main future ends.
    _stop: oneshot::Sender<()>,
}

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread or no event queue.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        // An error says that the sender is gone, which is what is waited for.
        let run = move || drop(runtime.block_on(stopped));
        thread::Builder::new().name("ledger-commit".into()).spawn(run)?;
        Ok(Self {
            runtime: handle,
            _stop: stop,
        })
    }

    /// Runs `work` on the thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }
}
