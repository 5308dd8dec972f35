//! Entries that officers' signatures decided: held, entry by entry, to the signatures that stand in the log (ARCHITECTURE §5, guarantee 5).
//!
//! Such an entry names officers or repeats their signatures; that is a claim. Each role that acts on one asks [`Register::admits`] first,
//! in the order of the log, and leaves out what is not admitted: then writing an entry does not suffice to be obeyed. The signatures were
//! verified where they stand: an `officer.signed` that does not verify is not remembered by [`Register::apply`].

use std::collections::{BTreeMap, BTreeSet};

use extensions::{
    AgentId, ApprovalDecision, ApprovalRecord, Decimal, Digest, Instrument, OfficerId, StreamId, StreamKind, Timestamp,
    canonical,
};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use super::{Place, Proposal, Register};
use crate::{
    approval::{Question, check_signature},
    certificate::is_signed_by,
    events::{CaCertificateInstalled, CaCertificateUse, OfficerRegistered},
};

/// Members of such an entry that officers do not sign: the signatures themselves, and what follows from when the last one came.
const UNSIGNED: [&str; 3] = ["certificates_from", "issued_by", "signatures"];

/// Kinds that an entry has only by officers' signatures, once there are officers.
const SIGNED: [&str; 12] = [
    "agent.probation_started",
    "agent.reinstated",
    "baseline.approved",
    "house.exposure_set",
    "house.reinstated",
    "house.regions_set",
    "house.thresholds_set",
    "house.webhook_removed",
    "house.webhook_set",
    "incident.reviewed",
    "officer.token_issued",
    "order.override_granted",
];

/// An officer's word alone, under its own signature, over a nonce that counts once.
const ATTESTED: &str = "position.attested";

/// How much earlier than its last signature a reinstatement may say that certificates count, in seconds: clocks of two processes differ.
const CLOCKS_APART_S: i64 = 60;

/// Kinds that bring a certificate of the house's own: they are held to the root that the ceremony installed.
const CERTIFIED: [&str; 2] = ["ca.certificate_installed", "officer.registered"];

/// Kinds that the ceremony writes while there is no officer yet.
const OF_CEREMONY: [&str; 3] = ["house.regions_set", "house.thresholds_set", "officer.token_issued"];

/// Whether an entry of this kind is held to somebody's signature before it is obeyed.
#[must_use]
pub fn is_held(kind: &str) -> bool {
    SIGNED.contains(&kind) || CERTIFIED.contains(&kind) || kind == ATTESTED
}

/// Why an entry is not what officers decided.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Undecided {
    /// Its body does not read.
    #[error("does not read: {0}")]
    Unreadable(String),
    /// It carries no signature.
    #[error("has no officers' signatures")]
    Unsigned,
    /// It stands in another agent's stream than it speaks of.
    #[error("speaks of agent {0} in the stream of another")]
    Elsewhere(String),
    /// It would let certificates count from before it was signed: those that were revoked with the agent.
    #[error("lets certificates count from {from}, and was signed at {signed}")]
    Backdated {
        /// From when on certificates count.
        from: Timestamp,
        /// When the last of its signatures stood in the log.
        signed: Timestamp,
    },
    /// An officer's own word that the officer did not sign so.
    #[error("{0}")]
    Attested(String),
    /// Nobody was asked.
    #[error("no officers' proposal became it: its signatures or references answer none of its kind")]
    NoProposal,
    /// A signature that does not stand in the log by itself.
    #[error("repeats a signature of {0} that no entry `officer.signed` holds")]
    Unrecorded(OfficerId),
    /// The entry says something else than the document that was signed.
    #[error("says another {member} than the officers signed in {proposal}")]
    Differs {
        /// The member.
        member: String,
        /// The proposal.
        proposal: String,
    },
    /// Too few officers.
    #[error("{needed} officers must have signed {proposal}, of the roles it takes; {signed} did")]
    TooFew {
        /// How many it takes.
        needed: usize,
        /// The proposal.
        proposal: String,
        /// How many did.
        signed: usize,
    },
    /// The proposal became an entry before: its signatures are used up.
    #[error("{proposal} became the entry at position {position} already; a signature decides once")]
    Spent {
        /// The proposal.
        proposal: String,
        /// Where.
        position: u64,
    },
    /// The officers said no.
    #[error("{0} was refused, or closed")]
    Refused(String),
    /// A certificate that the house's own CAs did not sign, or a second root.
    #[error("brings a certificate that no CA of this house signed")]
    Foreign,
    /// An officer whom no token invited, under these roles.
    #[error("registers {0} under roles that no open one-time token gave")]
    Uninvited(OfficerId),
    /// The incident of the revocation is open.
    #[error("comes before the review of incident {0}")]
    Unreviewed(String),
    /// The agent was stopped for its behaviour, and what it is held to is still the same.
    #[error("comes before a baseline that was approved after the revocation number {0}")]
    SameBaseline(u64),
    /// A probation of an agent that was stopped for something else than its behaviour.
    #[error("begins a probation after the revocation number {0}, which was not for the agent's behaviour")]
    NotBehavioural(u64),
    /// A probation of an agent whose key was, or may have been, in other hands.
    #[error("begins a probation of an agent whose key was revoked as compromised")]
    Compromised,
    /// A second probation before the agent was reinstated.
    #[error("begins a second probation before a reinstatement")]
    SecondProbation,
    /// A reinstatement or probation that answers another revocation than the latest.
    #[error("{proposal} answers another revocation than the latest one")]
    Outlived {
        /// The proposal.
        proposal: String,
    },
}

