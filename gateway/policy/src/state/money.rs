//! The day's value per unit: what filled today and what open orders may still fill, under one cap.

use extensions::{Currency, Decimal, Timestamp};
use serde::{Deserialize, Serialize};

/// Units followed at once. A certificate has at most eight; the rest is room for renewals within a day.
const MOST_UNITS: usize = 32;
/// Reservations are rounded up to this many decimals, so that the finest orders cannot push a sum out of its range.
const DECIMALS: u8 = 18;

/// One unit's day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitDay {
    filled: Decimal,
    reserved: Decimal,
    unit: Currency,
}

/// The day's value of one agent. Reductions are not in it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayNotional {
    /// The UTC day of `filled`, in days since 1970.
    day: i64,
    /// A sum left its range or the units their number: nothing that counts is permitted until the next day.
    overflowed: bool,
    /// In the order of their first use.
    units: Vec<UnitDay>,
}

impl DayNotional {
    /// Filled and reserved in `unit` on the day of `now`; `None` when a sum left its range.
    pub(crate) fn total(&self, unit: &Currency, now: Timestamp) -> Option<Decimal> {
        let today = now.day() <= self.day;
        if self.overflowed && today {
            return None;
        }
        match self.units.iter().find(|row| row.unit == *unit) {
            Some(row) if today => row.filled.checked_add(row.reserved),
            Some(row) => Some(row.reserved),
            None if self.units.len() < MOST_UNITS || !today => Some(Decimal::ZERO),
            None => None,
        }
    }

    /// Adds to what open orders may fill.
    pub(crate) fn reserve(&mut self, unit: Currency, amount: Decimal, at: Timestamp) {
        self.move_row(unit, Decimal::ZERO, amount, at);
    }

    /// Takes back a reservation, or part of one.
    pub(crate) fn release(&mut self, unit: Currency, amount: Decimal, at: Timestamp) {
        self.move_row(unit, Decimal::ZERO, negative(amount), at);
    }

    /// Turns part of a reservation into a fill of `value`.
    pub(crate) fn fill(&mut self, unit: Currency, released: Decimal, value: Decimal, at: Timestamp) {
        self.move_row(unit, value, negative(released), at);
    }

    /// Marks the day as beyond its range.
    pub(crate) fn overflow(&mut self) {
        self.overflowed = true;
    }

    fn move_row(&mut self, unit: Currency, filled: Decimal, reserved: Decimal, at: Timestamp) {
        self.turn(at);
        let place = match self.units.iter().position(|row| row.unit == unit) {
            Some(place) => place,
            None if self.units.len() < MOST_UNITS => {
                self.units.push(UnitDay {
                    filled: Decimal::ZERO,
                    reserved: Decimal::ZERO,
                    unit,
                });
                self.units.len() - 1
            }
            None => return self.overflow(),
        };
        let row = &mut self.units[place];
        match (row.filled.checked_add(filled), row.reserved.checked_add(reserved)) {
            (Some(filled), Some(reserved)) => (row.filled, row.reserved) = (filled, reserved),
            _ => self.overflow(),
        }
    }

    /// Begins the day of `at` when it is a later one: fills start at nothing, reservations stay.
    fn turn(&mut self, at: Timestamp) {
        if at.day() > self.day {
            self.day = at.day();
            self.overflowed = false;
            self.units.retain(|row| !row.reserved.is_zero());
            for row in &mut self.units {
                row.filled = Decimal::ZERO;
            }
        }
    }
}

fn negative(amount: Decimal) -> Decimal {
    Decimal::ZERO.checked_sub(amount).unwrap_or_default()
}

/// `quantity · price`, rounded up to 18 decimals; `None` when it does not fit.
pub(crate) fn value_of(quantity: Decimal, price: Decimal) -> Option<Decimal> {
    let exact = quantity.checked_mul(price)?;
    if exact.scale() <= DECIMALS {
        return Some(exact);
    }
    let step = 10_i128.pow(u32::from(exact.scale() - DECIMALS));
    let up = i128::from(exact.mantissa().rem_euclid(step) != 0);
    Decimal::new(exact.mantissa().div_euclid(step) + up, DECIMALS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect(text)
    }

    #[test]
    fn the_day_turns_at_midnight_utc_and_keeps_reservations() {
        let (eur, mut day) = (Currency::new("EUR").expect("valid"), DayNotional::default());
        let noon = Timestamp::parse("2026-11-20T12:00:00Z").expect("valid");
        let next = Timestamp::parse("2026-11-21T00:00:00Z").expect("valid");
        day.reserve(eur, decimal("100"), noon);
        day.fill(eur, decimal("40"), decimal("40"), noon);
        assert_eq!(day.total(&eur, noon), Some(decimal("100")));
        assert_eq!(day.total(&eur, next.plus_micros(-1)), Some(decimal("100")));
        assert_eq!(day.total(&eur, next), Some(decimal("60")));
        day.release(eur, decimal("60"), next);
        assert_eq!(day.total(&eur, next), Some(Decimal::ZERO));
    }

    #[test]
    fn values_round_up_never_down() {
        let tiny = decimal("0.000000000000000001");
        assert_eq!(value_of(tiny, tiny), Some(tiny));
        assert_eq!(value_of(decimal("0.5"), decimal("3120.55")), Some(decimal("1560.275")));
    }
}
