//! Officers: people who register, approve and act on incidents, each with a certificate of the house root.

use extensions::{
    ApprovalRecord, Base64, Digest, OfficerId, Serial, StreamId, StreamKind, Timestamp, passkey::RelyingParty,
    record::SealedText,
};
use serde::{Deserialize, Serialize};

/// What an officer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Registers officers, changes house settings.
    Administrator,
    /// Signs applications, baselines, reinstatements.
    Approver,
    /// Reads everything, changes nothing.
    Auditor,
    /// Registers agents, asks for mandates, proposes baselines.
    Operator,
    /// Freezes, revokes, answers warnings and incidents.
    Responder,
}

/// `officer.token_issued`: a one-time token for an officer's first certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerTokenIssued {
    /// Who made it; absent at the ceremony.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<OfficerId>,
    /// Whom it is for.
    pub officer: OfficerId,
    /// What the officer will be allowed to do, sorted.
    pub roles: Vec<Role>,
    /// SHA-256 of the token.
    pub token: Digest,
    /// It must be used before this time.
    pub use_before: Timestamp,
}

/// `officer.requested` (`Exactly`): the token was used; it is bound to this request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerRequested {
    /// The request, DER (PKCS#10).
    pub csr: Base64,
    /// The commitment to the person's sealed name.
    pub name: Digest,
    /// The officer.
    pub officer: OfficerId,
    /// The name's text, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
    /// The token that was used, so that it is used once.
    pub token: Digest,
}

/// `officer.proposed`: a decision that officers must sign, other than a mandate: a baseline, a house setting, a reinstatement, a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerProposed {
    /// The kind of entry it will become: `house.thresholds_set`.
    pub becomes: String,
    /// What is to be decided; officers sign its SHA-256.
    pub document: serde_json::Value,
    /// SHA-256 of its canonical bytes.
    pub document_digest: Digest,
    /// When the question lapses.
    pub expires_at: Timestamp,
    /// 32 random bytes of the server.
    pub nonce: Digest,
    /// Who proposed it.
    pub proposer: OfficerId,
    /// Texts whose commitments the document holds, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
}

/// `officer.proposal_closed`: written with the entry that the proposal became, or when somebody said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalClosed {
    /// Whether it was accepted.
    pub accepted: bool,
    /// The proposal: proposer's stream and number, `officer/ada/3`.
    pub proposal: String,
    /// Who proposed it.
    pub proposer: OfficerId,
}

/// `officer.registered` (`Exactly`): the token was used, the certificate issued.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerRegistered {
    /// The officer's certificate, DER.
    pub certificate: Base64,
    /// SHA-256 of the key's SubjectPublicKeyInfo: what the listener compares.
    pub key: Digest,
    /// The officer.
    pub officer: OfficerId,
    /// What the officer may do, sorted.
    pub roles: Vec<Role>,
    /// The certificate's serial.
    pub serial: Serial,
    /// The token that was used.
    pub token: Digest,
}

/// `officer.passkey_added` (`Exactly`): a passkey (WebAuthn) that signs for an officer from now on. The first comes with a one-time token,
/// each further one with a signature of the officer's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyAdded {
    /// The attestation object as the authenticator gave it: recorded, not relied on.
    pub attestation: Base64,
    /// The officer's signature over [`Self::document`]; absent with a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorised_by: Option<ApprovalRecord>,
    /// The credential's id, as the authenticator knows it.
    pub credential: Base64,
    /// The commitment to the person's sealed name, with a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Digest>,
    /// The officer.
    pub officer: OfficerId,
    /// Where it may be used.
    pub party: RelyingParty,
    /// The name's text, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Base64,
    /// SHA-256 of the one-time token that was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Digest>,
}

impl PasskeyAdded {
    /// SHA-256 of what an officer signs to add it to the keys held already.
    #[must_use]
    pub fn document(&self) -> Digest {
        Digest::of(&extensions::canonical::to_vec(&self.document_value()))
    }

    /// What is signed, to be shown.
    #[must_use]
    pub fn document_value(&self) -> serde_json::Value {
        serde_json::json!({
            "credential": self.credential,
            "officer": self.officer,
            "party": self.party,
            "purpose": "officer.passkey_added",
            "spki": self.spki,
        })
    }
}

/// `officer.removed`: the certificate counts no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerRemoved {
    /// Who left.
    pub officer: OfficerId,
    /// Who recorded it.
    pub removed_by: OfficerId,
}

/// `officer.signed`: a signature over something that may need a second one (a baseline, a house setting, a reinstatement).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerSigned {
    /// The signature.
    pub approval: ApprovalRecord,
    /// The proposal it answers: proposer's stream and number, `officer/ada/3`.
    pub subject: String,
}

/// `officer.acted`: an officer's act with its reason in words, written beside the entry it led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerActed {
    /// The act, as the kind of the entry it led to: `agent.frozen`; for acts without one, a name of its own: `subject.erased`.
    pub act: String,
    /// Who acted.
    pub officer: OfficerId,
    /// The commitment to the reason.
    pub reason: Digest,
    /// The reason's text, beside the entry.
    #[serde(skip)]
    pub sealed: Vec<SealedText>,
    /// What it was done to: a stream, a serial or a subject.
    pub subject: String,
}

/// `officer.refused`: acts of an officer that were refused, counted and written sparsely.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerRefused {
    /// The last act that was refused.
    pub act: String,
    /// The stable code of the refusals.
    pub code: String,
    /// How many since the last such entry.
    pub count: u32,
    /// Whose certificate asked.
    pub officer: OfficerId,
}

/// `officer.signed_in`: a connection on which an officer was let in for the first time; many in a minute are counted in one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerSignedIn {
    /// How many since the last such entry.
    pub count: u32,
    /// The passkey's count of signatures, where it keeps one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<u32>,
    /// SHA-256 of the key of the certificate that was presented, or of the passkey.
    pub key: Digest,
    /// Who.
    pub officer: OfficerId,
}

/// `officer.read`: records of the ledger that an officer read; the reads of a minute are one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerRead {
    /// How many since the last such entry.
    pub count: u32,
    /// SHA-256 of the key of the certificate or passkey under which was read.
    pub key: Digest,
    /// Who.
    pub officer: OfficerId,
    /// What was asked for, path and question, each once; the first sixteen.
    pub records: Vec<String>,
}

/// `officer.passkey_doubted`: a passkey's answer held but for its counter, which did not go on: another device may hold a copy. What was asked
/// is refused (W3C Web Authentication, level 2, §7.2 step 21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasskeyDoubted {
    /// What was asked: `sign in`, or what would have been signed.
    pub act: String,
    /// The counter that came.
    pub counter: u32,
    /// SHA-256 of the passkey's SubjectPublicKeyInfo.
    pub key: Digest,
    /// The highest one before it.
    pub last: u32,
    /// Whose passkey it is.
    pub officer: OfficerId,
}

pub(super) fn stream(officer: &OfficerId) -> StreamId {
    StreamId::new(StreamKind::Officer, officer.as_str()).expect("an officer id is a valid stream name")
}
