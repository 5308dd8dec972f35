//! When a failed delivery is tried again: exponentially later, never in step with others.

use std::time::Duration;

use extensions::Random;

/// Attempts before a message is given up: the last about six hours after the first.
pub const MOST_ATTEMPTS: u32 = 16;
/// The wait after the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The wait after `attempts` failures: `1 s · 2^(attempts-1)`, an hour at most, of which half to all by chance.
pub(super) fn wait(attempts: u32, random: &mut dyn Random) -> Duration {
    let doublings = attempts.saturating_sub(1).min(12);
    let full = (FIRST * (1 << doublings)).min(LONGEST);
    let mut bytes = [0; 2];
    random.fill(&mut bytes);
    let chance = u32::from(u16::from_be_bytes(bytes));
    full / 2 + full / 2 * chance / u32::from(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Always(u8);

    impl Random for Always {
        fn fill(&mut self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        let seconds = |attempts, byte| wait(attempts, &mut Always(byte)).as_secs_f64();
        for (attempts, longest) in [
            (1, 1.0),
            (2, 2.0),
            (3, 4.0),
            (12, 2_048.0),
            (13, 3_600.0),
            (16, 3_600.0),
            (u32::MAX, 3_600.0),
        ] {
            assert!((seconds(attempts, 255) - longest).abs() < 0.01, "{attempts}");
            assert!((seconds(attempts, 0) - longest / 2.0).abs() < 0.01, "{attempts}");
        }
        assert_ne!(
            seconds(5, 10),
            seconds(5, 200),
            "chance parts those who failed together"
        );
    }
}
