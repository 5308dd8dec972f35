//! The mandate document: what officers read and approve. Limits go into the certificate; conduct does not, its hash does.

mod bounds;
mod caps;
mod conduct;
#[cfg(test)]
mod tests;
mod words;

pub use bounds::{LONGEST_DISCONNECT_GRACE_S, MOST_EXECUTIONS, MOST_OPEN_ORDERS};
pub use caps::Caps;
pub use conduct::{Conduct, OnHalt, OnUnansweredWarning, Scoring, SelfTrade};
pub use words::Change;

use serde::{Deserialize, Serialize};

use crate::{
    AgentId, Digest, MandateId, OwnerId, Timestamp,
    canonical::{self, CanonicalError},
    limits::{Authority, AuthorityLimits, LimitsError, MOST_APPROVERS, MandateRef},
    oids::Environment,
};

/// The longest declared model name.
pub const LONGEST_MODEL: usize = 128;
/// The longest document that is read: limits of 4 KiB DER are far below this as JSON.
pub const LONGEST_DOCUMENT: usize = 64 * 1_024;

/// A mandate document, version 1. Its canonical JSON (RFC 8785) is what is hashed, approved and stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MandateDocument {
    /// The bot.
    pub agent: AgentId,
    /// What is not a limit.
    pub conduct: Conduct,
    /// SHA-256 of the bot's code as its operator declares it; never verified by us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_code_digest: Option<Digest>,
    /// The model as its operator declares it; never verified by us. Printable ASCII, at most 128.
    pub declared_model: String,
    /// Production or sandbox.
    pub environment: Environment,
    /// No certificate under this mandate outlives this.
    pub expires: Timestamp,
    /// The limits that go into the certificate.
    pub limits: Authority,
    /// The mandate's own id.
    pub mandate: MandateId,
    /// Who answers for the bot.
    pub owner: OwnerId,
    /// Commitment to the purpose, a sealed text.
    pub purpose_commitment: Digest,
    /// Commitment to why these limits fit the purpose, a sealed text.
    pub rationale_commitment: Digest,
    /// Always 1.
    pub version: u8,
}

/// Why bytes are not a mandate document.
#[derive(Debug, thiserror::Error)]
pub enum MandateError {
    /// Above the bound.
    #[error("a mandate document of {0} bytes: at most 65536 are read")]
    TooLong(usize),
    /// Not canonical JSON of the shape; limits that are not permitted are among the reasons.
    #[error("mandate document: {0}")]
    Unreadable(#[from] CanonicalError),
    /// A version other than 1.
    #[error("mandate document version {0}: only version 1 is known")]
    UnknownVersion(u8),
    /// The declared model is empty, too long or not printable ASCII.
    #[error("declared_model: expected 1 to 128 printable ASCII characters")]
    DeclaredModel,
    /// The repeat window is too long.
    #[error("repeat_window_ms: at most 600000 (ten minutes)")]
    RepeatWindow,
    /// A probation of no hours, or of more than a day.
    #[error("probation_hours: expected 1 to 24")]
    Probation,
    /// No grace, or more than an hour.
    #[error("cancel_after_disconnect_s: expected 1 to 3600")]
    Disconnect,
    /// A unit that may be traded has no cap.
    #[error("max_day_loss: expected a cap for each unit of per_day")]
    DayLoss,
    /// No executions, or more than are counted.
    #[error("max_executions: expected 1 to 1000000")]
    Executions,
    /// No open orders, or more than a gateway follows.
    #[error("max_open_orders: expected 1 to 256")]
    OpenOrders,
    /// An instrument that may be traded has no cap.
    #[error("max_position: expected a cap for each instrument of the limits")]
    Positions,
    /// Limits that no agent's certificate can carry: a scope that is `any`, or more than fits 4 KiB.
    #[error("limits: {0}")]
    Limits(#[from] LimitsError),
}

impl MandateDocument {
    /// Reads a document: canonical JSON, known members only.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, MandateError> {
        if bytes.len() > LONGEST_DOCUMENT {
            return Err(MandateError::TooLong(bytes.len()));
        }
        let document: Self = canonical::from_slice(bytes)?;
        document.check()?;
        Ok(document)
    }

    /// What the types do not say by themselves.
    ///
    /// # Errors
    /// When the version, declared model or a scope is not permitted.
    pub fn check(&self) -> Result<(), MandateError> {
        if self.version != 1 {
            return Err(MandateError::UnknownVersion(self.version));
        }
        let model = &self.declared_model;
        if model.is_empty() || model.len() > LONGEST_MODEL || !model.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(MandateError::DeclaredModel);
        }
        if self.conduct.repeat_window_ms > conduct::LONGEST_REPEAT_WINDOW_MS {
            return Err(MandateError::RepeatWindow);
        }
        let hours = self.conduct.probation_hours;
        if hours.is_some_and(|hours| !(1..=conduct::LONGEST_PROBATION_HOURS).contains(&hours)) {
            return Err(MandateError::Probation);
        }
        self.check_bounds()?;
        // the most that a certificate has to carry beside the limits: as many approvers as there may be
        let approvers = (0..MOST_APPROVERS as u8).map(|n| Digest([n; 32])).collect();
        self.authority_limits(approvers)?.encode()?;
        Ok(())
    }

