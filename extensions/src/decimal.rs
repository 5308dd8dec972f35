//! Exact decimals: an integer mantissa and a count of decimals. No floats, no rounding, no silent overflow.
//!
//! Why not a library type: the widest orders the certificate can speak of (19 digits of mantissa, 18 decimals on both
//! quantity and price) give products of 38 digits. 96-bit decimals round those; a limit check must not.

use std::{cmp::Ordering, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The longest text of a decimal that is read.
pub const LONGEST_TEXT: usize = 40;
/// The most significant digits of a parsed decimal; a product of two then fits an `i128`.
pub const MOST_DIGITS: u32 = 19;
/// The most decimals of a parsed decimal.
pub const MOST_DECIMALS: u8 = 18;

/// An exact decimal, `mantissa · 10^-scale`, always in lowest terms (no trailing zero decimals).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

/// Why a text is not a decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecimalError {
    /// Not `-?(0|[1-9][0-9]*)(\.[0-9]+)?`: exponents, signs, spaces, NaN, negative zero and other digits are refused.
    #[error("not a plain decimal number such as 0.125 (no exponent, sign +, leading zeros, spaces or -0)")]
    Malformed,
    /// More than 19 significant digits or 18 decimals.
    #[error("too precise: at most 19 significant digits and 18 decimals")]
    TooPrecise,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self { mantissa: 0, scale: 0 };

    /// `mantissa · 10^-scale` in lowest terms; `None` when `scale` is above 36.
    #[must_use]
    pub fn new(mantissa: i128, scale: u8) -> Option<Self> {
        if scale > 2 * MOST_DECIMALS {
            return None;
        }
        let (mut mantissa, mut scale) = (mantissa, scale);
        while scale > 0 {
            let (shorter, dropped) = tenth(mantissa);
            if dropped != 0 {
                break;
            }
            mantissa = shorter;
            scale -= 1;
        }
        Some(Self { mantissa, scale })
    }

    /// Reads a plain decimal number.
    ///
    /// # Errors
    /// When the text has another shape or is too precise. Trailing zero decimals are accepted and dropped.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let bytes = text.as_bytes();
        if bytes.len() > LONGEST_TEXT {
            return Err(DecimalError::TooPrecise);
        }
        let (negative, unsigned) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        let point = unsigned.iter().position(|b| *b == b'.');
        let whole = &unsigned[..point.unwrap_or(unsigned.len())];
        let decimals = point.map_or(&[][..], |at| &unsigned[at + 1..]);
        let shaped =
            !whole.is_empty() && (whole.len() == 1 || whole[0] != b'0') && (point.is_none() || !decimals.is_empty());
        if !shaped || !whole.iter().chain(decimals).all(u8::is_ascii_digit) {
            return Err(DecimalError::Malformed);
        }
        let decimals = &decimals[..decimals.iter().rposition(|b| *b != b'0').map_or(0, |last| last + 1)];
        if decimals.len() > usize::from(MOST_DECIMALS) {
            return Err(DecimalError::TooPrecise);
        }
        let mantissa = whole
            .iter()
            .chain(decimals)
            .fold(0_i128, |sum, b| sum * 10 + i128::from(b - b'0'));
        if mantissa >= 10_i128.pow(MOST_DIGITS) {
            return Err(DecimalError::TooPrecise);
        }
        if negative && mantissa == 0 {
            return Err(DecimalError::Malformed);
        }
        Self::new(if negative { -mantissa } else { mantissa }, decimals.len() as u8).ok_or(DecimalError::TooPrecise)
    }

    /// The integer part of the representation.
    #[must_use]
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// The count of decimals, 0 to 36.
    #[must_use]
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Whether this is above zero.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.mantissa > 0
    }

    /// Whether this is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Whether this is below zero.
    #[must_use]
    pub fn is_negative(self) -> bool {
        self.mantissa < 0
    }

    /// The magnitude.
    #[must_use]
    pub fn abs(self) -> Self {
        Self {
            mantissa: self.mantissa.saturating_abs(),
            scale: self.scale,
        }
    }

    /// The exact product; `None` when it does not fit.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        Self::new(
            self.mantissa.checked_mul(other.mantissa)?,
            self.scale.checked_add(other.scale)?,
        )
    }

    /// The exact sum; `None` when it does not fit.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Self::new(self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?, scale)
    }

    /// The exact difference; `None` when it does not fit.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(Self {
            mantissa: other.mantissa.checked_neg()?,
            scale: other.scale,
        })
    }

    /// Half of this, exact; `None` when it does not fit.
    #[must_use]
    pub fn half(self) -> Option<Self> {
        self.checked_mul(Self { mantissa: 5, scale: 1 })
    }

    /// `self · part / whole`, to 18 decimals, rounded up or down; `None` unless nothing is below zero, `part` is at most `whole`, and it fits.
    #[must_use]
    pub fn checked_share(self, part: Self, whole: Self, up: bool) -> Option<Self> {
        let scale = part.scale.max(whole.scale);
        let [part, whole] = [part.at_scale(scale)?, whole.at_scale(scale)?].map(u128::try_from);
        let (part, whole) = (part.ok()?, whole.ok()?);
        let scale = self.scale.max(MOST_DECIMALS);
        let amount = u128::try_from(self.at_scale(scale)?).ok()?;
        // The remainder, doubled, and the part stay below three times the whole.
        if whole == 0 || part > whole || whole.leading_zeros() < 3 {
            return None;
        }
        let (mut quotient, mut rest) = (0_u128, 0_u128);
        for bit in (0..u128::BITS - 1).rev() {
            rest = 2 * rest + if amount >> bit & 1 == 1 { part } else { 0 };
            quotient = 2 * quotient + rest / whole;
            rest %= whole;
        }
        let rounded = quotient + u128::from(up && rest > 0);
        Self::new(i128::try_from(rounded).ok()?, scale)
    }

    fn at_scale(self, scale: u8) -> Option<i128> {
        self.mantissa
            .checked_mul(10_i128.checked_pow(u32::from(scale - self.scale))?)
    }
}

