//! The clocks of the product: the system's, and, in a sandbox only, one that a replay steps.

use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use extensions::{Clock, Timestamp};

/// The system clock; the only reading of it in the product.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_micros());
        Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

/// A decision clock that stands until it is stepped, and never goes back (ARCHITECTURE §6). One per process, and only under
/// a sandbox policy.
#[derive(Debug)]
pub struct SteppedClock(AtomicI64);

impl SteppedClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.micros()))
    }

    /// Steps to `time`; a time that is already past leaves the clock where it is.
    pub fn step_to(&self, time: Timestamp) {
        self.0.fetch_max(time.micros(), Ordering::SeqCst);
    }
}

impl Clock for SteppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stepped_clock_never_goes_back() {
        let clock = SteppedClock::starting_at(Timestamp::from_seconds(100));
        clock.step_to(Timestamp::from_seconds(90));
        assert_eq!(clock.now(), Timestamp::from_seconds(100));
        clock.step_to(Timestamp::from_seconds(110));
        assert_eq!(clock.now(), Timestamp::from_seconds(110));
    }
}
