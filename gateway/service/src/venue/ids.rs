//! Ids that venues and we exchange, each bounded and of a closed alphabet, so that a venue's text can go into a record.

use std::fmt;

use extensions::inline::Inline;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! venue_id {
    ($(#[$doc:meta])* $name:ident, $longest:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Inline<$longest>);

        impl $name {
            #[doc = concat!("Reads the text form: 1 to ", stringify!($longest), " of `[A-Za-z0-9_.:/-]`; `None` otherwise.")]
            #[must_use]
            pub fn new(text: &str) -> Option<Self> {
                Inline::new(text).filter(|_| !text.is_empty() && text.bytes().all(fits)).map(Self)
            }

            /// The text form.
            #[must_use]
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&text).ok_or_else(|| serde::de::Error::custom("outside the alphabet or length of a venue id"))
            }
        }
    };
}

/// The alphabet of Binance's `newClientOrderId`, which Kraken and Deribit accept too.
fn fits(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_.:/-".contains(&b)
}

venue_id!(/// The id under which we name an order to a venue, derived from its permit.
    VenueClientId, 36);
venue_id!(/// The id under which the venue keeps an order.
    VenueOrderId, 40);
venue_id!(/// The venue's id of one execution.
    ExecutionId, 40);

impl From<gateway_policy::VenueOrderId> for VenueClientId {
    /// The id that a permit derived is of the venue's alphabet and length by construction.
    fn from(id: gateway_policy::VenueOrderId) -> Self {
        Self::new(&id.to_string()).expect("a derived id has at most 36 characters of [a-z0-9-]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_venue_alphabet_is_read() {
        assert_eq!(
            VenueClientId::new(&"a".repeat(36)).map(|id| id.as_str().len()),
            Some(36)
        );
        for bad in ["", "a b", "a\n", "ä", "a&b=c", "a%20", &"a".repeat(37)] {
            assert!(VenueClientId::new(bad).is_none(), "{bad:?}");
        }
    }
}
