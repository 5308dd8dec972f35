//! Applications for a mandate and the officers' answers.

use extensions::{
    AgentId, ApprovalRecord, Digest, MandateDocument, MandateId, OfficerId, OwnerId, Timestamp, record::SealedText,
};
use serde::{Deserialize, Serialize};

/// `application.submitted` (`Exactly`): a mandate is asked for. A second one in the same stream is a change: it begins a new
/// revision with a new nonce, and what was signed before counts no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSubmitted {
    /// The bot.
    pub agent: AgentId,
    /// The officer who asks; never one of those who approve.
    pub applicant: OfficerId,
    /// The mandate document that officers read and sign.
    pub document: MandateDocument,
    /// SHA-256 of its canonical bytes.
    pub document_digest: Digest,
    /// When the question lapses, if it is not answered.
    pub expires_at: Timestamp,
    /// The mandate.
    pub mandate: MandateId,
    /// The officer who narrowed what the applicant asked for; absent in what the applicant asked. It counts only where nothing is wider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowed_by: Option<OfficerId>,
    /// 32 random bytes of the server: every signature on this revision is over them.
    pub nonce: Digest,
    /// Who answers for the bot.
    pub owner: OwnerId,
    /// 1 for the first document, one more for each change.
    pub revision: u32,
    /// The rationale's text, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
}

/// `application.signed` (`Exactly`): one officer's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationSigned {
    /// The signature.
    pub approval: ApprovalRecord,
    /// The mandate.
    pub mandate: MandateId,
    /// The revision that was read.
    pub revision: u32,
}

/// One rule of approval and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleOutcome {
    /// Whether it is met.
    pub met: bool,
    /// Why, in words.
    pub reason: String,
    /// The rule's stable name.
    pub rule: String,
}

/// `application.approved` (`Exactly`, beside the last signature).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationApproved {
    /// The bot.
    pub agent: AgentId,
    /// SHA-256 of each approver's SubjectPublicKeyInfo, sorted.
    pub approvers: Vec<Digest>,
    /// SHA-256 of the approved document.
    pub document: Digest,
    /// The mandate.
    pub mandate: MandateId,
    /// The approved revision.
    pub revision: u32,
    /// Each rule once, with its reason.
    pub rules: Vec<RuleOutcome>,
}

/// `application.rejected` (`Exactly`, beside the signature that says no).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplicationRejected {
    /// The bot.
    pub agent: AgentId,
    /// SHA-256 of the document.
    pub document: Digest,
    /// The mandate.
    pub mandate: MandateId,
    /// The commitment to the reason in words.
    pub reason: Digest,
    /// The officer who said no.
    pub rejected_by: OfficerId,
    /// The revision.
    pub revision: u32,
    /// The reason's text, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
}
