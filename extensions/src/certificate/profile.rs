//! What each role's certificate must say, item by item (certificates.md §2).

use std::fmt;

use super::{
    Certificate, Fault, ProfileError, SpiffeName, TrustDomain,
    extension::{
        ALTERNATIVE_NAME, ANY_CA, AUTHORITY_INFO_ACCESS, AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS,
        CERT_AND_CRL_SIGN, CLIENT_AUTH, DIGITAL_SIGNATURE, DISTRIBUTION_POINTS, EXTENDED_KEY_USAGE, KEY_USAGE, NO_CA,
        OCSP_NO_CHECK, OCSP_SIGNING, POLICIES, SERVER_AUTH, SUBJECT_KEY_IDENTIFIER, ca_above, only_hosts,
        sole_distribution_point, sole_policy, sole_purpose, sole_uri,
    },
    view::shown,
};
use crate::{
    AuthorityLimits, KeyAlgorithm, Timestamp,
    limits::Subject,
    oids::{Environment, OidArc},
};

/// The hard maximum of a bot's certificate: seven days.
pub const LONGEST_AGENT_LIFE_SECONDS: i64 = 7 * 86_400;
/// An OCSP responder's certificate lives days, a month at most.
const LONGEST_RESPONDER_LIFE_SECONDS: i64 = 31 * 86_400;
/// Servers and officers: as long as public servers may (398 days).
const LONGEST_HOUSE_LIFE_SECONDS: i64 = 398 * 86_400;
/// A name without attributes.
const EMPTY_NAME: &[u8] = &[0x30, 0x00];

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The root of the bots' tree.
    AgentRoot,
    /// The issuing CA below it.
    AgentIssuing,
    /// A bot.
    Agent,
    /// The root of the house's tree.
    HouseRoot,
    /// The issuing CA below it.
    HouseIssuing,
    /// A listener of the house.
    Server,
    /// An officer.
    Officer,
    /// The OCSP responder of either tree.
    OcspResponder,
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::AgentRoot => "agent root",
            Self::AgentIssuing => "agent issuing CA's",
            Self::Agent => "agent's",
            Self::HouseRoot => "house root",
            Self::HouseIssuing => "house issuing CA's",
            Self::Server => "server's",
            Self::Officer => "officer's",
            Self::OcspResponder => "OCSP responder's",
        })
    }
}

impl Role {
    fn is_root(self) -> bool {
        matches!(self, Self::AgentRoot | Self::HouseRoot)
    }

    fn is_ca(self) -> bool {
        self.is_root() || matches!(self, Self::AgentIssuing | Self::HouseIssuing)
    }

    fn carries_limits(self) -> bool {
        matches!(self, Self::AgentRoot | Self::AgentIssuing | Self::Agent)
    }

    fn key_algorithms(self) -> &'static [KeyAlgorithm] {
        use KeyAlgorithm::{EcdsaP256Sha256, EcdsaP384Sha384, Ed25519};
        match self {
            Self::AgentRoot | Self::HouseRoot => &[EcdsaP384Sha384, EcdsaP256Sha256],
            Self::Agent | Self::Officer => &[EcdsaP256Sha256, Ed25519],
            Self::AgentIssuing | Self::HouseIssuing | Self::Server | Self::OcspResponder => &[EcdsaP256Sha256],
        }
    }

    fn longest_life_seconds(self) -> Option<i64> {
        match self {
            Self::Agent => Some(LONGEST_AGENT_LIFE_SECONDS),
            Self::OcspResponder => Some(LONGEST_RESPONDER_LIFE_SECONDS),
            Self::Server | Self::Officer => Some(LONGEST_HOUSE_LIFE_SECONDS),
            _ => None,
        }
    }

    fn extensions(self) -> &'static [&'static [u8]] {
        match self {
            Self::AgentRoot | Self::HouseRoot => &[
                BASIC_CONSTRAINTS,
                KEY_USAGE,
                SUBJECT_KEY_IDENTIFIER,
                AUTHORITY_KEY_IDENTIFIER,
                POLICIES,
            ],
            Self::AgentIssuing | Self::HouseIssuing => &[
                BASIC_CONSTRAINTS,
                KEY_USAGE,
                SUBJECT_KEY_IDENTIFIER,
                AUTHORITY_KEY_IDENTIFIER,
                POLICIES,
                DISTRIBUTION_POINTS,
                AUTHORITY_INFO_ACCESS,
            ],
            Self::Agent | Self::Server | Self::Officer => &[
                BASIC_CONSTRAINTS,
                KEY_USAGE,
                SUBJECT_KEY_IDENTIFIER,
                AUTHORITY_KEY_IDENTIFIER,
                POLICIES,
                DISTRIBUTION_POINTS,
                AUTHORITY_INFO_ACCESS,
                EXTENDED_KEY_USAGE,
                ALTERNATIVE_NAME,
            ],
            Self::OcspResponder => &[
                BASIC_CONSTRAINTS,
                KEY_USAGE,
                SUBJECT_KEY_IDENTIFIER,
                AUTHORITY_KEY_IDENTIFIER,
                POLICIES,
                EXTENDED_KEY_USAGE,
                OCSP_NO_CHECK,
            ],
        }
    }
}

