//! Our orders as the venue shows its own. `orderId` is the number of the decision's entry: a number, as clients want, and known before the
//! venue's own. What was paid is told where every fill of it is known, and left out otherwise, never guessed; so are commissions, which no record holds.

use extensions::{Decimal, Instrument};
use gateway_policy::{OpenOrder, OrderFilled, OrderKind, OrderTerms, Side};
use serde_json::{Value, json};

use super::order::plain_symbol;
use crate::{
    pipeline::{
        endings::{OrderStatus, OrderStory},
        traded::Traded,
    },
    venue::{ExecutionFill, market::MarketRules},
};

/// A market as `exchangeInfo` lists it.
pub(super) fn market(instrument: &Instrument, rules: Option<&MarketRules>) -> Value {
    let name = instrument.as_str();
    let filters = filters(rules);
    let (base, quote) = assets(name);
    json!({
        "baseAsset": base, "baseAssetPrecision": 8, "filters": filters, "isSpotTradingAllowed": true, "orderTypes": ["LIMIT", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "allowTrailingStop": false, "icebergAllowed": false, "isMarginTradingAllowed": false, "ocoAllowed": false, "quoteOrderQtyMarketAllowed": false,
        "permissions": ["SPOT"], "quoteAsset": quote, "quoteAssetPrecision": 8, "quotePrecision": 8, "status": "TRADING", "symbol": plain_symbol(name),
    })
}

/// The venue's own bounds; without them as fine and as wide as amounts go at all: how coarse the venue is, its own refusals say then.
fn filters(rules: Option<&MarketRules>) -> Value {
    let price = |[lowest, highest, step]: [String; 3]| json!({"filterType": "PRICE_FILTER", "maxPrice": highest, "minPrice": lowest, "tickSize": step});
    let lot = |kind: &str, [lowest, highest, step]: [String; 3]| json!({"filterType": kind, "maxQty": highest, "minQty": lowest, "stepSize": step});
    let generic = || ["0.00000001", "9000000000", "0.00000001"].map(str::to_owned);
    let told = |bounds: Option<[Decimal; 3]>| bounds.map(|bounds| bounds.map(|one| one.to_string()));
    let mut prices = told(rules.and_then(|rules| rules.price)).unwrap_or_else(generic);
    // The venue's word for no bound, which some clients take for one.
    if rules
        .and_then(|rules| rules.price)
        .is_some_and(|[_, highest, _]| highest.is_zero())
    {
        prices[1] = generic()[1].clone();
    }
    let lots = told(rules.and_then(|rules| rules.lot)).unwrap_or_else(generic);
    let mut all = vec![price(prices), lot("LOT_SIZE", lots)];
    let market_lots = told(rules.and_then(|rules| rules.market_lot));
    all.extend(market_lots.map(|bounds| lot("MARKET_LOT_SIZE", bounds)));
    if let Some(least) = rules.and_then(|rules| rules.least_notional) {
        all.push(json!({
            "applyMaxToMarket": false, "applyMinToMarket": true, "avgPriceMins": 5, "filterType": "NOTIONAL", "maxNotional": "9000000000",
            "minNotional": least.to_string(),
        }));
    }
    Value::Array(all)
}

/// What an instrument trades, and what its price is in: `BTC` and `EUR` of `BTC_EUR`.
pub(super) fn assets(instrument: &str) -> (&str, &str) {
    instrument.rsplit_once(['_', '-']).unwrap_or((instrument, ""))
}

pub(super) fn story(story: &OrderStory, traded: &Traded) -> Value {
    let status = match story.status {
        OrderStatus::Filled => "FILLED",
        OrderStatus::Cancelled => "CANCELED",
        OrderStatus::Expired => "EXPIRED",
        OrderStatus::Refused | OrderStatus::Rejected | OrderStatus::Withheld => "REJECTED",
        _ => open_status(story.executed.is_positive()),
    };
    let at = story.decided_at.millis();
    order(
        &story.order,
        (story.number, story.list),
        (story.executed, traded),
        status,
        at,
    )
}

/// An order as its placing shows it: with its fills, where the venue's answer listed all of them.
pub(super) fn placed(placed: &OrderStory) -> Value {
    let traded = Traded::of(&placed.fills);
    let mut shown = story(placed, &traded);
    if traded.paid_for(placed.executed).is_some() {
        let fill = |fill: &ExecutionFill| json!({"price": fill.price.to_string(), "qty": fill.quantity.to_string()});
        shown["fills"] = placed.fills.iter().map(fill).collect();
    }
    shown
}

pub(super) fn open(open: &OpenOrder, traded: &Traded) -> Value {
    let status = open_status(open.filled.is_positive());
    let at = open.permitted_at.millis();
    order(&open.order, (open.number, open.list), (open.filled, traded), status, at)
}

pub(super) fn cancelled(open: &OpenOrder, traded: &Traded) -> Value {
    let at = open.permitted_at.millis();
    let mut shown = order(
        &open.order,
        (open.number, open.list),
        (open.filled, traded),
        "CANCELED",
        at,
    );
    shown["origClientOrderId"] = open.order.client_order_id.as_str().into();
    shown
}

/// A fill as `myTrades` lists it, under the number of its entry.
pub(super) fn trade(number: u64, fill: &OrderFilled) -> Value {
    let mut shown = json!({
        "symbol": plain_symbol(fill.instrument.as_str()), "id": number, "orderId": fill.order, "orderListId": -1,
        "clientOrderId": fill.client_order_id.as_str(), "executionId": fill.execution_id,
        "price": fill.price.to_string(), "qty": fill.quantity.to_string(), "time": fill.executed_at.millis(),
        "isBuyer": fill.side == Side::Buy,
    });
    if let Some(value) = fill.quantity.checked_mul(fill.price) {
        shown["quoteQty"] = value.to_string().into();
    }
    shown
}

fn open_status(partly: bool) -> &'static str {
    if partly { "PARTIALLY_FILLED" } else { "NEW" }
}

fn order(
    terms: &OrderTerms,
    (number, list): (u64, Option<u64>),
    (executed, traded): (Decimal, &Traded),
    status: &str,
    at: i64,
) -> Value {
    let kind = match terms.kind {
        OrderKind::Limit if list.is_some() => "LIMIT_MAKER",
        OrderKind::Limit => "LIMIT",
        OrderKind::Market => "MARKET",
        OrderKind::StopLimit => "STOP_LOSS_LIMIT",
        OrderKind::StopMarket => "STOP_LOSS",
    };
    let mut shown = json!({
        "symbol": plain_symbol(terms.instrument.as_str()), "orderId": number, "orderListId": list.map_or(json!(-1), Value::from),
        "clientOrderId": terms.client_order_id.as_str(),
        "price": terms.price.unwrap_or_default().to_string(), "origQty": terms.quantity.to_string(),
        "executedQty": executed.to_string(), "status": status, "timeInForce": json!(terms.time_in_force).as_str().unwrap_or_default().to_ascii_uppercase(),
        "type": kind, "side": terms.side.as_str().to_ascii_uppercase(),
        "stopPrice": terms.stop_price.unwrap_or_default().to_string(),
        "time": at, "transactTime": at, "updateTime": at,
    });
    if let Some(paid) = traded.paid_for(executed) {
        shown["cummulativeQuoteQty"] = paid.to_string().into();
    }
    shown
}
