//! Tests of the module `state`: what it must do and what it must refuse.

use extensions::{Digest, mandate::OnHalt};
use proptest::prelude::*;
use revocation_core::halt::CancelCause;

use super::*;
use crate::{
    AgentEvent, CancelRequested, CancelSource, CloseCause, Decision, OrderFilled, OrderKind, OrderOutcome,
    OutcomeState, PositionAttested, ReferencePrice,
    decide::decide,
    fixture::{World, agent, currency, decimal, instrument, parsed, terms, time},
    order::InList,
};

fn id(text: &str) -> ClientOrderId {
    ClientOrderId::new(text).expect(text)
}

fn order(id: &str, side: Side, quantity: &str) -> OrderTerms {
    OrderTerms {
        side,
        quantity: decimal(quantity),
        ..terms(id)
    }
}

fn stop(id: &str, side: Side, quantity: &str) -> OrderTerms {
    OrderTerms {
        kind: OrderKind::StopMarket,
        price: None,
        stop_price: Some(decimal("100")),
        ..order(id, side, quantity)
    }
}

fn day(world: &World) -> Decimal {
    world.state.day_notional(&currency("EUR"), world.now).expect("in range")
}

#[test]
fn a_reservation_lives_as_long_as_its_doubt() {
    let mut world = World::new();
    let first = order("a", Side::Buy, "3");
    let (number, _) = world.send(first.clone());
    assert_eq!(day(&world), decimal("300"));
    world.outcome(
        "a",
        number,
        OutcomeState::InDoubt {
            why: "timeout".to_owned(),
        },
    );
    assert_eq!(day(&world), decimal("300"));
    world.fill(number, &first, "1", "99", "e1");
    assert_eq!(
        day(&world),
        decimal("300"),
        "a fill inside the reservation does not move the day's value"
    );
    // The venue says 2 were executed: one more fill is to come, one unit is free.
    world.outcome(
        "a",
        number,
        OutcomeState::Closed {
            executed: decimal("2"),
            venue_reference: None,
            why: CloseCause::Cancelled,
        },
    );
    assert_eq!(day(&world), decimal("200"));
    assert_eq!(world.state.open_orders()[0].mark, OpenMark::Closing);
    world.fill(number, &first, "1", "100", "e2");
    assert!(world.state.open_orders().is_empty());
    assert_eq!(day(&world), decimal("200"));
    for state in [
        OutcomeState::Rejected { why: String::new() },
        OutcomeState::Withheld { why: String::new() },
    ] {
        let (number, _) = world.send(order(
            if day(&world) == decimal("200") { "b" } else { "c" },
            Side::Buy,
            "4",
        ));
        world.outcome("b", number, state);
        assert_eq!(day(&world), decimal("200"));
    }
}

/// A market order may fill above what was reserved: the excess counts.
#[test]
fn a_worse_fill_counts_in_full() {
    let mut world = World::new();
    let first = order("a", Side::Buy, "3");
    let (number, _) = world.send(first.clone());
    world.fill(number, &first, "2", "110", "e1");
    assert_eq!(day(&world), decimal("320"));
}

/// Control, tried: not remembering execution ids makes the second fill count.
#[test]
fn an_execution_counts_once() {
    let mut world = World::new();
    let first = order("a", Side::Buy, "3");
    let (number, _) = world.send(first.clone());
    for _ in 0..3 {
        world.fill(number, &first, "1", "100", "e1");
    }
    assert_eq!(world.state.position(&first.instrument), Some(decimal("1")));
    let second = order("b", Side::Buy, "3");
    let (other, _) = world.send(second.clone());
    world.fill(other, &second, "1", "100", "e1");
    assert_eq!(
        world.state.position(&second.instrument),
        Some(decimal("2")),
        "two venues may number their trades alike: an id is unique within its order"
    );
}

/// Positions that the venue filled and no fill has yet shown must not be reduced twice. Control, tried: closing at once on
/// `Closed` leaves the position looking open.
#[test]
fn a_closed_reduction_waits_for_its_fills() {
    let mut world = World::new();
    world.long("2");
    let sell = order("s", Side::Sell, "2");
    let (number, _) = world.send(sell.clone());
    assert_eq!(world.state.reducible(&sell.instrument, Side::Sell), Some(Decimal::ZERO));
    world.outcome(
        "s",
        number,
        OutcomeState::Closed {
            executed: decimal("2"),
            venue_reference: None,
            why: CloseCause::Filled,
        },
    );
    assert!(!world.state.is_reduction(&order("t", Side::Sell, "1")));
    world.fill(number, &sell, "2", "100", "s1");
    assert_eq!(world.state.position(&sell.instrument), Some(Decimal::ZERO));
    assert!(!world.state.is_reduction(&order("t", Side::Sell, "1")));
}

