//! A signed order of a stock client: query and form of `POST /api/v3/order` or of its `cancelReplace`, or what one of Kraken sends, held against the terms that were decided.
//!
//! The gateway translates such a request into terms; this reads it the other way, without the gateway's code: what the client wrote must
//! be what the terms say. Names that say nothing about an order (key, signature, timestamp) are passed over, and so is an id where the
//! client sent none: then the gateway made it.

use gateway_policy::order::{OrderKind, OrderTerms, TimeInForce};

use super::{kraken, lists};

/// The paths whose orders are forms; the second one's say what is cancelled first, too.
const PATH: &str = "/api/v3/order";
const REPLACES: &str = "/api/v3/order/cancelReplace";
/// What is about the order to cancel, and says nothing of the new one.
const OF_CANCEL: [&str; 3] = ["cancelReplaceMode", "cancelOrderId", "cancelOrigClientOrderId"];

/// Names and values as they were sent.
pub(super) type Pairs = Vec<(String, String)>;

/// Whether the request to `target` with this body says these terms and nothing else.
pub(super) fn says(target: &str, body: &str, terms: &OrderTerms) -> bool {
    let path = target
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
    let (path, query) = path.map_or(("", ""), |path| path.split_once('?').unwrap_or((path, "")));
    if path == kraken::BATCH {
        return query.is_empty() && kraken::batch_says(body, terms);
    }
    let replaces = path == REPLACES;
    let list = [lists::PATH, lists::OLDER].contains(&path);
    if path != PATH && path != kraken::PATH && !replaces && !list {
        return false;
    }
    let pairs = query.split('&').chain(body.trim_end().split('&'));
    let pairs = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=')?;
        unescaped(name).zip(unescaped(value))
    });
    let Some(pairs) = pairs.collect::<Option<Pairs>>() else {
        return false;
    };
    if path == kraken::PATH {
        return kraken::says(&pairs, terms);
    }
    if list {
        return lists::says(&pairs, path == lists::OLDER, terms);
    }
    let mut seen = Vec::new();
    for (name, value) in &pairs {
        let of_cancel = replaces && OF_CANCEL.contains(&name.as_str());
        if seen.contains(&name) || !of_cancel && !fits(name, value, terms) {
            return false;
        }
        seen.push(name);
    }
    let has = |name: &str| seen.iter().any(|seen| *seen == name);
    let priced = [
        ("price", terms.price.is_some()),
        ("stopPrice", terms.stop_price.is_some()),
    ];
    ["symbol", "side", "type", "quantity"].into_iter().all(has) && priced.iter().all(|(name, is)| !is || has(name))
}

/// Whether a number was written for an amount.
pub(super) fn same(wrote: &str, amount: Option<extensions::Decimal>) -> bool {
    amount.is_some_and(|amount| weighed(wrote).is_some_and(|wrote| Some(wrote) == weighed(&amount.to_string())))
}

/// Whether one parameter says what the terms say.
pub(super) fn fits(name: &str, value: &str, terms: &OrderTerms) -> bool {
    let same = |amount| same(value, amount);
    match name {
        "timestamp" | "recvWindow" | "signature" | "newOrderRespType" | "apiKey" => true,
        "symbol" => plain(value) == plain(terms.instrument.as_str()),
        "side" => value.eq_ignore_ascii_case(terms.side.as_str()),
        "type" => {
            let kind = match terms.kind {
                OrderKind::Limit => "LIMIT",
                OrderKind::Market => "MARKET",
                OrderKind::StopLimit => "STOP_LOSS_LIMIT",
                OrderKind::StopMarket => "STOP_LOSS",
            };
            value == kind
        }
        "quantity" => same(Some(terms.quantity)),
        // The gateway takes an empty one as not sent.
        "timeInForce" | "price" | "stopPrice" | "newClientOrderId" if value.is_empty() => true,
        "timeInForce" => {
            let time = match terms.time_in_force {
                TimeInForce::Gtc => "GTC",
                TimeInForce::Ioc => "IOC",
                TimeInForce::Fok => "FOK",
            };
            value.eq_ignore_ascii_case(time)
        }
        "price" => same(terms.price),
        "stopPrice" => same(terms.stop_price),
        "newClientOrderId" => value == terms.client_order_id.as_str(),
        _ => false,
    }
}

