//! What is known of every certificate: the one book from which CRL and OCSP replies are written.
//!
//! A certificate has a status from the moment its serial is reserved, before it is signed; a serial that was never
//! reserved is unknown. Times here are real ones (the entries' `recorded_at`), never a sandbox's.

use std::collections::BTreeMap;

use extensions::{AgentId, Digest, OwnerId, Serial, Timestamp};

use crate::crl::CrlEntry;
use crate::house::HouseScope;
use crate::reason::RevocationReason;

/// How long after its end a certificate's status is still answered for, in seconds: 30 days.
pub const STATUS_RETENTION_SECONDS: i64 = 30 * 86_400;

/// When and why something was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoked {
    /// When, in real time.
    pub at: Timestamp,
    /// Why.
    pub reason: RevocationReason,
}

/// The status of one certificate (RFC 6960 §2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateStatus {
    /// Reserved or issued, and not revoked.
    Good,
    /// Revoked.
    Revoked(Revoked),
    /// Never reserved here.
    Unknown,
}

#[derive(Debug, Clone)]
struct Known {
    agent: Option<AgentId>,
    /// The issuing CA, by the SHA-256 of its certificate, where its serial was reserved here.
    issuer: Option<Digest>,
    not_after: Timestamp,
    revoked: Option<Revoked>,
}

impl Known {
    fn is_of(&self, issuer: &Digest) -> bool {
        self.issuer.is_none_or(|of| of == *issuer)
    }
}

#[derive(Debug, Clone, Default)]
struct Holder {
    owner: Option<OwnerId>,
    serials: Vec<Serial>,
    revoked: Option<Revoked>,
}

/// The book of statuses, folded from the ledger by the roles that publish.
#[derive(Debug, Clone, Default)]
pub struct StatusBook {
    certificates: BTreeMap<Serial, Known>,
    agents: BTreeMap<AgentId, Holder>,
    all: Option<Revoked>,
    owners: BTreeMap<OwnerId, Revoked>,
    generation: u64,
}

impl StatusBook {
    /// Grows whenever an answer may have changed; a reply made under another generation is stale.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// `agent.registered`: whose agent it is.
    pub fn registered(&mut self, agent: AgentId, owner: OwnerId) {
        self.agents.entry(agent).or_default().owner = Some(owner);
        self.generation += 1;
    }

    /// `certificate.reserved`: from here on the serial has a status. Under a revoked agent it is revoked at once.
    pub fn reserved(&mut self, serial: Serial, agent: Option<AgentId>, not_after: Timestamp) {
        let standing = agent.and_then(|agent| self.revocation_of(&agent));
        let known = self.certificates.entry(serial).or_insert(Known {
            agent,
            issuer: None,
            not_after,
            revoked: None,
        });
        known.not_after = known.not_after.max(not_after);
        known.revoked = known.revoked.or(standing);
        if let Some(agent) = agent {
            let serials = &mut self.agents.entry(agent).or_default().serials;
            if !serials.contains(&serial) {
                serials.push(serial);
            }
        }
        self.generation += 1;
    }

    /// Of a serial that was [`reserved`](Self::reserved): which CA it is reserved under, by the SHA-256 of its certificate.
    pub fn issued_by(&mut self, serial: &Serial, issuer: Digest) {
        if let Some(known) = self.certificates.get_mut(serial) {
            known.issuer = Some(issuer);
        }
    }

    /// `certificate.revoked`. The first revocation of a certificate stands, whatever follows.
    pub fn certificate_revoked(&mut self, serial: Serial, not_after: Timestamp, revoked: Revoked) {
        let known = self.certificates.entry(serial).or_insert(Known {
            agent: None,
            issuer: None,
            not_after,
            revoked: None,
        });
        known.revoked = known.revoked.or(Some(revoked));
        self.generation += 1;
    }

    /// `agent.revoked`: every certificate it has.
    pub fn agent_revoked(&mut self, agent: AgentId, revoked: Revoked) {
        let holder = self.agents.entry(agent).or_default();
        holder.revoked = holder.revoked.or(Some(revoked));
        for serial in &holder.serials {
            if let Some(known) = self.certificates.get_mut(serial) {
                known.revoked = known.revoked.or(Some(revoked));
            }
        }
        self.generation += 1;
    }

