//! Who must sign what, and the proof that they did (ARCHITECTURE §4, first journey).
//!
//! One officer who is not the applicant; two distinct ones above the threshold. [`judge`] weighs what is recorded so far;
//! [`verify_approval`] turns the records into [`Approved`], which is the only way to a bot's certificate, and is run again before each.

use extensions::{
    ApprovalDecision, ApprovalRecord, Currency, Decimal, Digest, MandateDocument, OfficerId, Timestamp,
    passkey::AssertionFault,
};
use thiserror::Error;

use crate::{
    checklist::{Checked, Checklist},
    events::{AgentRegistered, Role, RuleOutcome},
    register::{Mandate, MandateStatus, Register, Revision, SignedApproval},
};

/// The most officers whose signatures one decision counts; as many as a certificate names.
pub const MOST_APPROVERS: usize = extensions::limits::MOST_APPROVERS;

/// The house's threshold: how many officers a notional of a currency takes. One for small ones, two above.
pub type Threshold<'a> = &'a dyn Fn(&Currency, Decimal) -> usize;

/// Why one signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureFault {
    /// Nobody of that id, or no longer in office.
    #[error("{0} is not an officer in office")]
    NotAnOfficer(OfficerId),
    /// The officer may not approve.
    #[error("{0} does not have the role that signs this")]
    NotAnApprover(OfficerId),
    /// Own application.
    #[error("{0} made this application and cannot approve it; another officer must")]
    OwnApplication(OfficerId),
    /// One officer twice.
    #[error("{0} has answered this application already; a second signature must come from another officer")]
    Twice(OfficerId),
    /// Another nonce: an answer to another question.
    #[error("the nonce is not this application's: read it again and sign what it says now")]
    Nonce,
    /// Another document.
    #[error("the signature is over document {signed}, but the application now asks for {current}: read it again")]
    Document {
        /// What was signed.
        signed: Digest,
        /// What is asked.
        current: Digest,
    },
    /// Another key than the officer's certificate.
    #[error("{0} has no certificate and no passkey with that key")]
    Key(OfficerId),
    /// A passkey's answer does not hold.
    #[error("the passkey of {0}: {1}")]
    Passkey(OfficerId, AssertionFault),
    /// The signature does not verify.
    #[error("the signature of {0} does not verify under the officer's certificate")]
    Signature(OfficerId),
}

/// What signatures answer: a document under a nonce, and who may not sign it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// SHA-256 of the canonical document, computed by the caller from the document itself.
    pub document: Digest,
    /// The server's nonce.
    pub nonce: Digest,
    /// Who asked, when it was an officer.
    pub applicant: Option<&'a OfficerId>,
    /// Whether people on call answer it too, not approvers alone.
    pub on_call: bool,
}

/// Whether one signature counts for the question. `earlier` are those that count already.
///
/// # Errors
/// Says which rule it breaks.
pub fn check_signature(
    question: Question<'_>,
    record: &ApprovalRecord,
    position: u64,
    earlier: &[&ApprovalRecord],
    register: &Register,
) -> Result<(), SignatureFault> {
    let who = record.officer;
    let officer = register
        .officer(&who)
        .filter(|officer| officer.in_office_at(position))
        .ok_or(SignatureFault::NotAnOfficer(who))?;
    let on_call = question.on_call && officer.had(Role::Responder, position);
    if !on_call && !officer.had(Role::Approver, position) {
        return Err(SignatureFault::NotAnApprover(who));
    }
    if question.applicant == Some(&who) {
        return Err(SignatureFault::OwnApplication(who));
    }
    if earlier
        .iter()
        .any(|other| other.officer == who || other.key == record.key)
    {
        return Err(SignatureFault::Twice(who));
    }
    if record.nonce != question.nonce {
        return Err(SignatureFault::Nonce);
    }
    if record.document != question.document {
        return Err(SignatureFault::Document {
            signed: record.document,
            current: question.document,
        });
    }
    if officer.retired_before(&record.key, position) {
        return Err(SignatureFault::Key(who));
    }
    officer.signed(record)
}

