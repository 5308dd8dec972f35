//! Certificate serial numbers as Mandatum issues them (certificates.md §6): one instance byte, then 136 random bits.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Random;

/// A serial of 18 octets, positive (first octet 0x01-0x7f), written as 36 lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial([u8; Serial::OCTETS]);

impl Serial {
    /// The length of every serial we issue, in octets (RFC 5280 §4.1.2.2 allows up to 20).
    pub const OCTETS: usize = 18;

    /// The serial with these octets; `None` unless the first is 0x01-0x7f.
    #[must_use]
    pub fn new(octets: [u8; Self::OCTETS]) -> Option<Self> {
        (1..=0x7f).contains(&octets[0]).then_some(Self(octets))
    }

    /// The serial whose DER integer content these octets are; `None` when it is not one of ours.
    #[must_use]
    pub fn from_slice(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().and_then(Self::new)
    }

    /// A fresh serial of the issuing instance `instance` (0x01-0x7f, else taken as 0x01).
    pub fn draw(instance: u8, random: &mut dyn Random) -> Self {
        let mut octets = [0; Self::OCTETS];
        random.fill(&mut octets[1..]);
        octets[0] = if (1..=0x7f).contains(&instance) { instance } else { 1 };
        Self(octets)
    }

    /// The octets, most significant first.
    #[must_use]
    pub fn octets(&self) -> &[u8; Self::OCTETS] {
        &self.0
    }

    /// Reads 36 lower-case hexadecimal characters; anything else is `None`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 2 * Self::OCTETS || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let mut octets = [0; Self::OCTETS];
        for (octet, at) in octets.iter_mut().zip((0..).step_by(2)) {
            *octet = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Self::new(octets)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(formatter, "{octet:02x}"))
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Serial({self})")
    }
}

impl Serialize for Serial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Serial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("expected a serial of 36 lower-case hexadecimal characters"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_strict() {
        let text = "01".to_owned() + &"ab".repeat(17);
        let serial = Serial::parse(&text).expect("a serial");
        assert_eq!(serial.to_string(), text);
        for bad in [
            text.to_uppercase(),
            "00".to_owned() + &"ab".repeat(17),
            "81".to_owned() + &"ab".repeat(17),
            "+1".to_owned() + &"ab".repeat(17),
        ] {
            assert_eq!(Serial::parse(&bad), None, "{bad}");
        }
        assert_eq!(Serial::from_slice(&[1; 17]), None);
    }
}
