//! The typed view of a certificate and the profile check of certificates.md §2, on top of path validation by the TLS library.
//!
//! Path validation is necessary, not sufficient: a library ignores our extension and half of the profile. [`Certificate::read`]
//! gives the typed view, [`CertificateProfile::check_at`] judges one certificate by its role, [`AgentCertificate::inspect_at`]
//! a bot's leaf with its path, limits narrowing downwards, and compiles the limits for the order path.

mod agent;
mod error;
mod extension;
mod name;
mod profile;
#[cfg(test)]
mod tests;
mod view;

pub use agent::{AgentCertificate, AgentPathProfile};
pub use error::{Fault, ProfileError};
pub use name::{NameError, SpiffeName, TrustDomain};
pub use profile::{CertificateProfile, LONGEST_AGENT_LIFE_SECONDS, Role};
pub use view::{Certificate, LONGEST_CERTIFICATE};
