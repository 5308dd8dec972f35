//! What an agent may name in an order: sets of instruments, counterparties or regions, compared byte for byte.

use std::fmt;

use super::{Field, LimitsError};
use crate::{Counterparty, Instrument, Region, inline::Inline};

/// The most items of one set.
pub(crate) const MOST_ITEMS: usize = 256;

/// In which scheme an item is named. The order of the alternatives is the order in the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemScheme {
    /// A name of the house: 1 to 32 characters, upper case for instruments, lower case for the others.
    Name,
    /// Legal entity identifier (ISO 17442), 20 characters; counterparties only.
    Lei,
    /// Market identifier code (ISO 10383), 4 characters; counterparties only.
    Mic,
    /// International securities identification number (ISO 6166), 12 characters; instruments only.
    Isin,
}

/// One item of a scope. Ordered by scheme, then by bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    scheme: ItemScheme,
    text: Inline<32>,
}

impl Item {
    /// An item of `field` (instruments, counterparties or regions).
    ///
    /// # Errors
    /// When the field does not take the scheme, or the text is outside its length or alphabet. Check digits of LEI and ISIN are
    /// checked where documents are read, not here.
    pub fn new(field: Field, scheme: ItemScheme, text: &str) -> Result<Self, LimitsError> {
        let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let (fits, expected) = match (field, scheme) {
            (Field::Instruments, ItemScheme::Name) => (Instrument::new(text).is_ok(), "1 to 32 of [A-Z0-9_.-]"),
            (Field::Counterparties | Field::Regions, ItemScheme::Name) => {
                (Counterparty::new(text).is_ok(), "1 to 32 of [a-z0-9_.-]")
            }
            (Field::Counterparties, ItemScheme::Lei) => (
                bytes.len() == 20 && bytes.iter().all(|b| upper(*b)) && bytes[18..].iter().all(u8::is_ascii_digit),
                "an LEI: 18 of [A-Z0-9] and two digits",
            ),
            (Field::Counterparties, ItemScheme::Mic) => (
                bytes.len() == 4 && bytes.iter().all(|b| upper(*b)),
                "a MIC: 4 of [A-Z0-9]",
            ),
            (Field::Instruments, ItemScheme::Isin) => (
                bytes.len() == 12
                    && bytes[..2].iter().all(u8::is_ascii_uppercase)
                    && bytes[2..11].iter().all(|b| upper(*b))
                    && bytes[11].is_ascii_digit(),
                "an ISIN: two letters, 9 of [A-Z0-9] and a digit",
            ),
            _ => {
                return Err(LimitsError::UnknownScheme {
                    field,
                    found: 0x80 | scheme as u8,
                });
            }
        };
        Inline::new(text)
            .filter(|_| fits)
            .map(|text| Self { scheme, text })
            .ok_or_else(|| LimitsError::bad_text(field, bytes, expected))
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> ItemScheme {
        self.scheme
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// The instrument that orders name: the name or the ISIN itself. `None` for other schemes.
    #[must_use]
    pub fn instrument(&self) -> Option<Instrument> {
        Instrument::new(self.as_str()).ok()
    }

    /// The counterparty that orders name: the name, or the LEI or MIC in lower case (orders speak lower case).
    #[must_use]
    pub fn counterparty(&self) -> Option<Counterparty> {
        Counterparty::new(&self.as_str().to_ascii_lowercase()).ok()
    }

    /// The region. `None` when this is no region's name.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        Region::new(self.as_str()).ok()
    }

    /// Reads a bare name, or `lei:…`, `mic:…`, `isin:…`.
    ///
    /// # Errors
    /// When the scheme is unknown in this field or the text does not fit it, its check digits included.
    pub fn parse(field: Field, text: &str) -> Result<Self, LimitsError> {
        let (scheme, code) = match text.split_once(':') {
            None => (ItemScheme::Name, text),
            Some(("lei", code)) => (ItemScheme::Lei, code),
            Some(("mic", code)) => (ItemScheme::Mic, code),
            Some(("isin", code)) => (ItemScheme::Isin, code),
            Some(_) => return Err(LimitsError::unreadable(field, text, "a name, or lei:…, mic:…, isin:…")),
        };
        let item = Self::new(field, scheme, code)?;
        let checked = match scheme {
            ItemScheme::Lei => lei_check(code),
            ItemScheme::Isin => isin_check(code),
            ItemScheme::Name | ItemScheme::Mic => true,
        };
        if checked {
            Ok(item)
        } else {
            Err(LimitsError::unreadable(
                field,
                text,
                "correct check digits (a typing error?)",
            ))
        }
    }
}

/// ISO 7064 MOD 97-10 over the code with letters as 10 to 35.
fn lei_check(code: &str) -> bool {
    code.chars()
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, v| (rest * if v > 9 { 100 } else { 10 } + v) % 97)
        == 1
}

/// Luhn over the digits of the code with letters as 10 to 35.
fn isin_check(code: &str) -> bool {
    let digits: Vec<u32> = code
        .chars()
        .filter_map(|c| c.to_digit(36))
        .flat_map(|v| if v > 9 { vec![v / 10, v % 10] } else { vec![v] })
        .collect();
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            if place % 2 == 1 {
                digit * 2 / 10 + digit * 2 % 10
            } else {
                *digit
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

impl fmt::Display for Item {
    /// The form that [`Item::parse`] reads back.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            ItemScheme::Name => "",
            ItemScheme::Lei => "lei:",
            ItemScheme::Mic => "mic:",
            ItemScheme::Isin => "isin:",
        };
        write!(formatter, "{scheme}{}", self.as_str())
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Item({self})")
    }
}

/// A set of items, or everything (CA certificates only).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(Option<Box<[Item]>>);

impl Scope {
    /// Everything. Refused in an agent's limits.
    pub const ANY: Self = Self(None);

    /// A set as the certificate holds it.
    ///
    /// # Errors
    /// When it is empty, above 256 items, unsorted or holds one twice.
    pub fn new(field: Field, items: Vec<Item>) -> Result<Self, LimitsError> {
        if items.is_empty() || items.len() > MOST_ITEMS {
            return Err(LimitsError::BadCount {
                field,
                count: items.len(),
                range: "1 to 256",
            });
        }
        super::sorted_unique(field, &items, |item| *item)?;
        Ok(Self(Some(items.into())))
    }

    /// The items in order; `None` for everything.
    #[must_use]
    pub fn items(&self) -> Option<&[Item]> {
        self.0.as_deref()
    }

    /// Whether everything is in this.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0.is_none()
    }

    /// The first item of this that is not in `outer`; `Some(None)` when this is everything and `outer` is not.
    #[must_use]
    pub(crate) fn beyond(&self, outer: &Self) -> Option<Option<Item>> {
        match (&self.0, &outer.0) {
            (_, None) => None,
            (None, Some(_)) => Some(None),
            (Some(mine), Some(theirs)) => mine
                .iter()
                .find(|item| theirs.binary_search(item).is_err())
                .map(|i| Some(*i)),
        }
    }
}
