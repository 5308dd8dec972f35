//! The ids and names of the product, each a type of its own with its own alphabet (certificates.md §5).
//!
//! Comparison is by bytes; there are no wildcards, no case folding and no Unicode, so nothing can look alike.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::inline::Inline;

/// A text outside the alphabet or length of the id it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a valid {what}: expected 1 to {longest} of [{alphabet}]")]
pub struct IdError {
    /// What it was meant to be.
    pub what: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
    /// The longest permitted length, in bytes.
    pub longest: usize,
    /// The alphabet in words.
    pub alphabet: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal, $alphabet:literal, $fits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Inline<$longest>);

        impl $name {
            /// Reads the text form.
            ///
            /// # Errors
            /// When the text is empty, too long or outside the alphabet.
            pub fn new(text: &str) -> Result<Self, IdError> {
                let fits: fn(u8) -> bool = $fits;
                Inline::new(text).filter(|_| text.bytes().all(fits)).map(Self).ok_or_else(|| IdError {
                    what: $what,
                    text: text.chars().take(80).collect(),
                    longest: $longest,
                    alphabet: $alphabet,
                })
            }

            /// The text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl serde::de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(formatter, "{}: 1 to {} of [{}]", $what, $longest, $alphabet)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    };
}

fn lower(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
}

fn lower_name(b: u8) -> bool {
    lower(b) || b == b'_' || b == b'.'
}

fn upper_name(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit() || b"_.-".contains(&b)
}

fn token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_.:-".contains(&b)
}

id!(/// The bot, stable over renewals; also the `algo_id` of its orders.
    AgentId, "agent id", 64, "a-z0-9-", lower);
id!(/// Who answers for an agent: a desk or a firm.
    OwnerId, "owner id", 64, "a-z0-9-", lower);
id!(/// A person who approves or acts on incidents.
    OfficerId, "officer id", 64, "a-z0-9-", lower);
id!(/// One mandate: the document that officers approve.
    MandateId, "mandate id", 64, "a-z0-9-", lower);
id!(/// One running gateway process.
    GatewayId, "gateway id", 64, "a-z0-9-", lower);
id!(/// One incident.
    IncidentId, "incident id", 64, "a-z0-9-", lower);
id!(/// The bot's own id of an order, unique per agent for ever.
    ClientOrderId, "client order id", 64, "A-Za-z0-9_.:-", token);
id!(/// What is traded, as in the certificate: `BTC_EUR`.
    Instrument, "instrument", 32, "A-Z0-9_.-", upper_name);
id!(/// With whom: a venue or counterparty, as in the certificate: `exchange_a`.
    Counterparty, "counterparty", 32, "a-z0-9_.-", lower_name);
id!(/// Where from, by the gateway's own table of networks: `eu-west-1`.
    Region, "region", 32, "a-z0-9_.-", lower_name);
id!(/// The unit of a price: an ISO 4217 code, a DTI, or a local code such as `USDT`.
    Currency, "currency", 16, "A-Z0-9", |b| b.is_ascii_uppercase() || b.is_ascii_digit());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alphabets_are_closed() {
        assert!(Instrument::new("BTC_EUR").is_ok());
        for bad in [
            "",
            "btc_eur",
            "BTC/EUR",
            "BTC EUR",
            "ВТС_EUR",
            "BTC_EUR\u{200d}",
            &"A".repeat(33),
        ] {
            assert!(Instrument::new(bad).is_err(), "{bad:?}");
        }
        assert!(Counterparty::new("Exchange_a").is_err());
        assert!(AgentId::new("mm-1").is_ok() && AgentId::new("mm_1").is_err());
    }

    #[test]
    fn json_form_is_the_text() {
        let id: AgentId = serde_json::from_str("\"mm-1\"").expect("valid");
        assert_eq!(serde_json::to_string(&id).expect("text"), "\"mm-1\"");
        assert!(serde_json::from_str::<AgentId>("\"MM\"").is_err());
    }
}