    /// `agent.reinstated`: certificates reserved from here on are good again; the old ones stay revoked.
    pub fn agent_reinstated(&mut self, agent: AgentId) {
        if let Some(holder) = self.agents.get_mut(&agent) {
            holder.revoked = None;
        }
        self.generation += 1;
    }

    /// `house.revoked`: every certificate of every agent of the scope.
    pub fn house_revoked(&mut self, scope: HouseScope, revoked: Revoked) {
        match scope {
            HouseScope::All => self.all = self.all.or(Some(revoked)),
            HouseScope::Owner(owner) => {
                self.owners.entry(owner).or_insert(revoked);
            }
        }
        for known in self.certificates.values_mut() {
            let holder = known.agent.and_then(|agent| self.agents.get(&agent));
            let owner = holder.and_then(|holder| holder.owner);
            if scope == HouseScope::All || owner.is_some_and(|owner| scope.covers(&owner)) {
                known.revoked = known.revoked.or(Some(revoked));
            }
        }
        self.generation += 1;
    }

    /// `house.reinstated`: as [`agent_reinstated`](Self::agent_reinstated), for the scope.
    pub fn house_reinstated(&mut self, scope: HouseScope) {
        match scope {
            HouseScope::All => self.all = None,
            HouseScope::Owner(owner) => {
                self.owners.remove(&owner);
            }
        }
        self.generation += 1;
    }

    fn revocation_of(&self, agent: &AgentId) -> Option<Revoked> {
        let holder = self.agents.get(agent);
        let owner = holder.and_then(|holder| holder.owner);
        holder
            .and_then(|holder| holder.revoked)
            .or_else(|| owner.and_then(|owner| self.owners.get(&owner).copied()))
            .or(self.all)
    }

    /// The status of a serial.
    #[must_use]
    pub fn status(&self, serial: &Serial) -> CertificateStatus {
        match self.certificates.get(serial) {
            None => CertificateStatus::Unknown,
            Some(known) => known
                .revoked
                .map_or(CertificateStatus::Good, CertificateStatus::Revoked),
        }
    }

    /// The status of a serial when it is asked for under this CA's name.
    #[must_use]
    pub fn status_under(&self, issuer: &Digest, serial: &Serial) -> CertificateStatus {
        match self.certificates.get(serial) {
            Some(known) if known.is_of(issuer) => self.status(serial),
            _ => CertificateStatus::Unknown,
        }
    }

