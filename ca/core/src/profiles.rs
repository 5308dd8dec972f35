//! What each kind of certificate holds (certificates.md §2): one closed list, nothing copied from a request but the key.

use std::net::IpAddr;

use extensions::{
    AgentId, AuthorityLimits, OfficerId, OwnerId, Serial, Timestamp,
    certificate::{CertificateProfile, Role, SpiffeName, TrustDomain},
    oids::{Environment, Oid, OidArc},
};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, SanType, SerialNumber,
};

use crate::{
    der::{OID, SEQUENCE, tlv},
    issue::IssueError,
};

/// 2.5.29.32, certificatePolicies.
const POLICIES: &[u64] = &[2, 5, 29, 32];
/// 1.3.6.1.5.5.7.1.1, authorityInfoAccess.
const AUTHORITY_INFO: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
/// 1.3.6.1.5.5.7.48.1 and .2, the access methods ocsp and caIssuers, as DER content.
const OCSP: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1];
const CA_ISSUERS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 2];
/// 1.3.6.1.5.5.7.48.1.5, id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1).
const OCSP_NO_CHECK: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 48, 1, 5];

/// What the ceremony fixed for all certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The OID arc.
    pub arc: OidArc,
    /// Production or sandbox.
    pub environment: Environment,
    /// The trust domain, an FQDN.
    pub trust_domain: TrustDomain,
    /// Where the agents' CRL is published: the CDP, equal to the CRL's IDP.
    pub crl_url: String,
    /// Where OCSP is answered.
    pub ocsp_url: String,
    /// Where the issuing CA's certificate is published.
    pub issuer_url: String,
}

impl From<&crate::events::HouseFounded> for Settings {
    fn from(house: &crate::events::HouseFounded) -> Self {
        Self {
            arc: house.arc,
            environment: house.environment,
            trust_domain: house.trust_domain.clone(),
            crl_url: house.crl_url.clone(),
            ocsp_url: house.ocsp_url.clone(),
            issuer_url: house.issuer_url.clone(),
        }
    }
}

/// A kind of certificate with what varies in it. A bot's is made by [`crate::issue::prepare_bot`] alone, from a proof of approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// The anchor of all bots, with the hard ceiling.
    AgentRoot {
        /// Its common name.
        name: String,
        /// The envelope.
        envelope: AuthorityLimits,
    },
    /// Signs bots' certificates, their CRL, and the OCSP responder's certificate.
    AgentIssuing {
        /// Its common name.
        name: String,
        /// The envelope of what it may grant.
        envelope: AuthorityLimits,
    },
    /// The anchor of servers and officers.
    HouseRoot {
        /// Its common name.
        name: String,
    },
    /// Signs servers' and officers' certificates.
    HouseIssuing {
        /// Its common name.
        name: String,
    },
    /// A bot.
    Bot(BotProfile),
    /// A listener.
    Server {
        /// Its common name.
        name: String,
        /// DNS names.
        hosts: Vec<String>,
        /// IP addresses.
        addresses: Vec<IpAddr>,
    },
    /// An officer.
    Officer {
        /// Who.
        officer: OfficerId,
    },
    /// Signs OCSP replies.
    OcspResponder {
        /// Its common name.
        name: String,
    },
}

/// What varies in a bot's certificate. Only this crate fills it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BotProfile {
    pub(crate) agent: AgentId,
    pub(crate) owner: OwnerId,
    pub(crate) limits: AuthorityLimits,
}

impl BotProfile {
    /// The one name it carries. One agent has one live key and a second instance is a second agent, so the instance is always `1`.
    pub(crate) fn name(&self) -> SpiffeName {
        SpiffeName::Agent {
            agent: self.agent,
            instance: AgentId::new("1").expect("a digit is a valid id"),
        }
    }
}