/// A symbol without its separators.
pub(super) fn plain(symbol: &str) -> String {
    symbol.replace(['/', '_', '-'], "")
}

/// The digits of a decimal without zeros at either end, and the power of ten of the last of them: equal exactly for equal amounts.
fn weighed(text: &str) -> Option<(String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{part}");
    if digits.is_empty() || digits.len() > 64 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let exponent = i64::from(exponent.parse::<i32>().ok()?) - i64::try_from(part.len()).ok()?;
    let short = digits.trim_end_matches('0');
    let dropped = i64::try_from(digits.len() - short.len()).ok()?;
    let short = short.trim_start_matches('0');
    Some(if short.is_empty() {
        (String::new(), 0)
    } else {
        (short.to_owned(), exponent + dropped)
    })
}

/// The text behind `%XX` and `+`; nothing unless all of it is printable ASCII.
fn unescaped(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = String::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [bytes.next()?, bytes.next()?];
                let pair = std::str::from_utf8(&pair).ok()?;
                u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))?
            }
            byte => byte,
        };
        if !(b' '..=b'~').contains(&byte) {
            return None;
        }
        out.push(char::from(byte));
    }
    Some(out)
}

#[cfg(test)]
pub(super) mod tests {
    use gateway_policy::order::Side;

    use super::*;

    pub(in super::super) fn terms() -> OrderTerms {
        OrderTerms {
            client_order_id: "n-1".parse().expect("an id"),
            counterparty: "exchange_a".parse().expect("a venue"),
            currency: "EUR".parse().expect("a unit"),
            instrument: "BTC_EUR".parse().expect("an instrument"),
            price: Some("47000".parse().expect("a price")),
            quantity: "0.01".parse().expect("a quantity"),
            reduce_only: false,
            side: Side::Buy,
            stop_price: None,
            time_in_force: TimeInForce::Gtc,
            kind: OrderKind::Limit,
        }
    }

    /// Spellings of one order fit, and each that says another thing, a thing twice or too little does not.
    ///
    /// Control, built in: the spellings that fit, read by the same function.
    #[test]
    fn a_form_says_one_order() {
        let target = "https://gw:8443/api/v3/order";
        let good = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=47000";
        let fits = |body: &str| says(target, body, &terms());
        assert!(fits(good));
        assert!(fits(&format!("{good}&newClientOrderId=n-1&timestamp=1&signature=x\n")));
        let spelt = good.replace("0.01", "1.0e-2").replace("BTCEUR", "BTC%2FEUR");
        assert!(fits(&spelt.replace("47000", "4.7E4")));
        assert!(says(&format!("{target}?{good}"), "", &terms()));
        for (from, to) in [
            ("BTCEUR", "ETHEUR"),
            ("BUY", "SELL"),
            ("LIMIT", "MARKET"),
            ("GTC", "IOC"),
            ("0.01", "0.011"),
            ("0.01", "0.1"),
            ("47000", "470000"),
            ("&price=47000", ""),
            ("&price=47000", "&price=47000&stopPrice=1"),
            ("&price=47000", "&price=47000&price=47000"),
            ("&price=47000", "&price=47000&icebergQty=1"),
            ("&price=47000", "&price=47000&newClientOrderId=other"),
        ] {
            assert!(!fits(&good.replace(from, to)), "{from} {to}");
        }
        assert!(!says("https://gw:8443/v1/orders", good, &terms()));
        let replaced = format!("{good}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrderId=7");
        assert!(says(&format!("{target}/cancelReplace"), &replaced, &terms()));
        assert!(!fits(&replaced), "nothing is cancelled by the other path");
        let other = replaced.replace("47000", "470000");
        assert!(!says(&format!("{target}/cancelReplace"), &other, &terms()));
    }
}