    /// How many certificates the book knows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.certificates.len()
    }

    /// Whether it knows none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.certificates.is_empty()
    }

    /// What a CRL of this CA lists, as [`crl_entries`](Self::crl_entries). A serial that nobody reserved here is on the lists of all.
    #[must_use]
    pub fn crl_entries_of(&self, issuer: &Digest, now: Timestamp, life_seconds: i64) -> Vec<CrlEntry> {
        self.listed(now, life_seconds, &|known| known.is_of(issuer))
    }

    /// What a CRL made at `now`, with a life of `life_seconds`, lists. An expired certificate stays one CRL's life longer,
    /// so that it is on one regular CRL issued beyond its end (RFC 5280 §3.3); then it is dropped.
    #[must_use]
    pub fn crl_entries(&self, now: Timestamp, life_seconds: i64) -> Vec<CrlEntry> {
        self.listed(now, life_seconds, &|_| true)
    }

    fn listed(&self, now: Timestamp, life_seconds: i64, wanted: &dyn Fn(&Known) -> bool) -> Vec<CrlEntry> {
        self.certificates
            .iter()
            .filter(|(_, known)| wanted(known) && known.not_after.plus_seconds(life_seconds) >= now)
            .filter_map(|(serial, known)| {
                known.revoked.map(|revoked| CrlEntry {
                    revoked,
                    serial: *serial,
                })
            })
            .collect()
    }

    /// Forgets certificates that ended more than [`STATUS_RETENTION_SECONDS`] ago. They become unknown.
    pub fn forget(&mut self, now: Timestamp) {
        let horizon = now.plus_seconds(-STATUS_RETENTION_SECONDS);
        let before = self.certificates.len();
        self.certificates.retain(|_, known| known.not_after >= horizon);
        if self.certificates.len() == before {
            return;
        }
        for holder in self.agents.values_mut() {
            holder.serials.retain(|serial| self.certificates.contains_key(serial));
        }
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn serial(number: u8) -> Serial {
        Serial::new([number; 18]).unwrap()
    }

    fn revoked(seconds: i64) -> Revoked {
        Revoked {
            at: at(seconds),
            reason: RevocationReason::PrivilegeWithdrawn,
        }
    }

    fn agent(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    /// Control, tried: answering `Good` for a serial that was never reserved.
    #[test]
    fn a_status_exists_from_reservation_on_and_not_before() {
        let mut book = StatusBook::default();
        assert_eq!(book.status(&serial(1)), CertificateStatus::Unknown);
        book.reserved(serial(1), Some(agent("a")), at(100));
        assert_eq!(book.status(&serial(1)), CertificateStatus::Good);
        book.agent_revoked(agent("a"), revoked(5));
        assert_eq!(book.status(&serial(1)), CertificateStatus::Revoked(revoked(5)));
    }

    /// Control, tried: `or(Some(..))` the other way round lets a later event move the moment of revocation.
    #[test]
    fn the_first_revocation_stands_and_reinstatement_is_for_new_certificates() {
        let mut book = StatusBook::default();
        book.reserved(serial(1), Some(agent("a")), at(100));
        book.certificate_revoked(serial(1), at(100), revoked(3));
        book.agent_revoked(agent("a"), revoked(5));
        assert_eq!(book.status(&serial(1)), CertificateStatus::Revoked(revoked(3)));
        book.reserved(serial(2), Some(agent("a")), at(100));
        assert_eq!(
            book.status(&serial(2)),
            CertificateStatus::Revoked(revoked(5)),
            "under a revoked agent"
        );
        book.agent_reinstated(agent("a"));
        book.reserved(serial(3), Some(agent("a")), at(100));
        assert_eq!(book.status(&serial(3)), CertificateStatus::Good);
        assert_ne!(book.status(&serial(1)), CertificateStatus::Good);
        assert_ne!(book.status(&serial(2)), CertificateStatus::Good);
    }

    #[test]
    fn the_house_revokes_exactly_its_scope() {
        let mut book = StatusBook::default();
        let (desk, other) = (OwnerId::new("desk").unwrap(), OwnerId::new("other").unwrap());
        book.registered(agent("a"), desk);
        book.registered(agent("b"), other);
        book.reserved(serial(1), Some(agent("a")), at(100));
        book.reserved(serial(2), Some(agent("b")), at(100));
        book.house_revoked(HouseScope::Owner(desk), revoked(1));
        assert_ne!(book.status(&serial(1)), CertificateStatus::Good);
        assert_eq!(book.status(&serial(2)), CertificateStatus::Good);
        book.reserved(serial(3), Some(agent("a")), at(100));
        assert_ne!(book.status(&serial(3)), CertificateStatus::Good);
        book.house_revoked(HouseScope::All, revoked(2));
        assert_eq!(book.status(&serial(2)), CertificateStatus::Revoked(revoked(2)));
    }

    #[test]
    fn expired_entries_leave_the_crl_one_life_later_and_the_book_after_the_retention() {
        let mut book = StatusBook::default();
        book.reserved(serial(1), None, at(1_000));
        book.certificate_revoked(serial(1), at(1_000), revoked(5));
        assert_eq!(book.crl_entries(at(1_500), 500).len(), 1);
        assert_eq!(book.crl_entries(at(1_501), 500).len(), 0);
        let generation = book.generation();
        book.forget(at(1_000 + STATUS_RETENTION_SECONDS));
        assert_eq!(book.generation(), generation);
        book.forget(at(1_001 + STATUS_RETENTION_SECONDS));
        assert_eq!(book.status(&serial(1)), CertificateStatus::Unknown);
        assert_ne!(book.generation(), generation);
    }
}
