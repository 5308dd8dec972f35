//! One officer's signature on one decision, as it stands in every entry that needed it.
//!
//! Mandates, baselines that replace another, house settings and reinstatements are all signed alike (ARCHITECTURE §4), so the form
//! lives here; who must sign is judged by `ca_core::approval`, which alone turns records into a proof.

use serde::{Deserialize, Serialize};

use crate::{Base64, Digest, OfficerId, passkey::Assertion};

/// The purpose at the head of the signed bytes.
pub const PURPOSE: &[u8] = b"mandatum/approve/v1";

/// What an officer says of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes; byte 1.
    Approve,
    /// No; byte 0.
    Reject,
}

impl Decision {
    /// The last byte of the signed bytes.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Approve => 1,
            Self::Reject => 0,
        }
    }
}

/// `SHA-256("mandatum/approve/v1" ‖ nonce ‖ document digest ‖ decision)`: the message that the officer's key signs (ECDSA
/// hashes these 32 bytes once more, as every message).
#[must_use]
pub fn approval_message(nonce: &Digest, document: &Digest, decision: Decision) -> Digest {
    Digest::of_parts(&[PURPOSE, &nonce.0, &document.0, &[decision.byte()]])
}

/// One officer's signature, as recorded. Plain data: whoever relies on it checks it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRecord {
    /// Yes or no.
    pub decision: Decision,
    /// SHA-256 of the canonical document.
    pub document: Digest,
    /// SHA-256 of the officer's SubjectPublicKeyInfo, as the certificate's approver list repeats it.
    pub key: Digest,
    /// The server's 32 random bytes, which keep an old signature from being used again.
    pub nonce: Digest,
    /// Who signed.
    pub officer: OfficerId,
    /// What the authenticator signed around the message, when the key is a passkey's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passkey: Option<Assertion>,
    /// The signature: ECDSA as DER, Ed25519 as 64 bytes.
    pub signature: Base64,
}

impl ApprovalRecord {
    /// The message this signature must be over.
    #[must_use]
    pub fn message(&self) -> Digest {
        approval_message(&self.nonce, &self.document, self.decision)
    }
}
