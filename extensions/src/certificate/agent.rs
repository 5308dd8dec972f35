//! A bot's certificate with its path: leaf, issuing CA, root. The outcome is what the gateway's session stands on.

use super::{Certificate, CertificateProfile, Fault, ProfileError, Role, SpiffeName};
use crate::{
    AgentId, AuthorityLimits, Digest, EffectiveLimits, KeyAlgorithm, Serial, Timestamp,
    limits::{MandateRef, OverClaim},
};

/// What a bot's path is held to.
#[derive(Debug, Clone)]
pub struct AgentPathProfile {
    /// What every certificate of the installation must say.
    pub certificates: CertificateProfile,
    /// The longest life of a leaf in seconds; never above [`LONGEST_AGENT_LIFE_SECONDS`](super::LONGEST_AGENT_LIFE_SECONDS).
    pub longest_life_seconds: i64,
    /// The URIs that the CRLs' issuing distribution points name, one an issuing CA; each leaf must name one of them and no other. Empty:
    /// not looked at.
    pub distribution_points: Vec<String>,
}

/// A bot's certificate that passed the whole check: profile, path, narrowing.
#[derive(Debug, Clone)]
pub struct AgentCertificate {
    leaf: Certificate,
    agent: AgentId,
    instance: AgentId,
    limits: AuthorityLimits,
    mandate: MandateRef,
    effective: EffectiveLimits,
    path_not_after: Timestamp,
}

impl AgentCertificate {
    /// Checks a leaf with its issuers, from the issuing CA to the root: profile of each, names, signatures, validity of each,
    /// narrowing at each step. Real time, never a sandbox's.
    ///
    /// # Errors
    /// The first certificate, from the root down, and the first item that does not hold.
    pub fn inspect_at(
        leaf: &[u8],
        issuers: &[&[u8]],
        profile: &AgentPathProfile,
        now: Timestamp,
    ) -> Result<Self, ProfileError> {
        let at = |role: Role| move |fault: Fault| ProfileError { role, fault };
        let [issuing, root] = issuers else {
            return Err(at(Role::Agent)(Fault::PathLength(issuers.len() + 1)));
        };
        let certificates = &profile.certificates;
        let mut above: Option<(Certificate, AuthorityLimits)> = None;
        let mut path = Vec::with_capacity(3);
        for (der, role) in [
            (*root, Role::AgentRoot),
            (*issuing, Role::AgentIssuing),
            (leaf, Role::Agent),
        ] {
            let certificate = Certificate::read(der).map_err(at(role))?;
            certificates.check_at(&certificate, role, now)?;
            let limits = certificates.limits(&certificate, role).map_err(at(role))?;
            match &above {
                None => certificate.verify_issued_by(&certificate).map_err(at(role))?,
                Some((issuer, ceiling)) => {
                    certificate.verify_issued_by(issuer).map_err(at(role))?;
                    if certificate.not_after() > issuer.not_after() {
                        return Err(at(role)(Fault::OutlivesIssuer));
                    }
                    limits
                        .is_subset_of(ceiling)
                        .map_err(|claim: OverClaim| at(role)(claim.into()))?;
                }
            }
            path.extend(above.replace((certificate, limits)));
        }
        let (leaf, limits) = above.ok_or_else(|| at(Role::Agent)(Fault::PathLength(0)))?;
        Self::of_checked(leaf, limits, &path, profile).map_err(at(Role::Agent))
    }

    fn of_checked(
        leaf: Certificate,
        limits: AuthorityLimits,
        above: &[(Certificate, AuthorityLimits)],
        profile: &AgentPathProfile,
    ) -> Result<Self, Fault> {
        let seconds = leaf.not_after().seconds() - leaf.not_before().seconds();
        if seconds > profile.longest_life_seconds {
            return Err(Fault::Life {
                seconds,
                longest: profile.longest_life_seconds,
            });
        }
        let points = &profile.distribution_points;
        let names = |uri: &String| profile.certificates.distribution_point(&leaf, uri).is_ok();
        if !points.is_empty() && !points.iter().any(names) {
            return Err(Fault::DistributionPoint);
        }
        let Some(SpiffeName::Agent { agent, instance }) = profile.certificates.spiffe_name(&leaf) else {
            return Err(Fault::AlternativeName);
        };
        let mandate = limits.mandate().cloned().ok_or(Fault::SubjectClass)?;
        let effective = EffectiveLimits::compile(&limits, above.iter().map(|(_, limits)| limits));
        let path_not_after = above
            .iter()
            .map(|(issuer, _)| issuer.not_after())
            .fold(leaf.not_after(), Ord::min);
        Ok(Self {
            leaf,
            agent,
            instance,
            limits,
            mandate,
            effective,
            path_not_after,
        })
    }

    /// The bot.
    #[must_use]
    pub fn agent(&self) -> AgentId {
        self.agent
    }

    /// Its instance.
    #[must_use]
    pub fn instance(&self) -> AgentId {
        self.instance
    }

    /// The leaf as a certificate.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The leaf's serial.
    #[must_use]
    pub fn serial(&self) -> Serial {
        self.leaf.serial()
    }

    /// SHA-256 of the leaf.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.leaf.fingerprint()
    }

    /// SubjectPublicKeyInfo DER of the bot's key, which also signs its orders.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.leaf.spki()
    }

    /// SHA-256 of [`spki`](Self::spki).
    #[must_use]
    pub fn spki_hash(&self) -> Digest {
        self.leaf.spki_hash()
    }

    /// The kind of the bot's key.
    #[must_use]
    pub fn key_algorithm(&self) -> KeyAlgorithm {
        self.leaf.key_algorithm()
    }

    /// The leaf's limits as it states them.
    #[must_use]
    pub fn limits(&self) -> &AuthorityLimits {
        &self.limits
    }

    /// Leaf ∩ issuing CA ∩ root, compiled.
    #[must_use]
    pub fn effective(&self) -> &EffectiveLimits {
        &self.effective
    }

    /// The mandate it refers to.
    #[must_use]
    pub fn mandate(&self) -> &MandateRef {
        &self.mandate
    }

    /// The earliest end of any certificate of the path (the last second in which all are valid).
    #[must_use]
    pub fn path_not_after(&self) -> Timestamp {
        self.path_not_after
    }

    /// Whether each certificate of the path is still valid; the whole was checked at the handshake.
    #[must_use]
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        now >= self.leaf.not_before() && now < self.path_not_after.plus_seconds(1)
    }
}
