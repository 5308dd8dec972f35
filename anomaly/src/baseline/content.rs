//! The content of a baseline: tables of p-values in thousand-millionths, rounded up, so that evidence is never overstated.

use extensions::{AgentId, Counterparty, Currency, Decimal, Digest, Instrument, Region};
use serde::{Deserialize, Serialize};

use super::Report;
use crate::{
    components::COMPONENTS,
    detector::DETECTORS,
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
    /// Share of orders at or below the median, ppb.
    pub small_ppb: u32,
}

/// From this count on a window is among the share `p` of the fullest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateKnot {
    /// Orders in the window.
    pub count: u32,
    /// Share of windows with orders that hold at least as many, ppb.
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
    /// The count that 99 of 100 windows do not exceed.
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
    /// Share of orders on the name of the order before, among those of another minute than that one, ppb.
    pub again_ppb: u32,
    /// The same among those of the same minute.
    pub burst_again_ppb: u32,
    /// Sorted by name.
    pub seen: Vec<SeenName<T>>,
    /// Share of a day's orders expected on names not seen on any other day, ppb.
    pub unseen_ppb: u32,
}

/// One hour of the UTC week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HourBin {
    /// Its share of active hours, smoothed, ppb.
    pub mass_ppb: u32,
    /// Share of active hours at most as busy, ppb.
    pub p: u32,
}

/// How a detector adds evidence up: the allowance it takes off each time, and the step it makes of the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Allowance, micro-nats.
    pub d: i64,
    /// Step, millionths (0 to 1,000,000); 0 is a detector that this agent's history does not support.
    pub theta: u32,
}

impl Step {
    /// Adds nothing up.
    pub const OFF: Self = Self { d: 0, theta: 0 };
}

/// From this statistic on a day is among the share `p` of the most unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayKnot {
    /// Share of days, ppb.
    pub p: u32,
    /// The statistic, micro-nats (rate: millionths of an order).
    pub sum: i64,
}

/// One component's days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayTable {
    /// Steps, by statistic.
    pub knots: Vec<DayKnot>,
    /// Step, millionths.
    pub theta: u32,
}

impl DayTable {
    /// The share of days at least as unusual.
    pub(crate) fn p_value(&self, sum: i64) -> u32 {
        let above = self.knots.partition_point(|knot| knot.sum <= sum);
        above.checked_sub(1).map_or(BILLION, |last| self.knots[last].p)
    }
}

/// The channel by day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DayChannel {
    /// Active days per year.
    pub lambda: u64,
    /// One table a component, in the order of [`crate::Component::ALL`].
    pub tables: Vec<DayTable>,
}

/// Which channels may be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Channels {
    /// By day.
    pub day: bool,
    /// By order: this one alone, and drift.
    pub order: bool,
}

/// Everything officers sign about what is normal for one agent. Its canonical JSON is hashed; integers and strings only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineContent {
    /// Whose behaviour.
    pub agent: AgentId,
    /// The agent's first baseline, against which every later one is held; `None` when this is the first.
    pub anchor: Option<Digest>,
    /// The channels in use.
    pub channels: Channels,
    /// Counterparties.
    pub counterparties: Mix<Counterparty>,
    /// The channel by day.
    pub day: DayChannel,
    /// How each detector adds up, in the order of [`crate::Detector::ALL`].
    pub drift: Vec<Step>,
    /// The hours of the UTC week.
    pub hours: Vec<HourBin>,
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
                self.hours.len() == HOURS && self.hours.iter().all(|bin| is_share(&bin.p) && is_share(&bin.mass_ppb)),
                "hours: 168 shares expected",
            ),
            (
                self.rates.len() == SCALES && self.rates.iter().all(rate_is_sound),
                "rates: 5 falling tables expected",
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
            (
                self.drift.len() == DETECTORS && self.drift.iter().all(step_is_sound),
                "drift: 14 steps of at most one and allowances of 0 to a million nats expected",
            ),
            (
                self.day.tables.len() == COMPONENTS && self.day.tables.iter().all(days_are_sound),
                "day: 5 falling tables with steps of at most one expected",
            ),
            (
                (1..1 << 53).contains(&self.day.lambda),
                "day: lambda of at least one day a year",
            ),
            (self.channels.day || self.channels.order, "channels: one at least"),
            ((1..1 << 53).contains(&self.lambda), "lambda: at least one order a year"),
            (self.version >= 1, "version: counted from 1"),
        ];
        rules.into_iter().find(|(holds, _)| !holds).map(|(_, defect)| defect)
    }
}

fn step_is_sound(step: &Step) -> bool {
    step.theta <= MILLION && (0..=1 << 40).contains(&step.d)
}

fn days_are_sound(table: &DayTable) -> bool {
    table.theta <= MILLION
        && table.knots.len() <= MOST_KNOTS
        && table.knots.iter().all(|knot| is_share(&knot.p))
        && table.knots.is_sorted_by(|a, b| a.sum < b.sum && a.p >= b.p)
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
        && is_share(&sizes.small_ppb)
        && sizes.knots.iter().all(|knot| is_share(&knot.p))
        && sizes.knots.is_sorted_by(|a, b| a.size < b.size && a.p >= b.p)
}

fn mix_is_sound<T: Ord>(mix: &Mix<T>) -> bool {
    mix.seen.len() <= MOST_NAMES
        && is_share(&mix.unseen_ppb)
        && is_share(&mix.again_ppb)
        && is_share(&mix.burst_again_ppb)
        && mix
            .seen
            .iter()
            .all(|seen| is_share(&seen.p) && seen.share_ppb <= BILLION)
        && mix.seen.is_sorted_by(|a, b| a.name < b.name)
}
