//! The baseline in force: what the order path reads.

use extensions::Digest;

use super::{BaselineContent, Mode};
use crate::{record::ScoreRecord, scale};

/// The scores at which something happens, in millionths. House numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// From here on the agent is warned.
    pub warn: u32,
    /// From here on it is halted.
    pub revoke: u32,
}

impl Default for Thresholds {
    /// 0.75 and 0.85.
    fn default() -> Self {
        Self {
            warn: scale::WARN,
            revoke: scale::REVOKE,
        }
    }
}

/// What a score asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing.
    Clear,
    /// Warn: caps tightened, an officer has five minutes.
    Warn,
    /// Halt and revoke.
    Revoke,
}

/// A baseline that officers signed. Made only by [`super::ProposedBaseline::approve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedBaseline {
    content: BaselineContent,
    digest: Digest,
}

impl ApprovedBaseline {
    pub(super) fn new(content: BaselineContent, digest: Digest) -> Self {
        Self { content, digest }
    }

    /// What it says.
    #[must_use]
    pub fn content(&self) -> &BaselineContent {
        &self.content
    }

    /// SHA-256 of its canonical JSON.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it may do.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.content.mode
    }

    /// What `record` asks for; never a revocation when the agent was not admitted.
    #[must_use]
    pub fn verdict(&self, record: &ScoreRecord, thresholds: Thresholds) -> Verdict {
        if record.score >= thresholds.revoke && self.content.mode == Mode::Enforce {
            Verdict::Revoke
        } else if record.score >= thresholds.warn.min(thresholds.revoke) {
            Verdict::Warn
        } else {
            Verdict::Clear
        }
    }
}
