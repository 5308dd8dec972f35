//! When an agent may trade: windows of the UTC week, half-open, split at midnight, merged and sorted.
//!
//! The one canonical form: each day's minutes as its longest runs; one window for each distinct run, holding every weekday
//! that has exactly that run; windows sorted by start, then end. Bit 0 of `weekdays` (the most significant bit of the first
//! content octet) is **Monday**, bit 6 is Sunday.

use std::fmt;

use super::{Field, LimitsError};
use crate::Timestamp;

/// The most windows.
pub(crate) const MOST_WINDOWS: usize = 64;
/// Minutes of a day.
pub(crate) const DAY_MINUTES: u16 = 1_440;
const WEEK_MINUTES: usize = 7 * DAY_MINUTES as usize;
const WEEK_WORDS: usize = WEEK_MINUTES.div_ceil(64);
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// A set of weekdays: bit `1 << 0` is Monday, `1 << 6` is Sunday, as [`Timestamp::weekday`] counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Monday to Sunday.
    pub const ALL: Self = Self(0x7f);

    /// The set with these bits (bit `1 << 0` is Monday); `None` for none or above Sunday.
    #[must_use]
    pub fn new(bits: u8) -> Option<Self> {
        (1..=0x7f).contains(&bits).then_some(Self(bits))
    }

    /// The bits, `1 << 0` for Monday.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether the weekday, 0 for Monday to 6 for Sunday, is in this.
    #[must_use]
    pub fn contains(self, weekday: u8) -> bool {
        weekday < 7 && self.0 & (1 << weekday) != 0
    }

    fn parse(text: &str) -> Option<Self> {
        let day = |word: &str| WEEKDAYS.iter().position(|day| *day == word);
        let bits = text.split(',').try_fold(0_u8, |bits, part| {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (day(from)?, day(to)?);
            (from <= to).then(|| (from..=to).fold(bits, |bits, day| bits | 1 << day))
        })?;
        Self::new(bits)
    }
}

impl fmt::Display for Weekdays {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut day = 0_u8;
        let mut first = true;
        while day < 7 {
            if !self.contains(day) {
                day += 1;
                continue;
            }
            let mut last = day;
            while self.contains(last + 1) {
                last += 1;
            }
            let comma = if first { "" } else { "," };
            write!(formatter, "{comma}{}", WEEKDAYS[usize::from(day)])?;
            if last > day {
                write!(formatter, "-{}", WEEKDAYS[usize::from(last)])?;
            }
            (first, day) = (false, last + 1);
        }
        Ok(())
    }
}

/// `[start, end)` in UTC minutes on each of some weekdays. No window crosses midnight.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    weekdays: Weekdays,
    start: u16,
    end: u16,
}

impl Window {
    /// A window.
    ///
    /// # Errors
    /// When a minute is outside the day or the end not behind the start.
    pub fn new(weekdays: Weekdays, start: u16, end: u16) -> Result<Self, LimitsError> {
        if start >= DAY_MINUTES || end > DAY_MINUTES || end == 0 {
            return Err(LimitsError::OutOfRange {
                field: Field::Hours,
                range: "0..1439 to 1..1440 (minutes)",
            });
        }
        if end <= start {
            return Err(LimitsError::NotCanonical {
                field: Field::Hours,
                why: "a window ends behind its start; split at midnight",
            });
        }
        Ok(Self { weekdays, start, end })
    }

    /// On these days.
    #[must_use]
    pub fn weekdays(&self) -> Weekdays {
        self.weekdays
    }

    /// From this minute of the UTC day, 0 to 1439.
    #[must_use]
    pub fn start_minute(&self) -> u16 {
        self.start
    }

    /// To before this minute, 1 to 1440.
    #[must_use]
    pub fn end_minute(&self) -> u16 {
        self.end
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = (self.start, self.end);
        write!(
            formatter,
            "{} {:02}:{:02}-{:02}:{:02}",
            self.weekdays,
            start / 60,
            start % 60,
            end / 60,
            end % 60
        )
    }
}

impl fmt::Debug for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Window({self})")
    }
}

/// The trading hours of a certificate: 1 to 64 windows in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours(Box<[Window]>);

impl Hours {
    /// Hours as the certificate holds them.
    ///
    /// # Errors
    /// When there are none or above 64, or they are not in the one canonical form.
    pub fn new(windows: Vec<Window>) -> Result<Self, LimitsError> {
        bounded(windows.len())?;
        if WeekMinutes::of(&windows).windows() != windows {
            return Err(LimitsError::NotCanonical {
                field: Field::Hours,
                why: "each day's minutes as longest runs, one window per distinct run, sorted",
            });
        }
        Ok(Self(windows.into()))
    }

    /// The canonical form of any windows.
    ///
    /// # Errors
    /// When the canonical form has none or above 64.
    pub fn covering(windows: &[Window]) -> Result<Self, LimitsError> {
        let windows = WeekMinutes::of(windows).windows();
        bounded(windows.len())?;
        Ok(Self(windows.into()))
    }

    /// Reads windows such as `Mon-Fri 07:00-20:00`, `Sat,Sun 22:00-02:00` (over midnight into the next day) or `always`.
    ///
    /// # Errors
    /// When one cannot be read, or the canonical form has none or above 64.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, LimitsError> {
        if texts.len() > MOST_WINDOWS {
            bounded(texts.len())?;
        }
        let mut windows = Vec::new();
        for text in texts {
            windows.extend(parse_windows(text.as_ref())?);
        }
        Self::covering(&windows)
    }

    /// The windows.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.0
    }

    /// Every minute of these, as a set.
    #[must_use]
    pub fn minutes(&self) -> WeekMinutes {
        WeekMinutes::of(&self.0)
    }
}

