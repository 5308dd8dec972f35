//! What `decide` returns, and the proof that it did.
//!
//! A [`Permit`] can be made by [`decide`](crate::decide) alone: no public constructor, not `Clone`, not `Deserialize`. The
//! venue takes it only inside the ledger's `Recorded<Permit>`, so neither an undecided nor an unrecorded order can be sent.
//!
//! ```compile_fail
//! fn twice(permit: gateway_policy::Permit) -> (gateway_policy::Permit, gateway_policy::Permit) {
//!     (permit.clone(), permit) // E0599: not Clone
//! }
//! ```
//! ```compile_fail
//! let permit: gateway_policy::Permit = serde_json::from_slice(b"{}").unwrap(); // E0277: not Deserialize
//! ```
//! ```compile_fail
//! fn forge(body: gateway_policy::OrderDecided) -> gateway_policy::Permit {
//!     gateway_policy::Permit { body } // E0451: private fields
//! }
//! ```

use extensions::{Decimal, Record, StreamId, Timestamp, record::SealedText};
use revocation_core::{HaltPlan, IncidentOpened, StandingEvent};

use crate::{
    codes::Code,
    events::{DecisionKind, FailedCheck, OrderDecided},
    order::{Order, VenueOrderId},
};

/// A record that goes into the same append, behind the main one.
pub type Also = Vec<Box<dyn Record + Send>>;

/// What was decided about one order. Each is the main record of one append.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // the variants are alike; boxing would allocate on the order path
pub enum Decision {
    /// To be forwarded once recorded.
    Permit(Permit),
    /// Not to be forwarded.
    Refusal(Refusal),
    /// Not to be forwarded; the agent is revoked in the same append, and the plan says what to cancel.
    Halt(Halt),
}

/// What the three decisions have in common.
pub(crate) struct Body {
    pub(crate) decided: OrderDecided,
    pub(crate) number: u64,
    pub(crate) epoch: u64,
    pub(crate) at: Timestamp,
    pub(crate) also: Vec<StandingEvent>,
    /// Behind `also`: the incident of a revocation.
    pub(crate) opens: Option<IncidentOpened>,
    pub(crate) sealed: Vec<SealedText>,
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "entry {} under epoch {}: {:?}",
            self.number, self.epoch, self.decided
        )
    }
}

macro_rules! decided {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            body: Body,
        }

        impl $name {
            pub(crate) fn new(body: Body) -> Self {
                Self { body }
            }

            /// The entry's content, as plain data.
            #[must_use]
            pub fn decided(&self) -> &OrderDecided {
                &self.body.decided
            }

            /// The number the entry must get: the append is `Exactly` this.
            #[must_use]
            pub fn number(&self) -> u64 {
                self.body.number
            }

            /// The epoch it was decided under.
            #[must_use]
            pub fn epoch(&self) -> u64 {
                self.body.epoch
            }

            /// When it was decided, by the decision clock.
            #[must_use]
            pub fn decided_at(&self) -> Timestamp {
                self.body.at
            }

            /// Takes the records of the same append (warnings, the revocation, its incident), which follow the main one.
            #[must_use]
            pub fn take_also(&mut self) -> Also {
                let also = std::mem::take(&mut self.body.also).into_iter();
                let mut also: Also = also.map(|event| Box::new(event) as Box<dyn Record + Send>).collect();
                also.extend(self.body.opens.take().map(|opened| Box::new(opened) as Box<dyn Record + Send>));
                also
            }

            /// Those of them that move the standing, in their order, before they are taken.
            #[must_use]
            pub fn also(&self) -> &[StandingEvent] {
                &self.body.also
            }

            /// Seals the bot's reasoning: the entry holds the commitment, the ledger the text.
            pub fn seal_reasoning(&mut self, text: SealedText) {
                self.body.decided.reasoning = Some(text.commitment());
                self.body.sealed.push(text);
            }

            /// Seals the signed request that the proof was made over.
            pub fn seal_signed_request(&mut self, text: SealedText) {
                self.body.decided.signed_request = Some(text.commitment());
                self.body.sealed.push(text);
            }
        }

        impl Record for $name {
            fn stream(&self) -> StreamId {
                self.body.decided.stream()
            }
            fn kind(&self) -> &'static str {
                OrderDecided::KIND
            }
            fn write_body(&self, out: &mut Vec<u8>) {
                self.body.decided.write_body(out);
            }
            fn sealed(&self) -> &[SealedText] {
                &self.body.sealed
            }
        }
    };
}

decided! {
    /// The proof that `decide` permits one order. Neither `Clone` nor `Deserialize`; made in this crate alone.
    Permit
}
decided! {
    /// A refusal with every failed check.
    Refusal
}
decided! {
    /// A refusal that also revokes the agent.
    Halt
}

