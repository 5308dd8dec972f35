//! From evidence to the score: linear in the logarithm of the expected false alarms per bot-year, F = lambda / A.

use crate::logarithm::{LN_MILLION, NAT, ln};

/// Orders a year below which lambda is not trusted; smaller values count as this.
pub const SMALLEST_LAMBDA: u64 = 40;
/// The score at F = 4 (one false warning a quarter), in millionths.
pub const WARN: u32 = 750_000;
/// The score at F = 0.1 (one false revocation in ten bot-years), in millionths.
pub const REVOKE: u32 = 850_000;
/// The highest score, F = 0.001, in millionths.
pub const HIGHEST: u32 = 1_000_000;

/// ln 2 in micro-nats.
pub(crate) const LN_2: i64 = 693_147;
/// ln 4 and ln 10, ln 1,000 in micro-nats.
const LN_4: i64 = 1_386_294;
const LN_10: i64 = 2_302_585;
const LN_1000: i64 = 6_907_755;

/// The score in millionths of evidence `a` (ln A, micro-nats) for an agent with `lambda` orders a year.
#[must_use]
pub fn score_of(a: i64, lambda: u64) -> u32 {
    let lambda = ln(u128::from(lambda.max(SMALLEST_LAMBDA)));
    let (warn, revoke, highest) = (lambda - LN_4, lambda + LN_10, lambda + LN_1000);
    let between =
        |from: i64, to: i64, low: u32, high: u32| low + (i64::from(high - low) * (a - from) / (to - from)) as u32;
    if a <= 0 {
        0
    } else if a < warn {
        between(0, warn, 0, WARN)
    } else if a < revoke {
        between(warn, revoke, WARN, REVOKE)
    } else if a < highest {
        between(revoke, highest, REVOKE, HIGHEST)
    } else {
        HIGHEST
    }
}

/// ln of a value in millionths, in micro-nats.
#[must_use]
pub fn ln_micro(value: u64) -> i64 {
    ln(u128::from(value)) - LN_MILLION
}

/// The most evidence the drift channel keeps: far above the highest score for any lambda, far below an overflow.
pub const MOST_EVIDENCE: i64 = 60 * NAT;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The table of the method at 30 orders a day: warning at A = 2,738, revocation at A = 109,500.
    #[test]
    fn fixed_points() {
        let at = |a: u64| score_of(ln(u128::from(a)), 10_950);
        assert_eq!((at(0), at(1)), (0, 0));
        assert!(at(2_730) < WARN && at(2_738) >= WARN, "{} {}", at(2_730), at(2_738));
        assert!(at(109_400) < REVOKE && at(109_501) >= REVOKE);
        assert!(at(10_949_000) < HIGHEST && at(10_950_020) == HIGHEST);
        assert_eq!(score_of(ln(11), 1), score_of(ln(11), 40));
    }

    proptest! {
        #[test]
        fn rises_with_evidence(a in any::<i64>(), more in 0_i64..1_000_000, lambda in any::<u64>()) {
            prop_assert!(score_of(a, lambda) <= score_of(a.saturating_add(more), lambda));
            prop_assert!(score_of(a, lambda) <= HIGHEST);
        }
    }
}