/// What certificates of one installation must say, whatever their role.
#[derive(Debug, Clone)]
pub struct CertificateProfile {
    /// The arcs accepted, the own first; others only for migrations.
    pub arcs: Vec<OidArc>,
    /// The environment whose policy OID each must name.
    pub environment: Environment,
    /// The trust domain of alternative names.
    pub trust_domain: TrustDomain,
    /// Whether AuthorityLimits is critical (the closed-estate profile); false by default.
    pub critical_limits: bool,
}

impl CertificateProfile {
    /// Judges one certificate by its role, on its own: what its issuer says is judged by the path.
    ///
    /// # Errors
    /// The first item of the profile that does not hold.
    pub fn check_at(&self, certificate: &Certificate, role: Role, now: Timestamp) -> Result<(), ProfileError> {
        self.judge_at(certificate, role, now)
            .map_err(|fault| ProfileError { role, fault })
    }

    fn judge_at(&self, certificate: &Certificate, role: Role, now: Timestamp) -> Result<(), Fault> {
        certificate.valid_at(now)?;
        let seconds = certificate.not_after().seconds() - certificate.not_before().seconds();
        let longest = role.longest_life_seconds().unwrap_or(i64::MAX);
        if !(0..=longest).contains(&seconds) {
            return Err(Fault::Life { seconds, longest });
        }
        if !role.key_algorithms().contains(&certificate.key_algorithm()) {
            return Err(Fault::KeyAlgorithm);
        }
        if certificate.signature_algorithm() == KeyAlgorithm::Ed25519 {
            return Err(Fault::SignatureAlgorithm); // no CA of ours has an Ed25519 key
        }
        if certificate.subject() == EMPTY_NAME || certificate.issuer() == EMPTY_NAME {
            return Err(Fault::Subject);
        }
        if role.is_root() && certificate.subject() != certificate.issuer() {
            return Err(Fault::NotSelfIssued);
        }
        self.expected_extensions(certificate, role)?;
        self.usages(certificate, role)?;
        self.names(certificate, role)?;
        if role.carries_limits() {
            self.limits(certificate, role).map(|_| ())
        } else {
            Ok(())
        }
    }

    /// No extension but those of the role, and each with its criticality.
    fn expected_extensions(&self, certificate: &Certificate, role: Role) -> Result<(), Fault> {
        let limits: Vec<_> = self.arcs.iter().map(|arc| arc.authority_limits()).collect();
        let mut limits_seen = 0;
        for extension in certificate.extensions() {
            let oid = &*extension.oid;
            let is_limits = limits.iter().any(|limits| limits.der_content() == oid);
            limits_seen += usize::from(is_limits);
            let expected = role.extensions().contains(&oid) || (is_limits && role.carries_limits() && limits_seen == 1);
            if !expected {
                return Err(Fault::UnexpectedExtension(shown(oid)));
            }
            let right = match oid {
                _ if is_limits => extension.critical == self.critical_limits,
                // critical in CAs (RFC 5280 §4.2.1.9); in leaves either
                BASIC_CONSTRAINTS => extension.critical || !role.is_ca(),
                KEY_USAGE => extension.critical || role == Role::OcspResponder,
                _ => !extension.critical,
            };
            if !right {
                return Err(Fault::Criticality(shown(oid)));
            }
        }
        Ok(())
    }

