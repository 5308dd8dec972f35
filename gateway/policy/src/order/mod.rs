//! What a bot asks for, parsed once into bounded types (style.md §4: parse at the edge, no `validate()` on a half-built object).

mod fault;
mod json;
mod parse;
mod venue_id;

use std::{fmt, ops::Deref};

use extensions::{ClientOrderId, Counterparty, Currency, Decimal, Digest, Instrument, canonical};
use serde::{Deserialize, Serialize};

pub use fault::{FaultKind, OrderFault};
pub use parse::{LONGEST_BODY, LONGEST_REASONING};
pub use venue_id::VenueOrderId;

/// Which way an order moves the position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Towards long.
    Buy,
    /// Towards short.
    Sell,
}

impl Side {
    /// The other side.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// The text in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// The order types the certificate speaks of (certificates.md §5, `orderTypes`). Leverage, margin, withdrawals and transfers
/// cannot be expressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// At a price or better.
    Limit,
    /// At whatever price there is.
    Market,
    /// A limit order once the stop price is reached.
    StopLimit,
    /// A market order once the stop price is reached.
    StopMarket,
}

impl OrderKind {
    /// The text in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Market => "market",
            Self::StopLimit => "stop_limit",
            Self::StopMarket => "stop_market",
        }
    }

    /// Whether it carries a limit price.
    #[must_use]
    pub fn has_price(self) -> bool {
        matches!(self, Self::Limit | Self::StopLimit)
    }

    /// Whether it waits for a stop price.
    #[must_use]
    pub fn has_stop_price(self) -> bool {
        matches!(self, Self::StopLimit | Self::StopMarket)
    }
}

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeInForce {
    /// Until cancelled.
    Gtc,
    /// What fills at once; the rest is cancelled.
    Ioc,
    /// All at once or nothing.
    Fok,
}

/// The terms of an order as plain data: the form in which entries hold it. Members in the order of RFC 8785.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderTerms {
    /// The bot's own id, used once.
    pub client_order_id: ClientOrderId,
    /// With whom, or where.
    pub counterparty: Counterparty,
    /// The unit of `price` and `stop_price`, hence of the notional.
    pub currency: Currency,
    /// What.
    pub instrument: Instrument,
    /// The limit price, present exactly for `limit` and `stop_limit`; above zero.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price: Option<Decimal>,
    /// How many units of the instrument; above zero.
    pub quantity: Decimal,
    /// The bot says that this order only reduces. Never believed: see [`AgentState::is_reduction`](crate::AgentState::is_reduction).
    pub reduce_only: bool,
    /// Which way.
    pub side: Side,
    /// The stop price, present exactly for `stop_limit` and `stop_market`; above zero.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stop_price: Option<Decimal>,
    /// How long.
    pub time_in_force: TimeInForce,
    /// The order type.
    #[serde(rename = "type")]
    pub kind: OrderKind,
}

impl OrderTerms {
    /// What the order is, whatever the bot calls it: `SHA-256("mandatum/order-terms/v1" ‖ canonical terms without client_order_id)`.
    #[must_use]
    pub fn terms_digest(&self) -> Digest {
        let mut terms = serde_json::to_value(self).unwrap_or_default();
        if let Some(members) = terms.as_object_mut() {
            members.remove("client_order_id");
        }
        Digest::of_parts(&[b"mandatum/order-terms/v1", &canonical::to_vec(&terms)])
    }
}

/// Well-formed terms: positive amounts, prices exactly where the type has them. Made by [`Order::from_json`] or
/// [`Order::new`] alone; read through `Deref`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(OrderTerms);

impl Deref for Order {
    type Target = OrderTerms;
    fn deref(&self) -> &OrderTerms {
        &self.0
    }
}

impl Order {
    /// Checks the terms against one another.
    ///
    /// # Errors
    /// One [`OrderFault`] per field that does not fit.
    pub fn new(terms: OrderTerms) -> Result<Self, Vec<OrderFault>> {
        let faults = parse::faults_of_terms(&terms);
        if faults.is_empty() {
            Ok(Self(terms))
        } else {
            Err(faults)
        }
    }

    /// Reads the body of `POST /v1/orders`: strict JSON, decimals exact and never by way of a float.
    ///
    /// # Errors
    /// Every fault found, each naming its field and what to change. Malformed JSON stops at its first fault.
    pub fn from_json(body: &[u8]) -> Result<ParsedOrder, Vec<OrderFault>> {
        parse::from_json(body)
    }

    /// The identity of the order for idempotency: `SHA-256("mandatum/order/v1" ‖ canonical terms)`.
    ///
    /// It covers every term, spelt our way (so `0.50` and `0.5` are the same order), and not the `reasoning`: that is prose a
    /// model may word anew on a retry, it changes nothing at the venue, and its erasure must not change what the order was.
    #[must_use]
    pub fn body_digest(&self) -> Digest {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(b"mandatum/order/v1");
        canonical::write_presorted(&self.0, &mut bytes);
        Digest::of(&bytes)
    }

    /// The terms by value.
    #[must_use]
    pub fn into_terms(self) -> OrderTerms {
        self.0
    }
}

/// Why the bot says it does this, in its own words; at most [`LONGEST_REASONING`] characters. Sealed before it is stored, read by
/// no check, printed by no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Reasoning(String);

impl Reasoning {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text by value, for sealing.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Debug for Reasoning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Reasoning({} bytes)", self.0.len())
    }
}

/// An order as it came in: its terms, its identity, and the text to seal.
#[derive(Debug, Clone)]
pub struct ParsedOrder {
    /// The terms.
    pub order: Order,
    /// [`Order::body_digest`], computed once.
    pub body: Digest,
    /// Its place in a list, where it is one of two of which the venue lets one at most execute.
    pub list: Option<InList>,
    /// The text split off for sealing.
    pub reasoning: Option<Reasoning>,
}

/// Which of a list's two orders one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InList {
    /// The one that is decided first: the number of its entry is the list's.
    First,
    /// The other one, of that list.
    Second(u64),
}

impl ParsedOrder {
    /// An order without reasoning.
    #[must_use]
    pub fn new(order: Order) -> Self {
        Self {
            body: order.body_digest(),
            order,
            list: None,
            reasoning: None,
        }
    }
}

#[cfg(test)]
mod tests;
