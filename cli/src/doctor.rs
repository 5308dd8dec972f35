//! What keeps a bot, or a house, from trading: each check says what it found in one line, and what to do in another where it fails.
//!
//! Nothing is changed, and nothing that a check cannot see is claimed: a check whose question could not be asked fails.

pub mod bot;
mod disk;
pub mod house;

use serde::Serialize;

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its stable name.
    pub check: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What was found.
    pub says: String,
    /// What to do, where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    fn good(check: &'static str, says: impl Into<String>) -> Self {
        Self {
            check,
            ok: true,
            says: says.into(),
            fix: None,
        }
    }

    fn bad(check: &'static str, says: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            ok: false,
            says: says.into(),
            fix: Some(fix.into()),
        }
    }
}
