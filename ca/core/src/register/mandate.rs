//! One mandate as the register holds it: the question, the answers, the bot's requests.

use extensions::{AgentId, ApprovalRecord, Digest, MandateDocument, MandateId, OfficerId, OwnerId, Serial, Timestamp};

use super::Place;
use crate::events::{
    ApplicationApproved, ApplicationRejected, ApplicationSigned, ApplicationSubmitted, CertificateIssued,
    CertificateReserved, EnrolmentTokenIssued, RenewalRequested, TokenBound,
};

/// The most requests a mandate remembers; the oldest that is answered leaves first.
pub const MOST_REQUESTS: usize = 8;
/// The most unused tokens a mandate remembers; a further one replaces the oldest.
pub const MOST_TOKENS: usize = 8;

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

/// A one-time token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MandateToken {
    /// SHA-256 of the token.
    pub token: Digest,
    /// The first use must come before this time.
    pub use_before: Timestamp,
    /// The request that used it.
    pub bound_to: Option<Digest>,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestState {
    /// Nothing was reserved yet.
    Waiting,
    /// A serial is reserved for it; the certificate is about to be signed.
    Reserved(Serial),
    /// The certificate, DER.
    Issued {
        /// Its serial.
        serial: Serial,
        /// The certificate, DER.
        certificate: Vec<u8>,
        /// Start of life.
        not_before: Timestamp,
        /// End of life.
        not_after: Timestamp,
    },
}

/// A bot's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request, DER.
    pub csr: Vec<u8>,
    /// SHA-256 of the request.
    pub digest: Digest,
    /// SHA-256 of its key.
    pub spki: Digest,
    /// The certificate that asked, for renewals.
    pub renews: Option<Serial>,
    /// What became of it.
    pub state: RequestState,
}

/// One mandate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    application: ApplicationSubmitted,
    status: MandateStatus,
    signatures: Vec<SignedApproval>,
    tokens: Vec<MandateToken>,
    requests: Vec<Request>,
    submitted_at: Timestamp,
    next_number: u64,
}

impl Mandate {
    pub(super) fn new(event: &ApplicationSubmitted, place: Place) -> Self {
        Self {
            application: event.clone(),
            status: MandateStatus::Pending,
            signatures: Vec::new(),
            tokens: Vec::new(),
            requests: Vec::new(),
            submitted_at: place.at,
            next_number: place.number + 1,
        }
    }

    /// A change of the document: signatures and status begin anew, the bot's request stays.
    pub(super) fn changed(&mut self, event: &ApplicationSubmitted, place: Place) {
        self.application = event.clone();
        self.status = MandateStatus::Pending;
        self.signatures.clear();
        self.submitted_at = place.at;
        self.next_number = place.number + 1;
    }

    pub(super) fn signed(&mut self, event: &ApplicationSigned, place: Place) {
        self.next_number = place.number + 1;
        if event.revision == self.application.revision {
            self.signatures.push(SignedApproval {
                record: event.approval.clone(),
                position: place.position,
                at: place.at,
            });
        }
    }

    pub(super) fn approved(&mut self, event: &ApplicationApproved, place: Place) {
        self.next_number = place.number + 1;
        if event.revision == self.application.revision && self.status == MandateStatus::Pending {
            self.status = MandateStatus::Approved {
                approvers: event.approvers.clone(),
                position: place.position,
            };
        }
    }

    pub(super) fn rejected(&mut self, event: &ApplicationRejected, place: Place) {
        self.next_number = place.number + 1;
        if event.revision == self.application.revision {
            self.status = MandateStatus::Rejected {
                by: event.rejected_by,
                reason: event.reason,
                position: place.position,
            };
        }
    }

    pub(super) fn token_issued(&mut self, event: &EnrolmentTokenIssued, place: Place) {
        self.next_number = place.number + 1;
        if self.tokens.len() >= MOST_TOKENS {
            self.tokens.remove(0);
        }
        self.tokens.push(MandateToken {
            token: event.token,
            use_before: event.use_before,
            bound_to: None,
        });
    }

    pub(super) fn token_bound(&mut self, event: &TokenBound, place: Place) {
        self.next_number = place.number + 1;
        if let Some(token) = self.tokens.iter_mut().find(|token| token.token == event.token) {
            token.bound_to = Some(event.csr_digest);
        }
        self.requested(&event.csr.0, event.csr_digest, event.spki, None);
    }

    pub(super) fn renewal_requested(&mut self, event: &RenewalRequested, place: Place) {
        self.next_number = place.number + 1;
        self.requested(&event.csr.0, event.csr_digest, event.spki, Some(event.current));
    }

    fn requested(&mut self, csr: &[u8], digest: Digest, spki: Digest, renews: Option<Serial>) {
        if self.requests.iter().any(|request| request.digest == digest) {
            return;
        }
        if self.requests.len() >= MOST_REQUESTS {
            let answered = |request: &Request| matches!(request.state, RequestState::Issued { .. });
            let oldest = self.requests.iter().position(answered).unwrap_or(0);
            self.requests.remove(oldest);
        }
        self.requests.push(Request {
            csr: csr.to_vec(),
            digest,
            spki,
            renews,
            state: RequestState::Waiting,
        });
    }

    pub(super) fn reserved(&mut self, event: &CertificateReserved, place: Place) {
        self.next_number = place.number + 1;
        if let Some(request) = self.requests.iter_mut().find(|request| request.digest == event.csr) {
            request.state = RequestState::Reserved(event.serial);
        }
    }

    pub(super) fn issued(&mut self, event: &CertificateIssued, place: Place) {
        self.next_number = place.number + 1;
        if let Some(request) = self.requests.iter_mut().find(|request| request.digest == event.csr) {
            request.state = RequestState::Issued {
                serial: event.serial,
                certificate: event.certificate.0.clone(),
                not_before: event.not_before,
                not_after: event.not_after,
            };
        }
    }

    /// The mandate's id.
    #[must_use]
    pub fn id(&self) -> &MandateId {
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

    /// The document of the current revision.
    #[must_use]
    pub fn document(&self) -> &MandateDocument {
        &self.application.document
    }

    /// SHA-256 of the document as the application states it; [`crate::approval`] computes it anew.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.application.document_digest
    }

    /// The current revision, from 1.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.application.revision
    }

    /// What signatures on this revision are over.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.application.nonce
    }

    /// When the question lapses.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.application.expires_at
    }

    /// When this revision was asked.
    #[must_use]
    pub fn submitted_at(&self) -> Timestamp {
        self.submitted_at
    }

    /// How far it has come.
    #[must_use]
    pub fn status(&self) -> &MandateStatus {
        &self.status
    }

    /// The signatures on the current revision, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[SignedApproval] {
        &self.signatures
    }

    /// A token by its SHA-256.
    #[must_use]
    pub fn token(&self, token: &Digest) -> Option<&MandateToken> {
        self.tokens.iter().find(|known| known.token == *token)
    }

    /// A request by its SHA-256.
    #[must_use]
    pub fn request(&self, csr: &Digest) -> Option<&Request> {
        self.requests.iter().find(|request| request.digest == *csr)
    }

    /// The requests remembered, oldest first.
    #[must_use]
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The number of the next entry in the mandate's stream, for `Exactly`.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next_number
    }
}
