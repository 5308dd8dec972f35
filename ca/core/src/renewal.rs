//! Renewal: the same mandate, a new proof of possession, no new approval (certificates.md §8). Wider always needs one.

use extensions::{AgentId, Digest, Serial, Timestamp};
use thiserror::Error;

use crate::{
    csr::InspectedCsr,
    register::{Mandate, Register},
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
    /// No revision of the mandate is approved.
    #[error("no revision of the mandate is approved")]
    NotApproved,
    /// The mandate or the registration has ended.
    #[error("the mandate ended at {0}: ask for a new one")]
    MandateEnded(Timestamp),
    /// The key is another agent's.
    #[error("this key is in use by another agent: make a new key")]
    KeyInUse,
    /// The key is an officer's.
    #[error("this key is an officer's: make a new key for the bot")]
    KeyOfOfficer,
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
    // What officers approved last is renewed, whatever is asked for since: a question that waits or was refused takes nothing away.
    let in_force = mandate.in_force().ok_or(RenewalError::NotApproved)?;
    let expires = in_force.document().expires;
    let ends = register
        .agent(in_force.agent())
        .map_or(expires, |agent| agent.expires_at.min(expires));
    if now >= ends {
        return Err(RenewalError::MandateEnded(ends));
    }
    key_is_free(register, &csr.spki_digest(), in_force.agent())?;
    if mandate
        .request(&csr.digest())
        .is_some_and(|request| request.renews != Some(current))
    {
        return Err(RenewalError::Repeated);
    }
    Ok(mandate)
}

/// One live key per bot: a key that another agent has ever asked with, or that is an officer's, is refused (certificates.md §2).
///
/// # Errors
/// When it is somebody else's.
pub fn key_is_free(register: &Register, spki: &Digest, agent: &AgentId) -> Result<(), RenewalError> {
    match register.agent_of_key(spki) {
        Some(other) if other != agent => Err(RenewalError::KeyInUse),
        _ if register.officer_of_any_key(spki).is_some() => Err(RenewalError::KeyOfOfficer),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use extensions::{Base64, Signer as _};

    use super::*;
    use crate::{
        approval::tests::{House, approved, mandate},
        csr::inspect,
        events::{CertificateIssued, CertificateReserved, TokenBound},
        samples::{Ring, TestKey, document, now},
    };

    const DAY: i64 = 86_400;

    /// An approved mandate with one certificate that lives a day from `now`.
    fn issued() -> (House, Serial, TestKey) {
        let (mut house, _) = approved();
        let key = TestKey::p256();
        let csr = key.csr();
        let (agent, serial) = (document().agent, Serial::draw(1, &mut Ring::default()));
        let (digest, spki) = (Digest::of(&csr), Digest::of(key.public_key_spki()));
        house.apply(TokenBound {
            agent,
            csr: Base64(csr),
            csr_digest: digest,
            mandate: mandate(),
            spki,
            token: Digest::default(),
        });
        house.apply(CertificateReserved {
            agent,
            checks: 20,
            csr: digest,
            document: document().digest(),
            issuer: Digest::default(),
            mandate: mandate(),
            not_after: now().plus_seconds(DAY),
            not_before: now(),
            serial,
            spki,
            tbs: Digest::default(),
        });
        house.apply(CertificateIssued {
            agent,
            certificate: Base64(vec![]),
            csr: digest,
            mandate: mandate(),
            not_after: now().plus_seconds(DAY),
            not_before: now(),
            serial,
            spki,
        });
        (house, serial, key)
    }

    #[test]
    fn renewal_opens_before_half_life_and_ends_with_the_certificate() {
        let (house, serial, _) = issued();
        let csr = inspect(&TestKey::p256().csr()).unwrap();
        let at =
            |seconds| admit(&house.register, serial, &csr, now().plus_seconds(seconds)).map(|mandate| *mandate.id());
        assert!(matches!(at(DAY / 4), Err(RenewalError::Early { .. })));
        assert_eq!(at(DAY / 2), Ok(mandate()));
        assert_eq!(at(DAY - 1), Ok(mandate()));
        assert!(matches!(at(DAY), Err(RenewalError::Ended { .. })));
        let other = Serial::draw(1, &mut Ring::default());
        assert_eq!(
            admit(&house.register, other, &csr, now().plus_seconds(DAY / 2)).map(|_| ()),
            Err(RenewalError::Unknown(other))
        );
    }

    /// A change that waits, and one that officers refused, leave what is in force in force: the certificate is renewed under the document
    /// that was approved. Let `admit` and `verify_approval` look at the newest revision (`Mandate::asked`) and both halves turn red.
    #[test]
    fn a_change_that_waits_or_is_refused_ends_no_renewal() {
        let (mut house, serial, _) = issued();
        let mut wider = document();
        wider.expires = now().plus_seconds(DAY / 4);
        house.submit(&wider, 5, 2);
        let csr = inspect(&TestKey::p256().csr()).unwrap();
        let half = now().plus_seconds(DAY / 2);
        let renewed = |house: &House| {
            admit(&house.register, serial, &csr, half).map(|_| ())?;
            Ok::<_, RenewalError>(house.verify(&|_, _| 1).unwrap().digest())
        };
        assert_eq!(renewed(&house), Ok(document().digest()), "while it waits");
        house.reject(2);
        assert_eq!(renewed(&house), Ok(document().digest()), "once refused");
    }

    /// The other side: what officers approve replaces what was in force, here with a mandate that ends sooner; and a mandate that was
    /// never approved is not renewed. Keep the first approved revision for ever in `Mandate::approved` to see the first half red.
    #[test]
    fn an_approved_change_is_what_is_renewed_from_then_on() {
        let (mut house, serial, _) = issued();
        let mut sooner = document();
        sooner.expires = now().plus_seconds(DAY / 4);
        house.submit(&sooner, 5, 2);
        house.approve_by("ada", 5, 2);
        house.claim_approved(&|_, _| 1);
        let csr = inspect(&TestKey::p256().csr()).unwrap();
        let half = now().plus_seconds(DAY / 2);
        let outcome = admit(&house.register, serial, &csr, half).map(|_| ());
        assert_eq!(outcome, Err(RenewalError::MandateEnded(sooner.expires)));
        assert_eq!(house.verify(&|_, _| 1).unwrap().digest(), sooner.digest());
        let (mut house, serial, _) = issued();
        house.reject(1);
        let outcome = admit(&house.register, serial, &csr, half).map(|_| ());
        assert_eq!(outcome, Err(RenewalError::NotApproved));
    }

    #[test]
    fn another_agents_key_is_refused_and_ones_own_is_not() {
        let (house, serial, key) = issued();
        let spki = Digest::of(key.public_key_spki());
        let other = AgentId::new("other").unwrap();
        assert_eq!(key_is_free(&house.register, &spki, &other), Err(RenewalError::KeyInUse));
        assert_eq!(key_is_free(&house.register, &spki, &document().agent), Ok(()));
        // The very request that was answered already is no renewal: a new one, with a new proof of possession, is.
        let first = house.register.mandate(&mandate()).unwrap().requests()[0].csr.clone();
        let outcome = admit(
            &house.register,
            serial,
            &inspect(&first).unwrap(),
            now().plus_seconds(DAY / 2),
        )
        .map(|_| ());
        assert_eq!(outcome, Err(RenewalError::Repeated));
        let again = inspect(&key.csr()).unwrap();
        assert!(admit(&house.register, serial, &again, now().plus_seconds(DAY / 2)).is_ok());
    }
}
