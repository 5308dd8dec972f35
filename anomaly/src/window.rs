//! Orders per time at four scales: small rings of integer counters that slide by an eighth of their span.

use extensions::Timestamp;
use serde::{Deserialize, Serialize};

/// The spans, in microseconds: a second, a minute, an hour, a day.
pub const SPANS_MICROS: [i64; SCALES] = [1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000];
/// The spans in words.
pub const SPAN_WORDS: [&str; SCALES] = ["1 s", "1 min", "1 h", "1 day"];
/// How many scales there are.
pub const SCALES: usize = 4;

/// Counters per span: a count covers between 7/8 and the whole of its span.
const BUCKETS: usize = 8;

/// One scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    counts: [u32; BUCKETS],
    /// The number of the newest counter since 1970.
    newest: i64,
}

impl Ring {
    const EMPTY: Self = Self {
        counts: [0; BUCKETS],
        newest: 0,
    };

    fn count(&self, bucket: i64) -> u32 {
        let behind = (bucket - self.newest).clamp(0, BUCKETS as i64) as usize;
        (0..BUCKETS - behind)
            .map(|back| self.counts[slot(self.newest - back as i64)])
            .fold(0, u32::saturating_add)
    }

    fn add(&mut self, bucket: i64, count: u32) {
        for number in 1..=(bucket - self.newest).clamp(0, BUCKETS as i64) {
            self.counts[slot(self.newest + number)] = 0;
        }
        self.newest = self.newest.max(bucket);
        let newest = &mut self.counts[slot(self.newest)];
        *newest = newest.saturating_add(count);
    }
}

fn slot(number: i64) -> usize {
    number.rem_euclid(BUCKETS as i64) as usize
}

/// The counters of one agent at all scales. A time before the newest one counts as the newest: clocks of several gateways may
/// differ by a little, and evidence is never lost to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    rings: [Ring; SCALES],
}

impl Windows {
    /// Nothing counted yet.
    pub const EMPTY: Self = Self {
        rings: [Ring::EMPTY; SCALES],
    };

    /// The orders within each span up to `at`.
    #[must_use]
    pub fn counts(&self, at: Timestamp) -> [u32; SCALES] {
        std::array::from_fn(|scale| self.rings[scale].count(bucket(at, scale)))
    }

    /// Counts `count` orders at `at`.
    pub fn add(&mut self, at: Timestamp, count: u32) {
        for (scale, ring) in self.rings.iter_mut().enumerate() {
            ring.add(bucket(at, scale), count);
        }
    }
}

fn bucket(at: Timestamp, scale: usize) -> i64 {
    at.micros() / (SPANS_MICROS[scale] / BUCKETS as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A late time counts as the newest: letting the ring step back instead loses what was counted, and turns this red.
    #[test]
    fn a_clock_behind_loses_nothing() {
        let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        let mut windows = Windows::EMPTY;
        windows.add(now, 5);
        windows.add(now.plus_seconds(-7_200), 1);
        assert_eq!(windows.counts(now), [6; SCALES]);
        assert_eq!(windows.counts(now.plus_seconds(-7_200)), [6; SCALES]);
        assert_eq!(windows.counts(now.plus_seconds(7_200)), [0, 0, 0, 6]);
    }

    proptest! {
        /// Against a plain list of times: every order younger than 7/8 of the span is counted, none older than the span.
        #[test]
        fn counts_lie_between_seven_eighths_and_the_span(gaps in proptest::collection::vec(0_i64..400_000, 1..60)) {
            let mut windows = Windows::EMPTY;
            let mut times = Vec::new();
            let mut now = 1_795_174_800_000_000;
            for gap in gaps {
                now += gap;
                times.push(now);
                windows.add(Timestamp::from_micros(now), 1);
            }
            let counts = windows.counts(Timestamp::from_micros(now));
            for (count, span) in counts.iter().zip(SPANS_MICROS) {
                let young = times.iter().filter(|t| now - **t <= span / 8 * 7).count() as u32;
                let all = times.iter().filter(|t| now - **t < span).count() as u32;
                prop_assert!((young..=all).contains(count), "{} not in {}..={}", count, young, all);
            }
        }

        #[test]
        fn any_times_and_counts_are_survived(times in proptest::collection::vec((any::<i64>(), any::<u32>()), 0..40)) {
            let mut windows = Windows::EMPTY;
            for (micros, count) in times {
                windows.add(Timestamp::from_micros(micros), count);
                let _ = windows.counts(Timestamp::from_micros(micros.rotate_left(7)));
            }
        }
    }
}
