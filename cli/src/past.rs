//! What a record holds of the past: everything that decisions were taken on, folded from entries alone. `replay`, `whatif`, `suggest`
//! and `observed` ask it.

use std::collections::HashMap;

use anomaly::{ApprovedBaseline, BaselineContent, BaselineProposed, ProposedBaseline};
use ca_core::{
    Event, Register,
    events::{ApplicationSubmitted, CaCertificateUse, CertificateIssued},
    register::Place,
};
use extensions::{
    AgentId, AuthorityLimits, Digest, EffectiveLimits, MandateDocument, StreamKind, canonical, certificate::Certificate,
};
use gateway_policy::{AgentEvent, AgentState, EntryAt, Mandate, OrderDecided, Replay};
use ledger::{CommittedEntry, verify::Fold};
use revocation_core::{HouseEvent, HouseState};

/// The fold. Entries must come in the order of the log.
#[derive(Default)]
pub(crate) struct Past {
    register: Register,
    house: HouseState,
    mandates: HashMap<Digest, MandateDocument>,
    certificates: HashMap<Digest, EffectiveLimits>,
    proposed: HashMap<Digest, BaselineContent>,
    approved: HashMap<Digest, ApprovedBaseline>,
    states: HashMap<AgentId, AgentState>,
}

/// Whose stream an entry is in, and what it says there.
pub(crate) fn of_agent(entry: &CommittedEntry) -> Result<Option<(AgentId, AgentEvent)>, String> {
    if entry.stream.kind() != StreamKind::Agent {
        return Ok(None);
    }
    let agent = AgentId::new(entry.stream.name()).map_err(|error| error.to_string())?;
    let event = AgentEvent::decode(&entry.kind, entry.body()).map_err(|error| error.to_string())?;
    Ok(Some((agent, event)))
}

/// What is shown of one agent: the past before an entry of its stream, and the entry.
pub(crate) type Visit<'a> = dyn FnMut(&Past, &CommittedEntry, &AgentEvent) -> Result<(), String> + Send + 'a;

/// Walks the whole record and stops at each entry of one agent.
pub(crate) struct Visiting<'a> {
    agent: AgentId,
    past: Past,
    visit: &'a mut Visit<'a>,
}

impl<'a> Visiting<'a> {
    /// Shows `visit` the entries of `agent`.
    pub(crate) fn new(agent: AgentId, visit: &'a mut Visit<'a>) -> Self {
        Self {
            agent,
            past: Past::default(),
            visit,
        }
    }

    /// The past at the end of the record.
    pub(crate) fn into_past(self) -> Past {
        self.past
    }
}

impl Fold for Visiting<'_> {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        let event = of_agent(entry)?;
        if let Some((agent, event)) = &event
            && *agent == self.agent
        {
            (self.visit)(&self.past, entry, event)?;
        }
        self.past.take(entry, event.as_ref())
    }
}

impl Past {
    /// Whether the agent has any entry.
    pub(crate) fn knows(&self, agent: &AgentId) -> bool {
        self.states.contains_key(agent)
    }

    /// The agent's state behind the last entry of its stream that was taken; none before the first.
    pub(crate) fn state(&self, agent: &AgentId) -> Option<&AgentState> {
        self.states.get(agent)
    }

    /// A baseline that came into force.
    pub(crate) fn approved(&self, digest: &Digest) -> Option<&ApprovedBaseline> {
        self.approved.get(digest)
    }

    /// A baseline that was proposed for an agent, whatever became of it.
    ///
    /// # Errors
    /// Names those that were.
    pub(crate) fn proposed(&self, agent: &AgentId, digest: &Digest) -> Result<ProposedBaseline, String> {
        let mine = |content: &&BaselineContent| content.agent == *agent;
        if let Some(content) = self.proposed.get(digest).filter(mine) {
            return ProposedBaseline::new(content.clone()).map_err(|fault| fault.to_string());
        }
        let others = self.proposed.iter().filter(|(_, content)| mine(content));
        let mut others: Vec<String> = others
            .map(|(digest, content)| format!("version {} {digest}", content.version))
            .collect();
        others.sort();
        Err(format!(
            "no baseline {digest} of {agent} is on record; proposed were: {}",
            if others.is_empty() {
                "none".to_owned()
            } else {
                others.join(", ")
            }
        ))
    }

