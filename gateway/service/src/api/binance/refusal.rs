//! Our refusals as the venue words its own, `{"code", "msg"}`, each chosen for what a stock client does next (docs/clients.md).
//!
//! Clients look for words in the text as well as for the number, and what they read as an invalid order, a bad request or a rejected operation makes
//! some answer a refused stop with a market order. So no such number is ever used where an order may be meant, and the text is ours alone: neither the
//! venue's words nor the bot's stand in it.

use axum::{
    Json,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use gateway_policy::Code;
use serde_json::{Value, json};

use crate::api::problem::CODE_HEADER;

/// The one text that clients read as "the exchange is away, ask again later"; it must stand alone.
const AWAY: &str = "System is under maintenance.";
/// A number that the venue has not: a client reads no more into it than that the exchange said no.
const NO: i32 = -1900;
/// What is said of an act whose end is not known.
const IN_DOUBT: &str = "IN_DOUBT";
/// The words that clients read as "not permitted, do not ask again".
const DENIED: &str = "this bot has no operation privilege for it";

/// What is refused, in no venue's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::api) enum Why {
    /// One of the stable codes.
    Code(Code),
    /// Nobody knows whether it happened.
    InDoubt,
    /// A replacement of which one half happened, or none.
    Replacement,
    /// The venue does not answer this question.
    VenueRefused,
    /// The venue does not answer now.
    VenueAway,
    /// The order to cancel is not open.
    NotCancelled,
}

/// A refusal in the venue's shape.
pub(in crate::api) struct Refused {
    pub(in crate::api) why: Why,
    /// What to change, in our words; empty where there is nothing to say.
    pub(in crate::api) detail: String,
    status: StatusCode,
    number: i32,
    text: String,
    code: &'static str,
    more: Option<(&'static str, Value)>,
}

impl Refused {
    /// The refusal that a code is answered with.
    pub(in crate::api) fn of(code: Code) -> Self {
        let name = code.as_str();
        let meant = format!("{name}: {}", code.meaning());
        let (status, number, text) = match code {
            // 400 as the venue does: for 429 clients raise something else.
            Code::RateMessages | Code::RateOrders => (StatusCode::BAD_REQUEST, -1015, meant),
            Code::LedgerUnavailable | Code::StatusUnknown | Code::NoReferencePrice | Code::Withheld => {
                (StatusCode::SERVICE_UNAVAILABLE, -1001, AWAY.to_owned())
            }
            Code::BodyTooLarge | Code::OrderMalformed | Code::OrderInvalid | Code::VenueRejected => {
                (StatusCode::BAD_REQUEST, NO, meant)
            }
            Code::OrderNotFound => (StatusCode::BAD_REQUEST, -2013, "Order does not exist.".to_owned()),
            Code::CertificateRequired | Code::ProofRequired | Code::ProofInvalid => {
                (StatusCode::UNAUTHORIZED, -1022, meant)
            }
            Code::PathUnknown => (StatusCode::NOT_FOUND, -1002, format!("{meant} {DENIED}")),
            _ => (StatusCode::FORBIDDEN, -1002, format!("{meant} {DENIED}")),
        };
        Self {
            why: Why::Code(code),
            detail: String::new(),
            status,
            number,
            text,
            code: name,
            more: None,
        }
    }

    /// Whether it happened is not known; it is never sent again by us, and must be asked for.
    pub(in crate::api) fn in_doubt() -> Self {
        let text = "IN_DOUBT: the venue has not answered; ask for the order by its id before anything else.";
        Self {
            why: Why::InDoubt,
            detail: String::new(),
            status: StatusCode::GATEWAY_TIMEOUT,
            number: -1007,
            text: text.to_owned(),
            code: IN_DOUBT,
            more: None,
        }
    }

    /// A replacement of which one half happened.
    pub(in crate::api) fn half_replaced() -> Self {
        Self {
            why: Why::Replacement,
            detail: String::new(),
            status: StatusCode::CONFLICT,
            number: -2021,
            text: "Order cancel-replace partially failed.".to_owned(),
            code: "REPLACE_PARTLY",
            more: None,
        }
    }

    /// What refused the new order of an amend whose old one is cancelled already.
    pub(in crate::api) fn after_cancel(&self) -> Self {
        let detail = match self.detail.as_str() {
            "" => self.code.to_owned(),
            detail => format!("{}: {detail}", self.code),
        };
        let mut half = Self::half_replaced();
        half.detail = format!("the order is cancelled, and no new one stands in its place: {detail}");
        half
    }

