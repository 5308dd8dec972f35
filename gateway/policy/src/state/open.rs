//! The orders that are, or may be, open at the venue: each with its reservation and its mark.

use extensions::{Decimal, Digest, GatewayId, Timestamp};
use serde::{Deserialize, Serialize};

use super::money::value_of;
use crate::order::{OrderTerms, Side};

/// The most open orders of one agent (issue Spine: fixed for now).
pub const MOST_OPEN_ORDERS: usize = 256;

/// What is known of an open order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpenMark {
    /// Permitted; the venue has not answered yet.
    Unanswered,
    /// The venue confirmed it.
    Accepted,
    /// It may or may not be at the venue. Its reservation holds until that is resolved.
    InDoubt,
    /// No longer open, but the venue executed more than the fills seen so far; the rest of its reservation waits for them.
    Closing,
}

/// One open order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenOrder {
    /// The body's digest.
    pub body: Digest,
    /// Whether a cancel is on its way.
    pub cancelling: bool,
    /// How much the fills seen so far come to.
    pub filled: Decimal,
    /// The instance that may have sent it.
    pub gateway: GatewayId,
    /// The list that it is one of two of: one of them at most executes, and a cancel of one ends both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<u64>,
    /// What is known of it.
    pub mark: OpenMark,
    /// The number of the permit's entry.
    pub number: u64,
    /// The terms.
    pub order: OrderTerms,
    /// When it was permitted.
    pub permitted_at: Timestamp,
    /// What may still fill: of the quantity, or of what the venue says it executed.
    pub remaining: Decimal,
    /// The price the reservation is made at; none for a reduction.
    pub reserve_price: Option<Decimal>,
    /// The value still reserved in the day; zero for a reduction.
    pub reserved: Decimal,
    /// It is sent within this many milliseconds of its permit, or never.
    pub send_within_ms: u32,
}

impl OpenOrder {
    /// Whether the venue has confirmed that it holds the order.
    #[must_use]
    pub fn confirmed(&self) -> bool {
        self.mark == OpenMark::Accepted
    }

    /// Whether there may be something at the venue to cancel.
    #[must_use]
    pub fn may_rest(&self) -> bool {
        self.mark != OpenMark::Closing
    }

    /// Whether its first answer is still awaited or in doubt.
    #[must_use]
    pub fn unanswered(&self) -> bool {
        matches!(self.mark, OpenMark::Unanswered | OpenMark::InDoubt)
    }

    /// Whether this is the same order but for its id.
    #[must_use]
    pub fn same_terms(&self, other: &OrderTerms) -> bool {
        self.order.instrument == other.instrument
            && self.order.side == other.side
            && self.order.quantity == other.quantity
            && self.order.price == other.price
            && self.order.stop_price == other.stop_price
            && self.order.kind == other.kind
            && self.order.counterparty == other.counterparty
            && self.order.currency == other.currency
            && self.order.time_in_force == other.time_in_force
            && self.order.reduce_only == other.reduce_only
    }

    /// Whether this order and the other, which is not its own repeat, would trade with one another at the venue. A market order reaches every
    /// price.
    #[must_use]
    pub fn meets(&self, other: &OrderTerms) -> bool {
        let own = &self.order;
        let (buy, sell) = match (own.side, other.side) {
            (Side::Buy, Side::Sell) => (own, other),
            (Side::Sell, Side::Buy) => (other, own),
            _ => return false,
        };
        let waits = buy.kind.has_stop_price() || sell.kind.has_stop_price();
        let same = buy.instrument == sell.instrument && buy.counterparty == sell.counterparty;
        let reaches = buy.price.zip(sell.price).is_none_or(|(bid, ask)| bid >= ask);
        same && !waits && reaches
    }

    /// How much it may still move the position, with the sign of its side.
    #[must_use]
    pub fn side(&self) -> Side {
        self.order.side
    }

    /// Sets what may still fill and returns how much of the reservation that frees.
    pub(crate) fn set_remaining(&mut self, remaining: Decimal) -> Decimal {
        self.remaining = remaining;
        let reserved = match self.reserve_price {
            Some(price) => value_of(remaining, price).unwrap_or(self.reserved).min(self.reserved),
            None => Decimal::ZERO,
        };
        let freed = self.reserved.checked_sub(reserved).unwrap_or_default();
        self.reserved = reserved;
        freed
    }
}
