//! Why a certificate is refused: one named refusal for each item of the profile check.

use thiserror::Error;

use super::Role;
use crate::limits::{LimitsError, OverClaim};

/// A certificate of a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the {role} certificate is refused: {fault}")]
pub struct ProfileError {
    /// Which certificate.
    pub role: Role,
    /// Why.
    pub fault: Fault,
}

/// Why. Each has a stable [`tag`](Fault::tag).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    /// Not a DER certificate, too long, or bytes behind its end.
    #[error("not a well-formed X.509 certificate of at most 16 KiB")]
    Malformed,
    /// Not version 3, or with unique identifiers.
    #[error("not an X.509 version 3 certificate without unique identifiers")]
    Version,
    /// Not a positive serial of 18 octets.
    #[error("the serial number is not a positive one of 18 octets, as Mandatum issues them")]
    Serial,
    /// A signature algorithm off the list, or not the one of the issuer's key, or two that differ.
    #[error(
        "the signature algorithm is not ecdsa-with-SHA256, ecdsa-with-SHA384 or Ed25519 as the issuer's key demands"
    )]
    SignatureAlgorithm,
    /// A key of a kind that the role may not have.
    #[error("the public key is of a kind that this certificate may not have (named curves, uncompressed points only)")]
    KeyAlgorithm,
    /// The signature does not verify.
    #[error("the issuer's signature does not verify")]
    Signature,
    /// Issuer and subject do not chain.
    #[error("the issuer's name is not the subject of the next certificate")]
    IssuerName,
    /// Not yet valid.
    #[error("not yet valid: check the clock, or wait")]
    NotYetValid,
    /// Expired.
    #[error("expired: renew it")]
    Expired,
    /// notAfter before notBefore, or longer than the role may live.
    #[error("its life of {seconds} s is above the maximum of {longest} s")]
    Life {
        /// Seconds from notBefore to notAfter.
        seconds: i64,
        /// The longest permitted.
        longest: i64,
    },
    /// It outlives its issuer.
    #[error("it outlives its issuer")]
    OutlivesIssuer,
    /// A name that is empty where it may not be, or not printable ASCII.
    #[error("the subject is empty or not printable ASCII")]
    Subject,
    /// The same extension twice.
    #[error("the extension {0} appears twice")]
    DuplicateExtension(String),
    /// An extension that the role may not have.
    #[error("unexpected extension {0}")]
    UnexpectedExtension(String),
    /// Critical where it must not be, or the other way round.
    #[error("the extension {0} has the wrong criticality")]
    Criticality(String),
    /// CA bits in a leaf, none in a CA, or another path length.
    #[error("basicConstraints are not those of its role")]
    BasicConstraints,
    /// Another key usage.
    #[error("keyUsage is not exactly that of its role")]
    KeyUsage,
    /// Another, no, or more than one extended key usage.
    #[error("extKeyUsage is not exactly the one of its role")]
    ExtendedKeyUsage,
    /// No or another environment policy.
    #[error(
        "certificatePolicies do not name exactly this environment: a sandbox certificate is no production certificate"
    )]
    Policy,
    /// The documentation arc in production.
    #[error("private enterprise number 32473 is for documentation and never for production")]
    DevelopmentArc,
    /// Not exactly the alternative name of the role.
    #[error("subjectAltName is not exactly that of its role in this trust domain")]
    AlternativeName,
    /// Not the one CRL distribution point.
    #[error("the CRL distribution point is not the one that the CRL names")]
    DistributionPoint,
    /// No AuthorityLimits.
    #[error("it carries no AuthorityLimits: without limits nothing is permitted")]
    LimitsAbsent,
    /// AuthorityLimits that cannot be read.
    #[error("AuthorityLimits: {0}")]
    Limits(#[from] LimitsError),
    /// A CA's limits in a leaf, or the other way round.
    #[error("AuthorityLimits: the subject class is not that of its role")]
    SubjectClass,
    /// More than its issuer grants.
    #[error("over-claim: {0}")]
    OverClaim(#[from] OverClaim),
    /// Not leaf, issuing CA, root.
    #[error("expected the path leaf, issuing CA, root, and got {0} certificates")]
    PathLength(usize),
    /// The root is not self-signed.
    #[error("the anchor is not self-issued")]
    NotSelfIssued,
}

impl Fault {
    /// The stable tag of the refusal.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Serial => "serial",
            Self::SignatureAlgorithm => "signature-algorithm",
            Self::KeyAlgorithm => "key-algorithm",
            Self::Signature => "signature",
            Self::IssuerName => "issuer-name",
            Self::NotYetValid => "not-yet-valid",
            Self::Expired => "expired",
            Self::Life { .. } => "life",
            Self::OutlivesIssuer => "outlives-issuer",
            Self::Subject => "subject",
            Self::DuplicateExtension(_) => "duplicate-extension",
            Self::UnexpectedExtension(_) => "unexpected-extension",
            Self::Criticality(_) => "criticality",
            Self::BasicConstraints => "basic-constraints",
            Self::KeyUsage => "key-usage",
            Self::ExtendedKeyUsage => "extended-key-usage",
            Self::Policy => "policy",
            Self::DevelopmentArc => "development-arc",
            Self::AlternativeName => "alternative-name",
            Self::DistributionPoint => "distribution-point",
            Self::LimitsAbsent => "limits-absent",
            Self::Limits(_) => "limits",
            Self::SubjectClass => "subject-class",
            Self::OverClaim(_) => "over-claim",
            Self::PathLength(_) => "path-length",
            Self::NotSelfIssued => "not-self-issued",
        }
    }
}
