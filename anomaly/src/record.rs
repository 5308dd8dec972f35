//! A score as it is recorded with each order: everything a verifier needs to compute it again from the log and the baseline.

use extensions::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    components::{COMPONENTS, Component},
    detector::{DETECTORS, Detector},
};

/// Which channel gave the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Days since the last reset, today included.
    Day,
    /// The orders since the last reset, together.
    Drift,
    /// This order alone.
    Point,
}

/// One component of one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRecord {
    /// ln of this component's part of C after the order, its weight included: the parts sum to C. Micro-nats.
    pub c: i64,
    /// The detector that drove it.
    pub driver: Detector,
    /// The e-value, millionths.
    pub e: u64,
    /// What was seen, in the driver's unit: orders in the span, micro-nats above the currency's median, hour of the week; 1 for a new
    /// name or a repeated one; else 0.
    pub observed: i64,
    /// The p-value of the driver, thousand-millionths.
    pub p: u32,
    /// The exact share of this component in E, millionths; the five sum to one million.
    pub share: u32,
    /// The weight, millionths.
    pub weight: u32,
}

/// The five components of one score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Components {
    /// Hour of week.
    pub hour: ComponentRecord,
    /// Instrument and counterparty.
    pub instrument: ComponentRecord,
    /// Region.
    pub origin: ComponentRecord,
    /// Orders per time.
    pub rate: ComponentRecord,
    /// Notional.
    pub size: ComponentRecord,
}

impl Components {
    /// The components in the order of [`Component::ALL`].
    #[must_use]
    pub fn in_order(&self) -> [ComponentRecord; COMPONENTS] {
        [self.size, self.rate, self.instrument, self.hour, self.origin]
    }

    /// One of them.
    #[must_use]
    pub fn of(&self, component: Component) -> ComponentRecord {
        self.in_order()[component as usize]
    }

    pub(crate) fn from_order([size, rate, instrument, hour, origin]: [ComponentRecord; COMPONENTS]) -> Self {
        Self {
            hour,
            instrument,
            origin,
            rate,
            size,
        }
    }
}

/// One score, part of the entry `order.decided`. Logarithms are micro-nats, e-values and scores millionths; detectors and components
/// in the order of their `ALL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreRecord {
    /// ln A, the evidence the score is read from, less the part of the budget that the other channel has.
    pub a: i64,
    /// The baseline it was scored under.
    pub baseline: Digest,
    /// ln C of the drift channel after the order.
    pub c_after: i64,
    /// ln C before it.
    pub c_before: i64,
    /// The channel that gave A.
    pub channel: Channel,
    /// The five components.
    pub components: Components,
    /// The version of the scoring rules.
    pub config: u32,
    /// The allowance of the leading detector (day channel: 0), micro-nats.
    pub d: i64,
    /// ln D of the day channel after the order.
    pub day: i64,
    /// ln D of each component, today included.
    pub day_drift: [i64; COMPONENTS],
    /// ln of the product of today's e-values of each component.
    pub day_products: [i64; COMPONENTS],
    /// Today's statistic of each component.
    pub day_sums: [i64; COMPONENTS],
    /// ln C of each detector after the order.
    pub drift: [i64; DETECTORS],
    /// E of this order, millionths.
    pub e: u64,
    /// Baseline orders per year; active days per year when the day channel gave A.
    pub lambda: u64,
    /// Fingerprints of the last instrument and the last counterparty that were new to the baseline; 0 for none.
    pub new: [u32; 2],
    /// The orders that contributed, the last this one: since the leading detector was last at or below one. In the day channel, days.
    pub orders: u32,
    /// The score, 0 to 1,000,000.
    pub score: u32,
    /// The step of the leading detector, or of the leading component's days, millionths.
    pub theta: u32,
}