/// What has to be known of earlier entries, besides officers and proposals.
#[derive(Debug, Clone, Default)]
pub(super) struct Decided {
    /// The revocation that a reinstatement has to answer: the latest of an agent, the first of a scope of the house.
    revoked: BTreeMap<String, Revocation>,
    /// Agents with a baseline in force, and the number it was approved under: another one takes two officers.
    baselines: BTreeMap<AgentId, u64>,
    /// Agents a key of which was revoked as compromised since their last reinstatement, by their stream.
    compromised: BTreeSet<String>,
    /// Incidents whose review was signed, by the agent's stream.
    reviewed: BTreeSet<(String, String)>,
    /// Nonces of positions that officers attested.
    attested: BTreeSet<Digest>,
    /// The proposal that a signature answers, by where the signature stands.
    pub(super) signed: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct Revocation {
    number: u64,
    /// The number of the latest one for the agent's behaviour, by the scorer, or by the mandate after its warning: this one, or one before it
    /// that nobody has answered yet.
    behavioural: Option<u64>,
    incident: Option<String>,
    /// Whether a probation followed it, or the revocation before it: there is one before a reinstatement.
    probation: bool,
}

impl Revocation {
    fn of(body: &Value, number: u64) -> Self {
        let by = body.get("by").and_then(Value::as_str);
        Self {
            number,
            behavioural: matches!(by, Some("scorer" | "mandate")).then_some(number),
            incident: body.get("incident").and_then(Value::as_str).map(str::to_owned),
            probation: false,
        }
    }
}

impl Decided {
    fn revoked(&mut self, kind: &str, stream: &StreamId, body: &Value, number: u64) {
        let (key, mut revocation) = (revocation_key(kind, stream, body), Revocation::of(body, number));
        if body.get("reason").and_then(Value::as_str) == Some("key_compromise") && !kind.starts_with("house.") {
            self.compromised.insert(stream.to_string());
        }
        if kind == "certificate.revoked" {
            return;
        }
        // A second revocation of an agent has to be explained by itself; one of a scope that is revoked moves nothing.
        if kind == "agent.revoked" {
            // What it comes on top of is owed still.
            if let Some(earlier) = self.revoked.get(&key) {
                revocation.behavioural = revocation.behavioural.or(earlier.behavioural);
                revocation.probation = earlier.probation;
            }
            self.revoked.insert(key, revocation);
        } else {
            self.revoked.entry(key).or_insert(revocation);
        }
    }
}

impl Register {
    /// Whether an entry may be acted on as far as officers' signatures go; to be asked for every entry, in the log's order, before it is
    /// folded. `Ok(true)` when it took signatures and has them, `Ok(false)` when it takes none.
    ///
    /// # Errors
    /// When officers did not decide what it says.
    pub fn admits(&mut self, kind: &str, stream: &StreamId, body: &[u8], place: Place) -> Result<bool, Undecided> {
        if CERTIFIED.contains(&kind) {
            return self.certified(kind, body).map(|()| false);
        }
        let revokes = is_revocation(kind);
        let ceremony = OF_CEREMONY.contains(&kind) && self.officers.is_empty();
        if !revokes && (!is_held(kind) || ceremony) {
            return Ok(false);
        }
        let body = serde_json::from_slice(body).map_err(|error| Undecided::Unreadable(error.to_string()))?;
        if revokes {
            self.decided.revoked(kind, stream, &body, place.number);
            return Ok(false);
        }
        in_its_stream(stream, &body)?;
        if kind == ATTESTED {
            return self.attested(&body, place).map(|()| true);
        }
        let reference = self.became(kind, stream, &body)?;
        let proposal = self.proposals.get_mut(&reference).ok_or(Undecided::NoProposal)?;
        if let Some(position) = proposal.became.filter(|position| *position != place.position) {
            return Err(Undecided::Spent {
                proposal: reference,
                position,
            });
        }
        proposal.became = Some(place.position);
        match kind {
            "baseline.approved" => {
                let agent = AgentId::new(stream.name()).ok();
                self.decided.baselines.extend(agent.map(|agent| (agent, place.number)));
            }
            "incident.reviewed" => {
                let incident = body.get("incident").and_then(Value::as_str).unwrap_or_default();
                self.decided.reviewed.insert((stream.to_string(), incident.to_owned()));
            }
            "agent.reinstated" | "house.reinstated" => {
                self.decided.revoked.remove(&revocation_key(kind, stream, &body));
                self.decided.compromised.remove(&stream.to_string());
            }
            "agent.probation_started" => {
                if let Some(revocation) = self.decided.revoked.get_mut(&revocation_key(kind, stream, &body)) {
                    revocation.probation = true;
                }
            }
            _ => {}
        }
        Ok(true)
    }

