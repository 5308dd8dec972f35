//! Answers about the market.

use std::collections::BTreeMap;

use bytes::Bytes;
use extensions::{Decimal, Instrument};
use serde::Deserialize;
use serde_json::Value;

use super::{good, parsed, rows::Rows};
use crate::venue::{Doubt, kraken::names, market::MarketRules};

/// The most of anything: the venue names none.
const MOST: u64 = 1_000_000_000;

#[derive(Deserialize)]
struct Ticker {
    /// The last trade: price and volume.
    c: Vec<String>,
}

impl Ticker {
    fn price(&self) -> Option<Decimal> {
        let price = Decimal::parse(self.c.first()?).ok()?;
        price.is_positive().then_some(price)
    }
}

/// The answer to `Ticker` about one market.
pub(in crate::venue::kraken) fn read_price(status: u16, body: &[u8], symbol: &str) -> Result<Decimal, Doubt> {
    let rows: Rows<'_> = parsed(good(status, body)?)?;
    let row = match &rows.0[..] {
        [(name, row)] if names::is_named(name, symbol) => row,
        _ => return Err(Doubt::Contradiction("pair")),
    };
    let ticker: Ticker = parsed(row.get())?;
    ticker.price().ok_or(Doubt::Contradiction("c"))
}

/// The answer to `Ticker` about several; a row that cannot be true is left out.
pub(in crate::venue::kraken) fn read_prices(
    status: u16,
    body: &[u8],
    symbols: &BTreeMap<Instrument, String>,
) -> Result<BTreeMap<Instrument, Decimal>, Doubt> {
    let rows: Rows<'_> = parsed(good(status, body)?)?;
    let price = |(name, row): &(std::borrow::Cow<'_, str>, &serde_json::value::RawValue)| {
        let (instrument, _) = symbols.iter().find(|(_, symbol)| names::is_named(name, symbol))?;
        let ticker: Ticker = serde_json::from_str(row.get()).ok()?;
        Some((*instrument, ticker.price()?))
    };
    Ok(rows.0.iter().filter_map(price).collect())
}

#[derive(Deserialize)]
struct Pair {
    pair_decimals: u8,
    lot_decimals: u8,
    ordermin: Option<String>,
    costmin: Option<String>,
    tick_size: Option<String>,
}

/// The answer to `AssetPairs`: the rules of the markets that are traded here. A row that cannot be read is left out.
pub(in crate::venue::kraken) fn read_rules(
    status: u16,
    body: &[u8],
    symbols: &BTreeMap<Instrument, String>,
) -> Result<Vec<MarketRules>, Doubt> {
    let rows: Rows<'_> = parsed(good(status, body)?)?;
    let rules = |(instrument, symbol): (&Instrument, &String)| {
        let (_, row) = rows.0.iter().find(|(name, _)| names::is_named(name, symbol))?;
        let pair: Pair = serde_json::from_str(row.get()).ok()?;
        let amount = |text: &Option<String>| {
            let amount = Decimal::parse(text.as_ref()?).ok()?;
            amount.is_positive().then_some(amount)
        };
        let step = Decimal::new(1, pair.lot_decimals)?;
        let tick = amount(&pair.tick_size).or_else(|| Decimal::new(1, pair.pair_decimals))?;
        Some(MarketRules {
            instrument: *instrument,
            price: Some([tick, Decimal::ZERO, tick]),
            lot: Some([amount(&pair.ordermin).unwrap_or(step), Decimal::from(MOST), step]),
            market_lot: None,
            least_notional: amount(&pair.costmin),
        })
    };
    Ok(symbols.iter().filter_map(rules).collect())
}

/// An answer about one market, passed on under the name by which bots ask for it. Nobody here believes what it says.
pub(in crate::venue::kraken) fn read_market(
    status: u16,
    body: &[u8],
    instrument: Instrument,
    symbol: &str,
) -> Result<Bytes, Doubt> {
    let rows: Rows<'_> = parsed(good(status, body)?)?;
    let mut result = serde_json::Map::new();
    for (name, row) in &rows.0 {
        let value: Value = parsed(row.get())?;
        match &**name {
            "last" => drop(result.insert("last".to_owned(), value)),
            name if names::is_named(name, symbol) => drop(result.insert(names::symbol_of(instrument), value)),
            _ => return Err(Doubt::Contradiction("pair")),
        }
    }
    let answer = serde_json::json!({ "error": [], "result": result });
    Ok(answer.to_string().into())
}
