//! What becomes of a permit: accepted, rejected, withheld, in doubt, filled, cancelled, closed.

use extensions::{AgentId, ClientOrderId, Currency, Decimal, Instrument, Timestamp};
use serde::{Deserialize, Serialize};

use super::record;
use crate::{codes::Code, order::Side};

/// Why an order is no longer open at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseCause {
    /// All of it filled.
    Filled,
    /// Cancelled, by us or by the venue.
    Cancelled,
    /// Its time in force ended.
    Expired,
}

/// The state a permit has come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "became", rename_all = "snake_case", deny_unknown_fields)]
pub enum OutcomeState {
    /// The venue confirmed it.
    Accepted {
        /// The venue's own id of the order.
        venue_reference: String,
    },
    /// No longer open at the venue. Its reservation stays for what the venue executed and no fill has yet shown.
    Closed {
        /// How much of it the venue executed in all.
        executed: Decimal,
        /// The venue's own id of the order, where its answer told it.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        venue_reference: Option<String>,
        /// Why.
        why: CloseCause,
    },
    /// It was sent, or may have been, and the venue has not answered. Its reservation holds.
    InDoubt {
        /// What is known, in a few words.
        why: String,
    },
    /// The venue refused it. Nothing is open.
    Rejected {
        /// The venue's words, scrubbed.
        why: String,
    },
    /// It was never sent: past its send deadline, or halted.
    Withheld {
        /// Why, in a few words.
        why: String,
    },
}

impl OutcomeState {
    /// The refusal code a bot is answered with, for the states that are one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Rejected { .. } => Some(Code::VenueRejected),
            Self::Withheld { .. } => Some(Code::Withheld),
            _ => None,
        }
    }
}

/// What became of the permit that is entry `order` of this stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderOutcome {
    /// The agent.
    pub agent: AgentId,
    /// The bot's id of the order.
    pub client_order_id: ClientOrderId,
    /// The number of the permit's entry.
    pub order: u64,
    /// The state.
    pub state: OutcomeState,
}
record!(OrderOutcome, "order.outcome");

/// A fill, complete in itself: it moves the position even when the order is long gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderFilled {
    /// The agent.
    pub agent: AgentId,
    /// The bot's id of the order.
    pub client_order_id: ClientOrderId,
    /// The unit of the price.
    pub currency: Currency,
    /// When the venue executed it, by the venue's clock.
    pub executed_at: Timestamp,
    /// The venue's id of the execution, unique per instrument; a second entry with it changes nothing.
    pub execution_id: String,
    /// What.
    pub instrument: Instrument,
    /// The number of the permit's entry.
    pub order: u64,
    /// The price.
    pub price: Decimal,
    /// How much of the order.
    pub quantity: Decimal,
    /// Which way.
    pub side: Side,
}
record!(OrderFilled, "order.filled");

/// Who asked for a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelSource {
    /// The bot.
    Bot,
    /// A halt, or what a later fill left of it.
    Halt,
    /// An officer.
    Officer,
    /// The mandate: the bot's last stream broke, and none was back within its grace.
    Disconnect,
}

/// A cancel is being sent. A report: cancels never wait for their record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelRequested {
    /// The agent.
    pub agent: AgentId,
    /// Who asked.
    pub by: CancelSource,
    /// The bot's id of the order.
    pub client_order_id: ClientOrderId,
    /// The number of the permit's entry.
    pub order: u64,
}
record!(CancelRequested, "order.cancel_requested");

/// How a cancel ended, as far as the venue has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "became", rename_all = "snake_case", deny_unknown_fields)]
pub enum CancelState {
    /// The venue confirmed it. An `order.outcome` says how much was executed before.
    Cancelled,
    /// Not cancelled.
    CouldNot {
        /// Why, in a few words: `venue timeout`.
        why: String,
    },
    /// The order was no longer open.
    NotOpen,
}

/// How a cancel ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelOutcome {
    /// The agent.
    pub agent: AgentId,
    /// The bot's id of the order.
    pub client_order_id: ClientOrderId,
    /// The number of the permit's entry.
    pub order: u64,
    /// How it ended.
    pub state: CancelState,
}
record!(CancelOutcome, "order.cancel_outcome");
