//! The figures of F13 in small: serials do not repeat and their bits are even.

use std::collections::HashSet;

use extensions::Serial;

use crate::samples::Ring;

/// 100,000 serials: none twice, each byte value about equally often in each of the 17 places (chi-square below 400 with 255 degrees of
/// freedom; the chance above it is under 1 in 10^8). Draw 16 random bits instead to see it fail.
#[test]
fn serials_do_not_repeat_and_are_even() {
    let mut random = Ring::default();
    let mut seen = HashSet::new();
    let mut counts = vec![[0_u32; 256]; 17];
    let total = 100_000_u32;
    for _ in 0..total {
        let serial = Serial::draw(1, &mut random);
        for (place, byte) in serial.octets()[1..].iter().enumerate() {
            counts[place][usize::from(*byte)] += 1;
        }
        assert!(seen.insert(serial));
    }
    let expected = f64::from(total) / 256.0;
    for place in counts {
        let chi: f64 = place
            .iter()
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        assert!(chi < 400.0, "{chi}");
    }
}
