//! The registry of refusal codes: every code the order path can answer with, its HTTP status and its meaning in one line.
//!
//! A code is a contract (orders.md §2): it has one section in `docs/refusals.md`, a test that triggers it and one that sits
//! just inside the limit. Codes are never renamed and never reused; a retired one stays here, marked so. The order of
//! declaration is the decision order, so the first failed check of a refusal is its primary code.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! codes {
    ($($variant:ident = $text:literal, $status:literal, $meaning:literal;)*) => {
        /// A stable refusal code. `Ord` is the decision order.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// Every code, in decision order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable text: `MAX_NOTIONAL`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it means, in one line.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// The HTTP status it is answered with (RFC 9110).
            #[must_use]
            pub const fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Reads the stable text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

codes! {
    // Before an order is known to be one: the request itself.
    PathUnknown = "PATH_UNKNOWN", 404, "The path or method is not on the gateway's allow-list; nothing else is ever passed on.";
    BodyTooLarge = "BODY_TOO_LARGE", 413, "The body is longer than an order can be.";
    OrderMalformed = "ORDER_MALFORMED", 400, "The body is not the strict JSON an order is written in.";
    OrderInvalid = "ORDER_INVALID", 422, "The body is JSON, but a field is missing, unknown or outside its form.";
    CertificateRequired = "CERTIFICATE_REQUIRED", 401, "No client certificate was presented.";
    RateMessages = "RATE_MESSAGES", 429, "More messages than the gateway reads from one agent; the order was counted, not read.";
    OrderNotFound = "ORDER_NOT_FOUND", 404, "This agent has no order with that client order id.";
    // 1: who asks, and in what standing.
    ExtensionUnreadable = "EXTENSION_UNREADABLE", 403, "The certificate's authority extension is absent or cannot be decoded: nothing is permitted.";
    MandateMissing = "MANDATE_MISSING", 403, "The gateway does not hold the mandate document whose hash the certificate carries.";
    StatusUnknown = "STATUS_UNKNOWN", 503, "The agent's standing cannot be told: the view is older than its lease or unreadable.";
    AgentRevoked = "AGENT_REVOKED", 403, "The agent is revoked; no certificate of it permits anything.";
    CertRevoked = "CERT_REVOKED", 403, "This certificate is revoked.";
    CertExpired = "CERT_EXPIRED", 403, "This certificate is outside its validity.";
    StateFrozen = "STATE_FROZEN", 403, "The agent, its owner or the house is frozen: cancels and reads only.";
    StateReduceOnly = "STATE_REDUCE_ONLY", 403, "Only verified reductions and cancels are allowed.";
    StateSuspended = "STATE_SUSPENDED", 403, "An authority suspended the service; reserved for service states to come.";
    StateExitOnly = "STATE_EXIT_ONLY", 403, "Only exits under an exit certificate are allowed; reserved for service states to come.";
    StateClosed = "STATE_CLOSED", 403, "The service is closed; reserved for service states to come.";
    // 2: the same order twice.
    Duplicate = "DUPLICATE", 409, "The client order id was used for another order; ids are used once, for ever.";
    DuplicateSuspected = "DUPLICATE_SUSPECTED", 409, "The same order under a fresh id while the first is unanswered or in doubt.";
    // 3: what, and with whom.
    InstrumentNotAllowed = "INSTRUMENT_NOT_ALLOWED", 403, "The instrument is not in the certificate's list.";
    CounterpartyNotAllowed = "COUNTERPARTY_NOT_ALLOWED", 403, "The venue or counterparty is not in the certificate's list.";
    // 4: when, and from where.
    OutsideHours = "OUTSIDE_HOURS", 403, "The certificate does not cover this minute of the UTC week.";
    RegionNotAllowed = "REGION_NOT_ALLOWED", 403, "The order comes from a network whose region the certificate does not list.";
    // 5: of what type, and proven how.
    OrderTypeNotAllowed = "ORDER_TYPE_NOT_ALLOWED", 403, "The certificate does not allow this order type.";
    ProofRequired = "PROOF_REQUIRED", 401, "The certificate asks for a signature on each order, and there is none.";
    ProofInvalid = "PROOF_INVALID", 401, "The order's signature does not verify.";
    // 6: how much.
    MaxNotional = "MAX_NOTIONAL", 403, "The order's value is above the certificate's cap for one order.";
    UnitNotAllowed = "UNIT_NOT_ALLOWED", 403, "The certificate has no cap in this unit, or the instrument is priced in another; both permit nothing.";
    // 7: at what price.
    PriceCollar = "PRICE_COLLAR", 403, "The price is too far on the worse side, or the stop price is not on the waiting side.";
    NoReferencePrice = "NO_REFERENCE_PRICE", 503, "There is no reference price for the instrument, or it is too old.";
    SelfTrade = "SELF_TRADE", 403, "The order would trade with one of the agent's own open orders.";
    // 8: how often.
    RateOrders = "RATE_ORDERS", 429, "More orders in a window than the certificate allows.";
    // 9: how often it has traded.
    RepeatExecution = "REPEAT_EXECUTION", 403, "As many orders have traded as the mandate allows before an officer resumes the agent: verified reductions and cancels only.";
    // 10: how much in all.
    OpenOrdersMax = "OPEN_ORDERS_MAX", 403, "The agent has as many open orders as the gateway follows.";
    OpenOrdersCap = "OPEN_ORDERS_CAP", 403, "The agent has as many open orders as its mandate allows.";
    DayNotional = "DAY_NOTIONAL", 403, "The day's value, open reservations included, would pass the certificate's cap.";
    DayLoss = "DAY_LOSS", 403, "The day's realised loss has reached the mandate's cap, or cannot be told: verified reductions and cancels only.";
    MaxPosition = "MAX_POSITION", 403, "With its open orders filled, the position would pass the mandate's cap for the instrument.";
    GroupExposure = "GROUP_EXPOSURE", 403, "With this order, the agents of the owner, or all, would have more at stake than officers allow, or it cannot be told: verified reductions and cancels only.";
    PositionUnknown = "POSITION_UNKNOWN", 403, "The order says reduce_only, and the confirmed opposite position does not cover it.";
    // 12: how the agent behaves.
    BaselineMissing = "BASELINE_MISSING", 403, "Scoring is enforced and there is no readable approved baseline to score against.";
    AnomalyRevoked = "ANOMALY_REVOKED", 403, "The behaviour score reached the revocation level; the order is refused and the agent revoked.";
    // After the decision: what became of a permit, and the ledger.
    Withheld = "WITHHELD", 503, "The order was permitted, and not sent: its send deadline passed or the agent was halted.";
    VenueRejected = "VENUE_REJECTED", 422, "The venue refused the order.";
    LedgerUnavailable = "LEDGER_UNAVAILABLE", 503, "The decision could not be recorded, so it does not stand; cancels still work.";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a registered refusal code"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The registry and the document say the same, one to one. Control: rename a heading of the document, or leave a code out.
    #[test]
    fn every_code_has_its_section_and_every_section_its_code() {
        let document = include_str!("../../../docs/refusals.md");
        let sections: Vec<&str> = document.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(sections, codes, "the document's sections, in decision order");
        for (code, section) in Code::ALL.iter().zip(document.split("\n## ").skip(1)) {
            assert!(
                section.contains(&format!("HTTP {}", code.http_status())),
                "{code}: status"
            );
            assert!(section.contains(code.meaning()), "{code}: meaning");
            assert!(section.contains("**Change:**"), "{code}: what to change");
        }
    }

    #[test]
    fn texts_are_unique_and_round_trip() {
        for code in Code::ALL {
            assert_eq!(Code::parse(code.as_str()), Some(*code));
            assert!((400..=599).contains(&code.http_status()));
        }
        assert_eq!(Code::parse("NOPE"), None);
    }
}