    /// A replacement of which nothing happened.
    pub(in crate::api) fn not_replaced() -> Self {
        Self {
            why: Why::Replacement,
            detail: String::new(),
            status: StatusCode::BAD_REQUEST,
            number: -2022,
            text: "Order cancel-replace failed.".to_owned(),
            code: "REPLACE_FAILED",
            more: None,
        }
    }

    /// A question about the market that the venue does not answer.
    pub(in crate::api) fn venue_refused() -> Self {
        let text = format!("VENUE_REFUSED: the venue does not answer this question. {DENIED}");
        Self {
            why: Why::VenueRefused,
            detail: String::new(),
            status: StatusCode::NOT_FOUND,
            number: -1002,
            text,
            code: "VENUE_REFUSED",
            more: None,
        }
    }

    /// A question about the market that has no answer now.
    pub(in crate::api) fn venue_away() -> Self {
        Self {
            why: Why::VenueAway,
            detail: String::new(),
            status: StatusCode::SERVICE_UNAVAILABLE,
            number: -1001,
            text: AWAY.to_owned(),
            code: "VENUE_AWAY",
            more: None,
        }
    }

    /// Whether it says that nobody knows.
    pub(in crate::api) fn is_in_doubt(&self) -> bool {
        self.code == IN_DOUBT
    }

    /// Whether it is refused with this code.
    pub(in crate::api) fn is(&self, code: Code) -> bool {
        self.why == Why::Code(code)
    }

    /// With a further member.
    pub(in crate::api) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.more = Some((name, value));
        self
    }

    /// The body.
    pub(in crate::api) fn shown(&self) -> Value {
        let mut shown = json!({ "code": self.number, "msg": self.text });
        if let Some((name, value)) = &self.more {
            shown[*name] = value.clone();
        }
        shown
    }

    /// A cancel of an order that is not open.
    pub(in crate::api) fn not_cancelled() -> Self {
        let code = Code::OrderNotFound.as_str();
        Self {
            why: Why::NotCancelled,
            detail: String::new(),
            status: StatusCode::BAD_REQUEST,
            number: -2011,
            text: "Unknown order sent.".to_owned(),
            code,
            more: None,
        }
    }

    /// With what to change, in our words.
    pub(in crate::api) fn because(mut self, detail: &str) -> Self {
        if !detail.is_empty() {
            // What clients read as "do not ask again" stays.
            let denied = self.text.ends_with(DENIED);
            let denied = if denied { format!(". {DENIED}") } else { String::new() };
            self.text = format!("{}: {detail}{denied}", self.code);
            detail.clone_into(&mut self.detail);
        }
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.shown())).into_response();
        response
            .headers_mut()
            .insert(CODE_HEADER, HeaderValue::from_static(self.code));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Words and numbers on which a stock client raises `InvalidOrder`, `BadRequest` or `OperationRejected`.
    #[test]
    fn no_refusal_of_an_order_reads_as_an_invalid_order() {
        for code in Code::ALL.iter().filter(|code| **code != Code::OrderNotFound) {
            let refused = Refused::of(*code);
            assert!([-1001, -1002, -1015, -1022, NO].contains(&refused.number), "{code}");
            for word in ["LOT_SIZE", "PRICE_FILTER", "PERCENT_PRICE", "Price * QTY"] {
                assert!(!refused.text.contains(word), "{code}");
            }
        }
    }

    /// `docs/clients.md` says for each code what a client gets; what it raises then, `docs/examples/ccxt_table.py` checks with the client itself.
    ///
    /// Control, tried: another number for one code.
    #[test]
    fn the_table_for_clients_is_this_one() {
        let page = include_str!("../../../../../docs/clients.md");
        for refused in Code::ALL.iter().map(|code| Refused::of(*code)).chain([
            Refused::in_doubt(),
            Refused::not_cancelled(),
            Refused::half_replaced(),
            Refused::not_replaced(),
            Refused::venue_refused(),
            Refused::venue_away(),
        ]) {
            let code = refused.code;
            let row = format!(
                "| `{code}` | {} | {} | {} | ",
                refused.status.as_u16(),
                refused.number,
                refused.text
            );
            assert!(page.contains(&row), "{row}");
        }
    }
}
