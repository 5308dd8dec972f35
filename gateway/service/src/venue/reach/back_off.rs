//! When the venue says that we ask too much: nothing is asked until the time it names, by any connection of this process.
//!
//! The venue counts by source address and answers 429; who goes on is banned (418), for minutes to days (`Retry-After`, RFC 9110 section
//! 10.2.3, in seconds). Then cancels would be refused too, so the rest keeps still for their sake.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The statuses that ask for it.
const TOO_MANY: u16 = 429;
const BANNED: u16 = 418;
/// How long, when the answer does not say.
const UNNAMED: Duration = Duration::from_secs(60);
/// The longest that is believed: the venue's longest ban.
const LONGEST: Duration = Duration::from_secs(3 * 86_400);

/// Shared by every adapter of one venue.
#[derive(Debug, Default)]
pub struct BackOff(Mutex<Option<Rest>>);

#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    banned: bool,
}

impl BackOff {
    /// Takes note of an answer's status and `Retry-After`.
    pub(in crate::venue) fn told(&self, status: u16, retry_after_s: Option<u64>) {
        if !matches!(status, TOO_MANY | BANNED) {
            return;
        }
        let pause = retry_after_s.map_or(UNNAMED, Duration::from_secs).min(LONGEST);
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + pause;
        let banned = status == BANNED;
        let known = rest.filter(|known| known.until >= until && known.banned >= banned);
        if known.is_none() {
            tracing::error!(
                status,
                seconds = pause.as_secs(),
                "the venue asks to be left alone; orders are withheld until then"
            );
            *rest = Some(Rest { until, banned });
        }
    }

    /// Whether orders and questions keep still.
    pub(in crate::venue) fn rests(&self) -> bool {
        self.now().is_some()
    }

    /// Whether cancels keep still too: under a ban they would be refused, and prolong it.
    pub(in crate::venue) fn banned(&self) -> bool {
        self.now().is_some_and(|rest| rest.banned)
    }

    fn now(&self) -> Option<Rest> {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rest.filter(|rest| Instant::now() < rest.until)
    }
}
