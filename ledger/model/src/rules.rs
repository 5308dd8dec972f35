//! The rules under test: each can be switched off, and each must then be missed.

/// One rule of the architecture that guarantees 1 to 3 rest on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Rule {
    /// An order's append names the stream number it expects; the store refuses any other.
    ExactNumber,
    /// An append decided under an older epoch is refused.
    EpochCompared,
    /// Nothing is sent before its record is durable.
    AppendBeforeSend,
    /// A halting gateway closes the agent's gate before the revocation is recorded, not after.
    GateClosedFirst,
    /// A permit is not sent after its deadline.
    SendDeadline,
    /// The deadline runs from the decision, not from the moment the gateway learns that the record is durable.
    DeadlineFromDecision,
    /// An order in doubt is never sent again.
    DoubtNeverResent,
    /// An instance asks the venue's longest delay after its own send before it calls an order "not there".
    OwnWaitsForDelay,
    /// Another instance waits for the first one's lease (the longest stall between check and send).
    OtherWaitsForLease,
    /// Another instance waits for the send deadline.
    OtherWaitsForDeadline,
    /// Another instance waits for the venue's longest delay.
    OtherWaitsForDelay,
    /// A lost answer to COMMIT is unknown: look the checkpoint up. Off: it is taken for success.
    LostAnswerIsUnknown,
    /// What was queued behind a losing append is decided again, within the batch and in the writer's queue.
    DropBehindLoser,
    /// What narrows goes to the front of the queue.
    NarrowingToFront,
    /// `client_order_id` is unique because whoever appends has folded every earlier one.
    IdUniqueByFold,
    /// A `Next` append never fails on conflict. Off: a revocation names a number and can lose.
    NextNeverFails,
    /// A `Next` append is idempotent by its id.
    NextIdempotent,
    /// A reinstatement needs a new certificate: the fold keeps the revoked one revoked.
    RevokedCertificateStays,
}

impl Rule {
    /// Every rule, in the order of the documentation.
    pub const ALL: [Rule; 18] = [
        Rule::ExactNumber,
        Rule::EpochCompared,
        Rule::AppendBeforeSend,
        Rule::GateClosedFirst,
        Rule::SendDeadline,
        Rule::DeadlineFromDecision,
        Rule::DoubtNeverResent,
        Rule::OwnWaitsForDelay,
        Rule::OtherWaitsForLease,
        Rule::OtherWaitsForDeadline,
        Rule::OtherWaitsForDelay,
        Rule::LostAnswerIsUnknown,
        Rule::DropBehindLoser,
        Rule::NarrowingToFront,
        Rule::IdUniqueByFold,
        Rule::NextNeverFails,
        Rule::NextIdempotent,
        Rule::RevokedCertificateStays,
    ];
}

/// A set of rules in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules(u32);

impl Rules {
    /// All rules in force.
    pub fn all() -> Rules {
        Rules(u32::MAX)
    }

    /// The same rules but one.
    #[must_use]
    pub fn without(self, rule: Rule) -> Rules {
        Rules(self.0 & !(1 << rule as u32))
    }

    /// Whether `rule` is in force.
    pub fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u32) != 0
    }
}