    /// The proposal that became the entry, when the entry says what it asked and enough officers approved.
    fn became(&self, kind: &str, stream: &StreamId, body: &Value) -> Result<String, Undecided> {
        let (proposal, needed) = match kind {
            "baseline.approved" => (self.of_baseline(body)?, self.officers_of_baseline(stream)),
            "officer.token_issued" => {
                let token = body.get("token");
                let mut all = self.proposals.values();
                let found = all.find(|one| one.becomes() == kind && one.document().get("token") == token);
                (found.ok_or(Undecided::NoProposal)?, 2)
            }
            _ => (self.of_signatures(kind, body)?, 2),
        };
        if kind != "baseline.approved" {
            covers(proposal, body)?;
        }
        if proposal.outcome() == Some(false) {
            return Err(Undecided::Refused(proposal.reference().to_owned()));
        }
        if kind.ends_with(".reinstated") || kind == "agent.probation_started" {
            let revocation = self.decided.revoked.get(&revocation_key(kind, stream, body));
            let answered = proposal.document().get("revoked_at").and_then(Value::as_u64);
            let revocation = revocation.filter(|revocation| Some(revocation.number) == answered);
            let revocation = revocation.ok_or_else(|| Undecided::Outlived {
                proposal: proposal.reference().to_owned(),
            })?;
            if kind == "agent.probation_started" {
                self.may_begin_probation(stream, revocation)?;
            } else {
                self.explained(stream, revocation)?;
            }
        }
        dated(proposal, body)?;
        let signed = proposal.approvals(needed);
        if !proposal.is_approved(needed, self) {
            return Err(Undecided::TooFew {
                needed,
                proposal: proposal.reference().to_owned(),
                signed,
            });
        }
        Ok(proposal.reference().to_owned())
    }

    /// That the incident of a revocation was reviewed and, where the agent was stopped for its behaviour, that it has a baseline younger
    /// than that.
    fn explained(&self, stream: &StreamId, revocation: &Revocation) -> Result<(), Undecided> {
        let open = |incident: &&String| {
            let incident = (stream.to_string(), (*incident).clone());
            !self.decided.reviewed.contains(&incident)
        };
        if let Some(incident) = revocation.incident.as_ref().filter(open) {
            return Err(Undecided::Unreviewed(incident.clone()));
        }
        let agent = AgentId::new(stream.name()).ok();
        let baseline = agent.and_then(|agent| self.decided.baselines.get(&agent));
        if let Some(owed) = revocation.behavioural
            && baseline.is_none_or(|approved| *approved < owed)
        {
            return Err(Undecided::SameBaseline(owed));
        }
        Ok(())
    }

    /// That an agent was stopped for its behaviour and for nothing else, and that this is its first probation since.
    fn may_begin_probation(&self, stream: &StreamId, revocation: &Revocation) -> Result<(), Undecided> {
        if self.decided.compromised.contains(&stream.to_string()) {
            return Err(Undecided::Compromised);
        }
        if revocation.behavioural != Some(revocation.number) {
            return Err(Undecided::NotBehavioural(revocation.number));
        }
        if revocation.probation {
            return Err(Undecided::SecondProbation);
        }
        Ok(())
    }

