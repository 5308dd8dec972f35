//! Calendar jobs: when something is due by the clock, whatever else happens.
//!
//! The scheduler only says "due now"; a loop of each job does the work, one run at a time. So a stalled scheduler, an
//! overlapping run or a slow job cannot do harm, and what became due while nothing ran is run at start. Never
//! `new_repeated`: after one stall it stops for good.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;
use tokio_cron_scheduler::{Job as CronJob, JobScheduler};
use tokio_util::sync::CancellationToken;

use crate::log::Boxed;

/// The shortest and the longest wait before a failed run is tried again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A calendar that cannot be kept.
#[derive(Debug, Error)]
pub enum CalendarError {
    /// A schedule that cannot be read.
    #[error("{schedule:?} is no schedule: expected six fields, seconds first, as in \"0 */10 * * * *\" ({reason})")]
    Schedule {
        /// As configured.
        schedule: String,
        /// Why.
        reason: String,
    },
    /// The scheduler.
    #[error("the scheduler did not start: {0}")]
    Scheduler(String),
}

/// One thing to do again and again.
pub trait Work: Send + Sync + 'static {
    /// Its name, for messages.
    fn name(&self) -> &'static str;
    /// Whether it is due at start, since nothing ran.
    fn is_overdue(&self) -> bool;
    /// Does it once.
    fn run(&self) -> Boxed<'_, Result<(), String>>;
}

/// Says that a job is due. Saying it twice before it runs is saying it once.
#[derive(Clone, Default)]
pub struct Due(Arc<Notify>);

impl Due {
    /// It is due now.
    pub fn now(&self) {
        self.0.notify_one();
    }
}

/// Runs `work` whenever it is due, one run at a time; a failed run is tried again with growing waits.
pub async fn keep(work: Arc<dyn Work>, due: Due, stop: CancellationToken) {
    if work.is_overdue() {
        due.now();
    }
    let mut wait = RETRY.0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = due.0.notified() => {}
        }
        match work.run().await {
            Ok(()) => wait = RETRY.0,
            Err(error) => {
                tracing::error!(job = work.name(), %error, retry_seconds = wait.as_secs(), "a job failed");
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(wait) => due.now(),
                }
                wait = (wait * 2).min(RETRY.1);
            }
        }
    }
}

/// Whether a schedule can be read, before anything is started with it.
///
/// # Errors
/// Says why not.
pub fn check_schedule(schedule: &str) -> Result<(), CalendarError> {
    job(schedule, Due::default()).map(drop)
}

fn job(schedule: &str, due: Due) -> Result<CronJob, CalendarError> {
    CronJob::new(schedule, move |_, _| due.now()).map_err(|error| CalendarError::Schedule {
        schedule: schedule.to_owned(),
        reason: error.to_string(),
    })
}

/// The running calendar.
pub struct Calendar {
    scheduler: JobScheduler,
}

impl Calendar {
    /// Starts a calendar that says each of `entries` (a schedule with its [`Due`]) due at its times, in UTC.
    ///
    /// # Errors
    /// When a schedule cannot be read.
    pub async fn start(entries: Vec<(String, Due)>) -> Result<Self, CalendarError> {
        let failed = |error: tokio_cron_scheduler::JobSchedulerError| CalendarError::Scheduler(error.to_string());
        let scheduler = JobScheduler::new().await.map_err(failed)?;
        for (schedule, due) in entries {
            scheduler.add(job(&schedule, due)?).await.map_err(failed)?;
        }
        scheduler.start().await.map_err(failed)?;
        Ok(Self { scheduler })
    }

    /// Stops saying anything.
    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    struct Slow {
        running: AtomicUsize,
        most: AtomicUsize,
        runs: AtomicUsize,
        fail_first: usize,
        overdue: bool,
    }

    fn slow(fail_first: usize, overdue: bool) -> Arc<Slow> {
        let zero = || AtomicUsize::new(0);
        Arc::new(Slow {
            running: zero(),
            most: zero(),
            runs: zero(),
            fail_first,
            overdue,
        })
    }

    impl Work for Slow {
        fn name(&self) -> &'static str {
            "slow"
        }
        fn is_overdue(&self) -> bool {
            self.overdue
        }
        fn run(&self) -> Boxed<'_, Result<(), String>> {
            Box::pin(async {
                let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
                self.most.fetch_max(running, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_secs(3)).await;
                self.running.fetch_sub(1, Ordering::SeqCst);
                let run = self.runs.fetch_add(1, Ordering::SeqCst);
                if run < self.fail_first {
                    Err("no".to_owned())
                } else {
                    Ok(())
                }
            })
        }
    }

    /// Negative control: spawning each run when it is due lets them overlap, as the scheduler's own handlers would.
    #[tokio::test(start_paused = true)]
    async fn one_run_at_a_time_and_none_lost() {
        let (work, due, stop) = (slow(0, false), Due::default(), CancellationToken::new());
        let kept = tokio::spawn(keep(work.clone(), due.clone(), stop.clone()));
        for _ in 0..10 {
            due.now();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(work.most.load(Ordering::SeqCst), 1);
        assert!(
            (4..=5).contains(&work.runs.load(Ordering::SeqCst)),
            "due while running means once more"
        );
        stop.cancel();
        kept.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn overdue_work_runs_at_start_and_failures_are_tried_again() {
        let (work, stop) = (slow(2, true), CancellationToken::new());
        let kept = tokio::spawn(keep(work.clone(), Due::default(), stop.clone()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(work.runs.load(Ordering::SeqCst), 3, "two failures, then done");
        stop.cancel();
        kept.await.unwrap();
    }

    #[tokio::test]
    async fn schedules_are_read_or_refused() {
        let wrong = Calendar::start(vec![("whenever".to_owned(), Due::default())]).await;
        assert!(matches!(wrong, Err(CalendarError::Schedule { .. })));
        let due = Due::default();
        let calendar = Calendar::start(vec![("* * * * * *".to_owned(), due.clone())])
            .await
            .unwrap();
        tokio::time::timeout(Duration::from_secs(5), due.0.notified())
            .await
            .unwrap();
        calendar.stop().await;
    }
}
