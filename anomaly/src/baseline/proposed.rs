//! A baseline the system proposes: fitted, canonical, digested, and without any force.

use extensions::{Digest, canonical};
use thiserror::Error;

use super::{ApprovedBaseline, BaselineContent};
use crate::events::BaselineApproved;

/// Why no baseline can be proposed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProposalFault {
    /// There is nothing to learn from.
    #[error(
        "{orders} usable orders on {days} days: a proposal needs at least {needed_orders} orders on {needed_days} days; import or observe more"
    )]
    TooLittle {
        /// Orders with a notional that no limit refused.
        orders: usize,
        /// Days they fall on.
        days: usize,
        /// Orders needed.
        needed_orders: usize,
        /// Days needed.
        needed_days: usize,
    },
    /// The settings cannot be used.
    #[error(
        "the scorer's settings are not usable: weights must sum to one million and every p lie between 1 and 1,000,000,000 ppb"
    )]
    Settings,
    /// The content breaks a rule of form.
    #[error("the baseline is malformed: {0}")]
    Malformed(&'static str),
}

/// Why a proposal does not come into force.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApprovalFault {
    /// The approval is of another baseline.
    #[error("the approval names baseline {approved}, not {proposed}")]
    Other {
        /// What was approved.
        approved: Digest,
        /// What is at hand.
        proposed: Digest,
    },
    /// The approval is for another agent or version.
    #[error("the approval is for another agent or version of the baseline")]
    Mismatch,
    /// Nobody approved it.
    #[error("the approval names no officer's approval")]
    Unsigned,
}

/// A fitted baseline before approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposedBaseline {
    content: BaselineContent,
    digest: Digest,
}

impl ProposedBaseline {
    /// Takes `content` when it keeps every rule of form.
    ///
    /// # Errors
    /// Names the first rule it breaks.
    pub fn new(content: BaselineContent) -> Result<Self, ProposalFault> {
        if let Some(defect) = content.defect() {
            return Err(ProposalFault::Malformed(defect));
        }
        let digest = Digest::of(&canonical::to_vec(&content));
        Ok(Self { content, digest })
    }

    /// What it says.
    #[must_use]
    pub fn content(&self) -> &BaselineContent {
        &self.content
    }

    /// SHA-256 of its canonical JSON: what officers sign.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its canonical JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical::to_vec(&self.content)
    }

    /// Comes into force under `approval`. That the officers' signatures behind it are good is for the caller to check first.
    ///
    /// # Errors
    /// When the approval is of something else, or of nobody.
    pub fn approve(self, approval: &BaselineApproved) -> Result<ApprovedBaseline, ApprovalFault> {
        if approval.baseline != self.digest {
            return Err(ApprovalFault::Other {
                approved: approval.baseline,
                proposed: self.digest,
            });
        }
        if approval.agent != self.content.agent || approval.version != self.content.version {
            return Err(ApprovalFault::Mismatch);
        }
        if approval.approvals.is_empty() {
            return Err(ApprovalFault::Unsigned);
        }
        Ok(ApprovedBaseline::new(self.content, self.digest))
    }
}
