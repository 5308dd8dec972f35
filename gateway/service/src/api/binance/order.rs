//! From the venue's parameters to an [`Order`]: translated into the text of `POST /v1/orders` and read by its reader, so that both routes
//! mean the same by the same terms. A parameter that would change the order and has no such term is refused, never dropped.

use extensions::{Decimal, Instrument};
use gateway_policy::{Code, Order, ParsedOrder};
use serde_json::{Map, Value};

use super::parameters::{Fault, Parameters};
use crate::{api::chain, gateway::Venues, pipeline::salt_number};

/// What an order may carry: its terms, and what says nothing about it.
const KNOWN: [&str; 9] = [
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "price",
    "stopPrice",
    "newClientOrderId",
    // The gateway chooses how much it tells: whatever it knows.
    "newOrderRespType",
];
/// The most digits an exponent may write out; more than any decimal has.
const MOST_ZEROS: i32 = 40;

pub(super) fn read(parameters: &Parameters, venues: &Venues) -> Result<ParsedOrder, Fault> {
    let invalid = |detail: String| (Code::OrderInvalid, detail);
    parameters.only(&KNOWN)?;
    let needed = |name| parameters.needed(name);
    let (counterparty, instrument) = market(needed("symbol")?, venues)?;
    let kind = match needed("type")? {
        "LIMIT" => "limit",
        "MARKET" => "market",
        "STOP_LOSS_LIMIT" => "stop_limit",
        "STOP_LOSS" => "stop_market",
        _ => {
            return Err(invalid(
                "type is none of LIMIT, MARKET, STOP_LOSS_LIMIT, STOP_LOSS".to_owned(),
            ));
        }
    };
    read_terms(&Terms {
        market: (counterparty, instrument),
        side: needed("side")?,
        kind,
        id: parameters.text("newClientOrderId"),
        time_in_force: parameters.text("timeInForce"),
        numbers: [
            ("quantity", "quantity"),
            ("price", "price"),
            ("stop_price", "stopPrice"),
        ]
        .map(|(ours, theirs)| (ours, theirs, parameters.text(theirs))),
    })
}

/// The terms of an order, still in text.
pub(in crate::api) struct Terms<'a> {
    /// Where, and what.
    pub(in crate::api) market: (String, Instrument),
    pub(in crate::api) side: &'a str,
    /// In our words.
    pub(in crate::api) kind: &'static str,
    /// The bot's; one is made when there is none.
    pub(in crate::api) id: Option<&'a str>,
    pub(in crate::api) time_in_force: Option<&'a str>,
    /// Our name, theirs, and the value.
    pub(in crate::api) numbers: [(&'static str, &'static str, Option<&'a str>); 3],
}

/// The order that the terms say, as the reader of `POST /v1/orders` has it.
pub(in crate::api) fn read_terms(asked: &Terms<'_>) -> Result<ParsedOrder, Fault> {
    let invalid = |detail: String| (Code::OrderInvalid, detail);
    let (counterparty, instrument) = &asked.market;
    if asked.id.is_some_and(chain::is_reserved) {
        return Err(invalid(
            "the client's id begins as those of amended orders do (am:); choose another".to_owned(),
        ));
    }
    let id = asked
        .id
        .map_or_else(|| format!("auto-{:016x}", salt_number()), str::to_owned);
    let currency = instrument.as_str().rsplit(['_', '-']).next().unwrap_or_default();
    let mut terms = Map::new();
    let mut put = |name: &str, value: String| terms.insert(name.to_owned(), Value::String(value));
    put("client_order_id", id);
    put("counterparty", counterparty.clone());
    put("currency", currency.to_owned());
    put("instrument", instrument.as_str().to_owned());
    put("side", asked.side.to_ascii_lowercase());
    put("type", asked.kind.to_owned());
    for (ours, theirs, text) in asked.numbers {
        if let Some(text) = text {
            put(
                ours,
                plain(text).ok_or_else(|| invalid(format!("{theirs} is no decimal that can be held exactly")))?,
            );
        }
    }
    if let Some(word) = asked.time_in_force {
        put("time_in_force", word.to_ascii_lowercase());
    }
    let body = Value::Object(terms).to_string();
    Order::from_json(body.as_bytes()).map_err(|faults| {
        let code = faults.iter().map(gateway_policy::OrderFault::code).min();
        let fields: Vec<&str> = faults.iter().map(|fault| fault.field.as_str()).collect();
        (
            code.unwrap_or(Code::OrderInvalid),
            format!("at fault: {}", fields.join(", ")),
        )
    })
}

/// A symbol without its separators: `BTCEUR` for `BTC/EUR`, `BTC_EUR` and `BTC-EUR`.
pub(crate) fn plain_symbol(symbol: &str) -> String {
    symbol.replace(['/', '_', '-'], "")
}

/// The one market that a symbol names.
pub(crate) fn market(symbol: &str, venues: &Venues) -> Result<(String, Instrument), Fault> {
    let wanted = plain_symbol(symbol);
    market_where(venues, |instrument| plain_symbol(instrument.as_str()) == wanted)
}

/// The one market that fits.
pub(in crate::api) fn market_where(
    venues: &Venues,
    fits: impl Fn(&Instrument) -> bool,
) -> Result<(String, Instrument), Fault> {
    let mut found = venues.iter().flat_map(|(name, venue)| {
        venue
            .instruments()
            .into_iter()
            .filter(&fits)
            .map(|one| (name.as_str().to_owned(), one))
            .collect::<Vec<_>>()
    });
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err((Code::OrderInvalid, "symbol names no market of this gateway".to_owned())),
        (Some(_), Some(_)) => {
            let detail = "symbol names several markets here; use POST /v1/orders, which names venue and instrument";
            Err((Code::OrderInvalid, detail.to_owned()))
        }
    }
}

