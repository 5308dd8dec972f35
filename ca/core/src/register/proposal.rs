//! One proposal as the register holds it: what is to be decided, and who signed.

use extensions::{ApprovalDecision, ApprovalRecord, Digest, OfficerId, Timestamp, canonical};

use super::{Place, Register, SignedApproval};
use crate::{
    approval::{ApprovalError, Question, check_signature},
    events::{OfficerProposed, OfficerSigned},
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
}

impl Proposal {
    pub(super) fn new(event: &OfficerProposed, place: Place) -> Self {
        Self {
            reference: format!("officer/{}/{}", event.proposer, place.number),
            event: event.clone(),
            signatures: Vec::new(),
            closed: None,
        }
    }

    pub(super) fn signed(&mut self, event: &OfficerSigned, place: Place) {
        if self.signatures.len() < MOST_SIGNATURES {
            let signed = SignedApproval {
                record: event.approval.clone(),
                position: place.position,
                at: place.at,
            };
            let reference = format!("officer/{}/{}", event.approval.officer, place.number);
            self.signatures.push((signed, reference));
        }
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

    /// Judges the signatures with one more: `needed` distinct officers, the proposer among them only if `proposer_counts`.
    /// `Ok(true)` when enough have approved.
    ///
    /// # Errors
    /// When any signature does not count.
    pub fn weigh(
        &self,
        further: &SignedApproval,
        needed: usize,
        proposer_counts: bool,
        register: &Register,
    ) -> Result<bool, ApprovalError> {
        let question = Question {
            document: self.digest(),
            nonce: self.event.nonce,
            applicant: (!proposer_counts).then_some(&self.event.proposer),
        };
        let mut counted: Vec<&ApprovalRecord> = Vec::new();
        for signed in self.signatures.iter().map(|(signed, _)| signed).chain([further]) {
            check_signature(question, &signed.record, signed.position, &counted, register)?;
            if signed.at > self.event.expires_at {
                return Err(ApprovalError::Rule {
                    rule: "open".to_owned(),
                    reason: format!("the proposal lapsed at {}", self.event.expires_at),
                });
            }
            if signed.record.decision == ApprovalDecision::Approve {
                counted.push(&signed.record);
            }
        }
        Ok(counted.len() >= needed)
    }
}
