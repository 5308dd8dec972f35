//! Asking for CRLs. The CA key is not here: the `ca` role signs, this role asks, checks and serves.

use std::sync::Arc;

use extensions::{Clock, Digest};
use ledger::Task;
use revocation_core::jobs::{CRL_PUBLISH_TASK, Job, JobRan};

use crate::log::{AnyRecord, Boxed, Log, LogError, Report};

/// Where CRLs come from.
pub trait CrlSource: Send + Sync + 'static {
    /// Asks for a new CRL with all that is committed. Returns when it is recorded or asked for; the list itself arrives as a
    /// `crl.published` entry.
    fn request(&self) -> Boxed<'_, Result<(), LogError>>;

    /// The bytes of a list that was too long for its entry; `None` when they are not to be had.
    fn list(&self, digest: Digest) -> Boxed<'_, Option<Vec<u8>>>;
}

/// Asks the `ca` role through the outbox, in the same transaction as the job's record.
pub struct OutboxCrl {
    log: Arc<dyn Log>,
    clock: Arc<dyn Clock>,
}

impl OutboxCrl {
    /// Asks through `log`; `clock` is the real one.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>) -> Self {
        Self { log, clock }
    }
}

impl CrlSource for OutboxCrl {
    fn request(&self) -> Boxed<'_, Result<(), LogError>> {
        Box::pin(async move {
            let at = self.clock.now();
            let record = JobRan {
                due: at,
                fault: None,
                job: Job::Crl,
            };
            let task = Task {
                role: "ca".to_owned(),
                kind: CRL_PUBLISH_TASK.to_owned(),
                payload: String::new(),
                due: at,
            };
            let report = Report {
                at,
                id: format!("crl-request-{}", at.micros()),
                record: AnyRecord::new(record),
                tasks: vec![task],
            };
            self.log.report(report).await
        })
    }

    fn list(&self, _digest: Digest) -> Boxed<'_, Option<Vec<u8>>> {
        Box::pin(async { None })
    }
}
