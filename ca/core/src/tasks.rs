//! The outbox tasks by which the console asks the `ca` role for certificates: their names and payloads, in one place for both.

use extensions::{Digest, MandateId, canonical};
use serde::{Deserialize, Serialize};

/// The role that does them.
pub const ROLE: &str = "ca";
/// A bot's certificate is asked for.
pub const ISSUE_TASK: &str = "certificate.issue";
/// An officer's certificate is asked for.
pub const OFFICER_TASK: &str = "officer.issue";

/// The payload of [`ISSUE_TASK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssueTask {
    /// SHA-256 of the request.
    pub csr: Digest,
    /// The mandate.
    pub mandate: MandateId,
}

impl IssueTask {
    /// The payload's text.
    #[must_use]
    pub fn to_payload(&self) -> String {
        String::from_utf8_lossy(&canonical::to_vec(self)).into_owned()
    }
}

/// The payload of [`OFFICER_TASK`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficerTask {
    /// SHA-256 of the token that was used.
    pub token: Digest,
}

impl OfficerTask {
    /// The payload's text.
    #[must_use]
    pub fn to_payload(&self) -> String {
        String::from_utf8_lossy(&canonical::to_vec(self)).into_owned()
    }
}
