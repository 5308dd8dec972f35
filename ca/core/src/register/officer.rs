//! One officer as the register holds it.

use extensions::{ApprovalRecord, Digest, OfficerId, Timestamp, passkey::RelyingParty, verify::verify_signature};

use crate::approval::SignatureFault;
use crate::events::{OfficerRegistered, OfficerTokenIssued, PasskeyAdded, Role};
use crate::register::Place;

/// The most passkeys that count for one officer.
pub const MOST_PASSKEYS: usize = 8;

/// How long a new token of somebody who has held office before waits: time for all to hear of it, and for the real one to say so.
pub const RECOVERY_SECONDS: i64 = 86_400;

/// A one-time token for an officer's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerToken {
    /// Whom it is for.
    pub officer: OfficerId,
    /// What the officer may do.
    pub roles: Vec<Role>,
    /// It works from this time on: at once for a new officer, [`RECOVERY_SECONDS`] later for one that the house knows.
    pub use_from: Timestamp,
    /// It must be used before this time.
    pub use_before: Timestamp,
    /// The request it is bound to, DER.
    pub request: Option<Vec<u8>>,
    /// Whether a certificate was issued for it.
    pub used: bool,
}

impl OfficerToken {
    /// The token as issued at `at`; `known` says that its officer has held office before.
    pub(super) fn of(event: &OfficerTokenIssued, at: Timestamp, known: bool) -> Self {
        let wait = if known { RECOVERY_SECONDS } else { 0 };
        Self {
            use_from: at.plus_seconds(wait),
            officer: event.officer,
            roles: event.roles.clone(),
            use_before: event.use_before,
            request: None,
            used: false,
        }
    }

    /// Whether it may be used at `now` by whoever has it, for the first time.
    #[must_use]
    pub fn is_free(&self, now: Timestamp) -> bool {
        !self.used && self.request.is_none() && self.use_from <= now && now < self.use_before
    }
}

/// A passkey of an officer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// The credential's id.
    pub credential: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo: the key that a signature names.
    pub key: Digest,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
    /// Where it may be used.
    pub party: RelyingParty,
    /// When it was added.
    pub added_at: Timestamp,
    /// The highest count of signatures that was recorded; zero while it keeps none.
    pub counter: u32,
    /// When an answer came whose counter had not gone on: somebody may hold a copy.
    pub doubted_at: Option<Timestamp>,
    /// Where its officer left: what it signs from there on does not count, in a later term neither.
    retired_at: Option<u64>,
}

/// A key that a certificate of the officer's had.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CertifiedKey {
    digest: Digest,
    /// SubjectPublicKeyInfo DER.
    spki: Vec<u8>,
    /// Where another certificate replaced it, or its officer left: what it signs from there on does not count.
    retired_at: Option<u64>,
}

/// An officer, in office or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    id: OfficerId,
    /// What roles the officer had, from which position on; the present ones last.
    roles: Vec<(u64, Vec<Role>)>,
    /// Every key ever held, the current one last.
    keys: Vec<CertifiedKey>,
    certificate: Vec<u8>,
    /// Whether the certificate is of the present term in office.
    certified: bool,
    passkeys: Vec<Passkey>,
    removed_at: Option<u64>,
}

impl Officer {
    pub(super) fn new(id: OfficerId) -> Self {
        Self {
            id,
            roles: Vec::new(),
            keys: Vec::new(),
            certificate: Vec::new(),
            certified: false,
            passkeys: Vec::new(),
            removed_at: None,
        }
    }

    pub(super) fn registered(&mut self, event: &OfficerRegistered, position: u64) {
        self.roles.push((position, event.roles.clone()));
        self.certificate.clone_from(&event.certificate.0);
        self.certified = true;
        self.removed_at = None;
        // A key that is not the certificate's is worth nothing: it is looked up in the certificate itself.
        if let Some(spki) = crate::certificate::spki_of(&event.certificate.0)
            && Digest::of(&spki) == event.key
        {
            self.keys.retain(|key| key.digest != event.key);
            self.retire_keys(position);
            self.keys.push(CertifiedKey {
                digest: event.key,
                spki,
                retired_at: None,
            });
        }
    }

    fn retire_keys(&mut self, position: u64) {
        let signing = self.keys.iter_mut().filter(|key| key.retired_at.is_none());
        signing.for_each(|key| key.retired_at = Some(position));
    }

    /// Takes in a passkey that the register admitted; `roles` come with a token, which begins or goes on with a term in office.
    pub(super) fn passkey_added(&mut self, event: &PasskeyAdded, roles: Option<&[Role]>, place: Place) {
        if let Some(roles) = roles {
            self.roles.push((place.position, roles.to_vec()));
            self.removed_at = None;
        }
        self.passkeys.push(Passkey {
            credential: event.credential.0.clone(),
            key: Digest::of(&event.spki.0),
            spki: event.spki.0.clone(),
            party: event.party.clone(),
            added_at: place.at,
            counter: 0,
            doubted_at: None,
            retired_at: None,
        });
    }

