//! Orders per time at four scales: disjoint windows, so that one burst is one observation at each scale and not as many as it has
//! orders.

use extensions::Timestamp;
use serde::{Deserialize, Serialize};

/// The spans, in microseconds: a second, a minute, an hour, a day; and a minute once more, of which the seconds with orders count.
pub const SPANS_MICROS: [i64; SCALES] = [1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000, 60_000_000];
/// What is counted at each scale, in words.
pub const SPAN_WORDS: [&str; SCALES] = [
    "orders in 1 s",
    "orders in 1 min",
    "orders in 1 h",
    "orders in 1 day",
    "seconds with orders in 1 min",
];
/// How many scales there are: four of orders, one of seconds.
pub const SCALES: usize = 5;
/// The scales of which every order counts.
const BY_ORDER: usize = 4;

/// The windows of an order: which orders they hold, this one included, and whether it is their first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Orders in the window.
    pub counts: [u32; SCALES],
    /// Whether the window holds an earlier order.
    pub continued: [bool; SCALES],
}

/// The counters of one agent at all scales. A time before the newest one counts as the newest: clocks of several gateways may
/// differ by a little, and evidence is never lost to that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    counts: [u32; SCALES],
    /// The number of the newest window since 1970.
    newest: [i64; SCALES],
}

impl Windows {
    /// Nothing counted yet.
    pub const EMPTY: Self = Self {
        counts: [0; SCALES],
        newest: [0; SCALES],
    };

    /// The windows of an order at `at`, that order included.
    #[must_use]
    pub fn with_one(&self, at: Timestamp) -> Counted {
        let continued: [bool; SCALES] =
            std::array::from_fn(|scale| self.counts[scale] > 0 && window(at, scale) <= self.newest[scale]);
        let counts = std::array::from_fn(|scale| match (continued[scale], scale < BY_ORDER || !continued[0]) {
            (true, more) => self.counts[scale].saturating_add(u32::from(more)),
            (false, _) => 1,
        });
        Counted { counts, continued }
    }

    /// The orders of the newest day with orders.
    pub(crate) fn day_so_far(&self) -> u32 {
        self.counts[3]
    }

    /// Counts `count` orders at `at`.
    pub fn add(&mut self, at: Timestamp, count: u32) {
        let same_second = self.counts[0] > 0 && window(at, 0) <= self.newest[0];
        for scale in 0..SCALES {
            let window = window(at, scale);
            if window > self.newest[scale] {
                (self.newest[scale], self.counts[scale]) = (window, 0);
            }
            let more = if scale < BY_ORDER {
                count
            } else {
                u32::from(count > 0 && !(same_second && self.counts[scale] > 0))
            };
            self.counts[scale] = self.counts[scale].saturating_add(more);
        }
    }
}

fn window(at: Timestamp, scale: usize) -> i64 {
    at.micros().div_euclid(SPANS_MICROS[scale])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A late time counts as the newest: letting the windows step back instead loses what was counted, and turns this red.
    #[test]
    fn a_clock_behind_loses_nothing() {
        let now = Timestamp::parse("2026-11-20T12:00:00Z").unwrap();
        let mut windows = Windows::EMPTY;
        windows.add(now, 5);
        windows.add(now.plus_seconds(-7_200), 1);
        assert_eq!(windows.with_one(now).counts, [7, 7, 7, 7, 1]);
        assert_eq!(windows.with_one(now.plus_seconds(-7_200)).counts, [7, 7, 7, 7, 1]);
        let later = windows.with_one(now.plus_seconds(7_200));
        assert_eq!(later.counts, [1, 1, 1, 7, 1]);
        assert_eq!(later.continued, [false, false, false, true, false]);
    }

    proptest! {
        /// Against a plain list of times: exactly the orders of the same window, and the seconds of the same minute.
        #[test]
        fn counts_are_those_of_the_window(gaps in proptest::collection::vec(0_i64..400_000, 1..60)) {
            let mut windows = Windows::EMPTY;
            let mut times: Vec<i64> = Vec::new();
            let mut now = 1_795_174_800_000_000;
            for gap in gaps {
                now += gap;
                let counted = windows.with_one(Timestamp::from_micros(now));
                let minute: std::collections::BTreeSet<i64> =
                    times.iter().chain([&now]).filter(|t| **t / 60_000_000 == now / 60_000_000).map(|t| t / 1_000_000).collect();
                prop_assert_eq!(counted.counts[4], minute.len() as u32);
                for (count, span) in counted.counts.iter().zip(SPANS_MICROS).take(BY_ORDER) {
                    let same = times.iter().filter(|t| **t / span == now / span).count() as u32;
                    prop_assert_eq!(*count, same + 1);
                }
                times.push(now);
                windows.add(Timestamp::from_micros(now), 1);
            }
        }

        #[test]
        fn any_times_and_counts_are_survived(times in proptest::collection::vec((any::<i64>(), any::<u32>()), 0..40)) {
            let mut windows = Windows::EMPTY;
            for (micros, count) in times {
                windows.add(Timestamp::from_micros(micros), count);
                let _ = windows.with_one(Timestamp::from_micros(micros.rotate_left(7)));
            }
        }
    }
}