/// Of a list a halt keeps nothing: the cancel of one order ends both at the venue. The state and the record say which list an order is of.
///
/// Control, tried: a plan that looks at the stop alone keeps it.
#[test]
fn a_halt_keeps_no_order_of_a_list() {
    let mut world = World::new();
    world.document.conduct.repeat_window_ms = 0;
    world.long("3");
    let mut list = InList::First;
    let mut numbers = Vec::new();
    for terms in [order("limit", Side::Sell, "1"), stop("stop", Side::Sell, "1")] {
        let name = terms.client_order_id.to_string();
        let mut parsed = parsed(terms);
        parsed.list = Some(list);
        let decision = decide(&world.facts(&parsed), &world.state, world.now);
        assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
        world.state.apply_decision(&decision);
        let number = decision.number();
        list = InList::Second(numbers.first().copied().unwrap_or(number));
        numbers.push(number);
        assert_eq!(decision.decided().list, Some(numbers[0]));
        world.accept(&name, number);
    }
    let plan = world.state.halt_plan(OnHalt::CancelRiskIncreasing);
    assert!(plan.keep.is_empty() && plan.cancel.len() == 2, "{plan:?}");
    assert!(
        world
            .state
            .open_orders()
            .iter()
            .all(|open| open.list == Some(numbers[0]))
    );
}

/// What an order in another one's place is decided on: the other one's part of every count is free, and nothing else has moved.
///
/// Control, tried: `without` that only clones.
#[test]
fn a_state_without_one_of_its_orders() {
    let mut world = World::new();
    world.long("2");
    let unit = order("x", Side::Buy, "1").currency;
    let now = world.now;
    let (stays, _) = world.send(order("stays", Side::Buy, "1"));
    let before = world.state.clone();
    let (buys, _) = world.send(order("buys", Side::Buy, "3"));
    let (sells, _) = world.send(order("sells", Side::Sell, "2"));
    let without = world.state.without(buys, now).without(sells, now);
    let numbers = |state: &AgentState| state.open_orders().iter().map(|open| open.number).collect::<Vec<_>>();
    assert_eq!(numbers(&without), [stays]);
    assert_eq!(without.day_notional(&unit, now), before.day_notional(&unit, now));
    assert!(without.is_reduction(&order("again", Side::Sell, "2")));
    assert!(!world.state.is_reduction(&order("again", Side::Sell, "2")));
    assert_eq!(without.next_number(), world.state.next_number());
    assert_eq!(world.state.without(buys + 1_000, now), world.state, "no such order");
}

#[test]
fn an_attested_position_can_be_reduced() {
    let mut world = World::new();
    let signature = extensions::approval::ApprovalRecord {
        decision: extensions::approval::Decision::Approve,
        document: Digest::default(),
        key: Digest::default(),
        nonce: Digest::default(),
        officer: extensions::OfficerId::new("ann").expect("valid"),
        passkey: None,
        signature: extensions::Base64(Vec::new()),
    };
    let attested = PositionAttested {
        agent: agent(),
        instrument: instrument("BTC_EUR"),
        quantity: decimal("-5"),
        signature,
    };
    assert!(!world.state.is_reduction(&order("a", Side::Buy, "5")));
    world.fold(attested);
    assert!(world.state.is_reduction(&order("a", Side::Buy, "5")));
    assert!(!world.state.is_reduction(&order("a", Side::Buy, "5.1")));
    assert!(!world.state.is_reduction(&order("a", Side::Sell, "1")));
}

