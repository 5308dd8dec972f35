//! Answers about executions.

use std::{borrow::Cow, collections::BTreeMap};

use extensions::{Decimal, Instrument, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{good, parsed, rows::Rows};
use crate::venue::{Doubt, ExecutionId, Trade, VenueOrderId, amount::Amount, kraken::names};

#[derive(Deserialize)]
struct TradeBody<'a> {
    #[serde(borrow)]
    ordertxid: Cow<'a, str>,
    #[serde(borrow)]
    pair: Cow<'a, str>,
    #[serde(borrow)]
    time: &'a RawValue,
    #[serde(borrow, rename = "type")]
    side: Cow<'a, str>,
    price: Amount,
    vol: Amount,
}

/// A page of the account's trades.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::venue::kraken) struct History {
    /// How many there are in all.
    pub(in crate::venue::kraken) count: u64,
    /// How many rows the page has, those of markets that are not configured included.
    pub(in crate::venue::kraken) rows: usize,
    /// Those of markets that are, oldest first.
    pub(in crate::venue::kraken) trades: Vec<Trade>,
}

/// The answer to `QueryTrades`: executions in markets that are traded here, oldest first.
pub(in crate::venue::kraken) fn read_trades(
    status: u16,
    body: &[u8],
    symbols: &BTreeMap<Instrument, String>,
) -> Result<Vec<Trade>, Doubt> {
    let rows: Rows<'_> = parsed(good(status, body)?)?;
    listed(&rows, symbols)
}

/// The answer to `TradesHistory`.
pub(in crate::venue::kraken) fn read_history(
    status: u16,
    body: &[u8],
    symbols: &BTreeMap<Instrument, String>,
) -> Result<History, Doubt> {
    #[derive(Deserialize)]
    struct Page<'a> {
        #[serde(borrow)]
        trades: Rows<'a>,
        count: u64,
    }
    let page: Page<'_> = parsed(good(status, body)?)?;
    let rows = page.trades.0.len();
    if u64::try_from(rows).unwrap_or(u64::MAX) > page.count {
        return Err(Doubt::Contradiction("count"));
    }
    let trades = listed(&page.trades, symbols)?;
    let count = page.count;
    Ok(History { count, rows, trades })
}

fn listed(rows: &Rows<'_>, symbols: &BTreeMap<Instrument, String>) -> Result<Vec<Trade>, Doubt> {
    let mut trades = Vec::with_capacity(rows.0.len());
    for (id, row) in &rows.0 {
        let row: TradeBody<'_> = parsed(row.get())?;
        let known = symbols.iter().find(|(_, symbol)| names::is_named(&row.pair, symbol));
        if let Some((instrument, _)) = known {
            trades.push(row.trade(id, *instrument)?);
        }
    }
    trades.sort_by_key(|trade| (trade.at, trade.execution_id));
    Ok(trades)
}

impl TradeBody<'_> {
    fn trade(&self, id: &str, instrument: Instrument) -> Result<Trade, Doubt> {
        let differs = |what| Err(Doubt::Contradiction(what));
        if !self.vol.0.is_positive() {
            return differs("vol");
        }
        if !self.price.0.is_positive() {
            return differs("price");
        }
        let bought = match &*self.side {
            "buy" => true,
            "sell" => false,
            _ => return differs("type"),
        };
        Ok(Trade {
            execution_id: ExecutionId::new(id).ok_or(Doubt::Contradiction("txid"))?,
            venue_order_id: VenueOrderId::new(&self.ordertxid).ok_or(Doubt::Contradiction("ordertxid"))?,
            instrument,
            bought,
            quantity: self.vol.0,
            price: self.price.0,
            at: time(self.time.get()).ok_or(Doubt::Contradiction("time"))?,
        })
    }
}

/// Seconds with a part, as digits; nothing goes through a float. Not beyond the year 2200.
fn time(text: &str) -> Option<Timestamp> {
    let micros = Decimal::parse(text).ok()?.checked_mul(Decimal::from(1_000_000))?;
    let scale = 10_i128.checked_pow(u32::from(micros.scale()))?;
    let whole = i64::try_from(micros.mantissa().checked_div(scale)?).ok()?;
    (0..7_258_118_400_000_000)
        .contains(&whole)
        .then(|| Timestamp::from_micros(whole))
}

#[cfg(test)]
mod tests {
    use super::time;

    #[test]
    fn times_are_read_digit_by_digit() {
        let micros = |text| time(text).map(|at| at.micros());
        assert_eq!(micros("1688667796.8802"), Some(1_688_667_796_880_200));
        assert_eq!(micros("1688667796.880212345"), Some(1_688_667_796_880_212));
        for bad in ["-1", "1e9", "\"1\"", "null", "99999999999999999999", ""] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }
}
