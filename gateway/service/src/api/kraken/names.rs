//! Kraken's names: of markets, of assets, and of orders and fills, whose ids are made of the numbers of their entries.

use extensions::Instrument;

use crate::{
    api::binance::{
        order::{market_where, plain_symbol},
        parameters::Fault,
    },
    gateway::Venues,
    venue::kraken,
};

/// The one market that a pair names: `XBTEUR`, `XBT/EUR`, `XXBTZEUR`, or our own `BTC_EUR`.
pub(super) fn market(pair: &str, venues: &Venues) -> Result<(String, Instrument), Fault> {
    market_where(venues, |instrument| is_named(pair, *instrument))
}

pub(super) fn is_named(pair: &str, instrument: Instrument) -> bool {
    let bare = || plain_symbol(pair) == plain_symbol(instrument.as_str());
    kraken::is_named(pair, &kraken::symbol_of(instrument)) || bare()
}

/// `O00000-00000-000042`, from the number of the decision's entry; `T…` for a fill's.
pub(super) fn id(kind: char, number: u64) -> String {
    let digits = format!("{number:016}");
    let (head, rest) = digits.split_at(digits.len() - 11);
    let (middle, tail) = rest.split_at(5);
    format!("{kind}{head}-{middle}-{tail}")
}

/// The number in such an id.
pub(super) fn number(kind: char, text: &str) -> Option<u64> {
    let digits = text.strip_prefix(kind)?.replace('-', "");
    let number = digits.parse().ok()?;
    (id(kind, number) == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_go_and_come_back() {
        for given in [0, 42, 1 << 40, u64::MAX] {
            assert_eq!(number('O', &id('O', given)), Some(given));
        }
        for text in ["O0-0-42", "T00000-00000-000042", "O00000-00000-00004x", "O", "42", "Oé"] {
            assert_eq!(number('O', text), None, "{text}");
        }
    }
}
