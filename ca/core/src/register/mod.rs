//! What the ledger's entries of this crate add up to: agents, officers, mandates, tokens, keys in use. A fold that cannot fail.
//!
//! Both shells of the authority hold one: the console to judge acts before it records them, the `ca` role to check the records again
//! before it signs.

mod decision;
mod held;
mod keys;
mod mandate;
mod officer;
mod proposal;
mod revision;

pub use decision::{Undecided, is_held};
pub use held::Held;
pub use keys::PasskeyRefused;
pub use mandate::{MOST_REQUESTS, MOST_TOKENS, Mandate, MandateToken, Request, RequestState};
pub use officer::{MOST_PASSKEYS, Officer, OfficerToken, Passkey, RECOVERY_SECONDS};
pub use proposal::Proposal;
pub use revision::{MandateStatus, Revision, SignedApproval};

use std::collections::BTreeMap;

use extensions::{AgentId, ApprovalDecision, ApprovalRecord, Digest, MandateId, OfficerId, Serial, Timestamp};

use crate::events::{
    AgentRegistered, CaCertificateInstalled, CaCertificateUse, Event, HouseFounded, PasskeyAdded, ReplacementQueued,
};

/// Where an entry stands and when it was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Position in the whole log.
    pub position: u64,
    /// Number in its stream.
    pub number: u64,
    /// When it was decided.
    pub at: Timestamp,
}

/// A certificate as the register remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whose.
    pub agent: AgentId,
    /// Under which mandate.
    pub mandate: MandateId,
    /// Start of life.
    pub not_before: Timestamp,
    /// End of life.
    pub not_after: Timestamp,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub spki: Digest,
    /// Whether it was signed and released, not only reserved.
    pub issued: bool,
}

/// The fold.
#[derive(Debug, Clone, Default)]
pub struct Register {
    agents: BTreeMap<AgentId, AgentRegistered>,
    officers: BTreeMap<OfficerId, Officer>,
    officer_tokens: BTreeMap<Digest, OfficerToken>,
    proposals: BTreeMap<String, Proposal>,
    mandates: BTreeMap<MandateId, Mandate>,
    tokens: BTreeMap<Digest, MandateId>,
    requests: BTreeMap<Digest, MandateId>,
    keys: BTreeMap<Digest, AgentId>,
    certificates: BTreeMap<Serial, CertificateFacts>,
    house: Option<HouseFounded>,
    authority: Vec<CaCertificateInstalled>,
    decided: decision::Decided,
    replacements: BTreeMap<MandateId, ReplacementQueued>,
    servers: BTreeMap<String, Vec<u8>>,
}

