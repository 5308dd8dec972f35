//! One mandate as the register holds it: the revision in question, the one in force, the bot's requests.
//!
//! A change that is asked for replaces what is in force only when officers have approved it. Until then, and when they say no, the bot
//! keeps the mandate that they approved before, with its renewals: nobody can stop a bot by asking for something.

use extensions::{AgentId, Digest, MandateDocument, MandateId, OfficerId, OwnerId, Serial, Timestamp};

use super::{MandateStatus, Place, Revision, SignedApproval};
use crate::events::{
    ApplicationApproved, ApplicationRejected, ApplicationSigned, ApplicationSubmitted, CertificateIssued,
    CertificateReserved, EnrolmentTokenIssued, RenewalRequested, TokenBound,
};

/// The most requests a mandate remembers; the oldest that is answered leaves first.
pub const MOST_REQUESTS: usize = 8;
/// The most unused tokens a mandate remembers; a further one replaces the oldest.
pub const MOST_TOKENS: usize = 8;

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
    asked: Revision,
    in_force: Option<Revision>,
    tokens: Vec<MandateToken>,
    requests: Vec<Request>,
    next_number: u64,
}

impl Mandate {
    pub(super) fn new(event: &ApplicationSubmitted, place: Place) -> Self {
        Self {
            asked: Revision::new(event, place),
            in_force: None,
            tokens: Vec::new(),
            requests: Vec::new(),
            next_number: place.number + 1,
        }
    }

    /// A change of the document: signatures and status begin anew. What is in force and the bot's requests stay.
    pub(super) fn changed(&mut self, event: &ApplicationSubmitted, place: Place) {
        self.next_number = place.number + 1;
        // What another than the applicant asks for is less than the applicant asked, or it is nothing.
        if event.narrowed_by.is_none() || self.asked.is_narrowed_by(event) {
            self.asked = Revision::new(event, place);
        }
    }

    pub(super) fn signed(&mut self, event: &ApplicationSigned, place: Place) {
        self.next_number = place.number + 1;
        self.asked.signed(event, place);
    }

    pub(super) fn approved(&mut self, event: &ApplicationApproved, place: Place) {
        self.next_number = place.number + 1;
        if self.asked.approved(event, place) {
            self.in_force = Some(self.asked.clone());
        }
    }

    pub(super) fn rejected(&mut self, event: &ApplicationRejected, place: Place) {
        self.next_number = place.number + 1;
        self.asked.rejected(event, place);
        // The console does not write a no to what is approved; should one stand in the log, it counts.
        if self.in_force.as_ref().is_some_and(|one| one.number() == event.revision) {
            self.in_force = None;
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
        self.asked.mandate()
    }

    /// The bot.
    #[must_use]
    pub fn agent(&self) -> &AgentId {
        self.asked.agent()
    }

    /// Who answers for the bot.
    #[must_use]
    pub fn owner(&self) -> &OwnerId {
        self.asked.owner()
    }

    /// Who asked.
    #[must_use]
    pub fn applicant(&self) -> &OfficerId {
        self.asked.applicant()
    }

    /// The newest revision, approved or not: what officers are asked.
    #[must_use]
    pub fn asked(&self) -> &Revision {
        &self.asked
    }

    /// The revision that officers approved last: what certificates are issued and renewed under. [`crate::approval::verify_approval`]
    /// checks its signatures again.
    #[must_use]
    pub fn in_force(&self) -> Option<&Revision> {
        self.in_force.as_ref()
    }

    /// The document of the newest revision.
    #[must_use]
    pub fn document(&self) -> &MandateDocument {
        self.asked.document()
    }

    /// SHA-256 of the document as the application states it; [`crate::approval`] computes it anew.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.asked.digest()
    }

    /// The newest revision, from 1.
    #[must_use]
    pub fn revision(&self) -> u32 {
        self.asked.number()
    }

    /// What signatures on the newest revision are over.
    #[must_use]
    pub fn nonce(&self) -> Digest {
        self.asked.nonce()
    }

    /// When the question lapses.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        self.asked.expires_at()
    }

    /// When the newest revision was asked.
    #[must_use]
    pub fn submitted_at(&self) -> Timestamp {
        self.asked.submitted_at()
    }

    /// How far the newest revision has come.
    #[must_use]
    pub fn status(&self) -> &MandateStatus {
        self.asked.status()
    }

    /// The signatures on the newest revision, in their order.
    #[must_use]
    pub fn signatures(&self) -> &[SignedApproval] {
        self.asked.signatures()
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
