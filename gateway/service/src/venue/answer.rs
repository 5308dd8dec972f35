//! What a venue said, in types that hold only what can be true.

use std::fmt;

use extensions::{Decimal, Instrument, Timestamp};
use thiserror::Error;

use super::{ExecutionId, VenueClientId, VenueOrderId};

/// The longest text of a venue that is kept, in characters.
pub const LONGEST_VENUE_TEXT: usize = 160;
/// The most orders of others that one answer lists.
pub const MOST_FOREIGN: usize = 256;
/// The most executions that one answer may report.
pub const MOST_FILLS: usize = 1_000;

/// What became of one order that was to be forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The venue took the order; it may have traded at once.
    Accepted(OrderReport),
    /// The venue says that it did not take the order. It holds no part of it.
    Rejected(Refused),
    /// No byte of the order left. It will never be sent.
    Withheld(NotSent),
    /// The order may be at the venue: ask for it, never send it again.
    Unknown(Doubt),
}

/// Why no byte of an order was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotSent {
    /// The send deadline had passed or the agent's gate was closed.
    #[error("the send deadline had passed, or the agent was halted, before the order could be sent")]
    GateClosed,
    /// No connection to the venue could be made in time.
    #[error("no connection to the venue could be made")]
    NoConnection,
    /// The venue does not list the instrument.
    #[error("the venue is not configured for this instrument")]
    NotListed,
    /// The venue has asked us to send nothing for a while.
    #[error("the venue has been asked too much and takes nothing for now")]
    BackingOff,
    /// The venue has not shown that the key which would sign cannot withdraw.
    #[error("the venue has not shown that the gateway's key cannot withdraw; no order goes before")]
    KeyUnproven,
    /// The venue has no such order.
    #[error("the venue does not take orders of this kind")]
    NotOffered,
}

/// Why the venue's view is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Doubt {
    /// No complete answer in time.
    #[error("the venue did not answer in time")]
    Timeout,
    /// The connection broke before the answer was complete.
    #[error("the connection to the venue broke before its answer was complete")]
    Broken,
    /// No connection could be made; nothing was asked.
    #[error("no connection to the venue could be made")]
    NoConnection,
    /// The answer was longer than is read.
    #[error("the venue's answer was longer than is read")]
    TooLong,
    /// The answer was not of the venue's documented form.
    #[error("the venue's answer had not the documented form (HTTP {status})")]
    Unreadable {
        /// The HTTP status it came with.
        status: u16,
    },
    /// The venue reported that it does not know itself (HTTP 5xx, or its own "execution unknown" codes).
    #[error("the venue does not know whether it acted (HTTP {status}, code {code})")]
    VenueUnsure {
        /// The HTTP status.
        status: u16,
        /// The venue's own code; 0 when it gave none.
        code: i64,
    },
    /// The answer contradicts what was asked, or itself, in the named member.
    #[error("the venue's answer cannot be true: {0}")]
    Contradiction(&'static str),
    /// The instrument is not configured for this venue; nothing was asked.
    #[error("the venue is not configured for this instrument")]
    NotListed,
    /// The venue has asked us to send nothing for a while; nothing was asked.
    #[error("the venue has been asked too much and answers nothing for now")]
    BackingOff,
    /// The venue refused the question itself.
    #[error("the venue refused to answer (code {code})")]
    Refused {
        /// The venue's own code.
        code: i64,
    },
}

/// A refusal in the venue's words.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    /// The venue's own code.
    pub code: i64,
    /// Its text: printable ASCII, at most [`LONGEST_VENUE_TEXT`].
    pub text: String,
}

impl Refused {
    /// Keeps the printable ASCII of a venue's text, bounded.
    #[must_use]
    pub fn new(code: i64, text: &str) -> Self {
        let kept = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
        Self {
            code,
            text: text.chars().take(LONGEST_VENUE_TEXT).map(kept).collect(),
        }
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Refused({}: {})", self.code, self.text)
    }
}

/// What a cancel led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelOutcome {
    /// The order is in a final state at the venue: cancelled now, or filled, expired or cancelled before.
    Closed(OrderReport),
    /// The venue knows no order of that id. For a permit still in doubt this is final only once its send deadline and
    /// the venue's longest delay have passed.
    NotThere,
    /// The venue refused, and the order is still open there.
    StillOpen(OrderReport, Refused),
    /// Not known: ask again.
    Unknown(Doubt),
}

/// Where an order stands at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderLife {
    /// It rests, or waits for its stop price; it may have traded in part.
    Open,
    /// It traded whole.
    Filled,
    /// It was withdrawn; what had traded stays.
    Cancelled,
    /// It ended by its time in force or for want of liquidity; what had traded stays.
    Expired,
    /// The venue's engine refused it after taking the message.
    Rejected,
}

impl OrderLife {
    /// Whether nothing can trade any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        self != Self::Open
    }
}

/// One order as the venue reports it, checked against what we asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderReport {
    /// The id our permit derived; `None` for an order whose id is not of our alphabet (never sent by us).
    pub client_id: Option<VenueClientId>,
    /// The venue's id.
    pub venue_order_id: VenueOrderId,
    /// What it trades.
    pub instrument: Instrument,
    /// Where it stands.
    pub life: OrderLife,
    /// The whole quantity.
    pub quantity: Decimal,
    /// How much of it traded, at most the whole.
    pub executed: Decimal,
    /// The executions, where the answer lists them; their quantities then sum to `executed`. Empty means *not listed*:
    /// ask [`super::Venue::trades_of`].
    pub fills: Vec<ExecutionFill>,
}

/// The open orders of our account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenOrders {
    /// Those under an id of our making.
    pub ours: Vec<OrderReport>,
    /// Those that others placed under our credential, as far as they could be read; at most [`MOST_FOREIGN`].
    pub foreign: Vec<OrderReport>,
    /// Further ones, that could not be read or found no place above: not ours either.
    pub unread: usize,
}

/// One execution inside an order's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutionFill {
    /// The venue's id.
    pub execution_id: ExecutionId,
    /// How much, above zero.
    pub quantity: Decimal,
    /// At what price, above zero.
    pub price: Decimal,
}

/// One execution of our account, from the venue's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trade {
    /// The venue's id.
    pub execution_id: ExecutionId,
    /// The order it belongs to.
    pub venue_order_id: VenueOrderId,
    /// What was traded.
    pub instrument: Instrument,
    /// Whether we bought.
    pub bought: bool,
    /// How much, above zero.
    pub quantity: Decimal,
    /// At what price, above zero.
    pub price: Decimal,
    /// When, by the venue.
    pub at: Timestamp,
}

/// A price with the time at which it was known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferencePrice {
    /// Above zero.
    pub price: Decimal,
    /// Our time when the venue's answer had arrived.
    pub at: Timestamp,
}