impl Ord for Decimal {
    /// Exact and total: the finer side is divided down, so nothing overflows.
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale < other.scale {
            return other.cmp(self).reverse();
        }
        let step = 10_i128.pow(u32::from(self.scale - other.scale));
        let (whole, rest) = (self.mantissa.div_euclid(step), self.mantissa.rem_euclid(step));
        whole
            .cmp(&other.mantissa)
            .then(if rest > 0 { Ordering::Greater } else { Ordering::Equal })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A tenth, and what is left over. Nearly every amount fits 64 bits, whose division is several times faster.
fn tenth(mantissa: i128) -> (i128, i128) {
    match i64::try_from(mantissa) {
        Ok(small) => (i128::from(small / 10), i128::from(small % 10)),
        Err(_) => (mantissa / 10, mantissa % 10),
    }
}

/// The text form of a decimal, held in place.
struct Text {
    digits: [u8; 48],
    from: usize,
}

impl Text {
    /// Digits and point, without the sign, which has room before them.
    fn unsigned(&self) -> &str {
        std::str::from_utf8(&self.digits[self.from..]).expect("digits are ASCII")
    }
}

impl Decimal {
    fn text(&self) -> Text {
        let mut digits = [b'0'; 48];
        let mut at = digits.len();
        let mut rest = self.mantissa.unsigned_abs();
        let mut written = 0_u8;
        while rest > 0 || written <= self.scale {
            if written == self.scale && self.scale > 0 {
                at -= 1;
                digits[at] = b'.';
            }
            at -= 1;
            // Nearly every amount fits 64 bits, whose division is several times faster.
            let digit = match u64::try_from(rest) {
                Ok(small) => {
                    rest = u128::from(small / 10);
                    (small % 10) as u8
                }
                Err(_) => {
                    let digit = (rest % 10) as u8;
                    rest /= 10;
                    digit
                }
            };
            digits[at] = b'0' + digit;
            written += 1;
        }
        Text { digits, from: at }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad_integral(self.mantissa >= 0, "", self.text().unsigned())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::str::FromStr for Decimal {
    type Err = DecimalError;
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        Self::parse(text)
    }
}

impl From<u64> for Decimal {
    fn from(value: u64) -> Self {
        Self {
            mantissa: i128::from(value),
            scale: 0,
        }
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = self.text();
        if self.mantissa < 0 {
            text.from -= 1;
            text.digits[text.from] = b'-';
        }
        serializer.serialize_str(text.unsigned())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    /// Reads back what was written, products included (up to 38 digits and 36 decimals). Input from bots goes through
    /// [`Decimal::parse`], which is narrower.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        stored(&text).ok_or_else(|| serde::de::Error::custom("not a decimal in canonical form"))
    }
}

fn stored(text: &str) -> Option<Decimal> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if text.len() > 48 || text.starts_with('+') || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let joined = [whole, decimals].concat();
    let decimal = Decimal::new(joined.parse().ok()?, u8::try_from(decimals.len()).ok()?)?;
    (decimal.to_string() == text).then_some(decimal)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_round_as_asked_and_never_wrap() {
        let share = |amount, part, whole, up| decimal(amount).checked_share(decimal(part), decimal(whole), up);
        assert_eq!(share("100", "1", "4", true), Some(decimal("25")));
        assert_eq!(share("100", "0.5", "2", false), Some(decimal("25")));
        assert_eq!(share("1", "1", "3", false), Some(decimal("0.333333333333333333")));
        assert_eq!(share("1", "1", "3", true), Some(decimal("0.333333333333333334")));
        assert_eq!(share("7", "0", "3", true), Some(Decimal::ZERO));
        assert_eq!(share("7", "3", "3", true), Some(decimal("7")));
        for (amount, part, whole) in [
            ("-1", "1", "2"),
            ("1", "-1", "2"),
            ("1", "1", "-2"),
            ("1", "3", "2"),
            ("1", "0", "0"),
        ] {
            assert_eq!(share(amount, part, whole, true), None, "{amount} {part} {whole}");
        }
        let huge = Decimal::new(i128::MAX, 0).expect("scale");
        assert_eq!(huge.checked_share(decimal("1"), decimal("2"), true), None);
        assert_eq!(decimal("1").checked_share(decimal("1"), huge, true), None);
        let (amount, whole) = (decimal("9999999999999999999"), decimal("9.999999999999999999"));
        assert_eq!(amount.checked_share(whole, whole, true), Some(amount));
    }

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn text_forms() {
        for (read, written) in [
            ("0", "0"),
            ("0.10000000", "0.1"),
            ("-12.5", "-12.5"),
            ("500000", "500000"),
            ("0.000000000000000001", "0.000000000000000001"),
            ("100", "100"),
        ] {
            assert_eq!(decimal(read).to_string(), written);
        }
        for bad in [
            "", "-", "-0", "+1", "01", "1.", ".5", "1e3", "NaN", "1,0", " 1", "１", "0x1", "1_000",
        ] {
            assert_eq!(Decimal::parse(bad), Err(DecimalError::Malformed), "{bad:?}");
        }
        assert_eq!(Decimal::parse("10000000000000000000"), Err(DecimalError::TooPrecise));
        assert_eq!(Decimal::parse("0.0000000000000000001"), Err(DecimalError::TooPrecise));
    }

