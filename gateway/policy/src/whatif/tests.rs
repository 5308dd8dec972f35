//! Both directions with their reasons, bounds, and what does not come out again.

use extensions::limits::{Authority, EffectiveLimits};

use super::*;
use crate::{
    Code, Mandate,
    fixture::{World, decimal, limits_document, terms},
    order::OrderTerms,
};

/// An order that was recorded, and the state it was decided on.
struct Past {
    world: World,
    orders: Vec<(AgentState, DecidedAt, OrderDecided)>,
}

impl Past {
    /// Orders of 100, 900 and 1,100 EUR under a cap of 1,000, half an hour apart.
    fn new() -> Self {
        let (mut world, mut orders) = (World::new(), Vec::new());
        for (id, quantity) in [("small", "1"), ("large", "9"), ("over", "11")] {
            world.now = world.now.plus_seconds(1_800);
            let state = world.state.clone();
            let order = OrderTerms {
                quantity: decimal(quantity),
                ..terms(id)
            };
            let (number, decision) = world.send(order);
            let place = DecidedAt {
                number,
                epoch: 7,
                at: world.now,
            };
            orders.push((state, place, decision.decided().clone()));
        }
        Self { world, orders }
    }

    fn with<'a>(&'a self, limits: &'a EffectiveLimits) -> Replay<'a> {
        Replay {
            limits: Some(limits),
            mandate: Some(Mandate {
                digest: extensions::Digest::of(b"document"),
                document: &self.world.document,
            }),
            baseline: self.world.baseline.as_ref(),
            house: &self.world.house,
        }
    }

    fn compared(&self, per_order: &str, most_told: usize) -> Compared {
        let mut document = limits_document();
        document.per_order = vec![per_order.to_owned()];
        let limits = EffectiveLimits::of(&Authority::try_from(document).expect("limits"));
        let mut compared = Compared::new(most_told);
        for (state, place, decided) in &self.orders {
            compared
                .take(decided, *place, state, self.with(&limits))
                .expect("is taken again");
        }
        compared
    }
}

/// What a narrower mandate stops and a wider one lets through, each with its reason: of the one that would refuse, of the one that did.
///
/// Control: the mandate the orders were sent under moves none.
#[test]
fn both_directions_are_told_with_their_reasons() {
    let past = Past::new();
    let narrow = past.compared("EUR 500", 8);
    assert_eq!((narrow.orders, narrow.permitted, narrow.would_be_permitted), (3, 2, 1));
    let stopped = &narrow.stopped;
    assert_eq!((stopped.count, stopped.rows[0].order.as_str()), (1, "large"));
    let check = &stopped.rows[0].checks[0];
    assert_eq!((check.code, stopped.by_code["MAX_NOTIONAL"]), (Code::MaxNotional, 1));
    assert!(
        check.limit.contains("500") && check.observed.contains("900"),
        "{check:?}"
    );
    assert_eq!(narrow.let_through, Direction::default());
    let wide = past.compared("EUR 2000", 8);
    assert_eq!((wide.stopped.count, wide.let_through.count), (0, 1));
    let row = &wide.let_through.rows[0];
    assert_eq!((row.order.as_str(), row.checks[0].code), ("over", Code::MaxNotional));
    let same = past.compared("EUR 1000", 8);
    assert_eq!((same.stopped.count, same.let_through.count), (0, 0));
    assert_eq!((same.permitted, same.would_be_permitted), (2, 2));
}

/// All are counted, the first are told. Control: one more is told when one more may be.
#[test]
fn rows_are_bounded_and_counts_are_not() {
    let past = Past::new();
    let one = past.compared("EUR 50", 1);
    assert_eq!(
        (one.stopped.count, one.stopped.rows.len(), one.stopped.more()),
        (2, 1, 1)
    );
    let two = past.compared("EUR 50", 2);
    assert_eq!((two.stopped.rows.len(), two.stopped.more()), (2, 0));
}

/// An order comes out as recorded under the limits it was decided under, and not under others, nor on another state; a state that is not its
/// own counts nothing.
#[test]
fn what_does_not_come_out_again_is_known() {
    let past = Past::new();
    let (state, place, decided) = &past.orders[1];
    let own = past.with(&past.world.limits);
    assert!(comes_out_again(decided, *place, state, own));
    assert!(!comes_out_again(decided, *place, &past.orders[2].0, own));
    assert!(!comes_out_again(
        decided,
        *place,
        state,
        Replay { mandate: None, ..own }
    ));
    let mut compared = Compared::new(1);
    assert!(compared.take(decided, *place, &past.orders[2].0, own).is_err());
    assert_eq!(compared, Compared::new(1));
}
