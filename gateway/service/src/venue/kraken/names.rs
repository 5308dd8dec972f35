//! Kraken's names: of markets, which have two, and of our orders, whose ids it takes as UUIDs.

use extensions::Instrument;
use gateway_policy::VenueOrderId as PermitId;
use hyper::Uri;

use crate::venue::{VenueClientId, reach::Settings};

/// How long an order may be on its way: the venue takes deadlines of 2 to 60 seconds ahead, in whole seconds.
const DEADLINE_MS: u32 = 5_000;

/// Settings with the documented defaults and Kraken's names.
#[must_use]
pub fn settings(base: Uri, instruments: impl IntoIterator<Item = Instrument>) -> Settings {
    let mut settings = Settings::new(base, instruments);
    for (instrument, symbol) in &mut settings.symbols {
        *symbol = symbol_of(*instrument);
    }
    settings.recv_window_ms = DEADLINE_MS;
    settings
}

/// `XBTEUR` for `BTC_EUR`: the name that orders use.
#[must_use]
pub fn symbol_of(instrument: Instrument) -> String {
    let (base, quote) = instrument
        .as_str()
        .rsplit_once(['_', '-'])
        .unwrap_or((instrument.as_str(), ""));
    asset_of(base) + &asset_of(quote)
}

/// `XBT` for `BTC`.
#[must_use]
pub fn asset_of(asset: &str) -> String {
    match asset {
        "BTC" => "XBT".to_owned(),
        "DOGE" => "XDG".to_owned(),
        other => other.replace(['_', '-'], ""),
    }
}

/// Whether `name` is one of the names of the market `symbol`: `XBTEUR`, `XBT/EUR`, `XXBTZEUR`.
#[must_use]
pub fn is_named(name: &str, symbol: &str) -> bool {
    let bare: String = name.chars().filter(|c| *c != '/').collect();
    if bare == symbol {
        return true;
    }
    let legacy = |half: &str| half.starts_with(['X', 'Z']);
    let halves = (symbol.len() == 6 && name.len() == 8 && name.is_ascii()).then(|| name.split_at(4));
    halves.is_some_and(|(base, quote)| {
        legacy(base) && legacy(quote) && base[1..] == symbol[..3] && quote[1..] == symbol[3..]
    })
}

/// The `cl_ord_id` of an order: the venue takes free text of at most 18 characters or a UUID, and a derived id is longer. So it goes as a UUID of
/// version 8 (RFC 9562): the 64 bits of its agent and the 53 of its number, and five of zero.
pub(super) fn to_venue(id: &VenueClientId) -> String {
    let Some(permit) = PermitId::parse(id.as_str()) else {
        return id.as_str().to_owned();
    };
    let prefix = id.as_str().get(1..17).and_then(|hex| u64::from_str_radix(hex, 16).ok());
    let (prefix, number) = (prefix.unwrap_or_default(), permit.number());
    // 48 bits, version, 12 bits, variant, 62 bits.
    let low = ((prefix & 0xf) << 58) | (1 << 63) | number;
    let text = format!("{:012x}8{:03x}{low:016x}", prefix >> 16, (prefix >> 4) & 0xfff);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}

/// The id behind a `cl_ord_id`; that of another maker as it is, when it is of our alphabet.
pub(super) fn from_venue(text: &str) -> Option<VenueClientId> {
    ours(text).or_else(|| VenueClientId::new(text))
}

fn ours(text: &str) -> Option<VenueClientId> {
    let hex: String = text.chars().filter(|c| *c != '-').collect();
    if hex.len() != 32 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let (high, low) = hex.split_at(16);
    let (high, low) = (u64::from_str_radix(high, 16).ok()?, u64::from_str_radix(low, 16).ok()?);
    if (high >> 12) & 0xf != 8 || low >> 62 != 0b10 {
        return None;
    }
    let prefix = (high >> 16 << 16) | ((high & 0xfff) << 4) | ((low >> 58) & 0xf);
    let number = low & ((1 << 58) - 1);
    let id = format!("m{prefix:016x}-{number}");
    PermitId::parse(&id)?;
    let id = VenueClientId::new(&id)?;
    // Only as we write it.
    (to_venue(&id) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use extensions::AgentId;

    use super::*;

    #[test]
    fn markets_have_their_names() {
        let instrument = |text: &str| Instrument::new(text).expect(text);
        assert_eq!(symbol_of(instrument("BTC_EUR")), "XBTEUR");
        assert_eq!(symbol_of(instrument("SOL_USDT")), "SOLUSDT");
        for (name, symbol, good) in [
            ("XXBTZEUR", "XBTEUR", true),
            ("XETHXXBT", "ETHXBT", true),
            ("XBT/EUR", "XBTEUR", true),
            ("XXBTZUSD", "XBTEUR", false),
            ("XBTUSD", "XBTEUR", false),
            ("YXBTZEUR", "XBTEUR", false),
            ("éXBZEUR", "XBTEUR", false),
        ] {
            assert_eq!(is_named(name, symbol), good, "{name} {symbol}");
        }
    }

    /// Each derived id is a UUID that leads back to it, and no other maker's is taken for ours.
    ///
    /// Control: without the comparison at the end an upper-case twin reads as ours.
    #[test]
    fn ids_go_and_come_back() {
        for (agent, number) in [("mm-1", 0), ("b", 7), ("c", (1 << 53) - 1)] {
            let id = PermitId::new(&AgentId::new(agent).expect("valid"), number);
            let id = VenueClientId::from(id);
            let sent = to_venue(&id);
            assert!(sent.len() == 36 && sent.as_bytes()[14] == b'8', "{sent}");
            assert_eq!(from_venue(&sent), Some(id));
            assert_eq!(ours(&sent.replace('-', "")), None, "only as we write it");
            assert!(ours(&sent.to_ascii_uppercase()).is_none_or(|_| sent == sent.to_ascii_uppercase()));
        }
        for other in ["d15708c1-dbb6-465d-b77d-47258319cc90", "free text", "strategy-7", ""] {
            assert_eq!(ours(other), None, "{other}");
        }
        assert_eq!(from_venue("strategy-7"), VenueClientId::new("strategy-7"));
    }
}
