//! From p-values to e-values by the fixed calibrator `e(p) = (1 - p + p ln p) / (p ln² p)`, the uniform mixture of the power
//! calibrators `κ p^(κ-1)` (Vovk and Wang 2021). Its limit at p = 1 is 0.5.
//!
//! With L = -ln p it reads `(e^L - 1 - L) / L² = Σ L^k / (k+2)!`: smooth, increasing and free of cancellation, so the table is made at
//! compile time from the series. Between two knots the chord of a convex function lies above it, by at most 1/(8·64²) of the
//! value; the knots are lowered by that much, so the table never claims more evidence than the formula.

use crate::{
    logarithm::{LN_BILLION, ln},
    settings::BILLION,
};

/// Knots per nat.
const PER_NAT: i64 = 64;
/// From p = 1 to p = 1e-9, and one beyond.
const KNOTS: usize = 1_329;
/// Binary places of the series.
const PLACES: u32 = 60;

/// e in millionths at L = i/64.
static TABLE: [u64; KNOTS] = table();

const fn table() -> [u64; KNOTS] {
    let mut entries = [0; KNOTS];
    let mut index = 0;
    while index < KNOTS {
        entries[index] = calibrated(index as u128);
        index += 1;
    }
    entries
}

/// `Σ (i/64)^k / (k+2)!` in millionths, lowered by the chord's largest error.
const fn calibrated(index: u128) -> u64 {
    let mut term = (1_u128 << PLACES) / 2;
    let (mut sum, mut next) = (0_u128, 3_u128);
    while term > 0 {
        sum += term;
        term = term * index / (64 * next);
        next += 1;
    }
    let millionths = ((sum >> 20) * 1_000_000) >> (PLACES - 20);
    (millionths - millionths / 32_768 - if index > 0 { 1 } else { 0 }) as u64
}

/// -ln p in micro-nats for p in thousand-millionths; p = 0 counts as 1 ppb, p above one as one.
#[must_use]
pub fn surprise(p_ppb: u32) -> i64 {
    (LN_BILLION - ln(u128::from(p_ppb.clamp(1, BILLION)))).max(0)
}

/// e(p) in millionths for p in thousand-millionths. Falls as p rises; 0.5 at p = 1, about 2.3 million at 1 ppb.
#[must_use]
pub fn e_value(p_ppb: u32) -> u64 {
    let scaled = surprise(p_ppb) * PER_NAT;
    let index = (scaled / 1_000_000) as usize;
    let between = (scaled % 1_000_000) as u64;
    let (low, high) = (TABLE[index], TABLE[index + 1]);
    low + (high - low) * between / 1_000_000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(p: f64) -> f64 {
        let l = -p.ln();
        if l < 1e-3 {
            0.5 + l / 6.0
        } else {
            (1.0 - p + p * p.ln()) / (p * l * l)
        }
    }

    #[test]
    fn published_values() {
        for (p_ppb, e) in [
            (50_000_000, 1.8),
            (10_000_000, 4.5),
            (1_000_000, 21.0),
            (100_000, 118.0),
            (1_000, 5_239.0),
        ] {
            let ours = e_value(p_ppb) as f64 / 1e6;
            assert!((ours / e - 1.0).abs() < 0.02, "{p_ppb}: {ours}");
        }
        assert!((499_980..=500_000).contains(&e_value(BILLION)));
        assert_eq!(e_value(0), e_value(1));
    }

    proptest! {
        /// Below the formula, by less than 1 in 10,000 (or the last place).
        #[test]
        fn never_above_the_formula(p in 1_u32..=BILLION) {
            let (ours, formula) = (e_value(p) as f64, exact(f64::from(p) / 1e9) * 1e6);
            prop_assert!(ours <= formula + 1.0, "{} > {}", ours, formula);
            prop_assert!(ours >= formula * 0.9999 - 3.0, "{} < {}", ours, formula);
        }

        #[test]
        fn falls_as_p_rises(p in 1_u32..BILLION, more in 1_u32..1_000_000) {
            prop_assert!(e_value(p) >= e_value(p.saturating_add(more)));
        }
    }

    /// The mean of e over uniform p is at most 1: what makes it an e-value.
    #[test]
    fn is_an_e_value() {
        // Upper sum over a geometric grid: on [a, b] e is at most e(a), and below 1 ppb it is e(1 ppb). Millionths times ppb: a mean
        // of one is 10¹⁵.
        let (mut p, mut sum) = (1_u32, u128::from(e_value(1)));
        while p < BILLION {
            let next = (u64::from(p) + u64::from(p) / 512 + 1).min(u64::from(BILLION)) as u32;
            sum += u128::from(e_value(p)) * u128::from(next - p);
            p = next;
        }
        let mean = sum as f64 / 1e15;
        // The formula's mean is 1; the floor at 1 ppb forgoes 1/ln 10⁹ = 0.048 of it.
        assert!((0.95..=1.0).contains(&mean), "{mean}");
    }
}
