//! The scores at which the kill switch acts, where officers have set others than 0.75 and 0.85: numbers of the house, chosen and not
//! found, so two officers sign a change and the ledger holds it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Lower levels would halt what every healthy bot does now and then.
pub const LOWEST_LEVEL: u32 = 500_000;
/// The highest score there is; above it nothing would ever halt.
pub const HIGHEST_LEVEL: u32 = 1_000_000;

/// Levels that no house may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "levels of {warn} (warn) and {revoke} (revoke) millionths: {LOWEST_LEVEL} is the lowest, {HIGHEST_LEVEL} the highest, and the warning comes below the revocation"
)]
pub struct LevelsError {
    revoke: u32,
    warn: u32,
}

/// Both levels, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written")]
pub struct ScoreLevels {
    revoke: u32,
    warn: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    revoke: u32,
    warn: u32,
}

impl TryFrom<Written> for ScoreLevels {
    type Error = LevelsError;

    fn try_from(written: Written) -> Result<Self, LevelsError> {
        Self::new(written.warn, written.revoke)
    }
}

impl ScoreLevels {
    /// Levels, in millionths.
    ///
    /// # Errors
    /// When they are outside of the bounds, or the warning does not come first.
    pub fn new(warn: u32, revoke: u32) -> Result<Self, LevelsError> {
        if LOWEST_LEVEL <= warn && warn < revoke && revoke <= HIGHEST_LEVEL {
            Ok(Self { revoke, warn })
        } else {
            Err(LevelsError { revoke, warn })
        }
    }

    /// From here on an agent is warned.
    #[must_use]
    pub fn warn(&self) -> u32 {
        self.warn
    }

    /// From here on it is halted.
    #[must_use]
    pub fn revoke(&self) -> u32 {
        self.revoke
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each bound from both sides. Control, tried: answer `Ok` from `new`.
    #[test]
    fn levels_keep_their_order_and_bounds() {
        for (warn, revoke, fits) in [
            (500_000, 1_000_000, true),
            (499_999, 850_000, false),
            (750_000, 1_000_001, false),
            (849_999, 850_000, true),
            (850_000, 850_000, false),
            (850_000, 750_000, false),
        ] {
            assert_eq!(ScoreLevels::new(warn, revoke).is_ok(), fits, "{warn} {revoke}");
            let text = format!("{{\"revoke\":{revoke},\"warn\":{warn}}}");
            assert_eq!(serde_json::from_str::<ScoreLevels>(&text).is_ok(), fits, "{text}");
        }
    }
}
