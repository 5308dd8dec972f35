//! Our orders and fills as the venue shows its own. What was paid is told where every fill of it is known, and left out otherwise; fees are in no record.

use extensions::{Decimal, Timestamp};
use gateway_policy::{OpenOrder, OrderFilled, OrderKind, OrderTerms};
use serde_json::{Value, json};

use super::names;
use crate::{
    pipeline::{
        endings::{OrderStatus, OrderStory},
        traded::Traded,
    },
    venue::kraken::symbol_of,
};

/// The most decimals of an average.
const MOST_DECIMALS: u8 = 12;

fn kind(kind: OrderKind) -> &'static str {
    match kind {
        OrderKind::Limit => "limit",
        OrderKind::Market => "market",
        OrderKind::StopLimit => "stop-loss-limit",
        OrderKind::StopMarket => "stop-loss",
    }
}

/// `buy 0.01 XBTEUR @ limit 47000`
pub(super) fn described(terms: &OrderTerms) -> String {
    let (side, pair) = (terms.side.as_str(), symbol_of(terms.instrument));
    let at = match (terms.kind, terms.price, terms.stop_price) {
        (OrderKind::StopLimit, Some(price), Some(stop)) => format!("stop loss {stop} -> limit {price}"),
        (OrderKind::StopMarket, _, Some(stop)) => format!("stop loss {stop}"),
        (kind_of, Some(price), _) => format!("{} {price}", kind(kind_of)),
        (kind_of, ..) => kind(kind_of).to_owned(),
    };
    format!("{side} {} {pair} @ {at}", terms.quantity)
}

pub(super) fn story(story: &OrderStory, traded: &Traded) -> Value {
    let status = match story.status {
        OrderStatus::Open => "open",
        OrderStatus::Permitted | OrderStatus::InDoubt => "pending",
        OrderStatus::Filled => "closed",
        OrderStatus::Expired => "expired",
        OrderStatus::Cancelled | OrderStatus::Refused | OrderStatus::Rejected | OrderStatus::Withheld => "canceled",
    };
    row(&story.order, story.executed, traded, status, story.decided_at)
}

pub(super) fn open(open: &OpenOrder, traded: &Traded) -> Value {
    row(&open.order, open.filled, traded, "open", open.permitted_at)
}

fn row(terms: &OrderTerms, executed: Decimal, traded: &Traded, status: &str, at: Timestamp) -> Value {
    let plain = |price: Option<Decimal>| price.unwrap_or_default().to_string();
    let (price, second) = match terms.kind {
        OrderKind::Limit | OrderKind::Market => (terms.price, None),
        OrderKind::StopLimit | OrderKind::StopMarket => (terms.stop_price, terms.price),
    };
    let mut shown = json!({
        "refid": null, "userref": null, "cl_ord_id": terms.client_order_id.as_str(), "status": status,
        "opentm": seconds(at), "starttm": 0, "expiretm": 0,
        "descr": {
            "pair": symbol_of(terms.instrument), "type": terms.side.as_str(), "ordertype": kind(terms.kind),
            "price": plain(price), "price2": plain(second), "leverage": "none", "order": described(terms), "close": "",
        },
        "vol": terms.quantity.to_string(), "vol_exec": executed.to_string(), "misc": "", "oflags": "fciq",
    });
    if let Some(paid) = traded.paid_for(executed) {
        shown["cost"] = paid.to_string().into();
        if let Some(price) = average(paid, executed) {
            shown["price"] = price.to_string().into();
        }
    }
    shown
}

/// What was paid for one, where it can be written exactly.
fn average(paid: Decimal, executed: Decimal) -> Option<Decimal> {
    let ten = |exponent: u8| 10_i128.checked_pow(u32::from(exponent));
    let whole = executed.mantissa().checked_mul(ten(paid.scale())?)?;
    (0..=MOST_DECIMALS).find_map(|scale| {
        let part = paid.mantissa().checked_mul(ten(scale + executed.scale())?)?;
        let exact = part.checked_rem(whole)? == 0;
        exact.then(|| Decimal::new(part / whole, scale)).flatten()
    })
}

/// A fill as `TradesHistory` lists it, under the number of its entry.
pub(super) fn trade(number: u64, fill: &OrderFilled) -> Value {
    let mut shown = json!({
        "ordertxid": names::id('O', fill.order), "cl_ord_id": fill.client_order_id.as_str(), "pair": symbol_of(fill.instrument),
        "time": seconds(fill.executed_at), "type": fill.side.as_str(), "price": fill.price.to_string(), "vol": fill.quantity.to_string(),
        "execution_id": fill.execution_id, "trade_id": number, "misc": "",
    });
    if let Some(cost) = fill.quantity.checked_mul(fill.price) {
        shown["cost"] = cost.to_string().into();
    }
    shown
}

/// A time in seconds with its part of one, as a number.
fn seconds(at: Timestamp) -> Value {
    let text = format!("{}.{:06}", at.seconds(), at.micros().rem_euclid(1_000_000));
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_average_is_exact_or_not_told() {
        let decimal = |text: &str| Decimal::parse(text).expect(text);
        let of = |paid, executed| average(decimal(paid), decimal(executed));
        assert_eq!(of("500.0001", "0.01"), Some(decimal("50000.01")));
        assert_eq!(of("1", "3"), None);
        assert_eq!(of("0", "0"), None);
    }
}
