//! One proposal as the register holds it: what is to be decided, and who signed.

use extensions::{ApprovalDecision, ApprovalRecord, Digest, OfficerId, Timestamp, canonical};

use super::{Place, Register, SignedApproval};
use crate::{
    approval::{ApprovalError, Question, check_signature},
    events::{OfficerProposed, OfficerSigned, Role},
};

/// The most signatures one proposal remembers.
const MOST_SIGNATURES: usize = 8;

/// A decision that officers must sign, other than a mandate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    reference: String,
    event: OfficerProposed,
    signatures: Vec<(SignedApproval, String)>,
    closed: Option<bool>,
    /// The position of the entry it became.
    pub(super) became: Option<u64>,
}

impl Proposal {
    pub(super) fn new(event: &OfficerProposed, place: Place) -> Self {
        Self {
            reference: format!("officer/{}/{}", event.proposer, place.number),
            event: event.clone(),
            signatures: Vec::new(),
            closed: None,
            became: None,
        }
    }

    /// Remembers a signature; gives its name.
    pub(super) fn signed(&mut self, event: &OfficerSigned, place: Place) -> String {
        let reference = format!("officer/{}/{}", event.approval.officer, place.number);
        if self.signatures.len() < MOST_SIGNATURES {
            let signed = SignedApproval {
                record: event.approval.clone(),
                position: place.position,
                at: place.at,
            };
            self.signatures.push((signed, reference.clone()));
        }
        reference
    }

    pub(super) fn closed(&mut self, accepted: bool) {
        self.closed.get_or_insert(accepted);
    }

    /// Its name: proposer's stream and number.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The kind of entry it will become.
    #[must_use]
    pub fn becomes(&self) -> &str {
        &self.event.becomes
    }

    /// What is to be decided.
    #[must_use]
    pub fn document(&self) -> &serde_json::Value {
        &self.event.document
    }

    /// SHA-256 of the document's canonical bytes, computed now.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&canonical::to_vec(&self.event.document))
    }

    /// What signatures are over.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.event.nonce
    }

    /// Who proposed it.
    #[must_use]
    pub fn proposer(&self) -> &OfficerId {
        &self.event.proposer
    }

    /// When the question lapses.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.event.expires_at
    }

    /// Whether it was accepted or refused; `None` while open.
    #[must_use]
    pub fn outcome(&self) -> Option<bool> {
        self.closed
    }

    /// The signatures so far.
    pub fn signatures(&self) -> impl Iterator<Item = &ApprovalRecord> {
        self.signatures.iter().map(|(signed, _)| &signed.record)
    }

    /// Where the signatures stand, as `stream/number`.
    pub fn signature_references(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|(_, reference)| reference.as_str())
    }

    /// Whether a signature counts at its place: an officer in office there, who has not answered yet, over exactly this question, in time.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn admits(&self, event: &OfficerSigned, place: Place, register: &Register) -> Result<(), ApprovalError> {
        if place.at > self.event.expires_at {
            return Err(ApprovalError::Rule {
                rule: "open".to_owned(),
                reason: format!("the proposal lapsed at {}", self.event.expires_at),
            });
        }
        let question = Question {
            document: self.digest(),
            nonce: self.event.nonce,
            applicant: None,
            on_call: self.is_answered_on_call(),
        };
        let earlier: Vec<&ApprovalRecord> = self.signatures().collect();
        check_signature(question, &event.approval, place.position, &earlier, register)?;
        Ok(())
    }

    /// Whether people on call sign it, beside an approver: a probation alone.
    #[must_use]
    pub fn is_answered_on_call(&self) -> bool {
        self.becomes() == "agent.probation_started"
    }

    /// Whether enough officers approve: `needed` of them, and for a probation one on call and another who may approve.
    #[must_use]
    pub fn is_approved(&self, needed: usize, register: &Register) -> bool {
        self.approvals(needed) >= needed && (!self.is_answered_on_call() || self.has_both(register))
    }

    fn has_both(&self, register: &Register) -> bool {
        let yes = self
            .signatures()
            .filter(|record| record.decision == ApprovalDecision::Approve);
        let signers: Vec<&OfficerId> = yes.map(|record| &record.officer).collect();
        let has = |who: &OfficerId, role| {
            let officer = register.officer(who);
            officer.is_some_and(|officer| officer.roles().contains(&role))
        };
        let mut on_call = signers.iter().filter(|who| has(who, Role::Responder));
        on_call.any(|first| {
            signers
                .iter()
                .any(|second| second != first && has(second, Role::Approver))
        })
    }

    /// How many officers approve: each signature was verified where it stands, so that an officer who left later counts. Where one is
    /// enough (`needed` below 2), it is another than the proposer.
    #[must_use]
    pub fn approvals(&self, needed: usize) -> usize {
        let approved = self
            .signatures()
            .filter(|record| record.decision == ApprovalDecision::Approve);
        approved
            .filter(|record| needed >= 2 || record.officer != self.event.proposer)
            .count()
    }
}
