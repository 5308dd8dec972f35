//! Points in time: microseconds since 1970-01-01T00:00:00Z, written as RFC 3339 in UTC with six decimals.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const DAY_MICROS: i64 = 86_400_000_000;
/// 9999-12-31T23:59:59.999999Z; beyond it RFC 3339 has no text form.
const LAST_MICROS: i64 = 253_402_300_799_999_999;

/// A point in time between the years 1970 and 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is no point in time.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no time: expected RFC 3339 in UTC, such as 2026-11-20T09:30:00Z")]
pub struct TimestampError(String);

impl Timestamp {
    /// The start of 1970.
    pub const EPOCH: Self = Self(0);

    /// Microseconds since 1970, held to the years 1970 to 9999.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(if micros < 0 {
            0
        } else if micros > LAST_MICROS {
            LAST_MICROS
        } else {
            micros
        })
    }

    /// Milliseconds since 1970, held to the years 1970 to 9999.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Seconds since 1970, held to the years 1970 to 9999.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0 / 1_000
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0 / 1_000_000
    }

    /// This time and `micros` more (or fewer), held to the years 1970 to 9999.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// This time and `millis` more (or fewer).
    #[must_use]
    pub const fn plus_millis(self, millis: i64) -> Self {
        self.plus_micros(millis.saturating_mul(1_000))
    }

    /// This time and `seconds` more (or fewer).
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds from `earlier` to this; negative when `earlier` is later.
    #[must_use]
    pub const fn micros_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The UTC calendar day, in days since 1970-01-01.
    #[must_use]
    pub const fn day(self) -> i64 {
        self.0 / DAY_MICROS
    }

    /// The minute of the UTC day, 0 to 1439.
    #[must_use]
    pub const fn minute_of_day(self) -> u16 {
        (self.0 % DAY_MICROS / 60_000_000) as u16
    }

    /// The UTC weekday, 0 for Monday to 6 for Sunday (1970-01-01 was a Thursday).
    #[must_use]
    pub const fn weekday(self) -> u8 {
        ((self.day() + 3) % 7) as u8
    }

    /// The hour of the UTC week, 0 (Monday 00:00) to 167.
    #[must_use]
    pub const fn hour_of_week(self) -> u8 {
        self.weekday() * 24 + (self.minute_of_day() / 60) as u8
    }

    /// Reads RFC 3339 in UTC (`Z`), with 0 to 6 decimals of a second.
    ///
    /// # Errors
    /// When the text has another shape, another zone, or names no day of the calendar.
    pub fn parse(text: &str) -> Result<Self, TimestampError> {
        parse(text.as_bytes()).ok_or_else(|| TimestampError(text.chars().take(40).collect()))
    }
}

fn parse(text: &[u8]) -> Option<Timestamp> {
    let text = text.strip_suffix(b"Z")?;
    if text.len() < 19
        || text[4] != b'-'
        || text[7] != b'-'
        || !matches!(text[10], b'T' | b' ')
        || text[13] != b':'
        || text[16] != b':'
    {
        return None;
    }
    let (year, month, day) = (digits(&text[0..4])?, digits(&text[5..7])?, digits(&text[8..10])?);
    let (hour, minute, second) = (digits(&text[11..13])?, digits(&text[14..16])?, digits(&text[17..19])?);
    if hour > 23
        || minute > 59
        || second > 59
        || !(1..=12).contains(&month)
        || day < 1
        || day > days_in_month(year, month)
        || year < 1970
    {
        return None;
    }
    let fraction = match text.get(19) {
        None => 0,
        Some(b'.') if (1..=6).contains(&(text.len() - 20)) => {
            digits(&text[20..])? * 10_i64.pow(6 - (text.len() - 20) as u32)
        }
        Some(_) => return None,
    };
    let seconds = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    Some(Timestamp(seconds * 1_000_000 + fraction))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0, |sum, b| b.is_ascii_digit().then(|| sum * 10 + i64::from(b - b'0')))
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar, years counted from March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days - era * 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (
        year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day_of_year - (153 * shifted + 2) / 5 + 1,
    )
}

impl Timestamp {
    /// The text form, in place: every entry holds some.
    fn text(self) -> [u8; 27] {
        let (year, month, day) = civil_from_days(self.day());
        let in_day = self.0 % DAY_MICROS;
        let (seconds, micros) = (in_day / 1_000_000, in_day % 1_000_000);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        for (from, to, value) in [
            (0, 4, year),
            (5, 7, month),
            (8, 10, day),
            (11, 13, seconds / 3_600),
            (14, 16, seconds / 60 % 60),
            (17, 19, seconds % 60),
            (20, 26, micros),
        ] {
            let mut rest = value;
            for place in text[from..to].iter_mut().rev() {
                *place = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        text
    }
}

fn ascii(text: &[u8; 27]) -> &str {
    std::str::from_utf8(text).expect("digits are ASCII")
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(ascii(&self.text()))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(ascii(&self.text()))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for text in [
            "1970-01-01T00:00:00.000000Z",
            "2024-02-29T23:59:59.999999Z",
            "2026-11-20T11:40:00.000001Z",
            "9999-12-31T23:59:59.999999Z",
        ] {
            assert_eq!(Timestamp::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(
            Timestamp::parse("2026-11-20T11:40:00Z").expect("short").seconds(),
            1_795_174_800
        );
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in [
            "2026-02-29T00:00:00Z",
            "2026-11-20T11:40:00+01:00",
            "2026-11-20T24:00:00Z",
            "2026-11-20",
            "2026-11-20T11:40:00.1234567Z",
            "1969-12-31T23:59:59Z",
            "２026-11-20T11:40:00Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn calendar_parts_are_utc() {
        let friday = Timestamp::parse("2026-11-20T11:40:00Z").expect("valid");
        assert_eq!(
            (friday.weekday(), friday.minute_of_day(), friday.hour_of_week()),
            (4, 700, 107)
        );
    }
}
