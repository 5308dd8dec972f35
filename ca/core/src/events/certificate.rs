//! Certificates: the intent with its serial, then the certificate.

use extensions::{AgentId, Base64, Digest, MandateId, Serial, Timestamp};
use serde::{Deserialize, Serialize};

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
    pub serial: Serial,
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
    pub serial: Serial,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki: Digest,
}
