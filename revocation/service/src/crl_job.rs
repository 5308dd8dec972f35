//! Asking for CRLs. The CA key is not here: the `ca` role signs, this role asks, checks and serves.
//!
//! A short list stands in its entry. A longer one lies in the file that the `ca` role writes before it records the list; it is taken by
//! the digest in the entry, so whoever can write that file can withhold a list and not change it.

use std::{
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use extensions::{Clock, Digest};
use ledger::Task;
use revocation_core::{
    crl::{LONGEST_CRL, earlier_crl_file, unrecorded_crl_file},
    jobs::{CRL_PUBLISH_TASK, Job, JobRan},
};

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
    file: Option<PathBuf>,
}

impl OutboxCrl {
    /// Asks through `log`; `clock` is the real one, `file` where the `ca` role writes each list.
    #[must_use]
    pub fn new(log: Arc<dyn Log>, clock: Arc<dyn Clock>, file: Option<PathBuf>) -> Self {
        Self { log, clock, file }
    }
}

/// Issuing CAs whose lists are looked for: a year each, under a root of twenty at most.
const MOST_ISSUING: usize = 20;

/// The list with this digest, from the file it is in while it is being recorded, or the one it is in afterwards. In this order: between
/// the two looks the first may become the second, never the other way.
fn list_in(file: &Path, digest: Digest) -> Option<Vec<u8>> {
    let earlier = (1..=MOST_ISSUING).map(|number| earlier_crl_file(file, number));
    std::iter::once(file.to_owned())
        .chain(earlier)
        .flat_map(|file| [unrecorded_crl_file(&file), file])
        .filter_map(|path| std::fs::File::open(path).ok())
        .find_map(|file| {
            let mut list = Vec::new();
            let bound = u64::try_from(LONGEST_CRL).ok()?;
            file.take(bound).read_to_end(&mut list).ok()?;
            (Digest::of(&list) == digest).then_some(list)
        })
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

    fn list(&self, digest: Digest) -> Boxed<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let file = self.file.clone()?;
            let reading = tokio::task::spawn_blocking(move || list_in(&file, digest));
            reading.await.ok().flatten()
        })
    }
}