impl Settings {
    /// What a handshake checks certificates of this house against.
    #[must_use]
    pub fn certificate_profile(&self) -> CertificateProfile {
        CertificateProfile {
            arcs: vec![self.arc],
            environment: self.environment,
            trust_domain: self.trust_domain.clone(),
            critical_limits: false,
        }
    }
}

impl Profile {
    /// The role by which a handshake judges it.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::AgentRoot { .. } => Role::AgentRoot,
            Self::AgentIssuing { .. } => Role::AgentIssuing,
            Self::HouseRoot { .. } => Role::HouseRoot,
            Self::HouseIssuing { .. } => Role::HouseIssuing,
            Self::Bot(_) => Role::Agent,
            Self::Server { .. } => Role::Server,
            Self::Officer { .. } => Role::Officer,
            Self::OcspResponder { .. } => Role::OcspResponder,
        }
    }

    /// Whether it is an anchor, signed by itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        matches!(self, Self::AgentRoot { .. } | Self::HouseRoot { .. })
    }

    /// Whether it may sign certificates.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.is_root() || matches!(self, Self::AgentIssuing { .. } | Self::HouseIssuing { .. })
    }

    /// The AuthorityLimits it carries.
    #[must_use]
    pub fn limits(&self) -> Option<&AuthorityLimits> {
        match self {
            Self::AgentRoot { envelope, .. } | Self::AgentIssuing { envelope, .. } => Some(envelope),
            Self::Bot(bot) => Some(&bot.limits),
            _ => None,
        }
    }

    /// The longest life, in seconds.
    #[must_use]
    pub fn longest_life_seconds(&self) -> i64 {
        const DAY: i64 = 86_400;
        match self {
            Self::AgentRoot { .. } | Self::HouseRoot { .. } => 20 * 366 * DAY,
            Self::AgentIssuing { .. } | Self::HouseIssuing { .. } => 366 * DAY,
            Self::Bot(_) => 7 * DAY,
            Self::Server { .. } | Self::Officer { .. } => 366 * DAY,
            Self::OcspResponder { .. } => 31 * DAY,
        }
    }

    /// The subject: set by us, printable ASCII.
    fn subject(&self, settings: &Settings) -> Result<DistinguishedName, IssueError> {
        let printable = |text: &str| {
            rcgen::string::PrintableString::try_from(text)
                .map(DnValue::PrintableString)
                .map_err(|_| IssueError::Name(text.to_owned()))
        };
        let mut name = DistinguishedName::new();
        let (organisation, common) = match self {
            Self::Bot(bot) => (bot.owner.as_str(), bot.agent.as_str()),
            Self::Officer { officer } => (settings.trust_domain.as_str(), officer.as_str()),
            Self::AgentRoot { name, .. }
            | Self::AgentIssuing { name, .. }
            | Self::HouseRoot { name }
            | Self::HouseIssuing { name }
            | Self::Server { name, .. }
            | Self::OcspResponder { name } => (settings.trust_domain.as_str(), name.as_str()),
        };
        // RFC 5280's upper bounds: 64 characters each.
        if !(1..=64).contains(&common.len()) || !(1..=64).contains(&organisation.len()) {
            return Err(IssueError::Name(common.to_owned()));
        }
        name.push(DnType::OrganizationName, printable(organisation)?);
        name.push(DnType::CommonName, printable(common)?);
        Ok(name)
    }

    fn alternative_names(&self, settings: &Settings) -> Result<Vec<SanType>, IssueError> {
        let ascii =
            |text: &str| rcgen::string::Ia5String::try_from(text).map_err(|_| IssueError::Name(text.to_owned()));
        Ok(match self {
            Self::Bot(bot) => vec![SanType::URI(ascii(&bot.name().uri(&settings.trust_domain))?)],
            Self::Officer { officer } => {
                vec![SanType::URI(ascii(
                    &SpiffeName::Officer { officer: *officer }.uri(&settings.trust_domain),
                )?)]
            }
            Self::Server { hosts, addresses, .. } => {
                let mut names = hosts
                    .iter()
                    .map(|host| ascii(host).map(SanType::DnsName))
                    .collect::<Result<Vec<_>, _>>()?;
                names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
                names
            }
            _ => Vec::new(),
        })
    }

    fn extended_key_usages(&self, settings: &Settings) -> Vec<ExtendedKeyUsagePurpose> {
        match self {
            Self::Bot(_) => vec![ExtendedKeyUsagePurpose::Other(settings.arc.trading_agent().arcs())],
            Self::Server { .. } => vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::Officer { .. } => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Self::OcspResponder { .. } => vec![ExtendedKeyUsagePurpose::OcspSigning],
            _ => Vec::new(),
        }
    }

    fn custom_extensions(&self, settings: &Settings) -> Result<Vec<CustomExtension>, IssueError> {
        let mut extensions = Vec::new();
        if !matches!(self, Self::OcspResponder { .. }) {
            extensions.push(policies(&settings.arc.policy(settings.environment)));
        } else {
            extensions.push(CustomExtension::from_oid_content(OCSP_NO_CHECK, vec![0x05, 0x00]));
        }
        if matches!(self, Self::Bot(_)) {
            extensions.push(authority_info(settings));
        }
        if let Some(limits) = self.limits() {
            let value = limits.encode().map_err(|error| IssueError::Limits(error.to_string()))?;
            extensions.push(CustomExtension::from_oid_content(
                &settings.arc.authority_limits().arcs(),
                value,
            ));
        }
        Ok(extensions)
    }

    /// rcgen's parameters: every field set, nothing left to a default that matters.
    pub(crate) fn params(
        &self,
        settings: &Settings,
        serial: &Serial,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> Result<CertificateParams, IssueError> {
        let mut params = CertificateParams::default();
        params.not_before = calendar(not_before)?;
        params.not_after = calendar(not_after)?;
        params.serial_number = Some(SerialNumber::from_slice(serial.octets()));
        params.subject_alt_names = self.alternative_names(settings)?;
        params.distinguished_name = self.subject(settings)?;
        params.is_ca = match self {
            Self::AgentRoot { .. } | Self::HouseRoot { .. } => IsCa::Ca(BasicConstraints::Unconstrained),
            Self::AgentIssuing { .. } | Self::HouseIssuing { .. } => IsCa::Ca(BasicConstraints::Constrained(0)),
            _ => IsCa::ExplicitNoCa,
        };
        params.key_usages = if self.is_ca() {
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign]
        } else {
            vec![KeyUsagePurpose::DigitalSignature]
        };
        params.extended_key_usages = self.extended_key_usages(settings);
        if matches!(self, Self::Bot(_)) {
            params.crl_distribution_points = vec![CrlDistributionPoint {
                uris: vec![settings.crl_url.clone()],
            }];
        }
        params.custom_extensions = self.custom_extensions(settings)?;
        params.use_authority_key_identifier_extension = !self.is_root();
        Ok(params)
    }
}

fn calendar(at: Timestamp) -> Result<time::OffsetDateTime, IssueError> {
    time::OffsetDateTime::from_unix_timestamp(at.seconds())
        .map_err(|_| IssueError::Life("a date outside the calendar".to_owned()))
}

fn policies(policy: &Oid) -> CustomExtension {
    let information = tlv(SEQUENCE, &[&tlv(OID, &[policy.der_content()])]);
    CustomExtension::from_oid_content(POLICIES, tlv(SEQUENCE, &[&information]))
}

fn authority_info(settings: &Settings) -> CustomExtension {
    let access = |method: &[u8], url: &str| tlv(SEQUENCE, &[&tlv(OID, &[method]), &tlv(0x86, &[url.as_bytes()])]);
    let value = tlv(
        SEQUENCE,
        &[
            &access(OCSP, &settings.ocsp_url),
            &access(CA_ISSUERS, &settings.issuer_url),
        ],
    );
    CustomExtension::from_oid_content(AUTHORITY_INFO, value)
}