    /// What a decision names, as far as it is on record before it.
    ///
    /// # Errors
    /// Names what is not.
    pub(crate) fn facts(&self, decided: &OrderDecided) -> Result<Replay<'_>, String> {
        let fingerprint = decided.certificate.fingerprint;
        let limits = self.certificates.get(&fingerprint);
        let limits = limits.ok_or_else(|| format!("no certificate with the fingerprint {fingerprint} is on record"))?;
        let mandate = decided.mandate.map(|digest| match self.mandates.get(&digest) {
            Some(document) => Ok(Mandate { digest, document }),
            None => Err(format!("no mandate document with the digest {digest} is on record")),
        });
        let baseline = decided.score.map(|score| match self.approved.get(&score.baseline) {
            Some(baseline) => Ok(baseline),
            None => Err(format!("no approved baseline {} is on record", score.baseline)),
        });
        Ok(Replay {
            limits: Some(limits),
            mandate: mandate.transpose()?,
            baseline: baseline.transpose()?,
            house: &self.house,
        })
    }

    /// Takes an entry; `event` is what [`of_agent`] made of it.
    ///
    /// # Errors
    /// When it does not read.
    pub(crate) fn take(&mut self, entry: &CommittedEntry, event: Option<&(AgentId, AgentEvent)>) -> Result<(), String> {
        let (kind, body) = (&*entry.kind, entry.body());
        if let Some((agent, event)) = event {
            let (number, at) = (entry.number, entry.at);
            let state = self.states.entry(*agent).or_insert_with(|| AgentState::new(*agent));
            state.apply(EntryAt { number, at }, event);
        }
        match kind {
            "application.submitted" => {
                let submitted: ApplicationSubmitted = read(body)?;
                self.mandates.insert(submitted.document_digest, submitted.document);
            }
            "baseline.proposed" => {
                let proposed: BaselineProposed = read(body)?;
                self.proposed.insert(proposed.digest, proposed.baseline);
            }
            _ => {}
        }
        if let Some((_, AgentEvent::BaselineApproved(approval))) = event {
            self.approve(approval)?;
        }
        if let Some(event) = HouseEvent::decode(kind, body) {
            self.house.apply(&event.map_err(|error| error.to_string())?);
        }
        if let Some(event) = Event::decode(kind, body) {
            let event = event.map_err(|error| error.to_string())?;
            let place = Place {
                position: entry.position,
                number: entry.number,
                at: entry.at,
            };
            self.register.apply(&event, place);
            if let Event::CertificateIssued(issued) = &event {
                self.issued(issued)?;
            }
        }
        Ok(())
    }

    fn approve(&mut self, approval: &anomaly::BaselineApproved) -> Result<(), String> {
        let content = self.proposed.get(&approval.baseline);
        let content = content.ok_or_else(|| format!("approves {}, which was not proposed", approval.baseline))?;
        let proposed = ProposedBaseline::new(content.clone()).map_err(|fault| fault.to_string())?;
        let approved = proposed.approve(approval).map_err(|fault| fault.to_string())?;
        self.approved.insert(approval.baseline, approved);
        Ok(())
    }

    /// The certificate's limits, narrowed by those of the CAs that issued it, as a session compiles them.
    fn issued(&mut self, issued: &CertificateIssued) -> Result<(), String> {
        let leaf = limits_of(&issued.certificate.0)?;
        // Under the CA that issued it, not under the newest: a later one may be narrower, or wider.
        let (mut above, mut below) = (Vec::new(), issued.certificate.0.clone());
        for purpose in [CaCertificateUse::AgentIssuing, CaCertificateUse::AgentRoot] {
            let issuer = self.register.issuer_of(purpose, &below);
            below = issuer.ok_or_else(|| format!("no {purpose:?} certificate on record issued it"))?;
            above.push(limits_of(&below)?);
        }
        let effective = EffectiveLimits::compile(&leaf, &above);
        self.certificates.insert(Digest::of(&issued.certificate.0), effective);
        Ok(())
    }
}

fn read<T: serde::Serialize + serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    canonical::from_slice(body).map_err(|error| error.to_string())
}

fn limits_of(der: &[u8]) -> Result<AuthorityLimits, String> {
    let certificate = Certificate::read(der).map_err(|fault| fault.to_string())?;
    let (_, value) = certificate.authority_limits().ok_or("a certificate without limits")?;
    AuthorityLimits::decode(value).map_err(|error| error.to_string())
}
