//! Why a certificate was revoked (RFC 5280 §5.3.1), narrowed to the reasons Mandatum uses (certificates.md §7).

use serde::{Deserialize, Serialize};

/// A reason for revocation. Its code is the CRLReason of RFC 5280 §5.3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    /// The key is, or may be, in other hands (1).
    KeyCompromise,
    /// The owner has left or no longer answers for the agent (3).
    AffiliationChanged,
    /// Replaced by another certificate, narrower as a rule (4).
    Superseded,
    /// The agent is no longer run (5).
    CessationOfOperation,
    /// Its behaviour: the scorer, an unanswered warning, or an officer's judgement (9).
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason, in the order of its code.
    pub const ALL: [Self; 5] = [
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The CRLReason code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }

    /// The name in RFC 5280.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::KeyCompromise => "keyCompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
        }
    }
}
