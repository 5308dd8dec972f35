//! One revision of a mandate: the document that is asked for, and the officers' answers to it.

use extensions::{AgentId, ApprovalRecord, Digest, MandateDocument, MandateId, OfficerId, OwnerId, Timestamp};

use super::Place;
use crate::events::{ApplicationApproved, ApplicationRejected, ApplicationSigned, ApplicationSubmitted};

/// How far an application has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MandateStatus {
    /// Officers have not decided.
    Pending,
    /// The rules were met.
    Approved {
        /// SHA-256 of each approver's key, sorted.
        approvers: Vec<Digest>,
        /// Where the approval stands in the log: the threshold in force there is the one that counts.
        position: u64,
    },
    /// An officer said no.
    Rejected {
        /// Who.
        by: OfficerId,
        /// The commitment to the reason.
        reason: Digest,
        /// Where the reason's text is sealed.
        position: u64,
    },
}

/// A signature with the position of its entry: whether its officer was in office is judged there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedApproval {
    /// The signature.
    pub record: ApprovalRecord,
    /// Where it stands in the log.
    pub position: u64,
    /// When it was given.
    pub at: Timestamp,
}

/// One revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    application: ApplicationSubmitted,
    status: MandateStatus,
    signatures: Vec<SignedApproval>,
    submitted_at: Timestamp,
}

impl Revision {
    pub(super) fn new(event: &ApplicationSubmitted, place: Place) -> Self {
        Self {
            application: event.clone(),
            status: MandateStatus::Pending,
            signatures: Vec::new(),
            submitted_at: place.at,
        }
    }

    pub(super) fn signed(&mut self, event: &ApplicationSigned, place: Place) {
        if event.revision == self.application.revision {
            self.signatures.push(SignedApproval {
                record: event.approval.clone(),
                position: place.position,
                at: place.at,
            });
        }
    }

    /// Whether this revision is approved by it.
    pub(super) fn approved(&mut self, event: &ApplicationApproved, place: Place) -> bool {
        let approves = event.revision == self.application.revision && self.status == MandateStatus::Pending;
        if approves {
            self.status = MandateStatus::Approved {
                approvers: event.approvers.clone(),
                position: place.position,
            };
        }
        approves
    }

    pub(super) fn rejected(&mut self, event: &ApplicationRejected, place: Place) {
        if event.revision == self.application.revision {
            self.status = MandateStatus::Rejected {
                by: event.rejected_by,
                reason: event.reason,
                position: place.position,
            };
        }
    }

    /// The mandate.
    #[must_use]
    pub fn mandate(&self) -> &MandateId {
        &self.application.mandate
    }

    /// The bot.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        &self.application.agent
    }

    /// Who answers for the bot.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        &self.application.owner
    }

    /// Who asked.
    #[must_use]
    pub fn applicant(&self) -> &OfficerId {
        &self.application.applicant
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> &MandateDocument {
        &self.application.document
    }

    /// SHA-256 of the document as the application states it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.application.document_digest
    }

    /// Whether the event asks for less than this revision, which waits, and for nothing else.
    pub(super) fn is_narrowed_by(&self, event: &ApplicationSubmitted) -> bool {
        let same = event.applicant == self.application.applicant && event.agent == self.application.agent;
        let changes = self.document().diff(&event.document);
        self.status == MandateStatus::Pending
            && same
            && !changes.is_empty()
            && !changes.iter().any(|change| change.wider)
    }

    /// The officer who narrowed what was asked for.
    #[must_use]
    pub fn narrowed_by(&self) -> Option<&OfficerId> {
        self.application.narrowed_by.as_ref()
    }

    /// Whether it is signed ahead for a probation, and for no other day.
    #[must_use]
    pub fn is_for_probation(&self) -> bool {
        self.document().conduct.probation_hours.is_some()
    }

    /// Whether a bot may have a certificate under it, given the probation its agent is on: one that was signed ahead opens by that
    /// probation alone, and during it nothing else does.
    #[must_use]
    pub fn is_open(&self, probation: Option<(&MandateId, &Digest)>) -> bool {
        match (self.is_for_probation(), probation) {
            (false, None) => true,
            (true, Some((mandate, document))) => mandate == self.mandate() && *document == self.document().digest(),
            _ => false,
        }
    }

    /// Which revision, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.application.revision
    }

    /// What signatures are over.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.application.nonce
    }

    /// When the question lapses.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.application.expires_at
    }

    /// When it was asked.
    #[must_use]
    pub fn submitted_at(&self) -> Timestamp {
        self.submitted_at
    }

    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> &MandateStatus {
        &self.status
    }

    /// The signatures, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[SignedApproval] {
        &self.signatures
    }
}
