//! Natural logarithms in integers: a table made at compile time by integer arithmetic, so that no platform's math library has
//! a say in a score. The unit is the micro-nat (a millionth of a natural logarithm).

use extensions::Decimal;

/// One nat in micro-nats.
pub const NAT: i64 = 1_000_000;
/// ln 10⁶: the logarithm of "one" when the argument is counted in millionths.
pub const LN_MILLION: i64 = 13_815_511;
/// ln 10⁹: the same for thousand-millionths.
pub const LN_BILLION: i64 = 20_723_266;

/// Bits of the mantissa that index the table.
const TABLE_BITS: u32 = 10;
/// Binary places of the table's entries.
const PLACES: u32 = 40;
/// ln 2 and ln 10 with [`PLACES`] binary places.
const LN_2: i64 = 762_123_384_786;
const LN_10: i64 = 2_531_719_083_691;

/// `ln(1 + i/1024)` with [`PLACES`] binary places, i = 0..=1024.
static TABLE: [i64; (1 << TABLE_BITS) + 1] = table();

const fn table() -> [i64; (1 << TABLE_BITS) + 1] {
    let mut entries = [0_i64; (1 << TABLE_BITS) + 1];
    let mut index = 0;
    while index <= 1 << TABLE_BITS {
        entries[index] = ln_one_plus(index as i128);
        index += 1;
    }
    entries
}

/// `ln(1 + i/1024) = 2·artanh(i / (2048 + i))`, by its series in integers with 60 binary places.
const fn ln_one_plus(index: i128) -> i64 {
    let one = 1_i128 << 60;
    let ratio = index * one / ((2 << TABLE_BITS) + index);
    let square = ratio * ratio / one;
    let (mut power, mut sum, mut odd) = (ratio, 0_i128, 1_i128);
    while power > 0 {
        sum += power / odd;
        power = power * square / one;
        odd += 2;
    }
    ((2 * sum + (1 << (59 - PLACES))) >> (60 - PLACES)) as i64
}

/// ln `value` in micro-nats, within one of the true value; 0 counts as 1.
#[must_use]
pub fn ln(value: u128) -> i64 {
    to_micronats(ln_binary(value))
}

/// ln |`value`| in micro-nats; `None` for zero.
#[must_use]
pub fn ln_decimal(value: Decimal) -> Option<i64> {
    if value.is_zero() {
        return None;
    }
    let scale = i64::from(value.scale()) * LN_10;
    Some(to_micronats(ln_binary(value.mantissa().unsigned_abs()) - scale))
}

/// ln `value` with [`PLACES`] binary places.
fn ln_binary(value: u128) -> i64 {
    let value = value.max(1);
    let exponent = 127 - value.leading_zeros();
    // The 50 bits after the leading one: 10 choose the entry, 40 lie between it and the next.
    let mantissa = (value << (127 - exponent)) << 1;
    let index = (mantissa >> (128 - TABLE_BITS)) as usize;
    let between = ((mantissa << TABLE_BITS) >> 96) as i64;
    let (low, high) = (TABLE[index], TABLE[index + 1]);
    i64::from(exponent) * LN_2 + low + (((high - low) * between) >> 32)
}

/// Rounds to the nearest micro-nat, halves up; plain integers, so the same everywhere.
fn to_micronats(binary: i64) -> i64 {
    ((i128::from(binary) * i128::from(NAT) + (1 << (PLACES - 1))) >> PLACES) as i64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn constants_are_the_logarithms_they_name() {
        let places = (1_u64 << PLACES) as f64;
        assert!((LN_2 as f64 / places - std::f64::consts::LN_2).abs() < 1e-11);
        assert!((LN_10 as f64 / places - std::f64::consts::LN_10).abs() < 1e-11);
        assert_eq!((ln(1_000_000), ln(1_000_000_000)), (LN_MILLION, LN_BILLION));
        assert_eq!((ln(0), ln(1), ln(u128::MAX)), (0, 0, 88_722_839));
    }

    proptest! {
        /// Against the platform's own logarithm, to one micro-nat.
        #[test]
        fn agrees_with_floating_point(value in 1_u64.., shift in 0_u32..64) {
            let value = (value >> shift).max(1);
            let exact = (value as f64).ln() * 1e6;
            prop_assert!((ln(u128::from(value)) as f64 - exact).abs() <= 1.0);
        }

        #[test]
        fn is_monotone(value in any::<u128>(), more in any::<u64>()) {
            prop_assert!(ln(value) <= ln(value.saturating_add(u128::from(more))));
        }

        #[test]
        fn decimals_agree_too(mantissa in 1_i64.., scale in 0_u8..=18) {
            let value = Decimal::new(i128::from(mantissa), scale).expect("scale");
            let exact = ((mantissa as f64).ln() - f64::from(scale) * std::f64::consts::LN_10) * 1e6;
            prop_assert!((ln_decimal(value).expect("positive") as f64 - exact).abs() <= 1.1);
        }
    }
}
