//! Renewal: the same mandate, a new proof of possession, no new approval (certificates.md §8). Wider always needs one.

use extensions::{AgentId, Digest, Serial, Timestamp};
use thiserror::Error;

use crate::{
    csr::InspectedCsr,
    register::{Mandate, MandateStatus, Register},
};

/// Certificates this close before their half-life may already be renewed: a jittered client that comes a little early is served.
const EARLY_PERCENT: i64 = 10;

/// Why a certificate is not renewed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenewalError {
    /// The certificate that asked was not issued here.
    #[error("certificate {0} was not issued here")]
    Unknown(Serial),
    /// It has ended.
    #[error("certificate {serial} ended at {ended}: enrol again with a new token")]
    Ended {
        /// Which.
        serial: Serial,
        /// When.
        ended: Timestamp,
    },
    /// Too early.
    #[error("certificate {serial} is renewed from {from} on")]
    Early {
        /// Which.
        serial: Serial,
        /// From then on.
        from: Timestamp,
    },
    /// The mandate is not approved (any more).
    #[error("the mandate is not approved as it now stands; a change needs the officers' approval first")]
    NotApproved,
    /// The mandate or the registration has ended.
    #[error("the mandate ended at {0}: ask for a new one")]
    MandateEnded(Timestamp),
    /// The key is another agent's.
    #[error("this key is in use by another agent: make a new key")]
    KeyInUse,
    /// The same request again, under another certificate.
    #[error("this request was answered already: make a new one, with a new signature")]
    Repeated,
}

/// When renewal of a certificate begins (a little before half of its life) and when it should have happened at the latest.
#[must_use]
pub fn window(not_before: Timestamp, not_after: Timestamp) -> (Timestamp, Timestamp) {
    let life = not_after.micros_since(not_before);
    let half = not_before.plus_micros(life / 2);
    (
        half.plus_micros(-(life / 100 * EARLY_PERCENT)),
        half.plus_micros(life / 4),
    )
}

/// Whether the certificate `current` of a verified connection may be renewed with this request. Standing is the shell's to ask.
///
/// # Errors
/// Says why not.
pub fn admit<'a>(
    register: &'a Register,
    current: Serial,
    csr: &InspectedCsr,
    now: Timestamp,
) -> Result<&'a Mandate, RenewalError> {
    let facts = register
        .certificate(&current)
        .filter(|facts| facts.issued)
        .ok_or(RenewalError::Unknown(current))?;
    if now >= facts.not_after {
        return Err(RenewalError::Ended {
            serial: current,
            ended: facts.not_after,
        });
    }
    let (from, _) = window(facts.not_before, facts.not_after);
    if now < from {
        return Err(RenewalError::Early { serial: current, from });
    }
    let mandate = register.mandate(&facts.mandate).ok_or(RenewalError::NotApproved)?;
    if !matches!(mandate.status(), MandateStatus::Approved { .. }) {
        return Err(RenewalError::NotApproved);
    }
    let ends = register
        .agent(mandate.agent())
        .map_or(mandate.document().expires, |agent| {
            agent.expires_at.min(mandate.document().expires)
        });
    if now >= ends {
        return Err(RenewalError::MandateEnded(ends));
    }
    key_is_free(register, &csr.spki_digest(), mandate.agent())?;
    if mandate
        .request(&csr.digest())
        .is_some_and(|request| request.renews != Some(current))
    {
        return Err(RenewalError::Repeated);
    }
    Ok(mandate)
}

/// One live key per bot: a key that another agent has ever asked with is refused (certificates.md §2).
///
/// # Errors
/// When it is another's.
pub fn key_is_free(register: &Register, spki: &Digest, agent: &AgentId) -> Result<(), RenewalError> {
    match register.agent_of_key(spki) {
        Some(other) if other != agent => Err(RenewalError::KeyInUse),
        _ => Ok(()),
    }
}
