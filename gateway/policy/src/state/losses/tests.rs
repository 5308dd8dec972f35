//! Tests of the day's loss: what fills come to, and what cannot be told.

use extensions::Instrument;
use proptest::prelude::*;

use super::*;
use crate::fixture::{agent, currency, decimal, instrument, terms, time};

const NOON: &str = "2026-11-20T12:00:00Z";

struct Book {
    losses: Losses,
    position: Decimal,
    now: Timestamp,
}

impl Book {
    fn new() -> Self {
        Self {
            losses: Losses::default(),
            position: Decimal::ZERO,
            now: time(NOON),
        }
    }

    fn fill_in(&mut self, unit: &str, side: Side, quantity: Decimal, price: Decimal) {
        let fill = OrderFilled {
            agent: agent(),
            client_order_id: terms("a").client_order_id,
            currency: currency(unit),
            executed_at: self.now,
            execution_id: "e".to_owned(),
            instrument: instrument("BTC_EUR"),
            order: 0,
            price,
            quantity,
            side,
        };
        self.losses.fill(&fill, Some(self.position), self.now);
        let moved = if side == Side::Buy {
            Some(quantity)
        } else {
            Decimal::ZERO.checked_sub(quantity)
        };
        self.position = moved
            .and_then(|moved| self.position.checked_add(moved))
            .expect("in range");
    }

    fn buy(&mut self, quantity: &str, price: &str) {
        self.fill_in("EUR", Side::Buy, decimal(quantity), decimal(price));
    }

    fn sell(&mut self, quantity: &str, price: &str) {
        self.fill_in("EUR", Side::Sell, decimal(quantity), decimal(price));
    }

    fn loss(&self) -> Option<Decimal> {
        self.losses.of(&currency("EUR"), self.now)
    }

    #[track_caller]
    fn lost(&self, amount: &str) {
        assert_eq!(self.loss(), Some(decimal(amount)));
    }
}

#[test]
fn long_short_and_through_flat() {
    let mut book = Book::new();
    book.buy("2", "100");
    book.buy("2", "110");
    book.lost("0");
    book.sell("1", "95");
    book.lost("10");
    book.sell("1", "125");
    book.lost("-10");
    // Two left at 105: sold with one more, which is short at 100.
    book.sell("3", "100");
    book.lost("0");
    book.buy("1", "104");
    book.lost("4");
    assert_eq!(book.losses.costs, []);
}

/// A third of a cost is rounded up for what was bought and down for what was sold short. Control: rounding the other way.
#[test]
fn rounding_is_to_the_disadvantage() {
    let mut book = Book::new();
    book.buy("1", "1.000000000000000001");
    book.buy("2", "1");
    book.sell("1", "1");
    book.lost("0.000000000000000001");
    let mut book = Book::new();
    book.buy("0.5", "0.000000000000000001");
    book.sell("0.5", "0.000000000000000001");
    book.lost("0.000000000000000001");
    let mut book = Book::new();
    book.sell("3", "1");
    book.buy("1", "1");
    book.lost("0");
}

/// The day of the fill counts, at 00:00 UTC to the microsecond; what a position cost stays. Control: `turn` that forgets the costs, or
/// keeps the results.
#[test]
fn the_day_begins_anew_at_midnight_utc() {
    let mut book = Book::new();
    book.buy("2", "100");
    book.sell("1", "90");
    book.lost("10");
    book.now = time("2026-11-20T23:59:59.999999Z");
    book.lost("10");
    book.now = time("2026-11-21T00:00:00Z");
    book.lost("0");
    book.sell("1", "70");
    book.lost("30");
}

/// Control: a missing row read as a cost of nothing makes the first a gain.
#[test]
fn what_was_held_without_a_known_cost_cannot_be_told() {
    let mut book = Book::new();
    book.position = decimal("5");
    book.buy("1", "100");
    book.lost("0");
    book.sell("1", "90");
    assert_eq!(book.loss(), None);
    book.now = book.now.plus_seconds(86_400);
    book.lost("0");
    book.sell("5", "90");
    assert_eq!(book.loss(), None);
    book.now = book.now.plus_seconds(86_400);
    book.buy("1", "100");
    book.sell("1", "90");
    book.lost("10");
}