impl Register {
    /// Takes one more event in.
    pub fn apply(&mut self, event: &Event, place: Place) {
        match event {
            Event::AgentRegistered(event) => {
                self.agents.entry(event.agent).or_insert_with(|| event.clone());
            }
            Event::ReplacementQueued(event) => {
                self.replacements.insert(event.mandate, *event);
            }
            Event::HouseFounded(event) => self.house = Some(event.clone()),
            Event::CaCertificateInstalled(event) => self.authority.push(event.clone()),
            Event::HouseCertificateReserved(_) => {}
            Event::ServerCertified(event) => {
                self.servers.insert(event.server.clone(), event.certificate.0.clone());
            }
            Event::OfficerTokenIssued(event) => {
                let known = self.officers.contains_key(&event.officer);
                self.officer_tokens
                    .insert(event.token, OfficerToken::of(event, place.at, known));
            }
            Event::OfficerRegistered(event) => {
                if let Some(token) = self.officer_tokens.get_mut(&event.token) {
                    token.used = true;
                }
                let officer = self
                    .officers
                    .entry(event.officer)
                    .or_insert_with(|| Officer::new(event.officer));
                officer.registered(event, place.position);
            }
            Event::PasskeyAdded(event) => self.passkey_added(event, place),
            Event::OfficerRemoved(event) => {
                if let Some(officer) = self.officers.get_mut(&event.officer) {
                    officer.removed(place.position);
                }
            }
            Event::OfficerRequested(event) => {
                let token = self.officer_tokens.get_mut(&event.token);
                // Before its time it is bound to nothing, whoever wrote the request.
                if let Some(token) = token.filter(|token| token.use_from <= place.at) {
                    token.request.get_or_insert_with(|| event.csr.0.clone());
                }
            }
            Event::OfficerProposed(event) => {
                let proposal = Proposal::new(event, place);
                self.proposals.insert(proposal.reference().to_owned(), proposal);
            }
            Event::OfficerSigned(event) => {
                // One that does not count is not remembered: it neither helps a proposal nor stands in its way.
                let proposal = self.proposals.get(&event.subject);
                let counts = proposal.is_some_and(|proposal| proposal.admits(event, place, self).is_ok());
                if let Some(proposal) = self.proposals.get_mut(&event.subject).filter(|_| counts) {
                    let reference = proposal.signed(event, place);
                    self.decided.signed.insert(reference, event.subject.clone());
                    self.counted(&event.approval);
                }
            }
            Event::OfficerSignedIn(event) => {
                if let Some((officer, counter)) = self.officers.get_mut(&event.officer).zip(event.counter) {
                    officer.counted(&event.key, counter);
                }
            }
            Event::PasskeyDoubted(event) => {
                if let Some(officer) = self.officers.get_mut(&event.officer) {
                    officer.doubted(&event.key, place.at);
                }
            }
            Event::OfficerActed(_) | Event::OfficerRefused(_) | Event::OfficerRead(_) => {}
            Event::ProposalClosed(event) => {
                if let Some(proposal) = self.proposals.get_mut(&event.proposal) {
                    proposal.closed(event.accepted);
                }
            }
            Event::ApplicationSubmitted(event) => match self.mandates.get_mut(&event.mandate) {
                Some(mandate) => mandate.changed(event, place),
                None => {
                    self.mandates.insert(event.mandate, Mandate::new(event, place));
                }
            },
            Event::EnrolmentTokenIssued(event) => {
                self.tokens.insert(event.token, event.mandate);
                self.in_mandate(&event.mandate, |mandate| mandate.token_issued(event, place));
            }
            Event::TokenBound(event) => {
                self.requests.insert(event.csr_digest, event.mandate);
                self.keys.entry(event.spki).or_insert(event.agent);
                self.in_mandate(&event.mandate, |mandate| mandate.token_bound(event, place));
            }
            Event::RenewalRequested(event) => {
                self.requests.insert(event.csr_digest, event.mandate);
                self.keys.entry(event.spki).or_insert(event.agent);
                self.in_mandate(&event.mandate, |mandate| mandate.renewal_requested(event, place));
            }
            Event::ApplicationSigned(event) => {
                self.in_mandate(&event.mandate, |mandate| mandate.signed(event, place));
                self.counted(&event.approval);
            }
            Event::ApplicationApproved(event) => {
                self.in_mandate(&event.mandate, |mandate| mandate.approved(event, place));
            }
            Event::ApplicationRejected(event) => {
                self.in_mandate(&event.mandate, |mandate| mandate.rejected(event, place));
            }
            Event::CertificateReserved(event) => {
                let facts = CertificateFacts {
                    agent: event.agent,
                    mandate: event.mandate,
                    not_before: event.not_before,
                    not_after: event.not_after,
                    spki: event.spki,
                    issued: false,
                };
                self.certificates.insert(event.serial, facts);
                self.in_mandate(&event.mandate, |mandate| mandate.reserved(event, place));
            }
            Event::CertificateIssued(event) => {
                if let Some(facts) = self.certificates.get_mut(&event.serial) {
                    facts.issued = true;
                }
                self.in_mandate(&event.mandate, |mandate| mandate.issued(event, place));
            }
        }
    }

    /// A passkey counts when a one-time token stands behind it that nobody has used, or a signature of the officer in office.
    fn passkey_added(&mut self, event: &PasskeyAdded, place: Place) {
        // Asked first: what adds nothing uses no token up.
        let key = Digest::of(&event.spki.0);
        if self.may_add_passkey(&event.officer, &key, &event.credential.0).is_err() {
            return;
        }
        let roles = match (&event.token, &event.authorised_by) {
            (Some(token), None) => {
                let Some(token) = self.officer_tokens.get_mut(token) else {
                    return;
                };
                if !token.is_free(place.at) || token.officer != event.officer {
                    return;
                }
                token.used = true;
                Some(token.roles.clone())
            }
            (None, Some(record)) => {
                let officer = self.officers.get(&event.officer).filter(|one| one.holds(&record.key));
                let signed = officer.is_some_and(|officer| officer.signed(record).is_ok());
                let same = record.officer == event.officer && record.document == event.document();
                if !signed || !same || record.decision != ApprovalDecision::Approve {
                    return;
                }
                self.counted(record);
                None
            }
            _ => return,
        };
        let officer = self.officers.entry(event.officer);
        let officer = officer.or_insert_with(|| Officer::new(event.officer));
        officer.passkey_added(event, roles.as_deref(), place);
    }

    /// What a passkey counted, of a signature that holds: anybody's number would lock its officer out.
    fn counted(&mut self, record: &ApprovalRecord) {
        let officer = self.officers.get_mut(&record.officer);
        let Some((officer, assertion)) = officer.zip(record.passkey.as_ref()) else {
            return;
        };
        let goes_on = officer
            .passkey(&record.key)
            .is_some_and(|passkey| passkey.counter < assertion.counter());
        if goes_on && officer.signed(record).is_ok() {
            officer.counted(&record.key, assertion.counter());
        }
    }

