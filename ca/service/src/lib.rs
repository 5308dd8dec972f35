//! The `ca` role. It alone holds the issuing keys and the ledger root key; it opens no connection to the outside. Work comes to it as
//! recorded approvals and requests; what it makes goes into the ledger.
//!
//! [`ceremony::found`] makes a house: two roots, their issuing CAs, servers' certificates, the ledger, tokens for the first two officers.
//! [`CaService`] issues: check the records again, reserve the serial, sign, verify, record. Roots are never loaded by it.

pub mod ceremony;
mod crl;
pub mod files;
mod keys;
mod officer;
mod pipeline;
mod service;
mod view;

pub use keys::{CaKeys, KeysError, authorise_checkpoint_key};
pub use officer::{OFFICER_TASK, OfficerTask};
pub use pipeline::{ISSUE_TASK, IssueTask};
pub use service::{CaConfig, CaError, CaService};

/// The role whose outbox tasks these are.
pub const ROLE: &str = "ca";

#[cfg(test)]
mod tests;
