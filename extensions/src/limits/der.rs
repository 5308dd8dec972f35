//! The strict DER form of `AuthorityLimits` (X.690 §10, §11): read, re-encode, compare byte for byte.

use super::{AuthorityLimits, LimitsError};

/// The longest value that is read or written.
pub const LONGEST_DER: usize = 4_096;

pub(super) fn decode(bytes: &[u8]) -> Result<AuthorityLimits, LimitsError> {
    let _ = bytes;
    Err(LimitsError::UnknownVersion)
}

pub(super) fn encode(limits: &AuthorityLimits) -> Result<Vec<u8>, LimitsError> {
    let _ = limits;
    Err(LimitsError::UnknownVersion)
}
