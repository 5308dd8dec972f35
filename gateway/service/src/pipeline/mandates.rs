//! The approved mandate documents a gateway holds; a certificate that names another is refused (ARCHITECTURE §4).

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

use ca_core::events::{ApplicationApproved, ApplicationSubmitted};
use extensions::{AgentId, Digest, MandateDocument, canonical, mandate::OnHalt};
use ledger::CommittedEntry;
use revocation_core::house::HouseScope;

/// A document with the officers' keys that approved it.
#[derive(Debug)]
pub struct ApprovedMandate {
    /// The document.
    pub document: MandateDocument,
    /// Its digest.
    pub digest: Digest,
    /// SHA-256 of each approver's SubjectPublicKeyInfo, sorted.
    pub approvers: Vec<Digest>,
}

/// Documents by digest: those asked for, and those approved.
#[derive(Debug, Default)]
pub struct Mandates {
    submitted: RwLock<HashMap<Digest, MandateDocument>>,
    approved: RwLock<HashMap<Digest, Arc<ApprovedMandate>>>,
    latest: RwLock<HashMap<AgentId, Arc<ApprovedMandate>>>,
}

impl Mandates {
    /// The approved document with this digest.
    #[must_use]
    pub fn approved(&self, digest: &Digest) -> Option<Arc<ApprovedMandate>> {
        self.approved
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .cloned()
    }

    /// What a halt of this agent does with open orders, by its latest mandate; without one, everything is cancelled.
    #[must_use]
    pub fn on_halt_of(&self, agent: &AgentId) -> OnHalt {
        self.latest_of(agent)
            .map_or(OnHalt::CancelAll, |mandate| mandate.document.conduct.on_halt)
    }

    /// The mandate of this agent that was approved last, those for probations left aside.
    #[must_use]
    pub fn latest_of(&self, agent: &AgentId) -> Option<Arc<ApprovedMandate>> {
        self.latest
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(agent)
            .cloned()
    }

    /// The agents of an owner, or all, as far as a mandate of theirs was ever approved.
    #[must_use]
    pub fn agents_of(&self, scope: HouseScope) -> Vec<AgentId> {
        let latest = self.latest.read().unwrap_or_else(PoisonError::into_inner);
        let of_scope = latest
            .iter()
            .filter(|(_, mandate)| scope.covers(&mandate.document.owner));
        of_scope.map(|(agent, _)| *agent).collect()
    }

    /// Takes note of an entry of a `mandate/` stream. An unreadable one leaves its document unknown, which refuses.
    pub fn follow(&self, entry: &CommittedEntry) {
        match &*entry.kind {
            "application.submitted" => self.submitted(entry.body()),
            "application.approved" => self.approve(entry.body()),
            _ => {}
        }
    }

    fn submitted(&self, body: &[u8]) {
        let Ok(event) = canonical::from_slice::<ApplicationSubmitted>(body) else {
            return;
        };
        let Ok(document) = MandateDocument::parse(&canonical::to_vec(&event.document)) else {
            return;
        };
        self.submitted
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(document.digest(), document);
    }

    fn approve(&self, body: &[u8]) {
        let Ok(event) = canonical::from_slice::<ApplicationApproved>(body) else {
            return;
        };
        let found = self
            .submitted
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&event.document);
        let Some(document) = found else { return };
        let approved = Arc::new(ApprovedMandate {
            document,
            digest: event.document,
            approvers: event.approvers,
        });
        {
            // One that is signed ahead for a probation says nothing of the agent's days until then.
            let ahead = approved.document.conduct.probation_hours.is_some();
            let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
            if !ahead || !latest.contains_key(&event.agent) {
                latest.insert(event.agent, approved.clone());
            }
        }
        self.approved
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(event.document, approved);
    }
}