/// A number as clients send them, exact; none where it cannot be.
pub(in crate::api) fn decimal(text: &str) -> Option<Decimal> {
    plain(text).and_then(|text| Decimal::parse(&text).ok())
}

/// A decimal without its exponent, digit by digit: `1e-8` is `0.00000001`. Nothing is rounded; what is too long is left to the reader.
fn plain(text: &str) -> Option<String> {
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return Some(text.to_owned());
    };
    let exponent: i32 = exponent
        .parse()
        .ok()
        .filter(|e| (-MOST_ZEROS..=MOST_ZEROS).contains(e))?;
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    if whole.is_empty() || digits.len() > 40 || !digits.bytes().all(|b| b.is_ascii_digit()) || mantissa.ends_with('.') {
        return None;
    }
    let point = i32::try_from(whole.len()).ok()? + exponent;
    let padded = if point <= 0 {
        let zeros = usize::try_from(1 - point).ok()?;
        format!("{}{digits}", "0".repeat(zeros))
    } else {
        let wanted = usize::try_from(point).ok()?;
        format!("{digits:0<wanted$}")
    };
    let (whole, part) = padded.split_at(usize::try_from(point.max(1)).ok()?);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let part = part.trim_end_matches('0');
    Some(if part.is_empty() {
        whole.to_owned()
    } else {
        format!("{whole}.{part}")
    })
}

#[cfg(test)]
mod tests {
    use super::plain;

    /// Each spelling has its one value, or none.
    #[test]
    fn exponents_are_written_out_exactly_or_refused() {
        for (text, value) in [
            ("1e-8", Some("0.00000001")),
            ("1E+2", Some("100")),
            ("1.25e1", Some("12.5")),
            ("1.25e-1", Some("0.125")),
            ("0.10000000", Some("0.10000000")),
            ("10e-1", Some("1")),
            ("0e5", Some("0")),
            ("1e99", None),
            // The one number whose negation does not fit.
            ("1e-2147483648", None),
            ("10e-2147483648", None),
            ("1e", None),
            ("e1", None),
            ("-1e1", None),
            ("1.e1", None),
        ] {
            assert_eq!(plain(text).as_deref(), value, "{text}");
        }
    }
}
