//! How many risk-carrying messages an agent may send in a window of seconds.

use std::fmt;

use super::{Field, LimitsError};

/// The highest count of a rate.
pub(crate) const HIGHEST_COUNT: u32 = 1_000_000;
/// The longest window: a day.
pub(crate) const LONGEST_WINDOW_SECONDS: u32 = 86_400;

/// At most `count` messages in `seconds`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    pub(super) count: u32,
    pub(super) seconds: u32,
}

impl Rate {
    /// A rate.
    ///
    /// # Errors
    /// When count is outside 1 to 1,000,000 or the window outside 1 to 86,400 seconds.
    pub fn new(count: u32, seconds: u32) -> Result<Self, LimitsError> {
        if !(1..=HIGHEST_COUNT).contains(&count) {
            return Err(LimitsError::OutOfRange {
                field: Field::OrderRates,
                range: "1..1000000 (count)",
            });
        }
        if !(1..=LONGEST_WINDOW_SECONDS).contains(&seconds) {
            return Err(LimitsError::OutOfRange {
                field: Field::OrderRates,
                range: "1..86400 (seconds)",
            });
        }
        Ok(Self { count, seconds })
    }

    /// Messages.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }

    /// The window in seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.seconds
    }

    /// Reads `60/1s`; the window may be in `s`, `m`, `h` or `d`.
    ///
    /// # Errors
    /// When the text has another shape or a number is out of range.
    pub fn parse(text: &str) -> Result<Self, LimitsError> {
        let fault = || LimitsError::unreadable(Field::OrderRates, text, "a count and a window such as 60/1s, 2000/1m");
        let (count, window) = text.split_once('/').ok_or_else(fault)?;
        let at = window.bytes().position(|b| !b.is_ascii_digit()).ok_or_else(fault)?;
        let (number, unit) = window.split_at(at);
        let unit = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return Err(fault()),
        };
        if count.is_empty() || count.len() > 7 || number.len() > 5 || !count.bytes().all(|b| b.is_ascii_digit()) {
            return Err(fault());
        }
        let count = count.parse().map_err(|_| fault())?;
        let seconds: u32 = number.parse().map_err(|_| fault())?;
        Self::new(count, seconds.saturating_mul(unit))
    }
}

impl fmt::Display for Rate {
    /// The window always in seconds.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}s", self.count, self.seconds)
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Rate({self})")
    }
}
