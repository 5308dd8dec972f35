//! Who is on a connection: what its certificate says, compiled once per handshake.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use extensions::{
    Digest, EffectiveLimits, KeyAlgorithm, OwnerId, Timestamp,
    certificate::{AgentCertificate, AgentPathProfile},
};
use gateway_policy::{CertificateUsed, Validity};
use revocation_core::{HouseMode, Standing};

use crate::{
    api::proof::ProofKey,
    gateway::Gateway,
    listener::sessions::{Holder, Registered},
    pipeline::{mandates::ApprovedMandate, slot::Slot},
};

/// How many inspected certificates are kept between a handshake and its session: each stays for at least so many later ones.
const INSPECTED_CERTIFICATES: usize = 4_096;

/// One authenticated connection.
pub struct Session {
    /// The agent.
    pub slot: Arc<Slot>,
    /// Where it comes from.
    pub address: SocketAddr,
    /// What its certificate permits, narrowed by every CA above it.
    pub limits: Option<EffectiveLimits>,
    mandate: OnceLock<Arc<ApprovedMandate>>,
    /// The certificate.
    pub certificate: Arc<AgentCertificate>,
}

impl Session {
    /// The session of a checked certificate.
    #[must_use]
    pub fn open(gateway: &Gateway, certificate: Arc<AgentCertificate>, address: SocketAddr) -> Self {
        Self {
            slot: gateway.slot(&certificate.agent()),
            address,
            limits: Some(certificate.effective().clone()),
            mandate: OnceLock::new(),
            certificate,
        }
    }

    /// Opens a session and registers its connection; `None` when its agent holds as many as it may.
    #[must_use]
    pub fn register(
        gateway: &Gateway,
        certificate: Arc<AgentCertificate>,
        address: SocketAddr,
    ) -> Option<(Arc<Self>, Registered)> {
        let session = Arc::new(Self::open(gateway, certificate, address));
        let registered = gateway.sessions.register(Holder {
            agent: session.slot.agent,
            owner: session.owner(gateway),
            serial: *session.certificate.serial().octets(),
        })?;
        // Registered first, looked at again now: a revocation in between closes this connection too.
        if !session.may_stay(gateway, gateway.clock.now()) {
            registered.closing.cancel();
        }
        Some((session, registered))
    }

    /// The approved document behind the certificate, when this gateway holds it and it agrees with the certificate. Looked for again while it is
    /// missing: a bot that connects at once may be ahead of the follower.
    #[must_use]
    pub fn mandate(&self, gateway: &Gateway) -> Option<&Arc<ApprovedMandate>> {
        if let Some(held) = self.mandate.get() {
            return Some(held);
        }
        let found = gateway.mandates.approved(&self.certificate.mandate().document_hash());
        let found = found.filter(|mandate| agrees(mandate, &self.certificate))?;
        Some(self.mandate.get_or_init(|| found))
    }

    /// Whoever answers for the agent, by its mandate; without one it has no owner here, and is permitted nothing anyway.
    #[must_use]
    pub fn owner(&self, gateway: &Gateway) -> Option<OwnerId> {
        self.mandate(gateway).map(|mandate| mandate.document.owner)
    }

    /// The certificate with its validity at `now`, by the real clock.
    #[must_use]
    pub fn certificate_at(&self, now: Timestamp) -> CertificateUsed {
        let leaf = self.certificate.leaf();
        let current = leaf.not_before() <= now && now <= self.certificate.path_not_after();
        CertificateUsed {
            fingerprint: self.certificate.fingerprint(),
            not_after: leaf.not_after(),
            not_before: leaf.not_before(),
            serial: self.certificate.serial(),
            validity: if current { Validity::Current } else { Validity::Outside },
        }
    }

    /// Whether neither the agent nor this certificate is revoked at `now`, by itself, with its owner or with all: nothing is read and nothing is
    /// cancelled over another's connection, though the agent may trade again under a newer certificate.
    #[must_use]
    pub fn may_stay(&self, gateway: &Gateway, now: Timestamp) -> bool {
        let leaf = self.certificate.leaf();
        let house = gateway.house.load();
        let (mode, from) = match self.owner(gateway) {
            Some(owner) => (house.state.mode_of(&owner), house.state.certificates_from(&owner)),
            None => (house.state.mode_of_all(), None),
        };
        if mode == HouseMode::Revoked || from.is_some_and(|from| leaf.not_before() < from) {
            return false;
        }
        let inner = self.slot.lock();
        let revoked = inner
            .state
            .certificate_revoked(&leaf.serial(), leaf.not_before(), leaf.not_after());
        !revoked && inner.state.standing_at(now) != Standing::Revoked
    }

