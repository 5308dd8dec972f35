//! A signed order of a stock client of Kraken: form of `POST /0/private/AddOrder`, or one of the orders in the JSON of `AddOrderBatch`, held against the terms
//! that were decided, without the gateway's code.

use std::collections::BTreeMap;

use gateway_policy::order::{OrderKind, OrderTerms, TimeInForce};
use serde_json::value::RawValue;

use super::form::{Pairs, plain, same};

pub(super) const PATH: &str = "/0/private/AddOrder";
pub(super) const BATCH: &str = "/0/private/AddOrderBatch";
/// What says nothing about an order.
const PLACEHOLDERS: [&str; 6] = ["timestamp", "recvWindow", "signature", "apiKey", "nonce", "otp"];

/// Whether these parameters, all of them, say these terms.
pub(super) fn says(pairs: &Pairs, terms: &OrderTerms) -> bool {
    let named = |name: &str| pairs.iter().any(|(known, value)| known == name && !value.is_empty());
    let mut seen = Vec::new();
    for (name, value) in pairs {
        if seen.contains(&name) || !PLACEHOLDERS.contains(&name.as_str()) && !fits(name, value, terms) {
            return false;
        }
        seen.push(name);
    }
    let (price, second) = names_of_prices(terms);
    ["pair", "type", "ordertype", "volume"].into_iter().all(named)
        && (price.is_none() || named("price"))
        && (second.is_none() || named("price2"))
}

/// Whether one of the orders of a batch says these terms.
pub(super) fn batch_says(body: &str, terms: &OrderTerms) -> bool {
    let Some(common) = members(body) else { return false };
    let Some(orders) = common.get("orders") else {
        return false;
    };
    let Ok(orders) = serde_json::from_str::<Vec<&RawValue>>(orders.get()) else {
        return false;
    };
    let shared = common.iter().filter(|(name, _)| name.as_str() != "orders");
    let Some(shared) = shared.map(|(name, value)| text(name, value)).collect::<Option<Pairs>>() else {
        return false;
    };
    let only = ["pair", "validate"];
    if shared
        .iter()
        .any(|(name, _)| !only.contains(&name.as_str()) && !PLACEHOLDERS.contains(&name.as_str()))
    {
        return false;
    }
    orders.iter().any(|order| {
        let own = members(order.get());
        let own = own.and_then(|own| {
            own.iter()
                .map(|(name, value)| text(name, value))
                .collect::<Option<Pairs>>()
        });
        own.is_some_and(|own| says(&[shared.clone(), own].concat(), terms))
    })
}

/// The members of an object, each once.
fn members(text: &str) -> Option<BTreeMap<String, &RawValue>> {
    struct Each<'a>(BTreeMap<String, &'a RawValue>);
    impl<'de> serde::Deserialize<'de> for Each<'de> {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Members;
            impl<'de> serde::de::Visitor<'de> for Members {
                type Value = Each<'de>;
                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                    let mut all = BTreeMap::new();
                    while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                        if all.insert(name, value).is_some() {
                            return Err(serde::de::Error::custom("a name twice"));
                        }
                    }
                    Ok(Each(all))
                }
            }
            deserializer.deserialize_map(Members)
        }
    }
    serde_json::from_str::<Each<'_>>(text).ok().map(|Each(all)| all)
}

/// A plain value as a form would have it.
fn text(name: &str, value: &RawValue) -> Option<(String, String)> {
    let raw = value.get();
    let text = match raw.as_bytes().first()? {
        b'"' => serde_json::from_str(raw).ok()?,
        b'n' => String::new(),
        b'{' | b'[' => return None,
        _ => raw.to_owned(),
    };
    Some((name.to_owned(), text))
}

/// What `price` and `price2` are of these terms: a stop's `price` is where it waits.
fn names_of_prices(terms: &OrderTerms) -> (Option<extensions::Decimal>, Option<extensions::Decimal>) {
    match terms.kind {
        OrderKind::Limit | OrderKind::Market => (terms.price, None),
        OrderKind::StopLimit | OrderKind::StopMarket => (terms.stop_price, terms.price),
    }
}

