//! The certificate authority's decisions: who may ask, who must sign, and what goes into a certificate.
//!
//! Pure: no clock, file, socket or SQL; `now`, randomness and signing come in. The parts, in the order of the first journey of
//! ARCHITECTURE §4: [`events`] are what is recorded; [`register`] folds them; [`approval`] turns officers' signatures into a proof;
//! [`csr`] inspects a bot's request; [`profiles`] says what each kind of certificate holds; [`issue`] prepares, lints, signs and seals.

pub mod approval;
pub mod certificate;
mod checklist;
pub mod csr;
mod der;
pub mod events;
pub mod issue;
pub mod lints;
pub mod narrowing;
pub mod pkcs7;
pub mod profiles;
pub mod register;
pub mod renewal;
pub mod signing;
pub mod succession;
pub mod tasks;
pub mod unusual;

pub use approval::{Approved, verify_approval};
pub use csr::{CsrError, InspectedCsr};
pub use events::Event;
pub use register::Register;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod serial_tests;
