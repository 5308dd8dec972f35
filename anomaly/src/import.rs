//! One row of the order-stream format, `agent,at,instrument,side,quantity,price,currency,counterparty,region,label`: a pure
//! function over text. Files and decompression belong to the command line.

use extensions::{Counterparty, Currency, Decimal, Instrument, Region, Timestamp};
use thiserror::Error;

use crate::observation::Observation;

/// The header row.
pub const HEADER: &str = "agent,at,instrument,side,quantity,price,currency,counterparty,region,label";
/// The longest row that is read, bytes.
pub const LONGEST_ROW: usize = 512;

/// Which way an order goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Buy.
    Buy,
    /// Sell.
    Sell,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedOrder<'a> {
    /// The stream's own name of the agent; not always a valid agent id.
    pub agent: &'a str,
    /// 0 for clean rows.
    pub label: u32,
    /// What the scorer sees.
    pub observation: Observation,
    /// Price per unit.
    pub price: Decimal,
    /// Units.
    pub quantity: Decimal,
    /// Which way.
    pub side: Side,
}

/// Why a row cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowFault {
    /// Too long.
    #[error("longer than {LONGEST_ROW} bytes")]
    TooLong,
    /// Another number of fields.
    #[error("{0} fields instead of 10: expected {HEADER}")]
    Fields(usize),
    /// A field that does not read.
    #[error("{field}: {text:?} is not {expected}")]
    Field {
        /// The column.
        field: &'static str,
        /// Its text, cut to 80 characters.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
}

/// Reads one row, without its line end. Counterparties and regions are lower-cased; fields are plain, without quotes.
///
/// # Errors
/// Names the first field that does not read.
pub fn parse_row(row: &str) -> Result<ImportedOrder<'_>, RowFault> {
    if row.len() > LONGEST_ROW {
        return Err(RowFault::TooLong);
    }
    let fields: Vec<&str> = row.trim_end_matches(['\r', '\n']).split(',').collect();
    let [
        agent,
        at,
        instrument,
        side,
        quantity,
        price,
        currency,
        counterparty,
        region,
        label,
    ] = fields[..]
    else {
        return Err(RowFault::Fields(fields.len()));
    };
    let quantity = amount("quantity", quantity)?;
    let price = amount("price", price)?;
    let named = !agent.is_empty() && agent.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    let lower_counterparty = counterparty.to_ascii_lowercase();
    Ok(ImportedOrder {
        agent: named.then_some(agent).ok_or_else(|| fault("agent", agent, "a name"))?,
        label: label.parse().map_err(|_| fault("label", label, "a whole number"))?,
        observation: Observation {
            at: Timestamp::parse(at).map_err(|_| fault("at", at, "RFC 3339 in UTC"))?,
            counterparty: Counterparty::new(&lower_counterparty)
                .map_err(|_| fault("counterparty", counterparty, "1 to 32 of [A-Za-z0-9_.-]"))?,
            currency: Currency::new(currency).map_err(|_| fault("currency", currency, "a currency code"))?,
            instrument: Instrument::new(instrument)
                .map_err(|_| fault("instrument", instrument, "1 to 32 of [A-Z0-9_.-]"))?,
            notional: quantity.checked_mul(price),
            refused: false,
            region: Some(
                Region::new(&region.to_ascii_lowercase())
                    .map_err(|_| fault("region", region, "1 to 32 of [a-z0-9_.-]"))?,
            ),
        },
        price,
        quantity,
        side: match side {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            _ => return Err(fault("side", side, "buy or sell")),
        },
    })
}

/// Fuzz target: any bytes are a row, a fault, or not text; never a failure.
pub fn fuzz_row(data: &[u8]) {
    if let Ok(row) = std::str::from_utf8(data) {
        let _ = parse_row(row);
    }
}

fn amount(field: &'static str, text: &str) -> Result<Decimal, RowFault> {
    Decimal::parse(text)
        .ok()
        .filter(|amount| amount.is_positive())
        .ok_or_else(|| fault(field, text, "a plain decimal number above zero"))
}

fn fault(field: &'static str, text: &str, expected: &'static str) -> RowFault {
    RowFault::Field {
        field,
        text: text.chars().take(80).collect(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROW: &str = "bot.A,2025-10-17T22:24:14.487Z,BNB_USD,buy,13.86,1081.0,USD,tT6076,eu-west-1,0";

    #[test]
    fn a_row_reads() {
        let order = parse_row(ROW).unwrap();
        assert_eq!((order.agent, order.side, order.label), ("bot.A", Side::Buy, 0));
        assert_eq!(order.observation.counterparty.as_str(), "tt6076");
        assert_eq!(order.observation.notional, Decimal::parse("14982.66").ok());
        assert_eq!(parse_row(&format!("{ROW}\r\n")), parse_row(ROW));
    }

    #[test]
    fn faults_name_the_field() {
        for (from, to, field) in [
            ("bot.A", "", "agent"),
            ("2025-10-17T", "2025-10-32T", "at"),
            ("BNB_USD", "bnb usd", "instrument"),
            ("buy", "hold", "side"),
            ("13.86", "1e3", "quantity"),
            ("1081.0", "0", "price"),
            (",USD,", ",usd,", "currency"),
            ("tT6076", "a/b", "counterparty"),
            ("eu-west-1", "", "region"),
            ("-1,0", "-1,clean", "label"),
        ] {
            let fault = parse_row(&ROW.replacen(from, to, 1)).unwrap_err();
            let RowFault::Field { field: named, .. } = fault else {
                panic!("{fault}")
            };
            assert_eq!(named, field);
        }
        assert_eq!(parse_row("a,b"), Err(RowFault::Fields(2)));
        assert_eq!(parse_row(&"x".repeat(513)), Err(RowFault::TooLong));
        assert!(parse_row(HEADER).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(row in ".{0,600}", at in 0_usize..80, byte in any::<u8>()) {
            let _ = parse_row(&row);
            let mut bytes = ROW.as_bytes().to_vec();
            bytes[at.min(ROW.len() - 1)] = byte & 0x7f;
            fuzz_row(&bytes);
        }
    }
}
