//! The house numbers of the scorer, carried and signed inside each baseline.

use serde::{Deserialize, Serialize};

/// The version of the scoring rules of this build; recorded with each score. Any change to a table, a rule or a constant of the
/// order path raises it.
pub const CONFIG_VERSION: u32 = 2;

/// One million: weights, shares and scores are counted in millionths.
pub const MILLION: u32 = 1_000_000;
/// One thousand million: p-values are counted in thousand-millionths.
pub const BILLION: u32 = 1_000_000_000;

/// What each component may contribute, in millionths; the sum is exactly one million, and is the false-alarm budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Hour of week.
    pub hour: u32,
    /// Instrument and counterparty.
    pub instrument: u32,
    /// Region.
    pub origin: u32,
    /// Orders per time.
    pub rate: u32,
    /// Notional.
    pub size: u32,
}

/// The settings a baseline was fitted with and is scored with. A change needs two officers, since it makes a new baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The version of the rules, [`CONFIG_VERSION`].
    pub config: u32,
    /// p of an order outside every hour seen, at least this (ppb).
    pub hour_floor_ppb: u32,
    /// p of a region never seen (ppb).
    pub origin_unseen_ppb: u32,
    /// The smallest p that the rate component may claim at one scale (ppb): no single count revokes by itself.
    pub rate_floor_ppb: u32,
    /// The smallest p that the size component may claim (ppb).
    pub size_floor_ppb: u32,
    /// p of an instrument or counterparty never seen, at least this (ppb).
    pub symbol_floor_ppb: u32,
    /// The components' weights.
    pub weights: Weights,
}

impl Settings {
    /// The house numbers: weights 0.30, 0.25, 0.20, 0.15, 0.10; unseen hour 1e-3, unseen instrument 3e-3; unseen region 1e-6; rate and size
    /// no further than 1e-9.
    #[must_use]
    pub const fn house() -> Self {
        Self {
            config: CONFIG_VERSION,
            hour_floor_ppb: 1_000_000,
            origin_unseen_ppb: 1_000,
            rate_floor_ppb: 1,
            size_floor_ppb: 1,
            symbol_floor_ppb: 3_000_000,
            weights: Weights {
                hour: 150_000,
                instrument: 200_000,
                origin: 100_000,
                rate: 250_000,
                size: 300_000,
            },
        }
    }

    /// Whether the numbers can be used: weights sum to one, every p between 1 ppb and 1, rules of this build.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let weights = self.weights;
        let sum = [
            weights.hour,
            weights.instrument,
            weights.origin,
            weights.rate,
            weights.size,
        ]
        .iter()
        .map(|weight| u64::from(*weight))
        .sum::<u64>();
        let floors = [
            self.hour_floor_ppb,
            self.origin_unseen_ppb,
            self.rate_floor_ppb,
            self.size_floor_ppb,
            self.symbol_floor_ppb,
        ];
        self.config == CONFIG_VERSION
            && sum == u64::from(MILLION)
            && floors.iter().all(|floor| (1..=BILLION).contains(floor))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::house()
    }
}
