//! The confirmed position per instrument: what fills and attestations say, never what the bot says.

use extensions::{Decimal, Instrument};
use serde::{Deserialize, Serialize};

use crate::order::Side;

/// Instruments followed at once: twice what a certificate can list.
const MOST_POSITIONS: usize = 512;

/// One instrument's position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// What.
    pub instrument: Instrument,
    /// How much: above zero long, below zero short.
    pub quantity: Decimal,
    /// A sum left its range: the quantity means nothing until an officer attests it.
    pub unknown: bool,
}

/// The positions of one agent, sorted by instrument; flat ones are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Positions {
    /// A fill found no room: what is not in `rows` is unknown.
    overflowed: bool,
    rows: Vec<Position>,
}

impl Positions {
    /// The confirmed position; `None` when it is unknown.
    pub(crate) fn of(&self, instrument: &Instrument) -> Option<Decimal> {
        match self.find(instrument) {
            Ok(place) => (!self.rows[place].unknown).then_some(self.rows[place].quantity),
            Err(_) => (!self.overflowed).then_some(Decimal::ZERO),
        }
    }

    /// Whether every position is known.
    pub(crate) fn known(&self) -> bool {
        !self.overflowed && self.rows.iter().all(|row| !row.unknown)
    }

    pub(crate) fn all(&self) -> &[Position] {
        &self.rows
    }

    pub(crate) fn fill(&mut self, instrument: Instrument, side: Side, quantity: Decimal) {
        let moved = match side {
            Side::Buy => Some(quantity),
            Side::Sell => Decimal::ZERO.checked_sub(quantity),
        };
        let sum = match self.find(&instrument) {
            Ok(place) if self.rows[place].unknown => None,
            Ok(place) => moved.and_then(|moved| self.rows[place].quantity.checked_add(moved)),
            Err(_) => moved,
        };
        self.set(instrument, sum);
    }

    pub(crate) fn attest(&mut self, instrument: Instrument, quantity: Decimal) {
        self.set(instrument, Some(quantity));
    }

    fn set(&mut self, instrument: Instrument, quantity: Option<Decimal>) {
        let row = Position {
            instrument,
            quantity: quantity.unwrap_or_default(),
            unknown: quantity.is_none(),
        };
        let flat = row.quantity.is_zero() && !row.unknown;
        match self.find(&instrument) {
            // With lost rows behind us a missing row means unknown, so a flat one must stay to be known.
            Ok(place) if flat && !self.overflowed => {
                self.rows.remove(place);
            }
            Ok(place) => self.rows[place] = row,
            Err(_) if flat && !self.overflowed => {}
            Err(place) if self.rows.len() < MOST_POSITIONS => self.rows.insert(place, row),
            Err(_) => self.overflowed = true,
        }
    }

    fn find(&self, instrument: &Instrument) -> Result<usize, usize> {
        self.rows.binary_search_by(|row| row.instrument.cmp(instrument))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control, tried: forgetting `overflowed` makes a lost instrument read as flat, hence as known.
    #[test]
    fn what_found_no_room_is_unknown_until_attested() {
        let (one, name) = (Decimal::from(1), |n: usize| {
            Instrument::new(&format!("I{n}")).expect("valid")
        });
        let mut positions = Positions::default();
        assert_eq!(positions.of(&name(0)), Some(Decimal::ZERO));
        for n in 0..=MOST_POSITIONS {
            positions.fill(name(n), Side::Buy, one);
        }
        assert_eq!(positions.all().len(), MOST_POSITIONS);
        assert_eq!(positions.of(&name(0)), Some(one));
        assert_eq!(positions.of(&name(MOST_POSITIONS)), None);
        assert_eq!(positions.of(&name(9_999)), None);
        positions.fill(name(0), Side::Sell, one);
        assert_eq!(positions.of(&name(0)), Some(Decimal::ZERO));
    }
}
