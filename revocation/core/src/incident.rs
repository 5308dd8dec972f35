//! Incidents: opened by a halt or a person, acknowledged, and reviewed by somebody who may not be the one who caused it.

use extensions::approval::ApprovalRecord;
use extensions::{AgentId, Digest, IncidentId, OfficerId, StreamId, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::actor::{Actor, distinct_officers};
use crate::event::{record, record_enum};

/// What led to an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentCause {
    /// The scorer reached its second threshold.
    Score,
    /// A warning nobody answered ended in revocation.
    UnansweredWarning,
    /// An officer pressed the button.
    Officer,
    /// The venue saw traffic, or holds a state, that the records do not explain.
    Mismatch,
}

/// What a revocation that no person asked for is known by, before it is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The order that was halted: its entry's number in the agent's stream.
    Decision(u64),
    /// A warning nobody answered: its deadline. Whoever writes it down first, gateway or order, means the same.
    Deadline(Timestamp),
    /// A revocation of the owner or of all: its position in the log.
    House(u64),
}

/// The incident that a revocation opens: derived, so that `agent.revoked` can name it in the same append, and two that write the same down
/// open one.
#[must_use]
pub fn incident_of(agent: &AgentId, trigger: Trigger) -> IncidentId {
    let (what, which) = match trigger {
        Trigger::Decision(number) => (0, number.to_be_bytes()),
        Trigger::Deadline(deadline) => (1, deadline.micros().to_be_bytes()),
        Trigger::House(position) => (2, position.to_be_bytes()),
    };
    let digest = Digest::of_parts(&[b"mandatum/incident/v1", agent.as_str().as_bytes(), &[what], &which]);
    let mut text = *b"inc-0000000000000000";
    for (pair, byte) in text[4..].chunks_exact_mut(2).zip(digest.0) {
        pair[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        pair[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    let text = std::str::from_utf8(&text).expect("hexadecimal is ASCII");
    IncidentId::new(text).expect("lower-case hexadecimal and a hyphen")
}

/// What a review found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The stop was right; the cause is found.
    Confirmed,
    /// The stop was a false alarm.
    FalseAlarm,
}

/// An incident was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentOpened {
    /// The agent.
    pub agent: AgentId,
    /// Who opened it.
    pub by: Actor,
    /// What led to it.
    pub cause: IncidentCause,
    /// The incident.
    pub incident: IncidentId,
}
record!(IncidentOpened, "incident.opened", |event| StreamId::agent(&event.agent));

/// An officer has seen it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentAcknowledged {
    /// The agent.
    pub agent: AgentId,
    /// The incident.
    pub incident: IncidentId,
    /// Who has seen it.
    pub officer: OfficerId,
}
record!(IncidentAcknowledged, "incident.acknowledged", |event| StreamId::agent(
    &event.agent
));

/// Officers have found the root cause. The texts are sealed beside the proposal that they signed; the entry holds their commitments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentReviewed {
    /// The agent.
    pub agent: AgentId,
    /// What they found.
    pub finding: Finding,
    /// Commitment to the impact in words; absent in reviews of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<Digest>,
    /// The incident.
    pub incident: IncidentId,
    /// Commitment to the lessons in words; absent in reviews of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lessons: Option<Digest>,
    /// Commitment to the root cause in words.
    pub root_cause: Digest,
    /// The officers' signatures. `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
}
record!(IncidentReviewed, "incident.reviewed", |event| StreamId::agent(
    &event.agent
));

record_enum! {
    /// The life of an incident.
    IncidentEvent {
        /// Opened.
        Opened(IncidentOpened),
        /// Seen.
        Acknowledged(IncidentAcknowledged),
        /// Reviewed.
        Reviewed(IncidentReviewed),
    }
}

/// Distinct officers who must sign a review (orders.md §3: four eyes).
pub const REVIEW_OFFICERS: usize = 2;

/// Why a step of an incident is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IncidentError {
    /// It is of another incident.
    #[error("this is another incident")]
    OtherIncident,
    /// It was reviewed already.
    #[error("the incident is reviewed already; open another one")]
    AlreadyReviewed,
    /// Nobody has acknowledged it.
    #[error("the incident must be acknowledged before it is reviewed")]
    NotAcknowledged,
    /// It was acknowledged already.
    #[error("the incident is acknowledged already")]
    AlreadyAcknowledged,
    /// Too few signatures.
    #[error("a review needs {REVIEW_OFFICERS} distinct officers, has {0}")]
    TooFewOfficers(usize),
}

/// One incident, folded from its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentState {
    incident: IncidentId,
    opened_by: Actor,
    acknowledged: Option<OfficerId>,
    finding: Option<Finding>,
}

impl IncidentState {
    /// The incident that `event` opened.
    #[must_use]
    pub fn open(event: &IncidentOpened) -> Self {
        Self {
            incident: event.incident,
            opened_by: event.by,
            acknowledged: None,
            finding: None,
        }
    }

    /// Its id.
    #[must_use]
    pub fn incident(&self) -> IncidentId {
        self.incident
    }

    /// Who opened it.
    #[must_use]
    pub fn opened_by(&self) -> Actor {
        self.opened_by
    }

    /// Who has seen it.
    #[must_use]
    pub fn acknowledged(&self) -> Option<OfficerId> {
        self.acknowledged
    }

    /// What the review found; none while it is open.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        self.finding
    }

    /// Takes the next step.
    ///
    /// # Errors
    /// When the step is not allowed now; the state is as it was.
    pub fn step(&mut self, event: &IncidentEvent) -> Result<(), IncidentError> {
        if self.finding.is_some() {
            return Err(IncidentError::AlreadyReviewed);
        }
        match event {
            IncidentEvent::Opened(_) => Err(IncidentError::OtherIncident),
            IncidentEvent::Acknowledged(event) if event.incident != self.incident => Err(IncidentError::OtherIncident),
            IncidentEvent::Acknowledged(_) if self.acknowledged.is_some() => Err(IncidentError::AlreadyAcknowledged),
            IncidentEvent::Acknowledged(event) => {
                self.acknowledged = Some(event.officer);
                Ok(())
            }
            IncidentEvent::Reviewed(event) if event.incident != self.incident => Err(IncidentError::OtherIncident),
            IncidentEvent::Reviewed(_) if self.acknowledged.is_none() => Err(IncidentError::NotAcknowledged),
            IncidentEvent::Reviewed(event) => match distinct_officers(&event.signatures) {
                enough if enough >= REVIEW_OFFICERS => {
                    self.finding = Some(event.finding);
                    Ok(())
                }
                few => Err(IncidentError::TooFewOfficers(few)),
            },
        }
    }
}