    /// The canonical JSON.
    #[must_use]
    pub fn to_canonical(&self) -> Vec<u8> {
        canonical::to_vec(self)
    }

    /// SHA-256 of the canonical JSON: what officers approve and the certificate carries.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_canonical())
    }

    /// The certificate's `agentDigest`: `SHA-256("mandatum/agent/v1" ‖ 0 ‖ model ‖ 0 ‖ code digest)`; `None` when no code
    /// digest is declared.
    #[must_use]
    pub fn agent_digest(&self) -> Option<Digest> {
        let code = self.declared_code_digest?;
        Some(Digest::of_parts(&[
            b"mandatum/agent/v1",
            &[0],
            self.declared_model.as_bytes(),
            &[0],
            &code.0,
        ]))
    }

    /// The limits of a certificate under this document, approved by the holders of these keys (SHA-256 of each
    /// SubjectPublicKeyInfo, in any order).
    ///
    /// # Errors
    /// When a scope is `any`, or there are no approvers, above 4, or one twice.
    pub fn authority_limits(&self, mut approvers: Vec<Digest>) -> Result<AuthorityLimits, LimitsError> {
        approvers.sort_unstable();
        let reference = MandateRef::new(self.mandate, self.digest(), approvers)?;
        AuthorityLimits::for_agent(self.limits.clone(), self.agent_digest(), reference)
    }

    /// Whether a certificate's limits refer to exactly this document: at issue, and at each handshake. The limits may be
    /// narrower than the document's, never wider.
    ///
    /// # Errors
    /// The first difference.
    pub fn matches(&self, limits: &AuthorityLimits) -> Result<(), Mismatch> {
        let mandate = limits.mandate().ok_or(Mismatch::NoMandate)?;
        if mandate.id() != self.mandate {
            return Err(Mismatch::Mandate);
        }
        if mandate.document_hash() != self.digest() {
            return Err(Mismatch::DocumentHash);
        }
        if limits.agent_digest() != self.agent_digest() {
            return Err(Mismatch::AgentDigest);
        }
        limits
            .authority()
            .is_subset_of(&self.limits)
            .map_err(|_| Mismatch::Wider)
    }
}

/// Why a certificate's limits are not those of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The limits are a CA's.
    #[error("the limits name no mandate")]
    NoMandate,
    /// Another mandate.
    #[error("the certificate names another mandate")]
    Mandate,
    /// Another version of the document.
    #[error("the certificate carries the hash of another document")]
    DocumentHash,
    /// Another declared digest.
    #[error("the declared digest of model and code differs from the mandate's")]
    AgentDigest,
    /// More than the document grants.
    #[error("the certificate's limits are wider than the mandate's")]
    Wider,
}