    /// The key of the certificate, for signatures over requests.
    #[must_use]
    pub fn proof_key(&self) -> ProofKey<'_> {
        let leaf = self.certificate.leaf();
        ProofKey {
            algorithm: leaf.key_algorithm(),
            public_key: raw_key(leaf.key_algorithm(), leaf.spki()),
            fingerprint: self.certificate.fingerprint(),
        }
    }
}

/// The raw public key at the end of its SubjectPublicKeyInfo: 65 octets of a P-256 point, 32 of Ed25519 (RFC 5480, RFC 8410).
fn raw_key(algorithm: KeyAlgorithm, spki: &[u8]) -> &[u8] {
    let length = match algorithm {
        KeyAlgorithm::Ed25519 => 32,
        KeyAlgorithm::EcdsaP256Sha256 => 65,
        KeyAlgorithm::EcdsaP384Sha384 => 97,
    };
    spki.get(spki.len().saturating_sub(length)..).unwrap_or_default()
}

/// Whether the document and the certificate speak of the same mandate: id, agent, approvers, declared digest, end, and limits that are
/// no wider than those that officers signed, whatever the issuing CA may grant.
fn agrees(mandate: &ApprovedMandate, certificate: &AgentCertificate) -> bool {
    let (document, reference) = (&mandate.document, certificate.mandate());
    document.mandate == reference.id()
        && document.agent == certificate.agent()
        && mandate.approvers == reference.approvers()
        && document.agent_digest() == certificate.limits().agent_digest()
        && certificate.leaf().not_after() <= document.expires
        && certificate.limits().authority().is_subset_of(&document.limits).is_ok()
}

/// Certificates that the handshake's profile check has inspected, so that the session need not inspect them again.
pub struct Inspected {
    profile: AgentPathProfile,
    kept: Mutex<Generations<Arc<AgentCertificate>>>,
}

/// The latest values by digest. Two generations, so that a full one takes nothing away that was put in a moment ago.
struct Generations<T> {
    young: HashMap<Digest, T>,
    old: HashMap<Digest, T>,
}

impl<T> Default for Generations<T> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<T> Generations<T> {
    fn insert(&mut self, key: Digest, value: T) {
        if self.young.len() >= INSPECTED_CERTIFICATES {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn find(&self, key: &Digest) -> Option<&T> {
        self.young.get(key).or_else(|| self.old.get(key))
    }
}

impl Inspected {
    /// Inspects against `profile`.
    #[must_use]
    pub fn new(profile: AgentPathProfile) -> Self {
        Self {
            profile,
            kept: Mutex::default(),
        }
    }

    /// The profile check of a path, leaf first, at the real time `now`.
    ///
    /// # Errors
    /// When the path is outside the profile; in words.
    pub fn check_at(&self, path: &[&[u8]], now: Timestamp) -> Result<(), String> {
        let (leaf, issuers) = path.split_first().ok_or("no certificate")?;
        let found =
            AgentCertificate::inspect_at(leaf, issuers, &self.profile, now).map_err(|error| error.to_string())?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(Digest::of(leaf), Arc::new(found));
        Ok(())
    }

    /// What the check of this leaf found.
    #[must_use]
    pub fn of(&self, leaf: &[u8]) -> Option<Arc<AgentCertificate>> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .find(&Digest::of(leaf))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever else handshakes meanwhile, a certificate that was checked is there when its session opens, and memory stays bounded. Control tried:
    /// with one map that is emptied when it is full, the one before is gone.
    #[test]
    fn a_full_generation_forgets_nobody_who_just_came() {
        let mut kept = Generations::default();
        let key = |place: usize| Digest::of(&place.to_be_bytes());
        for place in 0..3 * INSPECTED_CERTIFICATES {
            kept.insert(key(place), place);
            let before = place.saturating_sub(INSPECTED_CERTIFICATES - 1);
            assert_eq!(kept.find(&key(before)), Some(&before), "{place}");
            assert!(kept.young.len() + kept.old.len() <= 2 * INSPECTED_CERTIFICATES);
        }
        assert_eq!(kept.find(&key(0)), None);
    }
}
