//! How many risk-carrying orders came in any window of 1 to 86,400 seconds, in fixed buckets.
//!
//! Certificates name their own windows and may change them at renewal, so the counters know none: eighteen levels, each of
//! 34 buckets twice as wide as the level below (1/32 s at the bottom). A window of `w` seconds is read at the narrowest
//! level whose 32 buckets span it. The bucket in which the window begins counts whole, so a reading is never below the true
//! sliding count, and at most one bucket (1/16 of the window) early: never permissive, and bounded.

use extensions::Timestamp;
use serde::{Deserialize, Serialize};

/// The lowest level's bucket, in microseconds.
const NARROWEST_MICROS: i64 = 31_250;
/// 2^17 s is the first span above a day.
const LEVELS: usize = 18;
/// 32 span the window, one holds its beginning, one the present.
const BUCKETS: usize = 34;

/// One level: a ring of buckets of `2^level / 32` seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    /// The newest bucket's number since 1970.
    newest: i64,
    /// Bucket `n` stands at `n % BUCKETS`.
    ring: Vec<u32>,
}

/// The counters of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateCounters {
    levels: Vec<Level>,
}

impl Default for RateCounters {
    fn default() -> Self {
        Self {
            levels: vec![
                Level {
                    newest: 0,
                    ring: vec![0; BUCKETS]
                };
                LEVELS
            ],
        }
    }
}

impl RateCounters {
    /// Counts one order. A time before the newest bucket counts in the newest: late is never less.
    pub(crate) fn add(&mut self, at: Timestamp) {
        for (number, level) in self.levels.iter_mut().enumerate() {
            let bucket = bucket_of(at, number).max(level.newest);
            if bucket - level.newest >= BUCKETS as i64 {
                level.ring.fill(0);
            } else {
                for passed in level.newest + 1..=bucket {
                    level.ring[place(passed)] = 0;
                }
            }
            level.newest = bucket;
            let count = &mut level.ring[place(bucket)];
            *count = count.saturating_add(1);
        }
    }

    /// The orders in the last `seconds` before `now`, never too few.
    pub(crate) fn within(&self, seconds: u32, now: Timestamp) -> u64 {
        let number = level_of(seconds);
        let Some(level) = self.levels.get(number) else {
            return u64::MAX;
        };
        let oldest = bucket_of(now.plus_seconds(-i64::from(seconds)), number);
        let first = oldest.max(level.newest - (BUCKETS as i64 - 1));
        // One division for all: the order path reads a level for each window of the certificate.
        let (mut at, mut sum) = (place(first), 0);
        for _ in first..=level.newest {
            sum += u64::from(level.ring[at]);
            at = if at + 1 == BUCKETS { 0 } else { at + 1 };
        }
        sum
    }

    /// Whether the shape is the one this build writes: a snapshot of another is not taken.
    pub(crate) fn well_formed(&self) -> bool {
        self.levels.len() == LEVELS
            && self
                .levels
                .iter()
                .all(|level| level.ring.len() == BUCKETS && level.newest >= 0)
    }
}

/// The narrowest level whose 32 buckets span the window: `2^level ≥ seconds`.
fn level_of(seconds: u32) -> usize {
    seconds.max(1).next_power_of_two().trailing_zeros() as usize
}

fn bucket_of(at: Timestamp, level: usize) -> i64 {
    (at.micros() / NARROWEST_MICROS) >> level
}

fn place(bucket: i64) -> usize {
    bucket.rem_euclid(BUCKETS as i64) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against the plain list of times: never below the true count, never above that of a window one bucket longer.
        /// Control, tried: dropping the bucket in which the window begins makes the first assertion fail.
        #[test]
        fn never_too_few_and_at_most_a_bucket_early(
            steps in prop::collection::vec(0_i64..2_000_000, 1..200), stretch in 1_i64..400, seconds in 1_u32..86_400
        ) {
            let mut counters = RateCounters::default();
            let mut times = Vec::new();
            let mut now = Timestamp::from_seconds(1_790_000_000);
            for step in steps {
                now = now.plus_micros(step * stretch);
                counters.add(now);
                times.push(now);
            }
            let within = |micros: i64| times.iter().filter(|at| now.micros_since(**at) <= micros).count() as u64;
            let window = i64::from(seconds) * 1_000_000;
            let bucket = NARROWEST_MICROS << level_of(seconds);
            let read = counters.within(seconds, now);
            prop_assert!(read >= within(window - 1), "{} below {}", read, within(window - 1));
            prop_assert!(read <= within(window + bucket), "{} above {}", read, within(window + bucket));
            prop_assert!(bucket * 16 <= window);
        }
    }

    #[test]
    fn a_quiet_window_is_empty_again() {
        let mut counters = RateCounters::default();
        let start = Timestamp::from_seconds(1_790_000_000);
        counters.add(start);
        assert_eq!(counters.within(1, start), 1);
        assert_eq!(counters.within(1, start.plus_millis(1_040)), 0);
        assert_eq!(counters.within(60, start.plus_millis(1_040)), 1);
    }
}
