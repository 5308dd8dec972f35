//! One order of a signed list of Binance's, `orderList/oco` or the older `order/oco`: put in the words of a single order, and held against the terms as one.

use gateway_policy::order::OrderTerms;

use super::form::{Pairs, fits};

pub(super) const PATH: &str = "/api/v3/orderList/oco";
pub(super) const OLDER: &str = "/api/v3/order/oco";

/// What both orders have in common.
const COMMON: [&str; 3] = ["symbol", "side", "quantity"];
/// What says nothing about an order.
const PLACEHOLDERS: [&str; 6] = [
    "timestamp",
    "recvWindow",
    "signature",
    "apiKey",
    "listClientOrderId",
    "newOrderRespType",
];
/// The parameters of the older path in the words of a single order: of the limit order, and of the stop.
const LIMIT: [(&str, &str); 2] = [("price", "price"), ("limitClientOrderId", "newClientOrderId")];
const STOP: [(&str, &str); 4] = [
    ("stopPrice", "stopPrice"),
    ("stopLimitPrice", "price"),
    ("stopLimitTimeInForce", "timeInForce"),
    ("stopClientOrderId", "newClientOrderId"),
];

/// Whether one of the two orders says these terms, and the other one is an order of the list, too.
pub(super) fn says(pairs: &Pairs, older: bool, terms: &OrderTerms) -> bool {
    let names = pairs.iter().map(|(name, _)| name);
    let twice = names
        .clone()
        .any(|name| names.clone().filter(|other| *other == name).count() > 1);
    let Some([one, other]) = (if older { older_legs(pairs) } else { legs(pairs) }) else {
        return false;
    };
    !twice && (is(&one, terms) || is(&other, terms))
}

/// The parameters of each order in the words of a single one; none where there is any other.
fn legs(pairs: &Pairs) -> Option<[Pairs; 2]> {
    let mut legs = [Pairs::new(), Pairs::new()];
    for (name, value) in pairs {
        if PLACEHOLDERS.contains(&name.as_str()) {
            continue;
        }
        if COMMON.contains(&name.as_str()) {
            legs.iter_mut().for_each(|leg| leg.push((name.clone(), value.clone())));
            continue;
        }
        let (at, rest) = match (name.strip_prefix("above"), name.strip_prefix("below")) {
            (Some(rest), _) => (0, rest),
            (None, Some(rest)) => (1, rest),
            (None, None) => return None,
        };
        let word = match rest {
            "Type" => "type",
            "ClientOrderId" => "newClientOrderId",
            "Price" => "price",
            "StopPrice" => "stopPrice",
            "TimeInForce" => "timeInForce",
            _ => return None,
        };
        // A limit order that only rests is a limit order here.
        let value = if word == "type" && value == "LIMIT_MAKER" {
            "LIMIT"
        } else {
            value
        };
        legs[at].push((word.to_owned(), value.to_owned()));
    }
    Some(legs)
}

fn older_legs(pairs: &Pairs) -> Option<[Pairs; 2]> {
    let limited = pairs
        .iter()
        .any(|(name, value)| name == "stopLimitPrice" && !value.is_empty());
    let stop = if limited { "STOP_LOSS_LIMIT" } else { "STOP_LOSS" };
    let mut legs = ["LIMIT", stop].map(|kind| vec![("type".to_owned(), kind.to_owned())]);
    for (name, value) in pairs {
        let (name, value) = (name.as_str(), value.clone());
        let word = |words: &[(&str, &str)]| {
            words
                .iter()
                .find(|(theirs, _)| *theirs == name)
                .map(|(_, ours)| (*ours).to_owned())
        };
        if PLACEHOLDERS.contains(&name) {
            continue;
        }
        if COMMON.contains(&name) {
            legs.iter_mut()
                .for_each(|leg| leg.push((name.to_owned(), value.clone())));
        } else if let Some(word) = word(&LIMIT) {
            legs[0].push((word, value));
        } else {
            legs[1].push((word(&STOP)?, value));
        }
    }
    Some(legs)
}

fn is(leg: &Pairs, terms: &OrderTerms) -> bool {
    let has = |name: &str| leg.iter().any(|(known, value)| known == name && !value.is_empty());
    let priced = [
        ("price", terms.price.is_some()),
        ("stopPrice", terms.stop_price.is_some()),
    ];
    leg.iter().all(|(name, value)| fits(name, value, terms))
        && ["symbol", "side", "type", "quantity"].into_iter().all(has)
        && priced.iter().all(|(name, is)| !is || has(name))
}

#[cfg(test)]
mod tests {
    use super::super::form::{says, tests::terms};

    /// One of the two orders has to say all of it, and the other one has to be one.
    ///
    /// Control, built in: the lists that fit.
    #[test]
    fn one_of_a_list_says_the_order() {
        let common = "symbol=BTCEUR&side=BUY&quantity=0.01&timestamp=1";
        let own = "belowType=LIMIT_MAKER&belowPrice=47000&belowClientOrderId=n-1";
        let good = format!("{common}&aboveType=STOP_LOSS&aboveStopPrice=52000&{own}");
        let older = format!("{common}&price=47000&limitClientOrderId=n-1&stopPrice=52000&stopClientOrderId=x");
        let (target, of_older) = ("https://gw/api/v3/orderList/oco", "https://gw/api/v3/order/oco");
        assert!(says(target, &good, &terms()) && says(of_older, &older, &terms()));
        assert!(!says(of_older, &good, &terms()) && !says(target, &older, &terms()));
        for (from, to) in [
            ("47000", "470000"),
            ("=BUY", "=SELL"),
            ("0.01", "0.1"),
            ("n-1", "n-2"),
            ("52000", "52000&trailingDelta=1"),
            ("&timestamp=1", "&side=BUY"),
        ] {
            assert!(!says(target, &good.replace(from, to), &terms()), "{from} {to}");
            assert!(!says(of_older, &older.replace(from, to), &terms()), "{from} {to}");
        }
    }
}
