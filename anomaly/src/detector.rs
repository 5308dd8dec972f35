//! The detectors: what a component looks at. Each keeps evidence of its own, so that a lasting change of one side is not diluted by
//! the sides that stay as they were; a component is the weighted sum of its detectors.

use serde::{Deserialize, Serialize};

use crate::{
    components::Component,
    settings::{MILLION, Settings},
    window::{Counted, SCALES},
};

/// How many there are.
pub const DETECTORS: usize = 14;
/// Detectors that judge a window by the orders it holds so far: the five rates.
pub const WINDOWED: usize = SCALES;

/// One way to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// A notional far in the tail.
    SizeLarge,
    /// Notionals that lie higher than they should.
    SizeRaised,
    /// Notionals that keep to the lower half.
    SizeSmall,
    /// Orders in a second.
    RateSecond,
    /// Orders in a minute.
    RateMinute,
    /// Orders in an hour.
    RateHour,
    /// Orders in a day.
    RateDay,
    /// Seconds with orders in a minute: a loop goes on and on, a batch does not.
    RateBusy,
    /// A rare or new instrument.
    Instrument,
    /// The instrument of the order before, again.
    SameInstrument,
    /// A rare or new counterparty.
    Counterparty,
    /// The counterparty of the order before, again.
    SameCounterparty,
    /// A quiet hour of the week.
    HourOfWeek,
    /// A region never seen.
    Region,
}

use Detector::*;

impl Detector {
    /// All of them, in the order in which state and records hold them.
    pub const ALL: [Self; DETECTORS] = [
        SizeLarge,
        SizeRaised,
        SizeSmall,
        RateSecond,
        RateMinute,
        RateHour,
        RateDay,
        RateBusy,
        Instrument,
        SameInstrument,
        Counterparty,
        SameCounterparty,
        HourOfWeek,
        Region,
    ];

    /// The component it belongs to.
    #[must_use]
    pub const fn component(self) -> Component {
        match self {
            SizeLarge | SizeRaised | SizeSmall => Component::Size,
            RateSecond | RateMinute | RateHour | RateDay | RateBusy => Component::Rate,
            Instrument | SameInstrument | Counterparty | SameCounterparty => Component::Instrument,
            HourOfWeek => Component::Hour,
            Region => Component::Origin,
        }
    }

    /// Its part of the component, thousandths; the parts of a component sum to 1,000.
    #[must_use]
    pub const fn part(self) -> u64 {
        match self {
            SizeLarge => 400,
            SizeRaised | SizeSmall => 300,
            RateSecond | RateMinute | RateHour | RateDay | RateBusy => 200,
            Instrument | SameInstrument | Counterparty | SameCounterparty => 250,
            HourOfWeek | Region => 1_000,
        }
    }

    /// Its part of all evidence, millionths.
    #[must_use]
    pub fn weight(self, settings: &Settings) -> u64 {
        u64::from(self.component().weight(&settings.weights)) * self.part() / 1_000
    }

    /// The scale of the window that it judges anew with each order, in place of what it said of the window before.
    #[must_use]
    pub const fn window(self) -> Option<usize> {
        match self {
            RateSecond => Some(0),
            RateMinute => Some(1),
            RateHour => Some(2),
            RateDay => Some(3),
            RateBusy => Some(4),
            _ => None,
        }
    }

    /// The scale of the window of which it judges the first order only: a burst keeps its hour, which is one observation and not many.
    #[must_use]
    pub const fn first_of(self) -> Option<usize> {
        match self {
            HourOfWeek => Some(2),
            _ => None,
        }
    }

    /// Whether it stays silent on an order, since it judged the order's window already.
    #[must_use]
    pub(crate) fn skips(self, counted: &Counted) -> bool {
        self.first_of().is_some_and(|scale| counted.continued[scale])
    }

    /// Its name in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            SizeLarge => "very large orders",
            SizeRaised => "larger orders",
            SizeSmall => "smaller orders",
            RateSecond => "orders in a second",
            RateMinute => "orders in a minute",
            RateHour => "orders in an hour",
            RateDay => "orders in a day",
            RateBusy => "busy seconds in a minute",
            Instrument => "rare instruments",
            SameInstrument => "one instrument again",
            Counterparty => "rare counterparties",
            SameCounterparty => "one counterparty again",
            HourOfWeek => "quiet hours",
            Region => "new regions",
        }
    }
}

/// The weights of all detectors, millionths; they sum to one million.
#[must_use]
pub fn weights(settings: &Settings) -> [u64; DETECTORS] {
    let mut weights = Detector::ALL.map(|detector| detector.weight(settings));
    // What whole thousandths leave over goes to the first.
    let rest = u64::from(MILLION).saturating_sub(weights.iter().sum());
    weights[0] += rest;
    weights
}
