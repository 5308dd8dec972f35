//! Questions that are out: each random, answered once, within minutes, by what it was asked for.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use extensions::{Digest, OfficerId, Timestamp};

use super::Registration;
use crate::record::random_bytes;

/// How long a question is open, in seconds.
const OPEN_SECONDS: i64 = 300;
/// The most questions that are out; the oldest leaves.
const MOST_OPEN: usize = 4_096;

/// What a challenge was drawn for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Signing in.
    SignIn,
    /// A first passkey, with this token's SHA-256, for a person of this name.
    Join { token: Digest, name: String },
    /// A further passkey of an officer who is signed in.
    Further(OfficerId),
    /// The officer's own signature under a further passkey.
    Authorise(OfficerId, Registration),
}

/// They do not outlive the process: whoever held one asks again.
#[derive(Default)]
pub(crate) struct Challenges(Mutex<BTreeMap<Digest, (Purpose, Timestamp)>>);

impl Challenges {
    /// A new challenge.
    pub(crate) fn draw(&self, purpose: Purpose, now: Timestamp) -> Digest {
        let challenge = Digest(random_bytes());
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.retain(|_, (_, until)| now < *until);
        if out.len() >= MOST_OPEN {
            let oldest = out.iter().min_by_key(|(_, (_, until))| *until).map(|(one, _)| *one);
            oldest.map(|oldest| out.remove(&oldest));
        }
        out.insert(challenge, (purpose, now.plus_seconds(OPEN_SECONDS)));
        challenge
    }

    /// Takes a challenge back in: what it was for, once, before its end.
    pub(crate) fn spend(&self, challenge: &Digest, now: Timestamp) -> Option<Purpose> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.remove(challenge)
            .filter(|(_, until)| now < *until)
            .map(|(purpose, _)| purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Controls tried: `get` instead of `remove` makes the second use good; without the filter the late one is.
    #[test]
    fn a_challenge_is_answered_once_and_in_time() {
        let (challenges, now) = (Challenges::default(), Timestamp::from_seconds(1_000));
        let [one, late] = [0, 1].map(|_| challenges.draw(Purpose::SignIn, now));
        assert_eq!(challenges.spend(&one, now), Some(Purpose::SignIn));
        assert_eq!(challenges.spend(&one, now), None);
        assert_eq!(challenges.spend(&late, now.plus_seconds(OPEN_SECONDS)), None);
        assert_eq!(challenges.spend(&Digest::of(b"never drawn"), now), None);
        for _ in 0..MOST_OPEN + 9 {
            challenges.draw(Purpose::SignIn, now);
        }
        assert_eq!(challenges.0.lock().unwrap().len(), MOST_OPEN);
    }
}