/// How many officers a document takes: two as soon as one of its amounts lies above the threshold, or its unit has none.
#[must_use]
pub fn officers_needed(document: &MandateDocument, threshold: Threshold<'_>) -> usize {
    let limits = &document.limits;
    limits
        .per_order()
        .iter()
        .chain(limits.per_day())
        .map(|money| threshold(&money.unit().currency(), money.to_decimal()))
        .max()
        .unwrap_or(2)
        .clamp(1, 2)
}

/// Where an application stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// How many officers it takes.
    pub needed: usize,
    /// SHA-256 of the keys whose approval counts, sorted.
    pub approvers: Vec<Digest>,
    /// Each rule once, with its reason.
    pub rules: Vec<RuleOutcome>,
    /// Whether all rules are met.
    pub met: bool,
}

/// Why a mandate is not approved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApprovalError {
    /// A signature that does not count stands in the record.
    #[error(transparent)]
    Signature(#[from] SignatureFault),
    /// Not enough officers.
    #[error("{needed} officers must approve, {counted} did")]
    TooFew {
        /// How many it takes.
        needed: usize,
        /// How many count.
        counted: usize,
    },
    /// The recorded status is another.
    #[error("the application is not recorded as approved")]
    NotApproved,
    /// A rule is broken.
    #[error("{rule}: {reason}")]
    Rule {
        /// Its name.
        rule: String,
        /// Why.
        reason: String,
    },
    /// A check ran twice or not at all: a defect of ours, so nothing is issued.
    #[error("the checks of this application did not run exactly once each; nothing was issued")]
    Count,
}

/// The proof that officers approved exactly this document. Not `Clone`, not readable from anywhere: only [`verify_approval`] makes it,
/// and issuing takes it by value.
#[derive(Debug)]
pub struct Approved {
    document: MandateDocument,
    digest: Digest,
    approvers: Vec<Digest>,
    checks: u32,
    agent_expires: Timestamp,
}

impl Approved {
    /// The document.
    #[must_use]
    pub fn document(&self) -> &MandateDocument {
        &self.document
    }

    /// SHA-256 of the document.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// SHA-256 of each approver's key, sorted.
    #[must_use]
    pub fn approvers(&self) -> &[Digest] {
        &self.approvers
    }

    /// How many names and approvals were checked, each exactly once.
    #[must_use]
    pub fn checks(&self) -> u32 {
        self.checks
    }

    /// The end of the agent's registration.
    #[must_use]
    pub fn agent_expires(&self) -> Timestamp {
        self.agent_expires
    }
}

const NAMES: [&str; 8] = [
    "document.digest",
    "document.form",
    "name.mandate",
    "name.agent",
    "name.owner",
    "name.environment",
    "name.declared_model",
    "name.declared_code_digest",
];

/// The rules about the document itself: each name is the registration's.
fn names(revision: &Revision, agent: Option<&AgentRegistered>, list: &mut Checklist) {
    let document = revision.document();
    let same = |equal: bool, what: &str| {
        if equal {
            Ok(format!("{what} as registered"))
        } else {
            Err(format!("{what} differs from the agent's registration"))
        }
    };
    let digest = document.digest();
    list.check(
        "document.digest",
        (digest == revision.digest())
            .then(|| digest.to_string())
            .ok_or_else(|| "the digest is another document's".to_owned()),
    );
    list.check(
        "document.form",
        document
            .check()
            .map(|()| "version 1".to_owned())
            .map_err(|error| error.to_string()),
    );
    list.check(
        "name.mandate",
        same(document.mandate == *revision.mandate(), "mandate id"),
    );
    let agent_is =
        |test: fn(&AgentRegistered, &MandateDocument) -> bool| agent.is_some_and(|agent| test(agent, document));
    list.check(
        "name.agent",
        same(document.agent == *revision.agent() && agent.is_some(), "agent"),
    );
    list.check(
        "name.owner",
        same(
            document.owner == *revision.owner() && agent_is(|agent, document| agent.owner == document.owner),
            "owner",
        ),
    );
    list.check(
        "name.environment",
        same(
            agent_is(|agent, document| agent.environment == document.environment),
            "environment",
        ),
    );
    list.check(
        "name.declared_model",
        same(
            agent_is(|agent, document| agent.declared_model == document.declared_model),
            "declared model",
        ),
    );
    list.check(
        "name.declared_code_digest",
        same(
            agent_is(|agent, document| agent.declared_code_digest == document.declared_code_digest),
            "declared code digest",
        ),
    );
}

