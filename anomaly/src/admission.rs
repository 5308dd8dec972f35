//! Whether a history suffices to let a score revoke: by demonstrated power, not by a count of orders.

/// Shortest history, calendar days.
pub const LEAST_DAYS: u32 = 7;
/// Fewest days with orders.
pub const LEAST_ACTIVE_DAYS: u32 = 5;
/// Fewest orders for the channel by order; sparser agents wait for the channel by day.
pub const LEAST_ORDERS: u64 = 100;
/// Smallest step of the drift channel, millionths.
pub const LEAST_THETA: u32 = 250_000;

/// The outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Scores may warn and revoke.
    Admitted,
    /// Scores may warn only.
    Refused(Vec<Refused>),
}

/// One reason why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The history is too short.
    Days {
        /// Calendar days.
        days: u32,
    },
}
