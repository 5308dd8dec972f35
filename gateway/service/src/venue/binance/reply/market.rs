//! Answers about the market: passed on as they are when they are JSON; of the venue's rules only what can be true is kept.

use std::collections::BTreeMap;

use bytes::Bytes;
use extensions::{Decimal, Instrument};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use super::{Body, parsed, sorted};
use crate::venue::{Doubt, market::MarketRules};

/// An answer as it is, when it is whole and JSON. Nobody here believes it.
///
/// # Errors
/// When it is a refusal, or no JSON.
pub fn read_market(status: u16, body: &Bytes) -> Result<Bytes, Doubt> {
    match sorted(status, body) {
        Body::Good(good) => parsed::<IgnoredAny>(good).map(|_| body.clone()),
        Body::Refused(refused) => Err(Doubt::Refused { code: refused.code }),
        Body::Doubt(doubt) => Err(doubt),
    }
}

#[derive(Deserialize)]
struct Listing {
    symbols: Vec<Symbol>,
}

#[derive(Deserialize)]
struct Symbol {
    symbol: String,
    filters: Vec<Map<String, Value>>,
}

/// The rules of the markets that are traded here. A filter that cannot be read is left out.
///
/// # Errors
/// When the answer is a refusal, or not of the documented form.
pub fn read_rules(status: u16, body: &[u8], symbols: &BTreeMap<Instrument, String>) -> Result<Vec<MarketRules>, Doubt> {
    let listing: Listing = match sorted(status, body) {
        Body::Good(good) => parsed(good)?,
        Body::Refused(refused) => return Err(Doubt::Refused { code: refused.code }),
        Body::Doubt(doubt) => return Err(doubt),
    };
    let rules = |(instrument, symbol): (&Instrument, &String)| {
        let listed = listing.symbols.iter().find(|listed| listed.symbol == *symbol)?;
        let filter = |kind: &str| {
            let mut all = listed.filters.iter();
            all.find(|filter| filter.get("filterType").and_then(Value::as_str) == Some(kind))
        };
        let bounds = |kind: &str, names: [&str; 3]| bounds(filter(kind)?, names);
        let notional = filter("NOTIONAL").or_else(|| filter("MIN_NOTIONAL"));
        Some(MarketRules {
            instrument: *instrument,
            price: bounds("PRICE_FILTER", ["minPrice", "maxPrice", "tickSize"]),
            lot: bounds("LOT_SIZE", ["minQty", "maxQty", "stepSize"]),
            market_lot: bounds("MARKET_LOT_SIZE", ["minQty", "maxQty", "stepSize"]),
            least_notional: notional.and_then(|filter| decimal(filter, "minNotional")),
        })
    };
    Ok(symbols.iter().filter_map(rules).collect())
}

/// Lowest, highest and step, none of them below zero.
fn bounds(filter: &Map<String, Value>, names: [&str; 3]) -> Option<[Decimal; 3]> {
    let [lowest, highest, step] = names.map(|name| decimal(filter, name));
    Some([lowest?, highest?, step?])
}

fn decimal(filter: &Map<String, Value>, name: &str) -> Option<Decimal> {
    let value = Decimal::parse(filter.get(name)?.as_str()?).ok()?;
    (!value.is_negative()).then_some(value)
}
