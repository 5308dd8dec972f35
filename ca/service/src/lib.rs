//! The `ca` role. It alone holds the issuing keys and the ledger root key; it opens no connection to the outside. Work comes to it as
//! recorded approvals and requests; what it makes goes into the ledger.
//!
//! [`ceremony::found`] makes a house: two roots, their issuing CAs, servers' certificates, the ledger, tokens for the first two officers.
//! [`CaService`] issues: check the records again, reserve the serial, sign, verify, record. Roots are never loaded by it.

pub mod ceremony;
mod crl;
pub mod files;
mod house;
mod keys;
mod officer;
mod pipeline;
mod service;
mod view;

pub use ca_core::tasks::{ISSUE_TASK, IssueTask, OFFICER_TASK, OfficerTask, ROLE};
pub use keys::{CaKeys, KeysError, authorise_checkpoint_key};

pub use service::{CaConfig, CaError, CaService};

#[cfg(test)]
mod tests;
