//! Probation: some hours under a small mandate that officers signed ahead, between a behavioural halt and the end of its review.

use extensions::approval::ApprovalRecord;
use extensions::{AgentId, Digest, IncidentId, MandateId, StreamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::record;

/// A halted agent may trade for some hours, under new certificates of one mandate only. Data; `ca-core` checks the signatures, and that the
/// agent was stopped for its behaviour and for nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbationStarted {
    /// The agent.
    pub agent: AgentId,
    /// In real time: certificates whose validity begins before this moment stay revoked for ever.
    pub certificates_from: Timestamp,
    /// SHA-256 of the mandate's document as officers approved it ahead.
    pub document: Digest,
    /// How long, in hours, from when this was decided.
    pub hours: u8,
    /// The incident of the halt.
    pub incident: IncidentId,
    /// The mandate.
    pub mandate: MandateId,
    /// The signatures of an on-call person and of an officer over this decision.
    pub signatures: Vec<ApprovalRecord>,
}
record!(ProbationStarted, "agent.probation_started", |event| StreamId::agent(
    &event.agent
));

/// A probation as standing remembers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probation {
    /// SHA-256 of the mandate's document.
    pub document: Digest,
    /// The mandate.
    pub mandate: MandateId,
    /// From this moment on the agent is revoked as it was before.
    pub until: Timestamp,
}

impl Probation {
    pub(super) fn of(event: &ProbationStarted, at: Timestamp) -> Self {
        Self {
            document: event.document,
            mandate: event.mandate,
            until: at.plus_seconds(i64::from(event.hours) * 3_600),
        }
    }
}
