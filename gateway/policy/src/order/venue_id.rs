//! The id under which an order goes to a venue: derived from the agent and the number of the permit's entry, so that it exists
//! before the send, is the same after a crash, and leads back to the entry.

use std::fmt;

use extensions::{AgentId, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `m<16 hexadecimal characters of SHA-256("mandatum/venue-order/v1" ‖ agent)>-<entry number>`: at most 36 characters of
/// `[a-z0-9-]`, which Binance, Kraken, Coinbase and Bitstamp all take as a client order id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VenueOrderId {
    prefix: [u8; 8],
    number: u64,
}

/// The largest entry number an id can carry: 2^53 - 1, as everywhere in the ledger.
const LAST_NUMBER: u64 = (1 << 53) - 1;

impl VenueOrderId {
    /// The id of the permit that is entry `number` of the agent's stream.
    #[must_use]
    pub fn new(agent: &AgentId, number: u64) -> Self {
        Self {
            prefix: Self::prefix_of(agent),
            number: number.min(LAST_NUMBER),
        }
    }

    pub(crate) fn prefix_of(agent: &AgentId) -> [u8; 8] {
        let digest = Digest::of_parts(&[b"mandatum/venue-order/v1", agent.as_str().as_bytes()]);
        let mut prefix = [0; 8];
        prefix.copy_from_slice(&digest.0[..8]);
        prefix
    }

    pub(crate) fn from_prefix(prefix: [u8; 8], number: u64) -> Self {
        Self {
            prefix,
            number: number.min(LAST_NUMBER),
        }
    }

    /// The number of the permit's entry in the agent's stream.
    #[must_use]
    pub fn number(self) -> u64 {
        self.number
    }

    /// Whether the id belongs to an order of `agent`.
    #[must_use]
    pub fn belongs_to(self, agent: &AgentId) -> bool {
        self.prefix == Self::prefix_of(agent)
    }

    /// Reads the text form; anything this type would not write is `None` (an order somebody else sent).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (prefix, number) = text.strip_prefix('m')?.split_once('-')?;
        if prefix.len() != 16 || prefix.bytes().any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let prefix = u64::from_str_radix(prefix, 16).ok()?.to_be_bytes();
        let id = Self {
            prefix,
            number: number.parse().ok().filter(|n| *n <= LAST_NUMBER)?,
        };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for VenueOrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "m{:016x}-{}", u64::from_be_bytes(self.prefix), self.number)
    }
}

impl fmt::Debug for VenueOrderId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "VenueOrderId({self})")
    }
}

impl Serialize for VenueOrderId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VenueOrderId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a venue order id of this gateway"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_leads_back_to_the_entry_and_fits_the_venues() {
        let agent = AgentId::new(&"a".repeat(64)).expect("valid");
        let id = VenueOrderId::new(&agent, LAST_NUMBER);
        let text = id.to_string();
        assert!(text.len() <= 36, "{text}");
        assert_eq!(VenueOrderId::parse(&text), Some(id));
        assert!(id.belongs_to(&agent) && !id.belongs_to(&AgentId::new("b").expect("valid")));
        for foreign in [
            "",
            "m-1",
            "x0000000000000000-1",
            "m0000000000000000-01",
            "m000000000000000g-1",
            "mABCDEF0000000000-1",
        ] {
            assert_eq!(VenueOrderId::parse(foreign), None, "{foreign}");
        }
    }
}