fn bounded(count: usize) -> Result<(), LimitsError> {
    if (1..=MOST_WINDOWS).contains(&count) {
        return Ok(());
    }
    Err(LimitsError::BadCount {
        field: Field::Hours,
        count,
        range: "1 to 64",
    })
}

fn parse_windows(text: &str) -> Result<Vec<Window>, LimitsError> {
    let fault = || {
        LimitsError::unreadable(
            Field::Hours,
            text,
            "UTC hours such as \"Mon-Fri 07:00-20:00\", or \"always\"",
        )
    };
    if text == "always" {
        return Ok(vec![Window::new(Weekdays::ALL, 0, DAY_MINUTES)?]);
    }
    let (days, times) = text.split_once(' ').ok_or_else(fault)?;
    let days = Weekdays::parse(days).ok_or_else(fault)?;
    let (start, end) = times.split_once('-').ok_or_else(fault)?;
    let (start, end) = (
        parse_minute(start).ok_or_else(fault)?,
        parse_minute(end).ok_or_else(fault)?,
    );
    if start < end {
        return Ok(vec![Window::new(days, start, end)?]);
    }
    if start == end || start == DAY_MINUTES {
        return Err(fault());
    }
    let mut windows = vec![Window::new(days, start, DAY_MINUTES)?];
    if end > 0 {
        let next = (days.bits() << 1 | days.bits() >> 6) & 0x7f;
        windows.push(Window::new(Weekdays::new(next).ok_or_else(fault)?, 0, end)?);
    }
    Ok(windows)
}

fn parse_minute(text: &str) -> Option<u16> {
    let &[h1, h2, b':', m1, m2] = text.as_bytes() else {
        return None;
    };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (hour, minute) = (
        u16::from(h1 - b'0') * 10 + u16::from(h2 - b'0'),
        u16::from(m1 - b'0') * 10 + u16::from(m2 - b'0'),
    );
    (minute < 60 && hour * 60 + minute <= DAY_MINUTES).then_some(hour * 60 + minute)
}

/// A set of minutes of the UTC week, one bit each: the compiled form, with constant-time lookup.
#[derive(Clone, PartialEq, Eq)]
pub struct WeekMinutes(Box<[u64; WEEK_WORDS]>);

impl WeekMinutes {
    /// Every minute of some windows.
    #[must_use]
    pub fn of(windows: &[Window]) -> Self {
        let mut minutes = Self(Box::new([0; WEEK_WORDS]));
        for window in windows {
            for day in (0..7).filter(|day| window.weekdays.contains(*day)) {
                minutes.fill(index(day, window.start), index(day, window.end));
            }
        }
        minutes
    }

    /// Whether the minute in which `at` lies is in this.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.has(at.weekday(), at.minute_of_day())
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = self.clone();
        for (mine, theirs) in both.0.iter_mut().zip(other.0.iter()) {
            *mine &= theirs;
        }
        both
    }

    /// Whether nothing is in this.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// The first weekday and minute of this that are not in `outer`.
    #[must_use]
    pub fn first_beyond(&self, outer: &Self) -> Option<(u8, u16)> {
        let (word, bits) = (0..WEEK_WORDS)
            .map(|word| (word, self.0[word] & !outer.0[word]))
            .find(|(_, bits)| *bits != 0)?;
        let at = word * 64 + bits.trailing_zeros() as usize;
        let (day, minute) = (at / usize::from(DAY_MINUTES), at % usize::from(DAY_MINUTES));
        Some((u8::try_from(day).ok()?, u16::try_from(minute).ok()?))
    }

    /// The canonical windows, without a bound on their number.
    #[must_use]
    pub fn windows(&self) -> Vec<Window> {
        let mut runs = std::collections::BTreeMap::<(u16, u16), u8>::new();
        for day in 0..7 {
            let (mut at, midnight) = (index(day, 0), index(day, DAY_MINUTES));
            let minute = |at: usize| (at - index(day, 0)) as u16;
            while at < midnight {
                let start = self.next(at, midnight, true);
                at = self.next(start, midnight, false);
                if start < at {
                    *runs.entry((minute(start), minute(at))).or_default() |= 1 << day;
                }
            }
        }
        runs.into_iter()
            .map(|((start, end), days)| Window {
                weekdays: Weekdays(days),
                start,
                end,
            })
            .collect()
    }

    /// Sets the bits `from..to`, word by word.
    fn fill(&mut self, from: usize, to: usize) {
        for word in from / 64..to.div_ceil(64) {
            let low = from.saturating_sub(word * 64);
            let high = (to - word * 64).min(64);
            self.0[word] |= (u64::MAX >> (64 - (high - low))) << low;
        }
    }

    /// The first bit at or behind `from` that is `wanted`; `end` when there is none before it.
    fn next(&self, from: usize, end: usize, wanted: bool) -> usize {
        let mut at = from;
        while at < end {
            let word = if wanted { self.0[at / 64] } else { !self.0[at / 64] } >> (at % 64);
            if word != 0 {
                return end.min(at + word.trailing_zeros() as usize);
            }
            at = (at / 64 + 1) * 64;
        }
        end
    }

    fn has(&self, day: u8, minute: u16) -> bool {
        let at = index(day, minute);
        self.0[at / 64] & (1 << (at % 64)) != 0
    }
}

impl fmt::Debug for WeekMinutes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.windows()).finish()
    }
}

fn index(day: u8, minute: u16) -> usize {
    usize::from(day) * usize::from(DAY_MINUTES) + usize::from(minute)
}
