//! Passkeys (W3C Web Authentication, level 2): making one, and the questions that are out.
//!
//! Only ES256 and EdDSA keys are taken, only with the person verified. The attestation is recorded and not relied on: which
//! authenticators a house trusts is an officer's question, answered by whom they sign in.

mod cbor;
mod challenges;
mod registration;

pub(crate) use challenges::{Challenges, Purpose};
pub use registration::fuzz_passkey;
pub(crate) use registration::{Registration, read};
