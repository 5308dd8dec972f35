//! One proposal as the register holds it: what is to be decided, and who signed.

use extensions::{ApprovalDecision, ApprovalRecord, Digest, OfficerId, Timestamp, canonical};
use serde_json::Value;

use super::{Place, Register, SignedApproval};
use crate::{
    approval::{ApprovalError, Question, check_signature},
    events::{OfficerProposed, OfficerSigned, Role},
};

/// The most signatures one proposal remembers.
const MOST_SIGNATURES: usize = 8;
/// The longest document kept of a proposal that was decided, in bytes; a longer one (a baseline) stays in the log alone.
const LONGEST_KEPT: usize = 1_024;

/// A decision that officers must sign, other than a mandate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    reference: String,
    becomes: String,
    /// Canonical bytes: a document taken apart is twenty times as large. None once it was decided and is longer than [`LONGEST_KEPT`].
    document: Option<Box<[u8]>>,
    digest: Digest,
    expires_at: Timestamp,
    nonce: Digest,
    proposer: OfficerId,
    signatures: Vec<(SignedApproval, String)>,
    closed: Option<bool>,
    /// The position of the entry it became.
    pub(super) became: Option<u64>,
}

impl Proposal {
    pub(super) fn new(event: &OfficerProposed, place: Place) -> Self {
        let document = canonical::to_vec(&event.document);
        Self {
            reference: format!("officer/{}/{}", event.proposer, place.number),
            becomes: event.becomes.clone(),
            digest: Digest::of(&document),
            document: Some(document.into()),
            expires_at: event.expires_at,
            nonce: event.nonce,
            proposer: event.proposer,
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
        self.document.take_if(|document| document.len() > LONGEST_KEPT);
    }

    /// Its name: proposer's stream and number.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The kind of entry it will become.
    #[must_use]
    pub fn becomes(&self) -> &str {
        &self.becomes
    }

    /// What is to be decided; `null` of a long one that was decided, which the entry holds.
    #[must_use]
    pub fn document(&self) -> Value {
        let document = self.document.as_deref();
        document
            .and_then(|document| canonical::from_slice(document).ok())
            .unwrap_or_default()
    }

    /// SHA-256 of the document's canonical bytes, computed from the document itself.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What signatures are over.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.nonce
    }

    /// Who proposed it.
    #[must_use]
    pub fn proposer(&self) -> &OfficerId {
        &self.proposer
    }

    /// When the question lapses.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
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
        if place.at > self.expires_at {
            return Err(ApprovalError::Rule {
                rule: "open".to_owned(),
                reason: format!("the proposal lapsed at {}", self.expires_at),
            });
        }
        let question = Question {
            document: self.digest(),
            nonce: self.nonce,
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
        let yes = self.signatures.iter().map(|(signed, _)| signed);
        let yes: Vec<&SignedApproval> = yes
            .filter(|signed| signed.record.decision == ApprovalDecision::Approve)
            .collect();
        let has = |signed: &SignedApproval, role| {
            let officer = register.officer(&signed.record.officer);
            officer.is_some_and(|officer| officer.had(role, signed.position))
        };
        let mut on_call = yes.iter().filter(|signed| has(signed, Role::Responder));
        on_call.any(|first| {
            yes.iter()
                .any(|second| second.record.officer != first.record.officer && has(second, Role::Approver))
        })
    }

    /// When the last of its signatures stood in the log.
    pub(super) fn signed_at(&self) -> Option<Timestamp> {
        self.signatures.iter().map(|(signed, _)| signed.at).max()
    }

    /// How many officers approve: each signature was verified where it stands, so that an officer who left later counts. Where one is
    /// enough (`needed` below 2), it is another than the proposer.
    #[must_use]
    pub fn approvals(&self, needed: usize) -> usize {
        let approved = self
            .signatures()
            .filter(|record| record.decision == ApprovalDecision::Approve);
        approved
            .filter(|record| needed >= 2 || record.officer != self.proposer)
            .count()
    }
}