/// Stops that together reduce stay, oldest first; what the venue has not confirmed goes. Control: keeping each stop that fits
/// alone (without the running sum) keeps both.
#[test]
fn the_plan_of_a_halt() {
    let mut world = World::new();
    world.document.conduct.repeat_window_ms = 0;
    world.long("3");
    for (name, terms, confirmed) in [
        ("stop-1", stop("stop-1", Side::Sell, "2"), true),
        ("buy", order("buy", Side::Buy, "1"), true),
        ("stop-2", stop("stop-2", Side::Sell, "2"), true),
        ("stop-3", stop("stop-3", Side::Sell, "1"), true),
        ("stop-4", stop("stop-4", Side::Sell, "0.1"), false),
        ("limit", order("limit", Side::Sell, "0.1"), true),
    ] {
        let (number, decision) = world.send(terms);
        assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
        if confirmed {
            world.accept(name, number);
        }
    }
    let plan = world.state.halt_plan(OnHalt::CancelRiskIncreasing);
    assert_eq!(plan.keep, [id("stop-1"), id("stop-3")]);
    let cancels: Vec<_> = plan
        .cancel
        .iter()
        .map(|c| (c.client_order_id.as_str().to_owned(), c.because))
        .collect();
    assert_eq!(
        cancels,
        [
            ("buy".to_owned(), CancelCause::IncreasesRisk),
            ("stop-2".to_owned(), CancelCause::IncreasesRisk),
            ("stop-4".to_owned(), CancelCause::InDoubt),
            ("limit".to_owned(), CancelCause::IncreasesRisk),
        ]
    );
    let all = world.state.halt_plan(OnHalt::CancelAll);
    assert_eq!((all.cancel.len(), all.keep.len()), (6, 0));
    // Later fills: the first stop fires, and the position shrinks to 1.
    for name in ["buy", "stop-2", "stop-4", "limit"] {
        let order = world.state.open_order(&id(name)).expect(name).number;
        world.fold(CancelRequested {
            agent: agent(),
            by: CancelSource::Halt,
            client_order_id: id(name),
            order,
        });
    }
    let due = |world: &World| {
        let planned = world.state.reconsider_kept(OnHalt::CancelRiskIncreasing);
        planned
            .into_iter()
            .map(|planned| planned.client_order_id)
            .collect::<Vec<_>>()
    };
    // A recorded request may have died with its process: the order stays due until the venue ended it.
    assert!(due(&world).contains(&id("buy")) && !due(&world).contains(&id("stop-3")));
    let kept = world.state.open_order(&id("stop-1")).expect("open").clone();
    world.fill(kept.number, &kept.order, "2", "100", "x1");
    assert!(!due(&world).contains(&id("stop-3")), "the position still wants it");
    let buy = world.state.open_order(&id("limit")).expect("open").clone();
    world.fill(buy.number, &buy.order, "0.1", "100", "x2");
    assert!(due(&world).contains(&id("stop-3")), "beyond the position");
}

/// Cancels meet no check: whatever the standing, they find their orders.
#[test]
fn cancels_find_their_orders() {
    let mut world = World::new();
    world.send(terms("a"));
    world.send(order("b", Side::Buy, "2"));
    assert_eq!(world.state.cancel_targets(None).len(), 2);
    assert_eq!(world.state.cancel_targets(Some(&id("b"))).len(), 1);
    assert!(world.state.cancel_targets(Some(&id("c"))).is_empty());
}

#[test]
fn entries_fold_once_and_gaps_are_noticed() {
    let mut world = World::new();
    world.send(terms("a"));
    let before = world.state.clone();
    let entry = EntryAt {
        number: 0,
        at: world.now,
    };
    world
        .state
        .apply(entry, &AgentEvent::Decided(world.ask(terms("z")).decided().clone()));
    assert_eq!(world.state, before);
    world.state.apply(
        EntryAt {
            number: 2,
            at: world.now,
        },
        &AgentEvent::Other,
    );
    assert!(world.state.faulty());
}

#[test]
fn a_digest_is_due_every_256th_entry_and_carried_once() {
    let mut world = World::new();
    for n in 0..=DIGEST_EVERY {
        assert!(!world.state.digest_due(), "{n}");
        world.fold(AgentEvent::Other);
    }
    assert!(world.state.digest_due());
    let expected = world.state.digest();
    let (_, decision) = world.send(terms("a"));
    assert_eq!(decision.decided().state, Some(expected));
    assert!(!world.state.digest_due());
    assert_eq!(world.ask(terms("b")).decided().state, None);
}

