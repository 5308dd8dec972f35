//! An order in Kraken's words: `AddOrder`'s parameters, serialised by us alone.

use extensions::Timestamp;

use super::names;
use crate::venue::binance::{Kind, Side, TimeInForce, VenueOrder};

/// Side and type in Kraken's words.
pub(super) fn words(order: &VenueOrder) -> (&'static str, &'static str) {
    let side = match order.side {
        Side::Buy => "buy",
        Side::Sell => "sell",
    };
    let kind = match order.kind {
        Kind::Limit { .. } => "limit",
        Kind::Market => "market",
        Kind::StopLimit { .. } => "stop-loss-limit",
        Kind::StopMarket { .. } => "stop-loss",
    };
    (side, kind)
}

/// The parameters without nonce. `None` for fill-or-kill, which this venue does not take over REST.
pub(super) fn parameters(order: &VenueOrder, symbol: &str, deadline: Timestamp) -> Option<String> {
    let (side, kind) = words(order);
    let (prices, time_in_force) = match order.kind {
        Kind::Limit { price, time_in_force } => (format!("&price={price}"), Some(time_in_force)),
        Kind::Market => (String::new(), None),
        Kind::StopLimit {
            price,
            stop_price,
            time_in_force,
        } => (format!("&price={stop_price}&price2={price}"), Some(time_in_force)),
        Kind::StopMarket { stop_price } => (format!("&price={stop_price}"), None),
    };
    let time_in_force = match time_in_force {
        None => "",
        Some(TimeInForce::GoodTillCancelled) => "&timeinforce=GTC",
        Some(TimeInForce::ImmediateOrCancel) => "&timeinforce=IOC",
        Some(TimeInForce::FillOrKill) => return None,
    };
    // In whole seconds, as the venue documents it.
    let deadline = Timestamp::from_seconds(deadline.seconds()).to_string();
    let deadline = deadline.replace(".000000", "").replace(':', "%3A");
    // Fees in the quote, so that what trades is what was ordered.
    Some(format!(
        "ordertype={kind}&type={side}&pair={symbol}&volume={}{prices}{time_in_force}&oflags=fciq&cl_ord_id={}&deadline={deadline}",
        order.quantity,
        escaped(&names::to_venue(&order.client_id)),
    ))
}

/// A client id for a form.
pub(super) fn escaped(id: &str) -> String {
    id.replace('/', "%2F").replace(':', "%3A")
}

#[cfg(test)]
mod tests {
    use extensions::{Decimal, Instrument};

    use super::*;
    use crate::venue::VenueClientId;

    #[test]
    fn each_kind_is_written_as_the_venue_reads_it() {
        let decimal = |text: &str| Decimal::parse(text).expect(text);
        let (price, stop_price) = (decimal("50000.10"), decimal("49000"));
        let time_in_force = TimeInForce::GoodTillCancelled;
        let written = |kind| {
            let order = VenueOrder {
                client_id: VenueClientId::new("a/b:c-1").expect("fits"),
                instrument: Instrument::new("BTC_EUR").expect("fits"),
                side: Side::Sell,
                kind,
                quantity: decimal("0.00000001"),
            };
            parameters(
                &order,
                "XBTEUR",
                Timestamp::from_seconds(1_617_236_325).plus_millis(900),
            )
        };
        let around = |kind: &str, prices: &str| {
            Some(format!(
                "ordertype={kind}&type=sell&pair=XBTEUR&volume=0.00000001{prices}&oflags=fciq&cl_ord_id=a%2Fb%3Ac-1&deadline=2021-04-01T00%3A18%3A45Z"
            ))
        };
        assert_eq!(
            written(Kind::Limit { price, time_in_force }),
            around("limit", "&price=50000.1&timeinforce=GTC")
        );
        assert_eq!(written(Kind::Market), around("market", ""));
        let stop_limit = Kind::StopLimit {
            price,
            stop_price,
            time_in_force,
        };
        assert_eq!(
            written(stop_limit),
            around("stop-loss-limit", "&price=49000&price2=50000.1&timeinforce=GTC")
        );
        assert_eq!(
            written(Kind::StopMarket { stop_price }),
            around("stop-loss", "&price=49000")
        );
        let time_in_force = TimeInForce::FillOrKill;
        assert_eq!(written(Kind::Limit { price, time_in_force }), None);
    }
}