    /// Takes in what a passkey counted when it signed.
    pub(super) fn counted(&mut self, key: &Digest, counter: u32) {
        if let Some(passkey) = self.passkeys.iter_mut().find(|passkey| passkey.key == *key) {
            passkey.counter = passkey.counter.max(counter);
        }
    }

    pub(super) fn doubted(&mut self, key: &Digest, at: Timestamp) {
        if let Some(passkey) = self.passkeys.iter_mut().find(|passkey| passkey.key == *key) {
            passkey.doubted_at = Some(at);
        }
    }

    pub(super) fn removed(&mut self, position: u64) {
        self.removed_at = Some(position);
        self.certified = false;
        self.retire_keys(position);
        let signing = self.passkeys.iter_mut().filter(|passkey| passkey.retired_at.is_none());
        signing.for_each(|passkey| passkey.retired_at = Some(position));
    }

    /// The officer's id.
    #[must_use]
    pub fn id(&self) -> &OfficerId {
        &self.id
    }

    /// What the officer may do, sorted.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        self.roles.last().map_or(&[], |(_, roles)| roles)
    }

    /// Whether the officer had a role when the entry at `position` was written: another role later takes no earlier signature back.
    #[must_use]
    pub fn had(&self, role: Role, position: u64) -> bool {
        let mut terms = self.roles.iter().rev();
        let then = terms.find(|(from, _)| *from <= position);
        then.is_some_and(|(_, roles)| roles.contains(&role))
    }

    /// Whether the officer is in office and has a role.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.in_office() && self.roles().contains(&role)
    }

    /// Whether the officer has not left.
    #[must_use]
    pub fn in_office(&self) -> bool {
        self.removed_at.is_none()
    }

    /// Whether the officer was in office when the entry at `position` was written.
    #[must_use]
    pub fn in_office_at(&self, position: u64) -> bool {
        self.removed_at.is_none_or(|removed| position < removed)
    }

    /// Whether the officer is in office and this is the current certificate's key or a passkey.
    #[must_use]
    pub fn holds(&self, key: &Digest) -> bool {
        let certified = self.certified && self.keys.last().is_some_and(|last| last.digest == *key);
        self.in_office() && (certified || self.passkeys().any(|passkey| passkey.key == *key))
    }

    /// The passkeys that sign for the officer now.
    pub fn passkeys(&self) -> impl Iterator<Item = &Passkey> {
        self.passkeys.iter().filter(|passkey| passkey.retired_at.is_none())
    }

    /// A passkey of this officer, former ones included.
    #[must_use]
    pub fn passkey(&self, key: &Digest) -> Option<&Passkey> {
        self.passkeys.iter().find(|passkey| passkey.key == *key)
    }

    /// Whether a passkey of this officer, former ones included, has this credential id.
    pub(super) fn had_credential(&self, credential: &[u8]) -> bool {
        self.passkeys.iter().any(|passkey| passkey.credential == credential)
    }

    /// Whether a key was replaced, or its officer had left, before the entry at `position` was written.
    #[must_use]
    pub fn retired_before(&self, key: &Digest, position: u64) -> bool {
        let passkey = self.passkey(key).and_then(|passkey| passkey.retired_at);
        let certified = || self.keys.iter().find(|own| own.digest == *key)?.retired_at;
        passkey.or_else(certified).is_some_and(|retired| retired < position)
    }

    /// A key of the officer's certificates, former ones included: SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn key(&self, key: &Digest) -> Option<&[u8]> {
        let mut keys = self.keys.iter();
        keys.find(|own| own.digest == *key).map(|own| own.spki.as_slice())
    }

    /// Whether a key of this officer, former ones included, signed what the record says.
    ///
    /// # Errors
    /// Says which part does not hold. A passkey's signature counts with its assertion alone, a certificate's without one.
    pub fn signed(&self, record: &ApprovalRecord) -> Result<(), SignatureFault> {
        let (who, message) = (self.id, record.message());
        match (&record.passkey, self.passkey(&record.key)) {
            (Some(assertion), Some(passkey)) => {
                let checked = assertion.check(&message.0, &passkey.party, &passkey.spki, &record.signature.0);
                checked.map_err(|fault| SignatureFault::Passkey(who, fault))
            }
            (None, None) => {
                let key = self.key(&record.key).ok_or(SignatureFault::Key(who))?;
                let good = verify_signature(key, &message.0, &record.signature.0);
                good.then_some(()).ok_or(SignatureFault::Signature(who))
            }
            _ => Err(SignatureFault::Key(who)),
        }
    }

    /// The current certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

#[cfg(test)]
mod tests;
