//! The nonces of signed requests, remembered for as long as their signatures are acceptable.
//!
//! A repeat inside the window is a replay. After a restart the memory is empty; an order that is replayed then still meets
//! its `client_order_id`, which the ledger remembers for ever.

use std::collections::HashMap;

use extensions::Timestamp;

use super::proof::ProofError;

/// The most live nonces of one agent.
pub const NONCES_PER_AGENT: usize = 65_536;

/// The live nonces of one agent.
#[derive(Debug, Default)]
pub struct Nonces {
    live: HashMap<String, Timestamp>,
}

impl Nonces {
    /// Takes `nonce` for the first and only time inside its window.
    ///
    /// # Errors
    /// When it was taken before, or too many are live.
    pub fn take(&mut self, nonce: String, expires: Timestamp, now: Timestamp) -> Result<(), ProofError> {
        if self.live.get(&nonce).is_some_and(|until| *until > now) {
            return Err(ProofError::Replayed);
        }
        if self.live.len() >= NONCES_PER_AGENT {
            self.live.retain(|_, until| *until > now);
            if self.live.len() >= NONCES_PER_AGENT {
                return Err(ProofError::TooManyNonces);
            }
        }
        // Windows are judged in whole seconds: a signature is good to the end of the one it expires in.
        self.live.insert(nonce, expires.plus_seconds(1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_serves_once_per_window_and_memory_is_bounded() {
        let at = Timestamp::from_seconds;
        let mut nonces = Nonces::default();
        assert_eq!(nonces.take("a".into(), at(60), at(0)), Ok(()));
        assert_eq!(nonces.take("a".into(), at(90), at(30)), Err(ProofError::Replayed));
        let last = at(60).plus_millis(999);
        assert_eq!(nonces.take("a".into(), at(90), last), Err(ProofError::Replayed));
        assert_eq!(
            nonces.take("a".into(), at(120), at(61)),
            Ok(()),
            "the first window is over"
        );
        for n in 1..NONCES_PER_AGENT {
            assert_eq!(nonces.take(n.to_string(), at(120), at(61)), Ok(()));
        }
        assert_eq!(
            nonces.take("one more".into(), at(120), at(61)),
            Err(ProofError::TooManyNonces)
        );
        assert_eq!(
            nonces.take("one more".into(), at(200), at(121)),
            Ok(()),
            "old ones make room"
        );
    }
}
