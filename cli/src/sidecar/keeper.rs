//! The certificate's keeper: the first one by token, then the next at half of each life, while requests go on.
//!
//! A new certificate is presented by new connections alone; what is under way on the old ones ends there, and the gateway takes both until
//! the old one ends. The times are the wall clock's, looked at again every minute: a machine that slept renews when it wakes.

use std::{sync::Arc, time::Duration};

use extensions::{Clock as _, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{Sidecar, identity::Identity};
use crate::{bot, clock::SystemClock};

/// The longest sleep between two looks at the clock.
const LOOK: Duration = Duration::from_secs(60);
/// After a failure it is tried again after this long, doubled each time, at most.
const FIRST_WAIT_S: i64 = 2;
const LONGEST_WAIT_S: i64 = 300;
/// A share of a life by which renewals of many bots are spread.
const SPREAD: i64 = 20;

/// How renewal stands, for the health page.
#[derive(Debug, Clone, Default)]
pub(super) struct Renewal {
    /// When the next one is due.
    pub(super) from: Option<Timestamp>,
    /// How many went well.
    pub(super) renewed: u64,
    /// Why the latest attempt did not.
    pub(super) failed: Option<String>,
}

/// Runs until `stop`.
pub(super) async fn run(sidecar: Arc<Sidecar>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = keep(&sidecar) => {}
    }
}

async fn keep(sidecar: &Arc<Sidecar>) {
    let mut failures = 0;
    let mut due = sidecar.identity().map(|identity| half_of(&identity));
    loop {
        note(sidecar, |renewal| renewal.from = due);
        if let Some(due) = due {
            until(due).await;
        }
        let settings = &sidecar.settings;
        let first = sidecar.identity().is_none();
        let asked = if first {
            enrol(sidecar).await
        } else {
            let asked = bot::renew(&settings.folder, settings.enrolment.clone(), &settings.roots).await;
            asked.map(drop)
        };
        let now = SystemClock.now();
        due = match asked.and_then(|()| Identity::open(&settings.folder, &settings.roots)) {
            Ok(identity) => {
                failures = 0;
                tracing::info!(serial = identity.serial, not_after = %identity.not_after, "a new certificate");
                note(sidecar, |renewal| {
                    renewal.failed = None;
                    renewal.renewed += u64::from(!first);
                });
                // One that is past its half when it comes is given a quarter of what is left.
                let quarter = (identity.not_after.seconds() - now.seconds()) / 4;
                let due = half_of(&identity).max(now.plus_seconds(quarter.max(FIRST_WAIT_S)));
                sidecar.adopt(identity);
                Some(due)
            }
            Err(error) => {
                let wait = (FIRST_WAIT_S << failures.min(10)).min(LONGEST_WAIT_S);
                failures += 1;
                tracing::warn!(
                    error = format!("{error:#}"),
                    wait_s = wait,
                    "no new certificate; asking again"
                );
                note(sidecar, |renewal| renewal.failed = Some(format!("{error:#}")));
                Some(now.plus_seconds(wait))
            }
        };
    }
}

fn note(sidecar: &Sidecar, what: impl FnOnce(&mut Renewal)) {
    what(
        &mut sidecar
            .renewal
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
    );
}

async fn enrol(sidecar: &Sidecar) -> anyhow::Result<()> {
    let settings = &sidecar.settings;
    let token = settings.token.as_deref().unwrap_or_default();
    let mut waiting = |wait: Duration| tracing::info!(wait_s = wait.as_secs(), "officers have not approved yet");
    let (to, agent) = (settings.enrolment.clone(), settings.agent.as_str());
    bot::enrol(&settings.folder, to, &settings.roots, agent, token, &mut waiting).await?;
    Ok(())
}

/// Half of its life, and up to a twentieth of it later: by the serial, which is drawn by chance.
fn half_of(identity: &Identity) -> Timestamp {
    let life = identity.not_after.seconds() - identity.not_before.seconds();
    let drawn: i64 = identity.serial.bytes().map(i64::from).sum::<i64>() % SPREAD;
    identity
        .not_before
        .plus_seconds(life / 2 + life * drawn / (SPREAD * SPREAD))
}

async fn until(due: Timestamp) {
    loop {
        let left = due.micros() - SystemClock.now().micros();
        let Ok(left @ 1..) = u64::try_from(left) else {
            return;
        };
        tokio::time::sleep(Duration::from_micros(left).min(LOOK)).await;
    }
}