#[test]
fn a_snapshot_starts_a_fold_only_under_its_digest() {
    let mut world = World::new();
    world.long("2");
    world.send(order("s", Side::Sell, "1"));
    world.now = time("2026-11-20T12:00:01Z");
    world.send(order("b", Side::Buy, "1"));
    let bytes = world.state.snapshot();
    assert_eq!(
        bytes,
        extensions::canonical::to_vec(&world.state),
        "members in canonical order"
    );
    let state = AgentState::from_snapshot(&bytes, world.state.digest()).expect("the same");
    assert_eq!(state, world.state);
    assert_eq!(state.digest(), world.state.digest());
    assert!(matches!(
        AgentState::from_snapshot(&bytes, Digest::default()),
        Err(SnapshotError::Digest { .. })
    ));
    let mut changed = bytes.clone();
    let at = bytes.windows(6).position(|w| w == b"\"next\"").expect("a member") + 7;
    changed[at] = b'9';
    assert!(AgentState::from_snapshot(&changed, Digest::of(&bytes)).is_err());
    let shorn = String::from_utf8(bytes)
        .expect("text")
        .replace("\"ring\":[0,", "\"ring\":[");
    assert!(AgentState::from_snapshot(shorn.as_bytes(), Digest::of(shorn.as_bytes())).is_err());
}

/// Values no gateway writes: huge, negative, of strangers.
fn nonsense() -> impl Strategy<Value = AgentEvent> {
    let amount = prop_oneof![
        Just(Decimal::new(i128::MAX, 0)),
        Just(Decimal::new(i128::MIN + 1, 0)),
        Just(Decimal::new(i128::MAX, 36)),
        Just(Decimal::new(1, 18)),
        (-500_i128..500).prop_map(|value| Decimal::new(value, 1)),
    ]
    .prop_map(|amount| amount.expect("scale"));
    let name = prop_oneof![Just("BTC_EUR"), Just("ETH_EUR")];
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let any = (amount.clone(), amount, name, side, 0_u64..30, 0_u8..12);
    any.prop_map(|(first, second, name, side, number, which)| {
        let world = World::new();
        let (agent, client_order_id, order) = (agent(), id("x"), number);
        let outcome = |state| {
            OrderOutcome {
                agent,
                client_order_id,
                order,
                state,
            }
            .into()
        };
        match which {
            0..=3 => {
                let mut decided = world.ask(terms("x")).decided().clone();
                decided.order = OrderTerms {
                    quantity: first,
                    price: Some(second),
                    side,
                    instrument: instrument(name),
                    ..terms("x")
                };
                decided.order.client_order_id = id(&format!("x{number}"));
                decided.reduction = which == 0;
                decided.reference = decided.reference.map(|reference| ReferencePrice {
                    price: second,
                    ..reference
                });
                decided.into()
            }
            4..=6 => OrderFilled {
                agent,
                client_order_id,
                currency: currency("EUR"),
                executed_at: world.now,
                execution_id: first.to_string(),
                instrument: instrument(name),
                order,
                price: second,
                quantity: first,
                side,
            }
            .into(),
            7 => outcome(OutcomeState::Closed {
                executed: first,
                venue_reference: None,
                why: CloseCause::Expired,
            }),
            8 => outcome(OutcomeState::InDoubt { why: String::new() }),
            9 => outcome(OutcomeState::Withheld { why: String::new() }),
            10 => CancelRequested {
                agent,
                by: CancelSource::Bot,
                client_order_id,
                order,
            }
            .into(),
            _ => AgentEvent::Other,
        }
    })
}

proptest! {
    /// `apply` never fails, is deterministic, stays bounded, and nonsense never frees anything: the day's value is not below
    /// nothing, unless it is out of range and refuses. Control: taking a permit of a negative quantity makes it negative.
    #[test]
    fn nonsense_folds_safely(events in prop::collection::vec(nonsense(), 1..60)) {
        let (mut one, mut two) = (World::new(), World::new());
        for event in &events {
            one.fold(event.clone());
            two.fold(event.clone());
            let day = one.state.day_notional(&currency("EUR"), one.now);
            prop_assert!(day.is_none_or(|day| !day.is_negative()), "{:?}", day);
            prop_assert!(one.state.open_orders().len() <= MOST_OPEN_ORDERS);
            for side in [Side::Buy, Side::Sell] {
                let left = one.state.reducible(&instrument("BTC_EUR"), side);
                prop_assert!(left.is_none_or(|left| !left.is_negative()));
            }
        }
        prop_assert_eq!(&one.state, &two.state);
        prop_assert_eq!(AgentState::from_snapshot(&one.state.snapshot(), two.state.digest()).ok(), Some(two.state.clone()));
        let _ = one.ask(terms("after"));
        let _ = one.state.halt_plan(OnHalt::CancelRiskIncreasing);
    }
}
