//! Which kinds of orders an agent may send.

use super::{Field, LimitsError};

/// A kind of order. The number is its bit in the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderType {
    /// A price no worse than the one given.
    Limit = 0,
    /// Whatever the book gives.
    Market = 1,
    /// A limit order once the stop price is touched.
    StopLimit = 2,
    /// A market order once the stop price is touched.
    StopMarket = 3,
}

impl OrderType {
    /// All, in the order of their bits.
    pub const ALL: [Self; 4] = [Self::Limit, Self::Market, Self::StopLimit, Self::StopMarket];

    /// The word of documents and orders: `limit`, `market`, `stop_limit`, `stop_market`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Market => "market",
            Self::StopLimit => "stop_limit",
            Self::StopMarket => "stop_market",
        }
    }

    /// Reads that word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl std::fmt::Display for OrderType {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A set of kinds of orders; the empty set permits nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OrderTypes(u8);

impl OrderTypes {
    /// No kind at all.
    pub const NONE: Self = Self(0);
    /// Every kind.
    pub const ALL: Self = Self(0b1111);

    /// The set of `kinds`.
    #[must_use]
    pub fn of(kinds: &[OrderType]) -> Self {
        Self(kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8))
    }

    /// Whether `kind` is in this.
    #[must_use]
    pub fn contains(self, kind: OrderType) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    /// The kinds, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = OrderType> {
        OrderType::ALL.into_iter().filter(move |kind| self.contains(*kind))
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in this.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Bit `n` of the BIT STRING is bit `n` of this.
    pub(super) fn from_bits(bits: u8) -> Result<Self, LimitsError> {
        if bits > 0b1111 {
            return Err(LimitsError::OutOfRange {
                field: Field::OrderTypes,
                range: "bits 0 to 3",
            });
        }
        Ok(Self(bits))
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }
}
