//! What positions cost and what closing them brought on this UTC day, from fills alone: average cost, whole numbers, rounded to the bot's
//! disadvantage. Kept from the first order on whose mandate caps the day's loss; what was held before has no known cost.
//!
//! Commissions are in no record and not in here.

use extensions::{Currency, Decimal, Instrument, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{events::OrderFilled, order::Side};

/// Positions whose cost is known at once; one that finds no room has no known cost.
const MOST_COSTS: usize = 512;
/// Units followed in a day.
const MOST_UNITS: usize = 32;
/// Costs and results have at most so many decimals.
const DECIMALS: u8 = 18;

/// What the whole position in one instrument cost, or brought where it is short; never below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    amount: Decimal,
    instrument: Instrument,
    unit: Currency,
}

/// One unit's result of the day: below zero is a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitResult {
    amount: Decimal,
    unit: Currency,
}

/// Costs and the day's results. A position without a row has no known cost.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Losses {
    /// Sorted by instrument.
    costs: Vec<Cost>,
    /// The UTC day of `results`, in days since 1970.
    day: i64,
    /// In the order of their first use.
    results: Vec<UnitResult>,
    /// Something was closed on that day whose cost is not known, or a sum left its range.
    unknown: bool,
}

impl Losses {
    /// The loss in a unit on the day of `now`, below zero for a gain; `None` when it cannot be told.
    pub(super) fn of(&self, unit: &Currency, now: Timestamp) -> Option<Decimal> {
        if now.day() > self.day {
            return Some(Decimal::ZERO);
        }
        let row = self.results.iter().find(|row| row.unit == *unit);
        let result = row.map_or(Decimal::ZERO, |row| row.amount);
        (!self.unknown).then(|| Decimal::ZERO.checked_sub(result)).flatten()
    }

    /// Counts a fill on a position that was `before`; `None` when that is unknown.
    pub(super) fn fill(&mut self, fill: &OrderFilled, before: Option<Decimal>, at: Timestamp) {
        self.turn(at);
        let Some(before) = before else {
            self.unknown = true;
            return self.forget(&fill.instrument);
        };
        let long = before.is_positive();
        let closes = !before.is_zero() && long == (fill.side == Side::Sell);
        if !closes {
            return self.open(fill, fill.quantity, before.is_zero());
        }
        let closed = fill.quantity.min(before.abs());
        if self.close(fill, closed, before.abs(), long).is_none() {
            self.unknown = true;
            self.forget(&fill.instrument);
        }
        if closed == before.abs() {
            self.forget(&fill.instrument);
            let rest = fill.quantity.checked_sub(closed).unwrap_or_default();
            if rest.is_positive() {
                self.open(fill, rest, true);
            }
        }
    }

    /// What it cost is no longer known, or there is nothing any more.
    pub(super) fn forget(&mut self, instrument: &Instrument) {
        if let Ok(place) = self.find(instrument) {
            self.costs.remove(place);
        }
    }

    /// Whether it is of the shape that [`fill`](Self::fill) leaves.
    pub(super) fn well_formed(&self) -> bool {
        self.costs.len() <= MOST_COSTS
            && self.results.len() <= MOST_UNITS
            && self.costs.is_sorted_by(|one, next| one.instrument < next.instrument)
    }

    fn open(&mut self, fill: &OrderFilled, quantity: Decimal, from_flat: bool) {
        // What was paid is rounded up, what was received down.
        let value = value(quantity, fill.price, fill.side == Side::Buy);
        let place = self.find(&fill.instrument);
        let amount = match place {
            _ if from_flat => value,
            Ok(place) if self.costs[place].unit == fill.currency => {
                value.and_then(|value| self.costs[place].amount.checked_add(value))
            }
            _ => None,
        };
        let row = |amount| Cost {
            amount,
            instrument: fill.instrument,
            unit: fill.currency,
        };
        match (place, amount.map(row)) {
            (Ok(place), Some(row)) => self.costs[place] = row,
            (Err(place), Some(row)) if self.costs.len() < MOST_COSTS => self.costs.insert(place, row),
            (_, _) => self.forget(&fill.instrument),
        }
    }

    fn close(&mut self, fill: &OrderFilled, closed: Decimal, held: Decimal, long: bool) -> Option<()> {
        let place = self.find(&fill.instrument).ok()?;
        let cost = self.costs[place];
        if cost.unit != fill.currency {
            return None;
        }
        let (share, value) = (
            cost.amount.checked_share(closed, held, long)?,
            value(closed, fill.price, !long)?,
        );
        let left = cost.amount.checked_sub(share)?.max(Decimal::ZERO);
        let share = cost.amount.checked_sub(left)?;
        let result = if long {
            value.checked_sub(share)
        } else {
            share.checked_sub(value)
        }?;
        let row = match self.results.iter().position(|row| row.unit == fill.currency) {
            Some(row) => row,
            None if self.results.len() < MOST_UNITS => {
                self.results.push(UnitResult {
                    amount: Decimal::ZERO,
                    unit: fill.currency,
                });
                self.results.len() - 1
            }
            None => return None,
        };
        self.results[row].amount = self.results[row].amount.checked_add(result)?;
        self.costs[place].amount = left;
        Some(())
    }

    /// Begins the day of `at` when it is a later one; costs stay.
    fn turn(&mut self, at: Timestamp) {
        if at.day() > self.day {
            self.day = at.day();
            self.unknown = false;
            self.results.clear();
        }
    }

    fn find(&self, instrument: &Instrument) -> Result<usize, usize> {
        self.costs.binary_search_by(|row| row.instrument.cmp(instrument))
    }
}

/// `quantity · price` to 18 decimals, rounded up or down; `None` when it does not fit.
fn value(quantity: Decimal, price: Decimal, up: bool) -> Option<Decimal> {
    let exact = quantity.checked_mul(price)?;
    if exact.scale() <= DECIMALS {
        return Some(exact);
    }
    let step = 10_i128.pow(u32::from(exact.scale() - DECIMALS));
    let up = i128::from(up && exact.mantissa().rem_euclid(step) != 0);
    Decimal::new(exact.mantissa().div_euclid(step) + up, DECIMALS)
}

#[cfg(test)]
mod tests;
