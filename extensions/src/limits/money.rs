//! Amounts of money as the certificate says them: a unit, an integer mantissa, a power of ten. No floats, no conversion.

use std::fmt;

use super::{Field, LimitsError};
use crate::{Currency, Decimal, inline::Inline};

/// The highest mantissa: 19 nines.
pub(crate) const HIGHEST_MANTISSA: u64 = 9_999_999_999_999_999_999;
/// The highest exponent; the lowest is its negative.
pub(crate) const HIGHEST_EXPONENT: i8 = 18;

/// In which scheme a unit is named. The order of the alternatives is the order in the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitScheme {
    /// ISO 4217 alphabetic code: three of `[A-Z]`.
    Iso4217,
    /// Digital token identifier (ISO 24165): nine digits or consonants.
    Dti,
    /// A code of the house or venue, such as `USDT`: 1 to 16 of `[A-Z0-9]`.
    Local,
}

/// The unit of an amount. Ordered by scheme, then by bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    scheme: UnitScheme,
    text: Inline<16>,
}

impl Unit {
    /// A unit of `scheme`; `None` when the text is outside the scheme's length or alphabet.
    #[must_use]
    pub fn new(scheme: UnitScheme, text: &str) -> Option<Self> {
        let fits = match scheme {
            UnitScheme::Iso4217 => text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase()),
            UnitScheme::Dti => text.len() == 9 && text.bytes().all(is_dti),
            UnitScheme::Local => text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        };
        Inline::new(text).filter(|_| fits).map(|text| Self { scheme, text })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> UnitScheme {
        self.scheme
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The code as orders write it.
    #[must_use]
    pub fn currency(&self) -> Currency {
        Currency::new(self.as_str()).expect("each scheme's alphabet and length lie inside the currency's")
    }

    /// Reads `EUR` (an ISO 4217 code in use, else a local code), or with its scheme: `iso4217:EUR`, `dti:4H95J0R2X`, `local:USDT`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("iso4217", code)) => Self::new(UnitScheme::Iso4217, code),
            Some(("dti", code)) => Self::new(UnitScheme::Dti, code),
            Some(("local", code)) => Self::new(UnitScheme::Local, code),
            Some(_) => None,
            None if is_iso_code(text) => Self::new(UnitScheme::Iso4217, text),
            None => Self::new(UnitScheme::Local, text),
        }
    }
}

impl fmt::Display for Unit {
    /// The shortest form that [`Unit::parse`] reads back.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            UnitScheme::Iso4217 if is_iso_code(self.as_str()) => "",
            UnitScheme::Local if !is_iso_code(self.as_str()) => "",
            UnitScheme::Iso4217 => "iso4217:",
            UnitScheme::Dti => "dti:",
            UnitScheme::Local => "local:",
        };
        write!(formatter, "{scheme}{}", self.as_str())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Unit({self})")
    }
}

fn is_dti(b: u8) -> bool {
    b.is_ascii_digit() || (b.is_ascii_uppercase() && !b"AEIOUY".contains(&b))
}

/// ISO 4217 list one, alphabetic codes, four bytes apart. Only decides how an unprefixed code of a document is read; the
/// certificate names the scheme itself.
const ISO_CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF \
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS \
INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR \
MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS \
SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XAG XAU XCD XCG XOF XPD \
XPF XPT YER ZAR ZMW ZWG";

fn is_iso_code(text: &str) -> bool {
    ISO_CODES.split(' ').any(|code| code == text)
}

/// `mantissa · 10^exponent` of `unit`, above zero, in its one canonical form (no trailing decimal zero in the mantissa).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    unit: Unit,
    mantissa: u64,
    exponent: i8,
}

impl Money {
    /// An amount from its parts.
    ///
    /// # Errors
    /// When a part is out of range or the mantissa ends in a decimal zero. `field` only names where.
    pub fn new(field: Field, unit: Unit, mantissa: u64, exponent: i8) -> Result<Self, LimitsError> {
        if !(1..=HIGHEST_MANTISSA).contains(&mantissa) {
            return Err(LimitsError::OutOfRange {
                field,
                range: "1..9999999999999999999 (mantissa)",
            });
        }
        if !(-HIGHEST_EXPONENT..=HIGHEST_EXPONENT).contains(&exponent) {
            return Err(LimitsError::OutOfRange {
                field,
                range: "-18..18 (exponent)",
            });
        }
        if mantissa.is_multiple_of(10) {
            return Err(LimitsError::NotCanonical {
                field,
                why: "a mantissa has no trailing decimal zero",
            });
        }
        Ok(Self {
            unit,
            mantissa,
            exponent,
        })
    }

    /// The amount, when it is above zero and has a canonical form (at most 19 significant digits, 18 decimals, 18 zeros).
    #[must_use]
    pub fn from_decimal(unit: Unit, amount: Decimal) -> Option<Self> {
        let (mut mantissa, mut exponent) = (amount.mantissa(), -i16::from(amount.scale()));
        while mantissa != 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self::new(
            Field::PerOrder,
            unit,
            u64::try_from(mantissa).ok()?,
            i8::try_from(exponent).ok()?,
        )
        .ok()
    }

    /// The unit.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// The mantissa, 1 to 9999999999999999999.
    #[must_use]
    pub fn mantissa(&self) -> u64 {
        self.mantissa
    }

    /// The exponent, -18 to 18.
    #[must_use]
    pub fn exponent(&self) -> i8 {
        self.exponent
    }

    /// The amount, exact: 19 digits and 18 zeros fit the decimal's `i128`.
    #[must_use]
    pub fn to_decimal(&self) -> Decimal {
        let mantissa = i128::from(self.mantissa);
        let parts = if self.exponent < 0 {
            (mantissa, self.exponent.unsigned_abs())
        } else {
            (mantissa * 10_i128.pow(u32::from(self.exponent.unsigned_abs())), 0)
        };
        Decimal::new(parts.0, parts.1).expect("at most 18 decimals")
    }
}

impl PartialEq<Decimal> for Money {
    fn eq(&self, other: &Decimal) -> bool {
        self.to_decimal() == *other
    }
}

impl PartialOrd<Decimal> for Money {
    fn partial_cmp(&self, other: &Decimal) -> Option<std::cmp::Ordering> {
        Some(self.to_decimal().cmp(other))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.unit, self.to_decimal())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Money({self})")
    }
}
