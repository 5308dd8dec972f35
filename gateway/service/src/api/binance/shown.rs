//! Our orders as the venue shows its own. `orderId` is the number of the decision's entry: a number, as clients want, and known before the
//! venue's own. What was paid is not in an order's story, so `cummulativeQuoteQty` is left out, never guessed.

use extensions::{Decimal, Instrument};
use gateway_policy::{OpenOrder, OrderKind, OrderTerms};
use serde_json::{Value, json};

use super::order::plain_symbol;
use crate::pipeline::endings::{OrderStatus, OrderStory};

/// A market as `exchangeInfo` lists it.
pub(super) fn market(instrument: &Instrument) -> Value {
    let name = instrument.as_str();
    // As fine and as wide as amounts go at all: how coarse the venue is, its own refusals say.
    let filters = json!([
        {"filterType": "PRICE_FILTER", "maxPrice": "9000000000", "minPrice": "0.00000001", "tickSize": "0.00000001"},
        {"filterType": "LOT_SIZE", "maxQty": "9000000000", "minQty": "0.00000001", "stepSize": "0.00000001"},
    ]);
    let (base, quote) = name.rsplit_once(['_', '-']).unwrap_or((name, ""));
    json!({
        "baseAsset": base, "baseAssetPrecision": 8, "filters": filters, "isSpotTradingAllowed": true, "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "permissions": ["SPOT"], "quoteAsset": quote, "quoteAssetPrecision": 8, "quotePrecision": 8, "status": "TRADING", "symbol": plain_symbol(name),
    })
}

pub(super) fn story(story: &OrderStory) -> Value {
    let status = match story.status {
        OrderStatus::Filled => "FILLED",
        OrderStatus::Cancelled => "CANCELED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::Refused | OrderStatus::Rejected | OrderStatus::Withheld => "REJECTED",
        _ => open_status(story.executed.is_positive()),
    };
    let (number, executed, at) = (story.number, story.executed.to_string(), story.decided_at.millis());
    order(&story.order, number, &executed, status, at)
}

pub(super) fn open(open: &OpenOrder) -> Value {
    let status = open_status(open.filled.is_positive());
    order(
        &open.order,
        open.number,
        &open.filled.to_string(),
        status,
        open.permitted_at.millis(),
    )
}

pub(super) fn cancelled(open: &OpenOrder, executed: Decimal) -> Value {
    let at = open.permitted_at.millis();
    let mut shown = order(&open.order, open.number, &executed.to_string(), "CANCELED", at);
    shown["origClientOrderId"] = open.order.client_order_id.as_str().into();
    shown
}

fn open_status(partly: bool) -> &'static str {
    if partly { "PARTIALLY_FILLED" } else { "NEW" }
}

fn order(terms: &OrderTerms, number: u64, executed: &str, status: &str, at: i64) -> Value {
    let kind = match terms.kind {
        OrderKind::Limit => "LIMIT",
        OrderKind::Market => "MARKET",
        OrderKind::StopLimit => "STOP_LOSS_LIMIT",
        OrderKind::StopMarket => "STOP_LOSS",
    };
    json!({
        "symbol": plain_symbol(terms.instrument.as_str()), "orderId": number, "orderListId": -1,
        "clientOrderId": terms.client_order_id.as_str(),
        "price": terms.price.unwrap_or_default().to_string(), "origQty": terms.quantity.to_string(),
        "executedQty": executed, "status": status, "timeInForce": json!(terms.time_in_force).as_str().unwrap_or_default().to_ascii_uppercase(),
        "type": kind, "side": terms.side.as_str().to_ascii_uppercase(),
        "stopPrice": terms.stop_price.unwrap_or_default().to_string(),
        "time": at, "transactTime": at, "updateTime": at, "fills": [],
    })
}