    /// Whether a key of the agent was revoked as compromised since its last reinstatement.
    #[must_use]
    pub fn is_compromised(&self, agent: &AgentId) -> bool {
        self.decided.compromised.contains(&StreamId::agent(agent).to_string())
    }

    /// Whether a probation of the agent may be proposed now.
    ///
    /// # Errors
    /// Says why not.
    pub fn probation_is_possible(&self, agent: &AgentId) -> Result<(), Undecided> {
        let stream = StreamId::agent(agent);
        let revocation = self.decided.revoked.get(&stream.to_string());
        revocation.map_or(Err(Undecided::NoProposal), |revocation| {
            self.may_begin_probation(&stream, revocation)
        })
    }

    /// That a certificate of the house's own was signed by the CA above it, and an officer's roles given by the token.
    fn certified(&self, kind: &str, body: &[u8]) -> Result<(), Undecided> {
        let unreadable = |error: canonical::CanonicalError| Undecided::Unreadable(error.to_string());
        let under = |above: CaCertificateUse, certificate: &[u8]| {
            // An earlier CA still has a responder of its own, for as long as it is in use.
            let mut all = self.authority_certificates(above);
            let signed = all.any(|above| is_signed_by(certificate, above));
            signed.then_some(()).ok_or(Undecided::Foreign)
        };
        if kind == "officer.registered" {
            let event: OfficerRegistered = canonical::from_slice(body).map_err(unreadable)?;
            let token = self.officer_token(&event.token);
            let invited = |token: &&super::OfficerToken| {
                token.officer == event.officer && token.roles == event.roles && !token.used
            };
            token.filter(invited).ok_or(Undecided::Uninvited(event.officer))?;
            return under(CaCertificateUse::HouseIssuing, &event.certificate.0);
        }
        let event: CaCertificateInstalled = canonical::from_slice(body).map_err(unreadable)?;
        match event.purpose {
            root @ (CaCertificateUse::AgentRoot | CaCertificateUse::HouseRoot) => {
                match self.authority_certificate(root) {
                    None => Ok(()),
                    Some(_) => Err(Undecided::Foreign),
                }
            }
            CaCertificateUse::AgentIssuing => under(CaCertificateUse::AgentRoot, &event.certificate.0),
            CaCertificateUse::HouseIssuing => under(CaCertificateUse::HouseRoot, &event.certificate.0),
            CaCertificateUse::OcspResponder => under(CaCertificateUse::AgentIssuing, &event.certificate.0),
        }
    }

    /// A position that one officer says is held, under the officer's own signature, once.
    fn attested(&mut self, body: &Value, place: Place) -> Result<(), Undecided> {
        let attested: Attested =
            Attested::deserialize(body).map_err(|error| Undecided::Unreadable(error.to_string()))?;
        let signature = &attested.signature;
        let question = Question {
            document: attested.document(),
            nonce: signature.nonce,
            applicant: None,
            on_call: false,
        };
        check_signature(question, signature, place.position, &[], self)
            .map_err(|fault| Undecided::Attested(fault.to_string()))?;
        if signature.decision != ApprovalDecision::Approve {
            return Err(Undecided::Attested("says no to it".to_owned()));
        }
        if !self.decided.attested.insert(signature.nonce) {
            return Err(Undecided::Attested(
                "repeats a signature whose nonce was used before".to_owned(),
            ));
        }
        Ok(())
    }

    /// The entry repeats the signatures: each stands in the log by itself, and was verified there.
    fn of_signatures(&self, kind: &str, body: &Value) -> Result<&Proposal, Undecided> {
        let records = body.get("signatures").cloned().unwrap_or_default();
        let records: Vec<ApprovalRecord> =
            serde_json::from_value(records).map_err(|error| Undecided::Unreadable(error.to_string()))?;
        let first = records.first().ok_or(Undecided::Unsigned)?;
        let mut all = self.proposals.values();
        let proposal = all.find(|one| one.becomes() == kind && one.nonce() == first.nonce);
        let proposal = proposal.ok_or(Undecided::NoProposal)?;
        match records
            .iter()
            .find(|record| !proposal.signatures().any(|recorded| recorded == *record))
        {
            Some(record) => Err(Undecided::Unrecorded(record.officer)),
            None => Ok(proposal),
        }
    }

