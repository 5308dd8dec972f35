//! An order as it goes to the venue: plain values, serialised by us alone.

use std::fmt::Write;

use extensions::{Decimal, Instrument};

use crate::venue::VenueClientId;

/// Which way an order trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Takes the base.
    Buy,
    /// Gives the base.
    Sell,
}

impl Side {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
        }
    }
}

/// How long a limit order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until cancelled.
    GoodTillCancelled,
    /// What trades at once; the rest expires.
    ImmediateOrCancel,
    /// Whole at once, or nothing.
    FillOrKill,
}

impl TimeInForce {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::GoodTillCancelled => "GTC",
            Self::ImmediateOrCancel => "IOC",
            Self::FillOrKill => "FOK",
        }
    }
}

/// The venue's order types that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `LIMIT`.
    Limit {
        /// Not worse than this.
        price: Decimal,
        /// How long.
        time_in_force: TimeInForce,
    },
    /// `MARKET`.
    Market,
    /// `STOP_LOSS_LIMIT`: a limit order once the stop price trades.
    StopLimit {
        /// Not worse than this.
        price: Decimal,
        /// What starts it.
        stop_price: Decimal,
        /// How long.
        time_in_force: TimeInForce,
    },
    /// `STOP_LOSS`: a market order once the stop price trades.
    StopMarket {
        /// What starts it.
        stop_price: Decimal,
    },
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Limit { .. } => "LIMIT",
            Self::Market => "MARKET",
            Self::StopLimit { .. } => "STOP_LOSS_LIMIT",
            Self::StopMarket { .. } => "STOP_LOSS",
        }
    }

    /// The worst price at which it may trade.
    pub(super) fn limit(self) -> Option<Decimal> {
        match self {
            Self::Limit { price, .. } | Self::StopLimit { price, .. } => Some(price),
            Self::Market | Self::StopMarket { .. } => None,
        }
    }

    pub(super) fn stop(self) -> Option<Decimal> {
        match self {
            Self::StopLimit { stop_price, .. } | Self::StopMarket { stop_price } => Some(stop_price),
            Self::Limit { .. } | Self::Market => None,
        }
    }

    pub(super) fn time_in_force(self) -> Option<TimeInForce> {
        match self {
            Self::Limit { time_in_force, .. } | Self::StopLimit { time_in_force, .. } => Some(time_in_force),
            Self::Market | Self::StopMarket { .. } => None,
        }
    }
}

/// One order in the venue's terms. Making one sends nothing: only `Venue::forward` sends, and it takes a recorded permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueOrder {
    /// The id that the permit derived.
    pub client_id: VenueClientId,
    /// What is traded.
    pub instrument: Instrument,
    /// Which way.
    pub side: Side,
    /// How.
    pub kind: Kind,
    /// How much of the base, above zero.
    pub quantity: Decimal,
}

impl VenueOrder {
    /// The unsigned parameters, without timestamp.
    pub(super) fn parameters(&self, symbol: &str) -> String {
        let mut text = String::with_capacity(320);
        let mut put = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{}{name}={value}", if text.is_empty() { "" } else { "&" });
        };
        put("symbol", &symbol);
        put("side", &self.side.as_str());
        put("type", &self.kind.as_str());
        if let Some(time_in_force) = self.kind.time_in_force() {
            put("timeInForce", &time_in_force.as_str());
        }
        put("quantity", &self.quantity);
        if let Some(price) = self.kind.limit() {
            put("price", &price);
        }
        if let Some(stop) = self.kind.stop() {
            put("stopPrice", &stop);
        }
        put("newClientOrderId", &escaped(&self.client_id));
        put("newOrderRespType", &"FULL");
        text
    }
}

/// A client id for a query or form: the two characters of its alphabet that need escaping are.
pub(super) fn escaped(id: &VenueClientId) -> String {
    id.as_str().replace('/', "%2F").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_written_as_the_venue_reads_it() {
        let decimal = |text: &str| Decimal::parse(text).expect(text);
        let (price, stop_price) = (decimal("50000.10"), decimal("49000"));
        let good = TimeInForce::GoodTillCancelled;
        for (kind, wanted) in [
            (
                Kind::Limit {
                    price,
                    time_in_force: TimeInForce::FillOrKill,
                },
                "type=LIMIT&timeInForce=FOK&quantity=0.00000001&price=50000.1",
            ),
            (Kind::Market, "type=MARKET&quantity=0.00000001"),
            (
                Kind::StopLimit {
                    price,
                    stop_price,
                    time_in_force: good,
                },
                "type=STOP_LOSS_LIMIT&timeInForce=GTC&quantity=0.00000001&price=50000.1&stopPrice=49000",
            ),
            (
                Kind::StopMarket { stop_price },
                "type=STOP_LOSS&quantity=0.00000001&stopPrice=49000",
            ),
        ] {
            let order = VenueOrder {
                client_id: VenueClientId::new("a/b:c-1").expect("fits"),
                instrument: Instrument::new("BTC_EUR").expect("fits"),
                side: Side::Sell,
                kind,
                quantity: decimal("0.00000001"),
            };
            let wanted = format!("symbol=BTCEUR&side=SELL&{wanted}&newClientOrderId=a%2Fb%3Ac-1&newOrderRespType=FULL");
            assert_eq!(order.parameters("BTCEUR"), wanted);
        }
    }
}
