//! An override: two officers let one refused order pass, once and within minutes (RTS 6 Art. 15(6)).

use extensions::{AgentId, Digest, Timestamp, approval::ApprovalRecord};
use serde::{Deserialize, Serialize};

use super::{FailedCheck, record};
use crate::codes::Code;

/// The longest life of an override, in minutes from when it is asked for.
pub const LONGEST_OVERRIDE_MINUTES: u8 = 15;

/// Two officers let the next order with the same terms pass the checks that are named, one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OverrideGranted {
    /// The agent.
    pub agent: AgentId,
    /// What may fail; each is one that [may be overridden](Code::may_be_overridden).
    pub checks: Vec<Code>,
    /// Nothing passes by it after this moment of the decision clock.
    pub expires: Timestamp,
    /// The number of the refused order's entry.
    pub order: u64,
    /// The commitment to why, in words.
    pub reason: Digest,
    /// The signatures of two officers over this decision.
    pub signatures: Vec<ApprovalRecord>,
    /// The hash of the order's terms without its id: [`OrderTerms::terms_digest`](crate::OrderTerms::terms_digest) of the one that was refused.
    pub terms: Digest,
}
record!(OverrideGranted, "order.override_granted");

/// In a permit: which override it used up, and what it passed by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overridden {
    /// Every check that failed, in decision order.
    pub checks: Vec<FailedCheck>,
    /// The number of the `order.override_granted`.
    pub grant: u64,
}

impl Code {
    /// Whether two officers may let one order pass it: how much, when and how often. Never who asks and in what standing, what is traded with whom
    /// and from where, how it is proven, never the score, and not the latch of executions, which an officer opens by resuming the agent.
    #[must_use]
    pub const fn may_be_overridden(self) -> bool {
        matches!(
            self,
            Self::DuplicateSuspected
                | Self::OutsideHours
                | Self::MaxNotional
                | Self::PriceCollar
                | Self::RateOrders
                | Self::OpenOrdersCap
                | Self::DayNotional
                | Self::DayLoss
                | Self::MaxPosition
                | Self::GroupExposure
        )
    }
}
