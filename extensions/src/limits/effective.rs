//! Limits compiled for the order path: leaf ∩ each CA up to the anchor. Lookups do not allocate.
//!
//! Compiled limits speak the order's language (currencies, instruments, counterparties, regions by their text), so
//! `allowed(order, A ∩ B) = allowed(order, A) ∧ allowed(order, B)` holds exactly. Absent means not permitted.

use super::{Authority, AuthorityLimits, Item, Money, OrderType, OrderTypes, Scope, WeekMinutes};
use crate::{Counterparty, Currency, Decimal, Instrument, Region, Timestamp};

/// A compiled set: everything, or sorted members.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Members<T> {
    Any,
    Only(Box<[T]>),
}

impl<T: Ord + Copy> Members<T> {
    fn of(scope: &Scope, read: impl Fn(&Item) -> Option<T>) -> Self {
        match scope.items() {
            None => Self::Any,
            Some(items) => {
                let mut members: Vec<T> = items.iter().filter_map(read).collect();
                members.sort_unstable();
                members.dedup();
                Self::Only(members.into())
            }
        }
    }

    fn contains(&self, wanted: &T) -> bool {
        match self {
            Self::Any => true,
            Self::Only(members) => members.binary_search(wanted).is_ok(),
        }
    }

    fn intersection(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Any, only) | (only, Self::Any) => only.clone(),
            (Self::Only(mine), other) => Self::Only(mine.iter().filter(|m| other.contains(m)).copied().collect()),
        }
    }

    fn is_subset_of(&self, outer: &Self) -> bool {
        match (self, outer) {
            (_, Self::Any) => true,
            (Self::Any, Self::Only(_)) => false,
            (Self::Only(mine), outer) => mine.iter().all(|m| outer.contains(m)),
        }
    }

    fn members(&self) -> Option<&[T]> {
        match self {
            Self::Any => None,
            Self::Only(members) => Some(members),
        }
    }
}

/// At most `count` risk-carrying messages in `seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveRate {
    /// Messages.
    pub count: u32,
    /// The window in seconds.
    pub seconds: u32,
}

/// What an agent may do, compiled once per handshake. Cheap to look up, shared behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveLimits {
    per_order: Box<[(Currency, Decimal)]>,
    per_day: Box<[(Currency, Decimal)]>,
    rates: Box<[EffectiveRate]>,
    instruments: Members<Instrument>,
    counterparties: Members<Counterparty>,
    regions: Members<Region>,
    hours: WeekMinutes,
    order_types: OrderTypes,
    price_collar_bps: u16,
    order_proof: bool,
}

impl EffectiveLimits {
    /// One authority alone.
    #[must_use]
    pub fn of(authority: &Authority) -> Self {
        Self {
            per_order: amounts(authority.per_order()),
            per_day: amounts(authority.per_day()),
            rates: authority
                .order_rates()
                .iter()
                .map(|r| EffectiveRate {
                    count: r.count,
                    seconds: r.seconds,
                })
                .collect(),
            instruments: Members::of(authority.instruments(), Item::instrument),
            counterparties: Members::of(authority.counterparties(), Item::counterparty),
            regions: Members::of(authority.regions(), Item::region),
            hours: authority.hours().minutes(),
            order_types: authority.order_types(),
            price_collar_bps: authority.price_collar_bps(),
            order_proof: authority.order_proof(),
        }
    }

