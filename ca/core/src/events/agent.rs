//! Registration of agents: an owner, a purpose, a declared model, an end.

use extensions::{
    AgentId, Digest, Environment, IncidentId, MandateId, OfficerId, OwnerId, Timestamp, record::SealedText,
};
use serde::{Deserialize, Serialize};

/// `agent.registered`: the first entry of an agent's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentRegistered {
    /// The bot.
    pub agent: AgentId,
    /// SHA-256 of the bot's code, as the owner declares it. Never shown as verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_code_digest: Option<Digest>,
    /// The model's name, as the owner declares it (1 to 128 printable ASCII characters). Never shown as verified.
    pub declared_model: String,
    /// Production or sandbox; its certificates carry the policy OID of it.
    pub environment: Environment,
    /// No certificate of this agent lives beyond this time.
    pub expires_at: Timestamp,
    /// Who answers for it.
    pub owner: OwnerId,
    /// The commitment to the sealed statement of purpose.
    pub purpose: Digest,
    /// The officer who registered it.
    pub registered_by: OfficerId,
    /// The purpose's text, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
}

/// `replacement.queued`: after a behavioural halt, the place of the agent's next certificate, under the mandate it had. It stays inactive
/// until officers have signed the incident's review, a baseline younger than the revocation, and the reinstatement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplacementQueued {
    /// The bot.
    pub agent: AgentId,
    /// The incident that has to be reviewed.
    pub incident: IncidentId,
    /// The mandate.
    pub mandate: MandateId,
    /// The number of the `agent.revoked` it follows.
    pub revoked: u64,
}