    fn usages(&self, certificate: &Certificate, role: Role) -> Result<(), Fault> {
        let value = |oid: &[u8]| certificate.find(oid).map(|extension| &*extension.value);
        let constraints = value(BASIC_CONSTRAINTS);
        let right = match role {
            Role::AgentRoot | Role::HouseRoot => constraints == Some(ANY_CA) || constraints == Some(&ca_above(1)),
            Role::AgentIssuing | Role::HouseIssuing => constraints == Some(&ca_above(0)),
            _ => constraints.is_none_or(|value| value == NO_CA),
        };
        if !right {
            return Err(Fault::BasicConstraints);
        }
        if value(KEY_USAGE)
            != Some(if role.is_ca() {
                CERT_AND_CRL_SIGN
            } else {
                DIGITAL_SIGNATURE
            })
        {
            return Err(Fault::KeyUsage);
        }
        let purpose = value(EXTENDED_KEY_USAGE);
        let right = match role {
            Role::Agent => self
                .arcs
                .iter()
                .any(|arc| purpose == Some(&sole_purpose(arc.trading_agent().der_content()))),
            Role::Server => purpose == Some(&sole_purpose(SERVER_AUTH)),
            Role::Officer => purpose == Some(&sole_purpose(CLIENT_AUTH)),
            Role::OcspResponder => purpose == Some(&sole_purpose(OCSP_SIGNING)),
            _ => purpose.is_none(),
        };
        if !right {
            return Err(Fault::ExtendedKeyUsage);
        }
        let Some(policy) = value(POLICIES) else {
            // the bots' tree must name its environment; the house's may
            return if role.carries_limits() {
                Err(Fault::Policy)
            } else {
                Ok(())
            };
        };
        let arc = self
            .arcs
            .iter()
            .find(|arc| policy == sole_policy(&arc.policy(self.environment)));
        match arc {
            None => Err(Fault::Policy),
            Some(arc) if !arc.fits(self.environment) => Err(Fault::DevelopmentArc),
            Some(_) => Ok(()),
        }
    }

    fn names(&self, certificate: &Certificate, role: Role) -> Result<(), Fault> {
        let value = certificate.find(ALTERNATIVE_NAME).map(|extension| &*extension.value);
        let right = match role {
            Role::Agent => matches!(self.spiffe_name(certificate), Some(SpiffeName::Agent { .. })),
            Role::Officer => matches!(self.spiffe_name(certificate), Some(SpiffeName::Officer { .. })),
            Role::Server => value.is_some_and(only_hosts),
            _ => value.is_none(),
        };
        if right { Ok(()) } else { Err(Fault::AlternativeName) }
    }

    /// The one SPIFFE name in this trust domain, when the certificate has exactly that.
    #[must_use]
    pub fn spiffe_name(&self, certificate: &Certificate) -> Option<SpiffeName> {
        SpiffeName::parse(
            sole_uri(&certificate.find(ALTERNATIVE_NAME)?.value)?,
            &self.trust_domain,
        )
    }

    /// The certificate's AuthorityLimits, of the subject class of its role.
    ///
    /// # Errors
    /// When they are absent, unreadable, or another's class.
    pub fn limits(&self, certificate: &Certificate, role: Role) -> Result<AuthorityLimits, Fault> {
        let value = self
            .arcs
            .iter()
            .find_map(|arc| certificate.extension(&arc.authority_limits()));
        let limits = AuthorityLimits::decode(value.ok_or(Fault::LimitsAbsent)?)?;
        if (*limits.subject() == Subject::Ca) != role.is_ca() {
            return Err(Fault::SubjectClass);
        }
        Ok(limits)
    }

    /// Whether the certificate's only CRL distribution point is this URI.
    ///
    /// # Errors
    /// When it is absent or another.
    pub fn distribution_point(&self, certificate: &Certificate, uri: &str) -> Result<(), Fault> {
        match certificate.find(DISTRIBUTION_POINTS) {
            Some(extension) if *extension.value == *sole_distribution_point(uri) => Ok(()),
            _ => Err(Fault::DistributionPoint),
        }
    }
}