    fn in_mandate(&mut self, mandate: &MandateId, change: impl FnOnce(&mut Mandate)) {
        if let Some(mandate) = self.mandates.get_mut(mandate) {
            change(mandate);
        }
    }

    /// An agent's registration.
    #[must_use]
    pub fn agent(&self, agent: &AgentId) -> Option<&AgentRegistered> {
        self.agents.get(agent)
    }

    /// The replacement that was queued last under a mandate: of the agent's revocation of that number, and of no later one.
    #[must_use]
    pub fn replacement(&self, mandate: &MandateId) -> Option<&ReplacementQueued> {
        self.replacements.get(mandate)
    }

    /// All agents, by id.
    pub fn agents(&self) -> impl Iterator<Item = &AgentRegistered> {
        self.agents.values()
    }

    /// An officer, those who left included.
    #[must_use]
    pub fn officer(&self, officer: &OfficerId) -> Option<&Officer> {
        self.officers.get(officer)
    }

    /// All officers, by id.
    pub fn officers(&self) -> impl Iterator<Item = &Officer> {
        self.officers.values()
    }

    /// The officer in office whose current certificate holds the key of this SHA-256, or who has it as a passkey.
    #[must_use]
    pub fn officer_of_key(&self, key: &Digest) -> Option<&Officer> {
        self.officers.values().find(|officer| officer.holds(key))
    }

    /// The officer in office whose passkey has this credential id, and the passkey.
    #[must_use]
    pub fn passkey_of_credential(&self, credential: &[u8]) -> Option<(&Officer, &Passkey)> {
        let in_office = self.officers.values().filter(|officer| officer.in_office());
        let mut all = in_office.flat_map(|officer| officer.passkeys().map(move |passkey| (officer, passkey)));
        all.find(|(_, passkey)| passkey.credential == credential)
    }

    /// An officer's one-time token, by its SHA-256.
    #[must_use]
    pub fn officer_token(&self, token: &Digest) -> Option<&OfficerToken> {
        self.officer_tokens.get(token)
    }

    /// A proposal by its reference, `officer/ada/3`.
    #[must_use]
    pub fn proposal(&self, reference: &str) -> Option<&Proposal> {
        self.proposals.get(reference)
    }

    /// All proposals, by reference.
    pub fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        self.proposals.values()
    }

    /// A mandate.
    #[must_use]
    pub fn mandate(&self, mandate: &MandateId) -> Option<&Mandate> {
        self.mandates.get(mandate)
    }

    /// All mandates, by id.
    pub fn mandates(&self) -> impl Iterator<Item = &Mandate> {
        self.mandates.values()
    }

    /// The mandate a bot's one-time token was made for, by the token's SHA-256.
    #[must_use]
    pub fn mandate_of_token(&self, token: &Digest) -> Option<&Mandate> {
        self.mandates.get(self.tokens.get(token)?)
    }

    /// The mandate that knows a request, by the request's SHA-256.
    #[must_use]
    pub fn mandate_of_request(&self, csr: &Digest) -> Option<&Mandate> {
        self.mandates.get(self.requests.get(csr)?)
    }

    /// The one agent that may use a key, once any agent has asked with it; by the SHA-256 of its SubjectPublicKeyInfo.
    #[must_use]
    pub fn agent_of_key(&self, spki: &Digest) -> Option<&AgentId> {
        self.keys.get(spki)
    }

    /// A certificate by its serial.
    #[must_use]
    pub fn certificate(&self, serial: &Serial) -> Option<&CertificateFacts> {
        self.certificates.get(serial)
    }

    /// The certificates of an agent, by serial.
    pub fn certificates_of(&self, agent: &AgentId) -> impl Iterator<Item = (&Serial, &CertificateFacts)> {
        let agent = *agent;
        self.certificates.iter().filter(move |(_, facts)| facts.agent == agent)
    }

    /// The newest certificate of each listener, DER, by its name.
    pub fn servers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.servers
            .iter()
            .map(|(name, certificate)| (name.as_str(), certificate.as_slice()))
    }

    /// What the ceremony fixed.
    #[must_use]
    pub fn house(&self) -> Option<&HouseFounded> {
        self.house.as_ref()
    }

    /// The newest certificate of the authority for a purpose, DER.
    #[must_use]
    pub fn authority_certificate(&self, purpose: CaCertificateUse) -> Option<&[u8]> {
        self.authority_certificates(purpose).next_back()
    }

    /// All certificates of the authority for a purpose, DER, in the order they were installed in.
    pub fn authority_certificates(&self, purpose: CaCertificateUse) -> impl DoubleEndedIterator<Item = &[u8]> {
        let installed = self
            .authority
            .iter()
            .filter(move |installed| installed.purpose == purpose);
        installed.map(|installed| installed.certificate.0.as_slice())
    }
}
