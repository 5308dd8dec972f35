//! The order pipeline: decide, append, act, for every order, cancel, fill and halt.

use ring::rand::{SecureRandom, SystemRandom};

mod believed;
pub mod bypass;
pub mod cancel;
pub mod dead_man;
pub mod decisions;
pub mod disconnect;
pub mod endings;
pub mod exposures;
pub mod follow;
pub mod forward;
pub mod halt;
pub mod halt_report;
pub mod known_ids;
pub mod mandates;
pub mod pair;
pub mod prices;
pub mod reconcile;
pub mod rehearse;
pub mod repeat;
pub mod replacing;
pub mod settle;
pub mod slot;
pub mod submit;
pub mod traded;
pub mod unread;
pub mod watch;

/// 32 fresh random bytes that hide a sealed text's commitment.
///
/// # Panics
/// When the operating system gives no randomness: sealing with a known salt would not hide anything.
fn salt() -> [u8; 32] {
    let mut salt = [0; 32];
    SystemRandom::new()
        .fill(&mut salt)
        .expect("the operating system gives random bytes");
    salt
}

/// A number that names one report among all of its agent: clocks may stand still or step back.
pub(crate) fn salt_number() -> u64 {
    u64::from_be_bytes(salt()[..8].try_into().expect("eight bytes"))
}