    /// The leaf's limits within those of every CA up to the anchor.
    #[must_use]
    pub fn compile<'a>(leaf: &AuthorityLimits, issuers: impl IntoIterator<Item = &'a AuthorityLimits>) -> Self {
        issuers.into_iter().fold(Self::of(leaf.authority()), |limits, issuer| {
            limits.intersection(&Self::of(issuer.authority()))
        })
    }

    /// What both permit.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut rates: Vec<EffectiveRate> = self.rates.iter().chain(&other.rates).copied().collect();
        rates.sort_unstable_by_key(|rate| (rate.seconds, rate.count));
        rates.dedup_by_key(|rate| rate.seconds);
        Self {
            per_order: lower(&self.per_order, &other.per_order),
            per_day: lower(&self.per_day, &other.per_day),
            rates: rates.into(),
            instruments: self.instruments.intersection(&other.instruments),
            counterparties: self.counterparties.intersection(&other.counterparties),
            regions: self.regions.intersection(&other.regions),
            hours: self.hours.intersection(&other.hours),
            order_types: self.order_types.intersection(other.order_types),
            price_collar_bps: self.price_collar_bps.min(other.price_collar_bps),
            order_proof: self.order_proof || other.order_proof,
        }
    }

    /// Whether this permits nothing that `outer` does not.
    #[must_use]
    pub fn is_subset_of(&self, outer: &Self) -> bool {
        let within = |mine: &[(Currency, Decimal)], theirs: &[(Currency, Decimal)]| {
            mine.iter()
                .all(|(unit, amount)| find(theirs, unit).is_some_and(|most| *amount <= most))
        };
        within(&self.per_order, &outer.per_order)
            && within(&self.per_day, &outer.per_day)
            && outer
                .rates
                .iter()
                .all(|t| self.rates.iter().any(|m| m.seconds == t.seconds && m.count <= t.count))
            && self.instruments.is_subset_of(&outer.instruments)
            && self.counterparties.is_subset_of(&outer.counterparties)
            && self.regions.is_subset_of(&outer.regions)
            && self.hours.intersection(&outer.hours) == self.hours
            && self.order_types.without(outer.order_types).is_empty()
            && self.price_collar_bps <= outer.price_collar_bps
            && (self.order_proof || !outer.order_proof)
    }

    /// The overlay while *warned*: half of the notional of one order and half of each rate (rounded down, at least one
    /// message, which is never more than before). Everything else stays.
    #[must_use]
    pub fn while_warned(&self) -> Self {
        let per_order = self
            .per_order
            .iter()
            .filter_map(|(unit, amount)| Some((*unit, amount.half()?)))
            .collect();
        let rates = self
            .rates
            .iter()
            .map(|r| EffectiveRate {
                count: (r.count / 2).max(1),
                seconds: r.seconds,
            })
            .collect();
        Self {
            per_order,
            rates,
            ..self.clone()
        }
    }

    /// Whether the instrument may be traded.
    #[must_use]
    pub fn permits_instrument(&self, instrument: &Instrument) -> bool {
        self.instruments.contains(instrument)
    }

    /// Whether the counterparty may be traded with.
    #[must_use]
    pub fn permits_counterparty(&self, counterparty: &Counterparty) -> bool {
        self.counterparties.contains(counterparty)
    }

    /// Whether orders may come from the region.
    #[must_use]
    pub fn permits_region(&self, region: &Region) -> bool {
        self.regions.contains(region)
    }

    /// The upper notional of one order in a currency; `None`: nothing is permitted in it.
    #[must_use]
    pub fn per_order(&self, currency: &Currency) -> Option<Decimal> {
        find(&self.per_order, currency)
    }

    /// The upper notional of one UTC day in a currency; `None`: nothing is permitted in it.
    #[must_use]
    pub fn per_day(&self, currency: &Currency) -> Option<Decimal> {
        find(&self.per_day, currency)
    }

    /// The currencies with their upper notional of one order, sorted.
    #[must_use]
    pub fn per_order_all(&self) -> &[(Currency, Decimal)] {
        &self.per_order
    }

    /// The currencies with their upper notional of one day, sorted.
    #[must_use]
    pub fn per_day_all(&self) -> &[(Currency, Decimal)] {
        &self.per_day
    }

    /// The rates, sorted by window; a window each, at most four for each certificate of the path.
    #[must_use]
    pub fn rates(&self) -> &[EffectiveRate] {
        &self.rates
    }

    /// Whether `at` is within the hours.
    #[must_use]
    pub fn within_hours(&self, at: Timestamp) -> bool {
        self.hours.contains(at)
    }

    /// The hours.
    #[must_use]
    pub fn hours(&self) -> &WeekMinutes {
        &self.hours
    }

    /// Whether orders of the kind may be sent.
    #[must_use]
    pub fn order_type(&self, kind: OrderType) -> bool {
        self.order_types.contains(kind)
    }

    /// The kinds of orders that may be sent.
    #[must_use]
    pub fn order_types(&self) -> OrderTypes {
        self.order_types
    }

    /// Basis points from the reference price on the worse side.
    #[must_use]
    pub fn price_collar_bps(&self) -> u16 {
        self.price_collar_bps
    }

    /// Whether each order must carry the bot's own signature.
    #[must_use]
    pub fn order_proof(&self) -> bool {
        self.order_proof
    }

    /// The instruments, sorted; `None` for any.
    #[must_use]
    pub fn instruments(&self) -> Option<&[Instrument]> {
        self.instruments.members()
    }

    /// The counterparties, sorted; `None` for any.
    #[must_use]
    pub fn counterparties(&self) -> Option<&[Counterparty]> {
        self.counterparties.members()
    }

    /// The regions, sorted; `None` for any.
    #[must_use]
    pub fn regions(&self) -> Option<&[Region]> {
        self.regions.members()
    }

    /// The permitted instrument most like a refused one, for "did you mean BTC_EUR?". Off the order path.
    #[must_use]
    pub fn nearest_instrument(&self, instrument: &str) -> Option<Instrument> {
        nearest(self.instruments()?, instrument, Instrument::as_str)
    }

    /// The permitted counterparty most like a refused one.
    #[must_use]
    pub fn nearest_counterparty(&self, counterparty: &str) -> Option<Counterparty> {
        nearest(self.counterparties()?, counterparty, Counterparty::as_str)
    }

    /// The permitted currency most like a refused one.
    #[must_use]
    pub fn nearest_currency(&self, currency: &str) -> Option<Currency> {
        let currencies: Vec<Currency> = self.per_order.iter().map(|(unit, _)| *unit).collect();
        nearest(&currencies, currency, Currency::as_str)
    }
}

