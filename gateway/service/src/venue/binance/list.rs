//! A list of two orders in the venue's terms: a limit order that only rests, and a stop, of which one at most executes (`orderList/oco`).

use std::fmt::Write;

use gateway_policy::Permit;

use super::order::{Kind, Side, TimeInForce, VenueOrder, escaped};

/// The orders of two permits that the venue takes as one list. Making one sends nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VenueList {
    /// In the order of the permits.
    pub orders: [VenueOrder; 2],
}

impl VenueList {
    /// The list of two permits; `None` for two that are none.
    pub(in crate::venue) fn of(first: &Permit, second: &Permit) -> Option<Self> {
        Self::new([VenueOrder::of(first)?, VenueOrder::of(second)?])
    }

    /// Two orders of one market and side and as large, one a limit order without an end and the other a stop.
    #[must_use]
    pub fn new(orders: [VenueOrder; 2]) -> Option<Self> {
        let [one, other] = &orders;
        let same = one.instrument == other.instrument && one.side == other.side && one.quantity == other.quantity;
        let rests = |order: &VenueOrder| {
            let good = TimeInForce::GoodTillCancelled;
            matches!(order.kind, Kind::Limit { time_in_force, .. } if time_in_force == good)
        };
        let pair = rests(one) != rests(other) && (is_stop(one) || is_stop(other));
        (same && pair && one.client_id != other.client_id).then_some(Self { orders })
    }

    /// The unsigned parameters, without timestamp.
    pub(super) fn parameters(&self, symbol: &str) -> String {
        let [one, _] = &self.orders;
        let mut text = format!("symbol={symbol}&side={}&quantity={}", one.side.as_str(), one.quantity);
        for order in &self.orders {
            // A seller's limit lies above the market and his stop below, a buyer's the other way round.
            let leg = match (order.side, is_stop(order)) {
                (Side::Sell, true) | (Side::Buy, false) => "below",
                (Side::Sell, false) | (Side::Buy, true) => "above",
            };
            let mut put = |name: &str, value: &dyn std::fmt::Display| {
                // Writing to a String cannot fail.
                let _ = write!(text, "&{leg}{name}={value}");
            };
            put("Type", &word(order.kind));
            put("ClientOrderId", &escaped(&order.client_id));
            if let Some(price) = order.kind.limit() {
                put("Price", &price);
            }
            if let Some(stop) = order.kind.stop() {
                put("StopPrice", &stop);
            }
            if let (true, Some(time_in_force)) = (is_stop(order), order.kind.time_in_force()) {
                put("TimeInForce", &time_in_force.as_str());
            }
        }
        text + "&newOrderRespType=FULL"
    }
}

fn is_stop(order: &VenueOrder) -> bool {
    order.kind.stop().is_some()
}

/// The venue's type of an order in a list.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Limit { .. } => "LIMIT_MAKER",
        kind => kind.as_str(),
    }
}

#[cfg(test)]
mod tests;
