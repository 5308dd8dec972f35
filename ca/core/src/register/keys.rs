//! Whose key is whose: one key, one holder, for ever, whether it is a bot's, an officer's certificate's or a passkey.

use extensions::{Digest, OfficerId};
use thiserror::Error;

use super::{MOST_PASSKEYS, Officer, Register};

/// Why a passkey does not become an officer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PasskeyRefused {
    /// The key was seen before, here or with anybody else.
    #[error("this passkey's key is known already: use another authenticator")]
    KeyKnown,
    /// The credential's id was seen before: signing in could not tell the two apart (Web Authentication, level 2, §7.1, step 22).
    #[error("a passkey with this credential id is known already: use another authenticator")]
    CredentialKnown,
    /// No room.
    #[error("this officer has {MOST_PASSKEYS} passkeys, as many as anybody may have")]
    TooMany,
}

impl Register {
    /// Whoever has or had a key, as a certificate's or a passkey.
    #[must_use]
    pub fn officer_of_any_key(&self, key: &Digest) -> Option<&Officer> {
        let had = |officer: &&Officer| officer.key(key).is_some() || officer.passkey(key).is_some();
        self.officers.values().find(had)
    }

    /// Whether a key may be that of an officer's certificate: it is no bot's, no other officer's and nobody's passkey. Their own may come again.
    #[must_use]
    pub fn may_certify(&self, key: &Digest, officer: &OfficerId) -> bool {
        let own = |holder: &Officer| holder.id() == officer && holder.passkey(key).is_none();
        self.agent_of_key(key).is_none() && self.officer_of_any_key(key).is_none_or(own)
    }

    /// Whether a new passkey with this key and credential id may become the officer's.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_add_passkey(&self, officer: &OfficerId, key: &Digest, credential: &[u8]) -> Result<(), PasskeyRefused> {
        if self.agent_of_key(key).is_some() || self.officer_of_any_key(key).is_some() {
            return Err(PasskeyRefused::KeyKnown);
        }
        if self.officers.values().any(|one| one.had_credential(credential)) {
            return Err(PasskeyRefused::CredentialKnown);
        }
        let held = self.officer(officer).map_or(0, |one| one.passkeys().count());
        if held >= MOST_PASSKEYS {
            return Err(PasskeyRefused::TooMany);
        }
        Ok(())
    }
}