fn label(place: usize, signed: &SignedApproval) -> String {
    format!("approval.{}.{}", place + 1, signed.record.officer)
}

/// Weighs an application: every name, every signature, and whether enough officers approved. `further` is a signature about to be
/// recorded at `position`.
#[must_use]
pub fn judge(
    mandate: &Mandate,
    further: Option<&SignedApproval>,
    register: &Register,
    threshold: Threshold<'_>,
) -> Judgement {
    let (checked, approvers, needed) = weigh(mandate.asked(), further, register, threshold);
    Judgement {
        needed,
        approvers,
        met: checked.passed(),
        rules: checked.outcomes,
    }
}

fn weigh(
    revision: &Revision,
    further: Option<&SignedApproval>,
    register: &Register,
    threshold: Threshold<'_>,
) -> (Checked, Vec<Digest>, usize) {
    let signatures: Vec<&SignedApproval> = revision.signatures().iter().chain(further).collect();
    let labels = signatures
        .iter()
        .enumerate()
        .map(|(place, signed)| label(place, signed));
    let mut list = Checklist::of(
        NAMES
            .iter()
            .map(|name| (*name).to_owned())
            .chain(labels)
            .chain(["officers".to_owned()]),
    );
    names(revision, register.agent(revision.agent()), &mut list);
    let question = Question {
        document: revision.document().digest(),
        nonce: revision.nonce(),
        applicant: Some(revision.applicant()),
        on_call: false,
    };
    let mut counted: Vec<&ApprovalRecord> = Vec::new();
    for (place, signed) in signatures.iter().enumerate() {
        let outcome = check_signature(question, &signed.record, signed.position, &counted, register);
        let outcome = match (outcome, signed.record.decision) {
            (Ok(()), _) if signed.at > revision.expires_at() => {
                Err(format!("the application lapsed at {}", revision.expires_at()))
            }
            (Ok(()), ApprovalDecision::Approve) => {
                counted.push(&signed.record);
                Ok(format!("{} approved, signature verified", signed.record.officer))
            }
            (Ok(()), ApprovalDecision::Reject) => Err(format!("{} said no", signed.record.officer)),
            (Err(fault), _) => Err(fault.to_string()),
        };
        list.check(&label(place, signed), outcome);
    }
    let needed = officers_needed(revision.document(), threshold);
    let enough = format!("{} of {needed} officers approved", counted.len());
    let fits = (needed..=MOST_APPROVERS).contains(&counted.len());
    list.check("officers", if fits { Ok(enough) } else { Err(enough) });
    let mut approvers: Vec<Digest> = counted.iter().map(|record| record.key).collect();
    approvers.sort_unstable();
    (list.finish(), approvers, needed)
}

/// Turns the records of the revision in force into the proof that it is approved: its status, each name, each signature under the
/// officer's certificate, and their number, all checked again. A revision that waits for the officers, or that they refused, changes
/// nothing about it.
///
/// # Errors
/// The first rule that does not hold.
pub fn verify_approval(
    mandate: &Mandate,
    register: &Register,
    threshold: Threshold<'_>,
) -> Result<Approved, ApprovalError> {
    let revision = mandate.in_force().ok_or(ApprovalError::NotApproved)?;
    let MandateStatus::Approved {
        approvers: recorded, ..
    } = revision.status()
    else {
        return Err(ApprovalError::NotApproved);
    };
    let (checked, approvers, _) = weigh(revision, None, register, threshold);
    if !checked.complete {
        return Err(ApprovalError::Count);
    }
    if let Some(broken) = checked.outcomes.iter().find(|outcome| !outcome.met) {
        return Err(ApprovalError::Rule {
            rule: broken.rule.clone(),
            reason: broken.reason.clone(),
        });
    }
    let agent = register.agent(revision.agent()).ok_or(ApprovalError::NotApproved)?;
    if *recorded != approvers {
        return Err(ApprovalError::NotApproved);
    }
    Ok(Approved {
        document: revision.document().clone(),
        digest: revision.document().digest(),
        checks: u32::try_from(checked.outcomes.len()).map_err(|_| ApprovalError::Count)?,
        approvers,
        agent_expires: agent.expires_at,
    })
}

#[cfg(test)]
pub(crate) mod tests;