#[test]
fn another_unit_an_attested_position_and_an_unknown_one() {
    let mut book = Book::new();
    book.buy("1", "100");
    book.fill_in("USDT", Side::Sell, decimal("1"), decimal("90"));
    assert_eq!(book.loss(), None, "bought in one unit and sold in another");
    let mut book = Book::new();
    book.buy("1", "100");
    book.losses.forget(&instrument("BTC_EUR"));
    book.sell("1", "90");
    assert_eq!(book.loss(), None);
    let mut losses = Losses::default();
    let fill = OrderFilled {
        agent: agent(),
        client_order_id: terms("a").client_order_id,
        currency: currency("EUR"),
        executed_at: time(NOON),
        execution_id: "e".to_owned(),
        instrument: instrument("BTC_EUR"),
        order: 0,
        price: decimal("1"),
        quantity: decimal("1"),
        side: Side::Buy,
    };
    losses.fill(&fill, None, time(NOON));
    assert_eq!(losses.of(&currency("EUR"), time(NOON)), None);
}

/// However many instruments there are, the state stays small, and what found no room has no known cost.
#[test]
fn what_finds_no_room_is_unknown() {
    let mut losses = Losses::default();
    let fill = |n: usize, side| OrderFilled {
        agent: agent(),
        client_order_id: terms("a").client_order_id,
        currency: currency("EUR"),
        executed_at: time(NOON),
        execution_id: "e".to_owned(),
        instrument: Instrument::new(&format!("I{n}")).expect("valid"),
        order: 0,
        price: decimal("1"),
        quantity: decimal("1"),
        side,
    };
    for n in 0..=MOST_COSTS {
        losses.fill(&fill(n, Side::Buy), Some(Decimal::ZERO), time(NOON));
    }
    assert_eq!(losses.costs.len(), MOST_COSTS);
    assert!(losses.well_formed());
    losses.fill(&fill(0, Side::Sell), Some(decimal("1")), time(NOON));
    assert_eq!(losses.of(&currency("EUR"), time(NOON)), Some(Decimal::ZERO));
    losses.fill(&fill(MOST_COSTS, Side::Sell), Some(decimal("1")), time(NOON));
    assert_eq!(losses.of(&currency("EUR"), time(NOON)), None);
}

proptest! {
    /// Nothing is made or lost by counting: at every fill the money that went in and out is the day's result less what the position cost (plus
    /// what a short one brought), exactly; so a flat book's result is its cash. Controls: a share not taken from the cost, and a fill
    /// through flat whose rest is left out.
    #[test]
    fn money_is_conserved(fills in prop::collection::vec((any::<bool>(), 1_i64..900, 1_i64..90_000), 1..60)) {
        let mut book = Book::new();
        let mut cash = Decimal::ZERO;
        for (buys, quantity, price) in fills {
            let [quantity, price] = [quantity, price].map(|value| Decimal::new(i128::from(value), 2).expect("scale"));
            book.fill_in("EUR", if buys { Side::Buy } else { Side::Sell }, quantity, price);
            let value = quantity.checked_mul(price).expect("fits");
            cash = if buys { cash.checked_sub(value) } else { cash.checked_add(value) }.expect("fits");
            let cost = book.losses.costs.first().map_or(Decimal::ZERO, |row| row.amount);
            let held = if book.position.is_negative() { Decimal::ZERO.checked_sub(cost) } else { Some(cost) };
            let result = cash.checked_add(held.expect("fits")).expect("fits");
            prop_assert_eq!(book.loss(), Decimal::ZERO.checked_sub(result));
            prop_assert!(!cost.is_negative());
            prop_assert_eq!(book.losses.costs.is_empty(), book.position.is_zero());
        }
    }
}
