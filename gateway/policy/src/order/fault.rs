//! What is wrong with a body that is not an order: the field, what was found, what to change.

use std::fmt;

use crate::codes::Code;

/// How a body fails to be an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// Longer than [`LONGEST_BODY`](super::LONGEST_BODY).
    TooLarge,
    /// Not the strict JSON an order is written in.
    Malformed,
    /// The same field twice.
    Repeated,
    /// A field no order has.
    Unknown,
    /// A field every such order needs.
    Missing,
    /// A field that this order type does not have.
    Unexpected,
    /// A value of another JSON type.
    WrongType,
    /// A value outside its form or bounds.
    BadValue,
}

/// One thing to change before the body is an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderFault {
    /// The field, or `body`.
    pub field: String,
    /// The sort of fault.
    pub kind: FaultKind,
    /// What was found and what to change, in one or two sentences.
    pub message: String,
}

impl OrderFault {
    pub(crate) fn new(field: &str, kind: FaultKind, message: impl Into<String>) -> Self {
        Self {
            field: excerpt(field),
            kind,
            message: message.into(),
        }
    }

    /// The refusal code it is answered with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self.kind {
            FaultKind::TooLarge => Code::BodyTooLarge,
            FaultKind::Malformed | FaultKind::Repeated => Code::OrderMalformed,
            _ => Code::OrderInvalid,
        }
    }
}

impl fmt::Display for OrderFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.message)
    }
}

/// At most 40 printable ASCII characters of a text that came from outside; the rest becomes `?` or is cut.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars()
        .take(40)
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .collect()
}
