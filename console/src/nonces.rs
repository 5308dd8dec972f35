//! Nonces for signatures that answer no recorded question (attested positions): drawn for one officer, good once and for a while.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use extensions::{Digest, OfficerId, Timestamp};

use crate::record::random_bytes;

/// How long a nonce is good, in seconds.
pub(crate) const NONCE_SECONDS: i64 = 600;
/// The most nonces that are out at a time; the oldest leaves.
const MOST_NONCES: usize = 1_024;

/// Nonces that are out. They do not outlive the process: whoever held one asks again.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<BTreeMap<Digest, (OfficerId, Timestamp)>>);

impl Nonces {
    /// A new nonce for an officer, and its end.
    pub(crate) fn draw(&self, officer: OfficerId, now: Timestamp) -> (Digest, Timestamp) {
        let (nonce, until) = (Digest(random_bytes()), now.plus_seconds(NONCE_SECONDS));
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.retain(|_, (_, until)| now < *until);
        if out.len() >= MOST_NONCES {
            let oldest = out.iter().min_by_key(|(_, (_, until))| *until).map(|(nonce, _)| *nonce);
            oldest.map(|oldest| out.remove(&oldest));
        }
        out.insert(nonce, (officer, until));
        (nonce, until)
    }

    /// Takes a nonce in: true once, for its officer, before its end.
    pub(crate) fn spend(&self, nonce: &Digest, officer: OfficerId, now: Timestamp) -> bool {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match out.get(nonce) {
            Some((of, until)) if *of == officer && now < *until => out.remove(nonce).is_some(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negative control: `get` instead of `remove` in `spend` makes the second use good.
    #[test]
    fn a_nonce_is_good_once_for_its_officer_until_its_end() {
        let (nonces, now) = (Nonces::default(), Timestamp::from_seconds(1_000));
        let [ada, ben] = ["ada", "ben"].map(|id| OfficerId::new(id).unwrap());
        let (nonce, until) = nonces.draw(ada, now);
        assert!(!nonces.spend(&nonce, ben, now), "another officer's");
        assert!(!nonces.spend(&nonce, ada, until), "past its end");
        assert!(nonces.spend(&nonce, ada, now));
        assert!(!nonces.spend(&nonce, ada, now), "spent");
        for _ in 0..MOST_NONCES + 5 {
            nonces.draw(ada, now);
        }
        assert_eq!(nonces.0.lock().unwrap().len(), MOST_NONCES);
    }
}
