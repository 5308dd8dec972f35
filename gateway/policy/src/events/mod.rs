//! What the order path writes into an agent's stream, and everything in that stream that moves an agent's state.

mod decided;
mod exposure;
mod outcome;
mod overridden;
mod position;

use anomaly::BaselineApproved;
use extensions::canonical::{self, CanonicalError};
use revocation_core::{HaltReported, StandingEvent};

pub use decided::{
    CertificateUsed, DecisionKind, FailedCheck, Known, OrderDecided, Proof, ReferencePrice, ScoreUse, SignedBy,
    Validity, View,
};
pub use exposure::{Exposure, GroupExposure};
pub use outcome::{
    CancelOutcome, CancelRequested, CancelSource, CancelState, CloseCause, OrderFilled, OrderOutcome, OutcomeState,
};
pub use overridden::{LONGEST_OVERRIDE_MINUTES, Overridden, OverrideGranted};
pub use position::{OrdersMalformed, OrdersUnread, PositionAttested, StateDigest};

/// Gives an event struct its stable kind, the agent's stream and its canonical body. The struct declares its members in
/// the order of RFC 8785; `bodies_are_canonical` holds each to it.
macro_rules! record {
    ($type:ty, $kind:literal) => {
        impl $type {
            /// The stable name of the kind.
            pub const KIND: &'static str = $kind;
        }

        impl extensions::Record for $type {
            fn stream(&self) -> extensions::StreamId {
                extensions::StreamId::agent(&self.agent)
            }
            fn kind(&self) -> &'static str {
                Self::KIND
            }
            fn write_body(&self, out: &mut Vec<u8>) {
                extensions::canonical::write_presorted(self, out);
            }
        }
    };
}
pub(crate) use record;

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($type:ty),)*) => {
        /// Everything in an agent's stream, as the fold sees it.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant)] // decoded one at a time, never stored in bulk
        pub enum AgentEvent {
            $($(#[$doc])* $variant($type),)*
            /// Freezes, revocations, warnings (revocation-core).
            Standing(StandingEvent),
            /// Another baseline is in force (anomaly): the evidence starts anew.
            BaselineApproved(BaselineApproved),
            /// A kind that moves no state of the order path: registrations, incidents, reports of halts, observations, proposals.
            Other,
        }

        impl AgentEvent {
            /// The kinds of this crate.
            pub const KINDS: &'static [&'static str] = &[$(<$type>::KIND,)*];

            /// Reads the body of an entry of an agent's stream. A kind of another crate that moves no state is
            /// [`AgentEvent::Other`].
            ///
            /// # Errors
            /// When the body is not the canonical form of its kind.
            pub fn decode(kind: &str, body: &[u8]) -> Result<Self, CanonicalError> {
                match kind {
                    $(<$type>::KIND => canonical::from_slice::<$type>(body).map(Self::$variant),)*
                    "baseline.approved" => canonical::from_slice::<BaselineApproved>(body).map(Self::BaselineApproved),
                    _ => match StandingEvent::decode(kind, body) {
                        Some(event) => event.map(Self::Standing),
                        None => Ok(Self::Other),
                    },
                }
            }
        }

        $(impl From<$type> for AgentEvent {
            fn from(event: $type) -> Self {
                Self::$variant(event)
            }
        })*
    };
}

events! {
    /// An order was decided.
    Decided(OrderDecided),
    /// What became of a permit.
    Outcome(OrderOutcome),
    /// A fill.
    Filled(OrderFilled),
    /// A cancel is being sent.
    CancelRequested(CancelRequested),
    /// How a cancel ended.
    CancelOutcome(CancelOutcome),
    /// Orders counted, not read.
    Unread(OrdersUnread),
    /// Bodies counted that were no order.
    Malformed(OrdersMalformed),
    /// A position opened elsewhere, attested by an officer.
    PositionAttested(PositionAttested),
    /// Officers let one refused order pass.
    OverrideGranted(OverrideGranted),
    /// The digest of the state in a quiet stream.
    StateDigest(StateDigest),
}

/// What became of cancels stands in their own outcomes; the report moves nothing.
impl From<HaltReported> for AgentEvent {
    fn from(_: HaltReported) -> Self {
        Self::Other
    }
}

impl From<StandingEvent> for AgentEvent {
    fn from(event: StandingEvent) -> Self {
        Self::Standing(event)
    }
}

#[cfg(test)]
mod tests;
