//! Our refusals as the venue words its own: the venue's error that makes a stock client do the safe thing (docs/clients.md), and ours behind it.
//!
//! Clients act on the first error they know. `EOrder:Unknown order` reads as an invalid order wherever it is no answer to a cancel, so it answers cancels alone.

use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use gateway_policy::Code;
use serde_json::json;

use crate::api::{
    binance::refusal::{Refused, Why},
    problem::CODE_HEADER,
};

const DENIED: &str = "EGeneral:Permission denied";
const AWAY: &str = "EService:Unavailable";
/// An error that the venue has not: a client reads no more into it than that the exchange said no. What the venue has for it makes some answer a refused
/// stop with a market order.
const NO: &str = "EGeneral:Not accepted";
const UNKNOWN_ORDER: &str = "EOrder:Unknown order";
/// The venue has no error for it, so it comes as what it is: no answer. A client that looks at the body alone finds none either.
const IN_DOUBT: &str = "IN_DOUBT: the venue has not answered; ask for the order by its cl_ord_id before anything else.";

/// Our stable word for it.
pub(super) fn name(why: Why) -> &'static str {
    match why {
        Why::Code(code) => code.as_str(),
        Why::InDoubt => "IN_DOUBT",
        Why::NotCancelled => Code::OrderNotFound.as_str(),
        Why::VenueAway => "VENUE_AWAY",
        Why::VenueRefused => "VENUE_REFUSED",
        Why::Replacement => "REPLACE_PARTLY",
    }
}

/// The venue's error; `None` for what has none.
fn error(why: Why) -> Option<String> {
    let known = |text: &str| Some(text.to_owned());
    match why {
        Why::InDoubt => None,
        Why::NotCancelled | Why::Code(Code::OrderNotFound) => known(UNKNOWN_ORDER),
        Why::VenueAway => known(AWAY),
        Why::VenueRefused | Why::Replacement => known(DENIED),
        Why::Code(code) => match code {
            // With our word in it: the bare text makes clients raise something else.
            Code::RateMessages | Code::RateOrders => Some(format!("EAPI:Rate limit exceeded:{code}")),
            Code::LedgerUnavailable | Code::StatusUnknown | Code::NoReferencePrice | Code::Withheld => known(AWAY),
            Code::BodyTooLarge | Code::OrderMalformed | Code::OrderInvalid | Code::VenueRejected => known(NO),
            Code::CertificateRequired | Code::ProofRequired | Code::ProofInvalid => known("EAPI:Invalid key"),
            _ => known(DENIED),
        },
    }
}

/// The venue's error for a part of what was asked. Where another part stands it is none that clients answer by sending all of it again.
pub(super) fn error_of_part(why: Why, some_stand: bool) -> String {
    let error = error(why).unwrap_or_else(|| AWAY.to_owned());
    let again = error == AWAY || error.starts_with("EAPI:Rate limit");
    if some_stand && again { DENIED.to_owned() } else { error }
}

/// What it says beside the venue's error.
pub(super) fn meant(refused: &Refused) -> String {
    let why = match refused.why {
        Why::Code(code) if refused.detail.is_empty() => code.meaning().to_owned(),
        Why::VenueRefused => "the venue does not answer this question".to_owned(),
        Why::VenueAway => "the venue does not answer now".to_owned(),
        Why::NotCancelled => "no open order of this bot".to_owned(),
        _ => refused.detail.clone(),
    };
    format!("EMandatum:{}: {why}", name(refused.why))
}

/// The answer.
pub(super) fn response(refused: &Refused) -> Response {
    let mut response = match error(refused.why) {
        Some(error) => Json(json!({ "error": [error, meant(refused)] })).into_response(),
        None => (StatusCode::GATEWAY_TIMEOUT, IN_DOUBT).into_response(),
    };
    let code = HeaderValue::from_static(name(refused.why));
    response.headers_mut().insert(CODE_HEADER, code);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every() -> impl Iterator<Item = Why> {
        let codes = Code::ALL.iter().map(|code| Why::Code(*code));
        codes.chain([
            Why::InDoubt,
            Why::NotCancelled,
            Why::Replacement,
            Why::VenueRefused,
            Why::VenueAway,
        ])
    }

    /// Errors on which a stock client raises `InvalidOrder` or `BadRequest`, or takes no order for what it is.
    #[test]
    fn no_refusal_of_an_order_reads_as_an_invalid_order() {
        for why in every().filter(|why| !matches!(why, Why::NotCancelled | Why::Code(Code::OrderNotFound))) {
            let error = error(why).unwrap_or_default();
            for word in [
                "EOrder:",
                ":Invalid order",
                "arguments",
                "Insufficient",
                "Internal error",
            ] {
                assert!(!error.contains(word), "{why:?}: {error}");
            }
        }
    }

    /// `docs/clients.md` says for each code which error it has; what a client raises then, `docs/examples/ccxt_table.py` checks with the client itself.
    ///
    /// Control, tried: `RATE_ORDERS` with the venue's bare text.
    #[test]
    fn the_table_for_clients_is_this_one() {
        let page = include_str!("../../../../../docs/clients.md");
        let (_, table) = page
            .split_once("## What a refusal becomes at Kraken's paths")
            .expect("heading");
        for why in every() {
            let error = error(why).unwrap_or_else(|| IN_DOUBT.to_owned());
            let status = if matches!(why, Why::InDoubt) { 504 } else { 200 };
            let rows = || table.lines().filter(|line| line.contains(&format!("`{}`", name(why))));
            let start = format!("| {status} | {error} | ");
            assert!(rows().any(|row| row.starts_with(&start)), "{start} {}", name(why));
        }
    }
}