    fn of_baseline(&self, body: &Value) -> Result<&Proposal, Undecided> {
        let wanted = body.get("baseline").and_then(Value::as_str).and_then(Digest::parse);
        let references = body.get("approvals").and_then(Value::as_array);
        let references: Vec<&str> = references.into_iter().flatten().filter_map(Value::as_str).collect();
        let found = references.first().and_then(|first| self.decided.signed.get(*first));
        let found = found.and_then(|reference| self.proposals.get(reference));
        let same = |one: &&Proposal| {
            let own: Vec<&str> = one.signature_references().collect();
            let document = one.document();
            one.becomes() == "baseline.approved"
                && document.get("agent") == body.get("agent")
                && document.get("version") == body.get("version")
                && references.iter().all(|reference| own.contains(reference))
                && Some(one.digest()) == wanted
        };
        found.filter(same).ok_or(Undecided::NoProposal)
    }

    /// Lets go of proposals that were decided: for a role that only asks [`admits`](Self::admits) and shows none of them.
    pub fn forget_decided(&mut self) {
        let open = |_: &String, proposal: &mut Proposal| proposal.outcome().is_none();
        self.proposals.retain(open);
        let proposals = &self.proposals;
        self.decided
            .signed
            .retain(|_, proposal| proposals.contains_key(proposal));
    }

    fn officers_of_baseline(&self, stream: &StreamId) -> usize {
        let replaces = AgentId::new(stream.name()).is_ok_and(|agent| self.decided.baselines.contains_key(&agent));
        if replaces { 2 } else { 1 }
    }
}

/// Kinds that an officer's reinstatement answers, or that keep a probation from beginning.
pub(super) fn is_revocation(kind: &str) -> bool {
    matches!(kind, "agent.revoked" | "certificate.revoked" | "house.revoked")
}

fn revocation_key(kind: &str, stream: &StreamId, body: &Value) -> String {
    if kind.starts_with("house.") {
        format!("house {}", body.get("scope").unwrap_or(&Value::Null))
    } else {
        stream.to_string()
    }
}

/// A position, as the entry states it.
#[derive(Deserialize)]
struct Attested {
    agent: AgentId,
    instrument: Instrument,
    quantity: Decimal,
    signature: ApprovalRecord,
}

impl Attested {
    /// What the officer signs: the canonical JSON of agent, instrument, purpose and quantity.
    fn document(&self) -> Digest {
        Digest::of(&canonical::to_vec(&json!({
            "agent": self.agent,
            "instrument": self.instrument,
            "purpose": "position attest",
            "quantity": self.quantity,
        })))
    }
}

/// That an entry of an agent's stream speaks of that agent: officers sign the name in it, and the fold goes by the stream.
fn in_its_stream(stream: &StreamId, body: &Value) -> Result<(), Undecided> {
    let agent = body.get("agent").and_then(Value::as_str);
    match agent.filter(|agent| stream.kind() == StreamKind::Agent && *agent != stream.name()) {
        Some(agent) => Err(Undecided::Elsewhere(agent.to_owned())),
        None => Ok(()),
    }
}

/// That certificates count from no earlier than the signatures: that moment is not signed, for nobody knows it before the last one comes.
fn dated(proposal: &Proposal, body: &Value) -> Result<(), Undecided> {
    let Some(from) = body.get("certificates_from") else {
        return Ok(());
    };
    let from = Timestamp::deserialize(from).map_err(|error| Undecided::Unreadable(error.to_string()))?;
    match proposal.signed_at() {
        Some(signed) if from.plus_seconds(CLOCKS_APART_S) < signed => Err(Undecided::Backdated { from, signed }),
        _ => Ok(()),
    }
}

/// That each member of the entry is what the signed document says; absent and `null` are the same.
fn covers(proposal: &Proposal, body: &Value) -> Result<(), Undecided> {
    let document = proposal.document();
    let said = |name: &str| document.get(name).filter(|value| !value.is_null());
    let members = body.as_object().into_iter().flatten();
    let mut members = members.filter(|(name, _)| !UNSIGNED.contains(&name.as_str()));
    match members.find(|(name, value)| said(name) != Some(*value).filter(|value| !value.is_null())) {
        Some((member, _)) => Err(Undecided::Differs {
            member: member.clone(),
            proposal: proposal.reference().to_owned(),
        }),
        None => Ok(()),
    }
}