fn fits(name: &str, value: &str, terms: &OrderTerms) -> bool {
    let (price, second) = names_of_prices(terms);
    // Clients send a price of zero where there is none.
    let priced = |price: Option<_>| match price {
        None => value.bytes().all(|byte| b"0.".contains(&byte)),
        price => same(value, price),
    };
    match name {
        "pair" => pair_is(value, terms.instrument.as_str()),
        "type" => value.eq_ignore_ascii_case(terms.side.as_str()),
        "ordertype" => {
            let kind = match terms.kind {
                OrderKind::Limit => "limit",
                OrderKind::Market => "market",
                OrderKind::StopLimit => "stop-loss-limit",
                OrderKind::StopMarket => "stop-loss",
            };
            value == kind
        }
        "volume" => same(value, Some(terms.quantity)),
        // The gateway takes an empty one as not sent.
        _ if value.is_empty() => [
            "price",
            "price2",
            "timeinforce",
            "cl_ord_id",
            "validate",
            "oflags",
            "leverage",
        ]
        .contains(&name),
        "price" => priced(price),
        "price2" => priced(second),
        "timeinforce" => {
            let time = match terms.time_in_force {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
            };
            value.eq_ignore_ascii_case(time)
        }
        "cl_ord_id" => value == terms.client_order_id.as_str(),
        "validate" => value.eq_ignore_ascii_case("false") || value == "0",
        "oflags" => value == "fciq",
        "leverage" => value == "none",
        _ => false,
    }
}

/// Whether a pair names an instrument: `XBTEUR`, `XBT/EUR`, `XXBTZEUR`, or `BTC_EUR` and the like.
fn pair_is(pair: &str, instrument: &str) -> bool {
    let asset = |name: &str| match name {
        "BTC" => "XBT".to_owned(),
        "DOGE" => "XDG".to_owned(),
        other => plain(other),
    };
    let (base, quote) = instrument.rsplit_once(['_', '-']).unwrap_or((instrument, ""));
    let (base, quote) = (asset(base), asset(quote));
    let legacy = || {
        let three = base.len() == 3 && quote.len() == 3;
        let long = |part: &str, asset: &str| ["X", "Z"].iter().any(|first| part == format!("{first}{asset}"));
        three && pair.len() == 8 && pair.is_ascii() && long(&pair[..4], &base) && long(&pair[4..], &quote)
    };
    plain(pair) == plain(instrument) || pair.replace('/', "") == format!("{base}{quote}") || legacy()
}

#[cfg(test)]
mod tests {
    use super::super::form::{says, tests::terms};

    /// Spellings of one order fit, and each that says another thing, a thing twice or too little does not; of a batch one order has to say all of it.
    ///
    /// Control, built in: the spellings that fit, read by the same functions.
    #[test]
    fn a_form_or_one_of_a_batch_says_the_order() {
        let target = "https://gw:8443/0/private/AddOrder";
        let good = "nonce=1&pair=XBTEUR&type=buy&ordertype=limit&volume=0.01&price=47000&cl_ord_id=n-1";
        let fits = |body: &str| says(target, body, &terms());
        assert!(fits(good));
        assert!(fits(&format!("{good}&oflags=fciq&timeinforce=gtc&price2=0&otp=1")));
        for pair in ["XXBTZEUR", "XBT%2FEUR", "BTC_EUR", "BTCEUR"] {
            assert!(fits(&good.replace("XBTEUR", pair)), "{pair}");
        }
        assert!(fits(&good.replace("0.01", "1.0e-2").replace("47000", "4.7E4")));
        for (from, to) in [
            ("XBTEUR", "XBTUSD"),
            ("XBTEUR", "XXBTZUSD"),
            ("=buy", "=sell"),
            ("=limit", "=market"),
            ("0.01", "0.011"),
            ("47000", "470000"),
            ("&price=47000", ""),
            ("&price=47000", "&price=47000&price2=1"),
            ("&price=47000", "&price=47000&price=47000"),
            ("&price=47000", "&price=47000&leverage=5"),
            ("&price=47000", "&price=47000&validate=true"),
            ("n-1", "n-2"),
        ] {
            assert!(!fits(&good.replace(from, to)), "{from} {to}");
        }

        let target = format!("{target}Batch");
        let other = r#"{"type":"sell","ordertype":"market","volume":"1"}"#;
        let own = r#"{"type":"buy","ordertype":"limit","volume":1e-2,"price":"47000","cl_ord_id":"n-1"}"#;
        let batch = |orders: &[&str]| format!(r#"{{"nonce":"1","pair":"XBTEUR","orders":[{}]}}"#, orders.join(","));
        let fits = |body: &str| says(&target, body, &terms());
        assert!(fits(&batch(&[other, own])) && fits(&batch(&[own, other])));
        assert!(!fits(&batch(&[other, other])) && !fits(own) && !fits(&batch(&[])));
        for (from, to) in [
            ("1e-2", "1e-3"),
            ("n-1", "n-2"),
            ("\"price\"", "\"price\":\"1\",\"price\""),
            ("XBTEUR", "XBTUSD"),
            ("\"nonce\"", "\"deadline\""),
            ("\"pair\"", "\"pair\":\"XBTUSD\",\"pair\""),
        ] {
            assert!(!fits(&batch(&[other, own]).replace(from, to)), "{from} {to}");
        }
    }
}
