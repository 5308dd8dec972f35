//! The bot's side of enrolment: one-time token, request, renewal.

use extensions::{AgentId, Base64, Digest, MandateId, OfficerId, Serial, Timestamp};
use serde::{Deserialize, Serialize};

/// `enrolment.token_issued`: the ledger holds the token's SHA-256 alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnrolmentTokenIssued {
    /// Whom it was made for.
    pub agent: AgentId,
    /// The officer who made it.
    pub issued_by: OfficerId,
    /// The mandate whose certificate it asks for.
    pub mandate: MandateId,
    /// SHA-256 of the token.
    pub token: Digest,
    /// The first use must come before this time.
    pub use_before: Timestamp,
}

/// `enrolment.token_bound` (`Exactly`): the first use; from here on only this request counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenBound {
    /// The bot.
    pub agent: AgentId,
    /// The request, DER (PKCS#10).
    pub csr: Base64,
    /// SHA-256 of the request.
    pub csr_digest: Digest,
    /// The mandate.
    pub mandate: MandateId,
    /// SHA-256 of the request's SubjectPublicKeyInfo.
    pub spki: Digest,
    /// SHA-256 of the token.
    pub token: Digest,
}

/// `enrolment.renewal_requested` (`Exactly`): asked over mTLS with the current certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalRequested {
    /// The bot.
    pub agent: AgentId,
    /// The request, DER (PKCS#10).
    pub csr: Base64,
    /// SHA-256 of the request.
    pub csr_digest: Digest,
    /// The certificate that asked.
    pub current: Serial,
    /// The mandate.
    pub mandate: MandateId,
    /// SHA-256 of the request's SubjectPublicKeyInfo.
    pub spki: Digest,
}
