//! Exponentials in integers, and the logarithm of a weighted sum: what it takes to average evidence that is kept as logarithms.

use crate::{
    logarithm::{LN_MILLION, ln},
    settings::MILLION,
};

/// Bits that index the table; binary places of its entries.
const TABLE_BITS: u32 = 10;
const PLACES: u32 = 40;
/// log2 e in halvings per micro-nat, with 56 binary places.
const LOG2_E: u64 = 103_957_133_577;
/// From here on less than one unit is left, micro-nats.
const NOTHING: i64 = 28_000_000;
/// ln 2^40 in micro-nats.
const LN_UNIT: i64 = 27_725_887;

/// `2^(-i/1024)` with [`PLACES`] binary places, i = 0..=1024.
static TABLE: [u64; (1 << TABLE_BITS) + 1] = table();

const fn table() -> [u64; (1 << TABLE_BITS) + 1] {
    let one = 1_u128 << 62;
    // roots[k] = 2^(-1/2^(k+1)), each the square root of the one before.
    let mut roots = [0_u128; TABLE_BITS as usize];
    let (mut root, mut k) = (one / 2, 0);
    while k < TABLE_BITS as usize {
        root = (root << 62).isqrt();
        roots[k] = root;
        k += 1;
    }
    let mut entries = [0; (1 << TABLE_BITS) + 1];
    let mut index = 0;
    while index < 1 << TABLE_BITS {
        let (mut product, mut bit) = (one, 0);
        while bit < TABLE_BITS {
            if index >> bit & 1 == 1 {
                product = (product * roots[(TABLE_BITS - 1 - bit) as usize]) >> 62;
            }
            bit += 1;
        }
        entries[index] = (product >> (62 - PLACES)) as u64;
        index += 1;
    }
    entries[1 << TABLE_BITS] = 1 << (PLACES - 1);
    entries
}

/// `e^-x` with 40 binary places, for x in micro-nats; 1 for x below zero.
fn falling(x: i64) -> u64 {
    if x >= NOTHING {
        return 0;
    }
    // At most 2^25 times 2^37.
    let halvings = (x.max(0).unsigned_abs() * LOG2_E) >> (56 - PLACES);
    let rest = halvings & ((1 << PLACES) - 1);
    let index = (rest >> (PLACES - TABLE_BITS)) as usize;
    let between = rest & ((1 << (PLACES - TABLE_BITS)) - 1);
    let (high, low) = (TABLE[index], TABLE[index + 1]);
    (high - (((high - low) * between) >> (PLACES - TABLE_BITS))) >> (halvings >> PLACES)
}

/// Weighted exponentials over a common base, so that several sums of them cost one exponential each.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<const N: usize> {
    base: i64,
    terms: [u64; N],
}

impl<const N: usize> Weighted<N> {
    /// `w·e^c` for weights in millionths that sum to at most one million, and logarithms in micro-nats. Terms 27 nats below the
    /// largest vanish.
    #[must_use]
    pub fn of(weights: &[u64; N], logarithms: &[i64; N]) -> Self {
        let base = logarithms.iter().copied().fold(i64::MIN, i64::max);
        let term = |at: usize| weights[at].min(u64::from(MILLION)) * falling(base.saturating_sub(logarithms[at]));
        Self {
            base,
            terms: std::array::from_fn(term),
        }
    }

    /// ln of the sum of the terms that `belongs` picks.
    #[must_use]
    pub fn ln_sum(&self, belongs: impl Fn(usize) -> bool) -> i64 {
        let sum = self
            .terms
            .iter()
            .enumerate()
            .filter(|(at, _)| belongs(*at))
            .fold(0_u64, |sum, (_, term)| sum.saturating_add(*term));
        self.base.saturating_add(ln(u128::from(sum)) - LN_UNIT - LN_MILLION)
    }
}

/// `ln Σ w·e^c`: see [`Weighted::of`].
#[must_use]
pub fn ln_sum<const N: usize>(weights: &[u64; N], logarithms: &[i64; N]) -> i64 {
    Weighted::of(weights, logarithms).ln_sum(|_| true)
}

/// A weight's own logarithm, micro-nats.
#[must_use]
pub fn ln_weight(weight: u64) -> i64 {
    ln(u128::from(weight.clamp(1, u64::from(MILLION)))) - LN_MILLION
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_floating_point(x in 0_i64..30_000_000) {
            let exact = (-(x as f64) / 1e6).exp() * (1_u64 << PLACES) as f64;
            prop_assert!((falling(x) as f64 - exact).abs() <= exact * 1e-6 + 2.0, "{} {}", falling(x), exact);
        }

        #[test]
        fn never_rises(x in any::<i64>(), more in 0_i64..1_000_000) {
            prop_assert!(falling(x.saturating_add(more)) <= falling(x));
        }

        #[test]
        fn sums_agree_and_rise(c in proptest::array::uniform5(-60_000_000_i64..60_000_000), more in 0_i64..1_000_000, at in 0_usize..5) {
            let weights = [300_000, 250_000, 200_000, 150_000, 100_000];
            let exact = c.iter().zip(weights).map(|(c, w)| w as f64 / 1e6 * (*c as f64 / 1e6).exp()).sum::<f64>().ln() * 1e6;
            prop_assert!((ln_sum(&weights, &c) as f64 - exact).abs() <= 3.0);
            let mut larger = c;
            larger[at] += more;
            prop_assert!(ln_sum(&weights, &larger) >= ln_sum(&weights, &c));
        }
    }
}
