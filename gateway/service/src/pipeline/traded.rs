//! What the fills of one order come to: exact sums, or nothing. A client that asks what was paid is never told a guess.

use extensions::Decimal;
use gateway_policy::OrderFilled;

use crate::venue::ExecutionFill;

/// The sums over the fills of one order that are known so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traded {
    /// How much was traded; `None` when the sum left its range.
    quantity: Option<Decimal>,
    /// What was paid for it, in the unit of the price; `None` when the sum left its range.
    value: Option<Decimal>,
}

impl Default for Traded {
    fn default() -> Self {
        Self {
            quantity: Some(Decimal::ZERO),
            value: Some(Decimal::ZERO),
        }
    }
}

impl Traded {
    /// The sums over the executions of a venue's answer.
    #[must_use]
    pub fn of(fills: &[ExecutionFill]) -> Self {
        let mut all = Self::default();
        fills.iter().for_each(|fill| all.count(fill.quantity, fill.price));
        all
    }

    /// Goes on with a fill.
    pub fn add(&mut self, fill: &OrderFilled) {
        self.count(fill.quantity, fill.price);
    }

    /// What `executed` of the order cost, when the fills that are known are all of it.
    #[must_use]
    pub fn paid_for(&self, executed: Decimal) -> Option<Decimal> {
        self.value.filter(|_| self.quantity == Some(executed))
    }

    /// The sums over both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let both = |one: Option<Decimal>, other: Option<Decimal>| one.zip(other).and_then(|(a, b)| a.checked_add(b));
        Self {
            quantity: both(self.quantity, other.quantity),
            value: both(self.value, other.value),
        }
    }

    fn count(&mut self, quantity: Decimal, price: Decimal) {
        let value = quantity.checked_mul(price);
        self.quantity = self.quantity.and_then(|sum| sum.checked_add(quantity));
        self.value = self.value.zip(value).and_then(|(sum, value)| sum.checked_add(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).expect("decimal")
    }

    /// Control: the comparison of the quantities; without it a part's cost is told as that of the whole.
    #[test]
    fn what_was_paid_is_exact_or_not_told() {
        let mut traded = Traded::default();
        assert_eq!(traded.paid_for(Decimal::ZERO), Some(Decimal::ZERO));
        traded.count(decimal("0.3"), decimal("0.1"));
        assert_eq!(traded.paid_for(decimal("1")), None, "a fill is still missing");
        traded.count(decimal("0.7"), decimal("0.2"));
        assert_eq!(traded.paid_for(decimal("1")), Some(decimal("0.17")));
        let tiny = Decimal::new(1, 36).expect("scale");
        traded.count(tiny, tiny);
        assert_eq!(traded.paid_for(decimal("1")), None, "beyond what a sum can hold");
    }
}