    proptest! {
        #[test]
        fn order_agrees_with_wide_integers(a in -9_999_999_999_i128..9_999_999_999, sa in 0_u8..9, b in -9_999_999_999_i128..9_999_999_999, sb in 0_u8..9) {
            let (x, y) = (Decimal::new(a, sa).expect("scale"), Decimal::new(b, sb).expect("scale"));
            let wide = (a * 10_i128.pow(u32::from(9 - sa))).cmp(&(b * 10_i128.pow(u32::from(9 - sb))));
            prop_assert_eq!(x.cmp(&y), wide);
            prop_assert_eq!(x == y, wide == Ordering::Equal);
        }

        #[test]
        fn stored_form_round_trips(mantissa in any::<i64>(), other in any::<i64>(), scale in 0_u8..=18) {
            let product = Decimal::new(i128::from(mantissa), scale).and_then(|a| a.checked_mul(Decimal::new(i128::from(other), scale)?)).expect("fits");
            let text = serde_json::to_string(&product).expect("text");
            prop_assert_eq!(serde_json::from_str::<Decimal>(&text).expect("reads"), product);
        }

        #[test]
        fn sums_and_differences_cancel(a in any::<i64>(), b in any::<i64>(), sa in 0_u8..=18, sb in 0_u8..=18) {
            let (a, b) = (Decimal::new(i128::from(a), sa).expect("scale"), Decimal::new(i128::from(b), sb).expect("scale"));
            let sum = a.checked_add(b).expect("fits");
            prop_assert_eq!(sum.checked_sub(b), Some(a));
        }
    }
}
