//! Certificates: the intent with its serial, then the certificate.

use std::fmt;

use extensions::{AgentId, Base64, Digest, MandateId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A serial: one instance byte (0x01 to 0x7f) and 17 random ones, so 18 octets and positive (certificates.md §6). Written as 36
/// lower-case hexadecimal characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(pub [u8; 18]);

impl SerialNumber {
    /// Reads exactly 36 lower-case hexadecimal characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 36 || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return None;
        }
        let mut bytes = [0; 18];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for SerialNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SerialNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a serial: 36 lower-case hexadecimal characters"))
    }
}

/// `certificate.reserved` (`Exactly`): the intent to sign. From here on the status service knows the serial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateReserved {
    /// Whose certificate it will be.
    pub agent: AgentId,
    /// How many limits, names and approvals were checked, each exactly once.
    pub checks: u32,
    /// SHA-256 of the request.
    pub csr: Digest,
    /// SHA-256 of the approved document.
    pub document: Digest,
    /// SHA-256 of the issuing CA's certificate.
    pub issuer: Digest,
    /// The mandate it is issued under.
    pub mandate: MandateId,
    /// End of life; whole seconds.
    pub not_after: Timestamp,
    /// Start of life; whole seconds.
    pub not_before: Timestamp,
    /// The serial, unique over the whole ledger.
    pub serial: SerialNumber,
    /// SHA-256 of the bot's SubjectPublicKeyInfo.
    pub spki: Digest,
    /// SHA-256 of the TBSCertificate that will be signed, and nothing else under this serial.
    pub tbs: Digest,
}

/// `certificate.issued` (`Next`): signed, its signature verified, released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateIssued {
    /// Whose certificate it is.
    pub agent: AgentId,
    /// The certificate, DER.
    pub certificate: Base64,
    /// SHA-256 of the request it answers.
    pub csr: Digest,
    /// The mandate it is issued under.
    pub mandate: MandateId,
    /// End of life.
    pub not_after: Timestamp,
    /// Start of life.
    pub not_before: Timestamp,
    /// Its serial.
    pub serial: SerialNumber,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki: Digest,
}
