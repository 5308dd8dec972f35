//! The house's own beginnings: the ledger's root key, the keys of its writers, the authority's certificates.

use extensions::{Base64, Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::Environment;

/// `ledger.started`: the first entry of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerStarted {
    /// Production or sandbox.
    pub environment: Environment,
    /// A random name of this ledger; its checkpoints' origin is `mandatum/` and the first 16 characters.
    pub ledger: Digest,
    /// The private enterprise number of the OID arc (certificates.md §3).
    pub pen: u32,
    /// The ledger root's SubjectPublicKeyInfo, DER (Ed25519).
    pub root_key: Base64,
    /// The trust domain of the bots' names, an FQDN.
    pub trust_domain: String,
}

/// `checkpoint_key.authorised`: signed by the ledger root key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointKeyAuthorised {
    /// The writer's SubjectPublicKeyInfo, DER (Ed25519).
    pub key: Base64,
    /// Checkpoints after this time are not valid.
    pub not_after: Timestamp,
    /// Checkpoints before this time are not valid.
    pub not_before: Timestamp,
    /// The ledger root's signature over [`signed_bytes`](Self::signed_bytes).
    pub signature: Base64,
    /// The writer's name, as its entries carry it.
    pub writer: String,
}

impl CheckpointKeyAuthorised {
    /// What the ledger root key signs: a purpose, the writer, both times in microseconds (big endian), the key.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut bytes = b"mandatum/checkpoint-key/v1\0".to_vec();
        bytes.extend_from_slice(self.writer.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(&self.not_before.micros().to_be_bytes());
        bytes.extend_from_slice(&self.not_after.micros().to_be_bytes());
        bytes.extend_from_slice(&self.key.0);
        bytes
    }
}

/// What a certificate of the authority is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaCertificateUse {
    /// The anchor of all bots.
    AgentRoot,
    /// Signs bots' certificates and their CRL.
    AgentIssuing,
    /// The anchor of servers and officers.
    HouseRoot,
    /// Signs servers' and officers' certificates.
    HouseIssuing,
    /// Signs OCSP replies for the agents' issuing CA.
    OcspResponder,
}

/// `ca.certificate_installed`: gating, because a changed anchor changes what is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaCertificateInstalled {
    /// The certificate, DER.
    pub certificate: Base64,
    /// What it is for. Named `for` in the entry.
    #[serde(rename = "for")]
    pub purpose: CaCertificateUse,
}
