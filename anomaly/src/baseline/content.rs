//! The content of a baseline: tables of p-values in thousand-millionths, rounded up, so that evidence is never overstated.

use extensions::{AgentId, Counterparty, Currency, Decimal, Digest, Instrument, Region};
use serde::{Deserialize, Serialize};

use super::Report;
use crate::{
    settings::{BILLION, MILLION, Settings},
    window::SCALES,
};

/// Instruments, counterparties or regions a baseline can hold; rarer ones count as unseen.
pub const MOST_NAMES: usize = 256;
/// Currencies a baseline can hold.
pub const MOST_CURRENCIES: usize = 8;
/// Steps of one table.
pub const MOST_KNOTS: usize = 128;
/// Bins of the hour-of-week table.
pub const HOURS: usize = 168;

/// What a baseline may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Admitted: warns and revokes.
    Enforce,
    /// Not admitted: certificate limits and warnings only, never a revocation by score.
    WarnOnly,
}

/// From this size on (micro-nats above the currency's median) an order is among the share `p` of the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SizeKnot {
    /// Share of orders at least this large, ppb.
    pub p: u32,
    /// ln notional less the currency's median, micro-nats.
    pub size: i64,
}

/// Where the sizes in one currency lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrencySize {
    /// The currency.
    pub currency: Currency,
    /// Median of ln notional, micro-nats.
    pub median: i64,
    /// The median order.
    pub p50: Decimal,
    /// The 99th of 100 orders by size.
    pub p99: Decimal,
}

/// The size component's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    /// By currency, sorted.
    pub currencies: Vec<CurrencySize>,
    /// Steps, by size.
    pub knots: Vec<SizeKnot>,
}

/// From this count on an order is among the share `p` of those that saw the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateKnot {
    /// Orders within the span, the order itself included.
    pub count: u32,
    /// Share of orders that see at least as many, ppb.
    pub p: u32,
}

/// One scale of the rate component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateScale {
    /// Steps, by count.
    pub knots: Vec<RateKnot>,
    /// The median count.
    pub p50: u32,
    /// The count that 99 of 100 orders do not exceed.
    pub p99: u32,
}

/// A name the baseline has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenName<T> {
    /// The name.
    pub name: T,
    /// Share of orders on names at most as common, unseen ones included, ppb.
    pub p: u32,
    /// Its own share of orders, ppb.
    pub share_ppb: u32,
}

/// How orders spread over instruments or counterparties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix<T> {
    /// Sorted by name.
    pub seen: Vec<SeenName<T>>,
    /// Share of a day's orders expected on names not seen on any other day, ppb.
    pub unseen_ppb: u32,
}

/// Everything officers sign about what is normal for one agent. Its canonical JSON is hashed; integers and strings only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineContent {
    /// Whose behaviour.
    pub agent: AgentId,
    /// The agent's first baseline, against which every later one is held; `None` when this is the first.
    pub anchor: Option<Digest>,
    /// Counterparties.
    pub counterparties: Mix<Counterparty>,
    /// Allowance per order of the drift channel, micro-nats.
    pub d: i64,
    /// Per hour of the UTC week: share of orders at hours at most as busy, ppb.
    pub hours: Vec<u32>,
    /// Instruments.
    pub instruments: Mix<Instrument>,
    /// Orders per year.
    pub lambda: u64,
    /// What it may do.
    pub mode: Mode,
    /// Rates at the four scales.
    pub rates: Vec<RateScale>,
    /// Regions seen, sorted.
    pub regions: Vec<Region>,
    /// What officers read before they sign.
    pub report: Report,
    /// The house numbers it was fitted with.
    pub settings: Settings,
    /// Sizes.
    pub sizes: Sizes,
    /// Step of the drift channel, millionths (0 to 1,000,000).
    pub theta: u32,
    /// 1 for the first baseline of the agent, and one more for each later one.
    pub version: u32,
}

impl BaselineContent {
    /// The first rule of form that the content breaks. A content that breaks none scores any observation without failing, and
    /// its score only rises when an order is rarer.
    #[must_use]
    pub fn defect(&self) -> Option<&'static str> {
        let rules = [
            (
                self.settings.is_valid(),
                "settings of other rules, or weights that do not sum to one",
            ),
            (
                self.hours.len() == HOURS && self.hours.iter().all(is_share),
                "hours: 168 shares expected",
            ),
            (
                self.rates.len() == SCALES && self.rates.iter().all(rate_is_sound),
                "rates: 4 falling tables expected",
            ),
            (
                sizes_are_sound(&self.sizes),
                "sizes: a falling table and sorted currencies expected",
            ),
            (mix_is_sound(&self.instruments), "instruments: sorted shares expected"),
            (
                mix_is_sound(&self.counterparties),
                "counterparties: sorted shares expected",
            ),
            (
                self.regions.len() <= MOST_NAMES && self.regions.is_sorted_by(|a, b| a < b),
                "regions: sorted names expected",
            ),
            (self.theta <= MILLION, "theta: at most one"),
            (
                (0..=1 << 40).contains(&self.d),
                "d: not negative, at most a million nats",
            ),
            ((1..1 << 53).contains(&self.lambda), "lambda: at least one order a year"),
            (self.version >= 1, "version: counted from 1"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, defect)| defect)
    }
}

fn is_share(p: &u32) -> bool {
    (1..=BILLION).contains(p)
}

fn rate_is_sound(rate: &RateScale) -> bool {
    rate.knots.len() <= MOST_KNOTS
        && rate.knots.iter().all(|knot| is_share(&knot.p))
        && rate.knots.is_sorted_by(|a, b| a.count < b.count && a.p >= b.p)
}

fn sizes_are_sound(sizes: &Sizes) -> bool {
    sizes.knots.len() <= MOST_KNOTS
        && sizes.currencies.len() <= MOST_CURRENCIES
        && sizes.currencies.is_sorted_by(|a, b| a.currency < b.currency)
        && sizes
            .currencies
            .iter()
            .all(|known| known.median.unsigned_abs() < 1 << 40)
        && sizes.knots.iter().all(|knot| is_share(&knot.p))
        && sizes.knots.is_sorted_by(|a, b| a.size < b.size && a.p >= b.p)
}

fn mix_is_sound<T: Ord>(mix: &Mix<T>) -> bool {
    mix.seen.len() <= MOST_NAMES
        && is_share(&mix.unseen_ppb)
        && mix
            .seen
            .iter()
            .all(|seen| is_share(&seen.p) && seen.share_ppb <= BILLION)
        && mix.seen.is_sorted_by(|a, b| a.name < b.name)
}
