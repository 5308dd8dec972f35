//! Answers about executions and prices.

use std::collections::BTreeMap;

use extensions::{Decimal, Instrument, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, parsed, sorted};
use crate::venue::{Doubt, ExecutionId, Refused, Trade, VenueOrderId, amount::Amount, answer::MOST_FILLS};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TradeBody<'a> {
    #[serde(borrow)]
    symbol: std::borrow::Cow<'a, str>,
    id: u64,
    order_id: u64,
    price: Amount,
    qty: Amount,
    time: i64,
    is_buyer: bool,
}

#[derive(Deserialize)]
struct PriceBody<'a> {
    #[serde(borrow)]
    symbol: std::borrow::Cow<'a, str>,
    price: Amount,
}

fn good(status: u16, body: &[u8]) -> Result<&[u8], Doubt> {
    match sorted(status, body) {
        Body::Good(body) => Ok(body),
        Body::Refused(Refused { code, .. }) => Err(Doubt::Refused { code }),
        Body::Doubt(doubt) => Err(doubt),
    }
}

/// The answer to `GET /api/v3/myTrades`: strictly ascending ids above `after`, one symbol, amounts above zero.
///
/// # Errors
/// When any row cannot be true.
pub fn read_trades(
    status: u16,
    body: &[u8],
    instrument: Instrument,
    symbol: &str,
    after: Option<u64>,
) -> Result<Vec<Trade>, Doubt> {
    let rows: Vec<TradeBody<'_>> = parsed(good(status, body)?)?;
    if rows.len() > MOST_FILLS {
        return Err(Doubt::TooLong);
    }
    let (mut last, mut trades) = (after, Vec::with_capacity(rows.len()));
    for row in rows {
        let differs = |what| Err(Doubt::Contradiction(what));
        if row.symbol != symbol {
            return differs("symbol");
        }
        if last.is_some_and(|last| row.id <= last) {
            return differs("id");
        }
        if !row.qty.0.is_positive() {
            return differs("qty");
        }
        if !row.price.0.is_positive() {
            return differs("price");
        }
        // The year 2200 in milliseconds; keeps the product by 1,000 inside the type.
        if !(0..7_258_118_400_000).contains(&row.time) {
            return differs("time");
        }
        last = Some(row.id);
        trades.push(Trade {
            execution_id: ExecutionId::new(&row.id.to_string()).ok_or(Doubt::Contradiction("id"))?,
            venue_order_id: VenueOrderId::new(&row.order_id.to_string()).ok_or(Doubt::Contradiction("orderId"))?,
            instrument,
            bought: row.is_buyer,
            quantity: row.qty.0,
            price: row.price.0,
            at: Timestamp::from_millis(row.time),
        });
    }
    Ok(trades)
}

/// The answer to `GET /api/v3/ticker/price`.
///
/// # Errors
/// When it is not a price above zero of that symbol.
pub fn read_price(status: u16, body: &[u8], symbol: &str) -> Result<Decimal, Doubt> {
    let body: PriceBody<'_> = parsed(good(status, body)?)?;
    if body.symbol != symbol {
        return Err(Doubt::Contradiction("symbol"));
    }
    if !body.price.0.is_positive() {
        return Err(Doubt::Contradiction("price"));
    }
    Ok(body.price.0)
}

/// The answer to `GET /api/v3/ticker/price` about several symbols, by symbol. A row that cannot be true is left out: its instrument has no
/// price then, and the others have theirs.
///
/// # Errors
/// When it is no list.
pub fn read_prices(status: u16, body: &[u8]) -> Result<BTreeMap<String, Decimal>, Doubt> {
    let rows: Vec<&RawValue> = parsed(good(status, body)?)?;
    let row = |row: &RawValue| {
        let row: PriceBody<'_> = serde_json::from_str(row.get()).ok()?;
        row.price
            .0
            .is_positive()
            .then(|| (row.symbol.into_owned(), row.price.0))
    };
    Ok(rows.into_iter().filter_map(row).collect())
}