fn amounts(amounts: &[Money]) -> Box<[(Currency, Decimal)]> {
    let mut amounts: Vec<_> = amounts
        .iter()
        .map(|money| (money.unit().currency(), money.to_decimal()))
        .collect();
    amounts.sort_unstable_by_key(|(unit, _)| *unit);
    amounts.into()
}

fn lower(mine: &[(Currency, Decimal)], theirs: &[(Currency, Decimal)]) -> Box<[(Currency, Decimal)]> {
    mine.iter()
        .filter_map(|(unit, amount)| Some((*unit, find(theirs, unit)?.min(*amount))))
        .collect()
}

/// At most eight entries: a scan is as fast as anything.
fn find(amounts: &[(Currency, Decimal)], wanted: &Currency) -> Option<Decimal> {
    amounts
        .iter()
        .find(|(unit, _)| unit == wanted)
        .map(|(_, amount)| *amount)
}

/// The member with the fewest edits (letters' case and separators count nothing), when at most a third of it differs.
fn nearest<T: Copy>(members: &[T], wanted: &str, text: fn(&T) -> &str) -> Option<T> {
    let plain = |text: &str| -> Vec<u8> {
        text.bytes()
            .take(64)
            .filter(u8::is_ascii_alphanumeric)
            .map(|b| b.to_ascii_uppercase())
            .collect()
    };
    let wanted = plain(wanted);
    members
        .iter()
        .map(|member| (edits(&wanted, &plain(text(member))), member))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| distance * 3 <= wanted.len())
        .map(|(_, member)| *member)
}

/// Levenshtein distance.
fn edits(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitution = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substitution.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
