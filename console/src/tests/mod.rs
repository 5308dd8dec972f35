//! A whole house on loopback: ceremony, `ca` role, officers with real certificates, the API behind its gate.

mod access;
mod activity;
mod approvals;
mod bench;
mod bounds;
mod exposure;
mod extension;
mod hostile;
mod incidents;
mod narrowing;
mod overrides;
pub(crate) mod pages;
mod passkeys;
mod reads;
pub(crate) mod scored;
mod sizes;
pub(crate) mod standing;
pub(crate) mod subscriptions;
mod webhooks;
mod whatif;

pub(crate) use bench::{Bench, csr};
