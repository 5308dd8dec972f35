//! One officer as the register holds it.

use extensions::{Digest, OfficerId, Timestamp};

use crate::events::{OfficerRegistered, OfficerTokenIssued, Role};

/// A one-time token for an officer's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfficerToken {
    /// Whom it is for.
    pub officer: OfficerId,
    /// What the officer may do.
    pub roles: Vec<Role>,
    /// It must be used before this time.
    pub use_before: Timestamp,
    /// The request it is bound to, DER.
    pub request: Option<Vec<u8>>,
    /// Whether a certificate was issued for it.
    pub used: bool,
}

impl OfficerToken {
    pub(super) fn of(event: &OfficerTokenIssued) -> Self {
        Self {
            officer: event.officer,
            roles: event.roles.clone(),
            use_before: event.use_before,
            request: None,
            used: false,
        }
    }
}

/// An officer, in office or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Officer {
    id: OfficerId,
    roles: Vec<Role>,
    /// Every key ever held, the current one last: SHA-256 and SubjectPublicKeyInfo.
    keys: Vec<(Digest, Vec<u8>)>,
    certificate: Vec<u8>,
    removed_at: Option<u64>,
}

impl Officer {
    pub(super) fn new(id: OfficerId) -> Self {
        Self {
            id,
            roles: Vec::new(),
            keys: Vec::new(),
            certificate: Vec::new(),
            removed_at: None,
        }
    }

    pub(super) fn registered(&mut self, event: &OfficerRegistered) {
        self.roles.clone_from(&event.roles);
        self.certificate.clone_from(&event.certificate.0);
        self.removed_at = None;
        // A key that is not the certificate's is worth nothing: it is looked up in the certificate itself.
        if let Some(spki) = crate::certificate::spki_of(&event.certificate.0)
            && Digest::of(&spki) == event.key
        {
            self.keys.retain(|(digest, _)| *digest != event.key);
            self.keys.push((event.key, spki));
        }
    }

    pub(super) fn removed(&mut self, position: u64) {
        self.removed_at = Some(position);
    }

    /// The officer's id.
    #[must_use]
    pub fn id(&self) -> &OfficerId {
        &self.id
    }

    /// What the officer may do, sorted.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Whether the officer is in office and has a role.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.in_office() && self.roles.contains(&role)
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

    /// Whether the officer is in office and this is the current key.
    #[must_use]
    pub fn holds(&self, key: &Digest) -> bool {
        self.in_office() && self.keys.last().is_some_and(|(digest, _)| digest == key)
    }

    /// A key of this officer, former ones included: SubjectPublicKeyInfo DER.
    #[must_use]
    pub fn key(&self, key: &Digest) -> Option<&[u8]> {
        self.keys
            .iter()
            .find(|(digest, _)| digest == key)
            .map(|(_, spki)| spki.as_slice())
    }

    /// The current certificate, DER.
    #[must_use]
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}
