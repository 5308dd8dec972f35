//! What agents have at stake: each one's part by its state, and the sum of a group. Exact sums, or none.
//!
//! A part is what the agent holds of each instrument, long or short, and what is reserved by its open and doubtful orders that raise risk. Prices
//! come in only when a sum is told: they move without any entry.

use std::collections::BTreeMap;

use extensions::{Currency, Decimal, Instrument};

use crate::{
    events::{GroupExposure, ReferencePrice},
    state::{AgentState, value_of},
};

/// One agent's part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AgentExposure {
    /// Without its sign, sorted by instrument; nothing that is flat.
    held: Vec<(Instrument, Decimal)>,
    /// Sorted by unit; nothing that is zero.
    open: Vec<(Currency, Decimal)>,
    /// A position is unknown, or the log holds what no gateway of ours writes.
    untold: bool,
}

impl AgentExposure {
    /// The part of an agent in this state.
    #[must_use]
    pub fn of(state: &AgentState) -> Self {
        let mut part = Self {
            held: Vec::with_capacity(state.positions().len()),
            open: Vec::new(),
            untold: state.faulty() || !state.positions_known(),
        };
        let held = state.positions().iter().filter(|row| !row.quantity.is_zero());
        part.held.extend(held.map(|row| (row.instrument, row.quantity.abs())));
        for order in state.open_orders() {
            part.reserve(order.order.currency, order.reserved);
        }
        part
    }

    /// The part of an agent of which an entry could not be read.
    #[must_use]
    pub fn untold() -> Self {
        Self {
            untold: true,
            ..Self::default()
        }
    }

    /// Adds an order that is permitted and not in the state yet.
    pub fn reserve(&mut self, unit: Currency, value: Decimal) {
        if value.is_zero() {
            return;
        }
        match self.open.binary_search_by(|(known, _)| known.cmp(&unit)) {
            Ok(place) => match self.open[place].1.checked_add(value) {
                Some(sum) => self.open[place].1 = sum,
                None => self.untold = true,
            },
            Err(place) => self.open.insert(place, (unit, value)),
        }
    }
}

/// How an instrument that somebody holds is priced in a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoted {
    /// At this price in that unit.
    At(ReferencePrice),
    /// In other units alone: it is at stake in those.
    Otherwise,
    /// By nobody: what is held of it cannot be valued in any unit.
    Nowhere,
}

/// The sum over the agents of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSum {
    held: BTreeMap<Instrument, Decimal>,
    open: BTreeMap<Currency, Decimal>,
    /// Agents whose part cannot be told.
    untold: usize,
    /// A sum left its range: only [`of`](Self::of) makes it whole again.
    beyond: bool,
}

impl GroupSum {
    /// The sum of these parts.
    #[must_use]
    pub fn of<'a>(parts: impl Iterator<Item = &'a AgentExposure>) -> Self {
        let (mut sum, nothing) = (Self::default(), AgentExposure::default());
        parts.for_each(|part| sum.replace(&nothing, part));
        sum
    }

    /// Puts an agent's new part in the place of its old one.
    pub fn replace(&mut self, old: &AgentExposure, new: &AgentExposure) {
        self.untold = (self.untold + usize::from(new.untold)).saturating_sub(usize::from(old.untold));
        let held = shift(&mut self.held, &old.held, &new.held);
        let open = shift(&mut self.open, &old.open, &new.open);
        self.beyond |= held.and(open).is_none();
    }

    /// Whether a sum left its range.
    #[must_use]
    pub fn is_beyond(&self) -> bool {
        self.beyond
    }

    /// The exposure in a unit, at the prices that `quoted` names.
    #[must_use]
    pub fn told(&self, unit: &Currency, quoted: impl Fn(&Instrument) -> Quoted) -> GroupExposure {
        let mut told = GroupExposure {
            amount: (self.untold == 0 && !self.beyond).then(|| self.open.get(unit).copied().unwrap_or_default()),
            ..GroupExposure::default()
        };
        for (instrument, quantity) in &self.held {
            if told.amount.is_none() {
                return told;
            }
            let price = match quoted(instrument) {
                Quoted::At(price) => price,
                Quoted::Otherwise => continue,
                Quoted::Nowhere => {
                    return GroupExposure {
                        instrument: Some(*instrument),
                        ..GroupExposure::default()
                    };
                }
            };
            if told.priced_at.is_none_or(|oldest| price.at < oldest) {
                (told.priced_at, told.instrument) = (Some(price.at), Some(*instrument));
            }
            let value = value_of(*quantity, price.price);
            told.amount = told.amount.zip(value).and_then(|(sum, value)| sum.checked_add(value));
        }
        told
    }
}

/// Moves each sum by what is new less what is old of it; `None` when one left its range. What comes to nothing is left out.
fn shift<K: Ord + Copy>(sums: &mut BTreeMap<K, Decimal>, old: &[(K, Decimal)], new: &[(K, Decimal)]) -> Option<()> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let key = match (old.peek(), new.peek()) {
            (None, None) => return Some(()),
            (Some((key, _)), None) | (None, Some((key, _))) => *key,
            (Some((one, _)), Some((other, _))) => *one.min(other),
        };
        let taken = |rows: &mut std::iter::Peekable<std::slice::Iter<'_, (K, Decimal)>>| {
            rows.next_if(|row| row.0 == key).map_or(Decimal::ZERO, |row| row.1)
        };
        let (before, after) = (taken(&mut old), taken(&mut new));
        if before == after {
            continue;
        }
        let sum = sums.get(&key).copied().unwrap_or_default();
        let sum = sum.checked_sub(before)?.checked_add(after)?;
        if sum.is_zero() {
            sums.remove(&key);
        } else {
            sums.insert(key, sum);
        }
    }
}

#[cfg(test)]
mod tests;
