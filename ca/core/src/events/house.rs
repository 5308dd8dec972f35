//! The house's own beginnings: what the ceremony fixed, and the authority's certificates.

use extensions::{Base64, Digest, Environment, Serial, Timestamp, certificate::TrustDomain, oids::OidArc};
use serde::{Deserialize, Serialize};

/// `house.founded`: what the ceremony fixed for good. Stands behind the ledger's own first entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseFounded {
    /// The private enterprise number of the OID arc (certificates.md §3).
    pub arc: OidArc,
    /// Where CRLs are published; each bot's certificate names it.
    pub crl_url: String,
    /// Production or sandbox.
    pub environment: Environment,
    /// Where the issuing CA's certificate is published.
    pub issuer_url: String,
    /// Where OCSP is answered.
    pub ocsp_url: String,
    /// The trust domain of the bots' names, an FQDN.
    pub trust_domain: TrustDomain,
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

/// `house.certificate_reserved` (`Exactly`): the intent to sign a certificate of the house's own (an officer's, a listener's, the OCSP
/// responder's). Appended with the serial before anything is signed, so that no serial is ever signed twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HouseCertificateReserved {
    /// End of life.
    pub not_after: Timestamp,
    /// Start of life.
    pub not_before: Timestamp,
    /// The serial, spent from here on.
    pub serial: Serial,
    /// SHA-256 of the subject's SubjectPublicKeyInfo.
    pub spki: Digest,
    /// Whose it will be: the common name.
    pub subject: String,
    /// SHA-256 of the bytes to be signed.
    pub tbs: Digest,
}

/// `server.certified`: a listener's certificate, for the key it has. At the ceremony, and again at half of each one's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerCertified {
    /// The certificate, DER.
    pub certificate: Base64,
    /// The listener: `gateway`, `console`, `enrolment`.
    pub server: String,
}
