//! The policy decision point: what an order is, the checks it must pass, the state of its agent, and the decision.
//!
//! [`decide`] takes facts, the agent's [`AgentState`] and `now`, and returns a [`Decision`]; it has no clock and does no I/O
//! (ARCHITECTURE §1). The decision becomes an entry of the agent's stream ([`OrderDecided`]); the state is a fold over that
//! stream, so the same entries always give the same decisions, and [`replay_decision`] takes any of them again from its record.

mod checks;
pub mod codes;
mod decide;
pub mod decision;
pub mod events;
pub mod exposure;
pub mod facts;
#[cfg(test)]
#[allow(missing_docs, unreachable_pub, dead_code)] // shared with the benches, which see other parts of it
mod fixture;
#[cfg(test)]
mod flows;
pub mod order;
mod replay;
pub mod state;
pub mod whatif;

pub use codes::Code;
pub use decide::decide;
pub use decision::{Also, Decision, Halt, Permit, PermitRecord, Refusal};
pub use events::{
    AgentEvent, CancelOutcome, CancelRequested, CancelSource, CancelState, CertificateUsed, CloseCause, DecisionKind,
    Exposure, FailedCheck, GroupExposure, Known, LONGEST_OVERRIDE_MINUTES, OrderDecided, OrderFilled, OrderOutcome,
    OrdersMalformed, OrdersUnread, OutcomeState, Overridden, OverrideGranted, PositionAttested, Proof, ReferencePrice,
    ScoreUse, SignedBy, StateDigest, Validity, View,
};
pub use exposure::{AgentExposure, GroupSum, Quoted};
pub use facts::{Facts, Mandate, REFERENCE_MAX_AGE_MS, SEND_WITHIN_MS};
pub use order::{
    FaultKind, InList, LONGEST_BODY, LONGEST_REASONING, Order, OrderFault, OrderKind, OrderTerms, ParsedOrder,
    Reasoning, Side, TimeInForce, VenueOrderId,
};
pub use replay::{Again, Replay, ReplayFault, decide_again, replay_decision};
pub use state::{
    AgentState, BoundLeft, DIGEST_EVERY, EntryAt, MOST_OPEN_ORDERS, OpenMark, OpenOrder, Position, RECENT_ORDERS,
    SnapshotError,
};