impl Permit {
    /// The terms to send, in our own serialisation.
    #[must_use]
    pub fn order(&self) -> &crate::OrderTerms {
        &self.body.decided.order
    }

    /// The id to send it under.
    #[must_use]
    pub fn venue_order_id(&self) -> VenueOrderId {
        VenueOrderId::new(&self.body.decided.agent, self.body.number)
    }

    /// Its value: quantity times the highest of order, stop and reference price.
    #[must_use]
    pub fn notional(&self) -> Option<Decimal> {
        self.body.decided.notional
    }

    /// What it reserves of the day's value, and of what its groups may have at stake, once it is folded; none for a verified reduction.
    #[must_use]
    pub fn reserves(&self) -> Option<Decimal> {
        crate::state::reserved_by(&self.body.decided)
    }

    /// It is sent within this many milliseconds (monotonic) of its decision, by its own gateway instance, or never.
    #[must_use]
    pub fn send_within_ms(&self) -> u32 {
        self.body.decided.send_within_ms
    }
}

impl Refusal {
    /// Every failed check, in decision order; never empty.
    #[must_use]
    pub fn checks(&self) -> &[FailedCheck] {
        &self.body.decided.checks
    }

    /// The first failed check's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.body.decided.primary_code().unwrap_or(Code::StatusUnknown)
    }
}

impl Halt {
    /// Every failed check, in decision order; never empty.
    #[must_use]
    pub fn checks(&self) -> &[FailedCheck] {
        &self.body.decided.checks
    }

    /// The first failed check's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.body.decided.primary_code().unwrap_or(Code::StatusUnknown)
    }

    /// The incident it opens, until [`take_also`](Self::take_also) takes its record.
    #[must_use]
    pub fn opens(&self) -> Option<&IncidentOpened> {
        self.body.opens.as_ref()
    }

    /// What to do with each open order.
    #[must_use]
    pub fn plan(&self) -> &HaltPlan {
        static NOTHING: HaltPlan = HaltPlan {
            cancel: Vec::new(),
            keep: Vec::new(),
        };
        self.body.decided.plan.as_ref().unwrap_or(&NOTHING)
    }
}

impl Decision {
    /// The entry's content, as plain data.
    #[must_use]
    pub fn decided(&self) -> &OrderDecided {
        match self {
            Self::Permit(permit) => permit.decided(),
            Self::Refusal(refusal) => refusal.decided(),
            Self::Halt(halt) => halt.decided(),
        }
    }

    /// The records of the same append that move the standing, in their order, before they are taken.
    #[must_use]
    pub fn also(&self) -> &[StandingEvent] {
        match self {
            Self::Permit(Permit { body }) | Self::Refusal(Refusal { body }) | Self::Halt(Halt { body }) => &body.also,
        }
    }

    /// The incident that a revocation opens: the last record of the same append, before they are taken.
    #[must_use]
    pub fn opens(&self) -> Option<&IncidentOpened> {
        match self {
            Self::Permit(Permit { body }) | Self::Refusal(Refusal { body }) | Self::Halt(Halt { body }) => {
                body.opens.as_ref()
            }
        }
    }

    /// The number the entry must get.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Permit(Permit { body }) | Self::Refusal(Refusal { body }) | Self::Halt(Halt { body }) => body.number,
        }
    }

    /// When it was decided, by the decision clock.
    #[must_use]
    pub fn decided_at(&self) -> Timestamp {
        match self {
            Self::Permit(Permit { body }) | Self::Refusal(Refusal { body }) | Self::Halt(Halt { body }) => body.at,
        }
    }

    pub(crate) fn of(body: Body) -> Self {
        match body.decided.decision {
            DecisionKind::Permit => Self::Permit(Permit::new(body)),
            DecisionKind::Refusal => Self::Refusal(Refusal::new(body)),
            DecisionKind::Halt => Self::Halt(Halt::new(body)),
        }
    }
}

/// A stored permit read back: plain data that can be resolved at the venue (was it accepted?), and never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PermitRecord {
    /// The entry's content.
    pub decided: OrderDecided,
    /// The entry's number.
    pub number: u64,
    /// When it was decided.
    pub decided_at: Timestamp,
}

impl PermitRecord {
    /// The stored permit, when the entry is one whose terms are those of an order.
    #[must_use]
    pub fn of(decided: OrderDecided, number: u64, decided_at: Timestamp) -> Option<Self> {
        let permit = decided.decision == DecisionKind::Permit && Order::new(decided.order.clone()).is_ok();
        permit.then_some(Self {
            decided,
            number,
            decided_at,
        })
    }

    /// The id it was, or would have been, sent under.
    #[must_use]
    pub fn venue_order_id(&self) -> VenueOrderId {
        VenueOrderId::new(&self.decided.agent, self.number)
    }
}
