//! The bounds of a mandate's conduct: each at its limit, and what is free of it.

use extensions::{
    Instrument,
    mandate::{Caps, SelfTrade},
};

use super::*;
use revocation_core::{Actor, Standing, StandingEvent, standing::AgentResumed};

use crate::CloseCause;

fn caps(rows: &[(&str, &str)]) -> Option<Caps<Instrument>> {
    Caps::new(
        rows.iter()
            .map(|(name, cap)| (instrument(name), decimal(cap)))
            .collect(),
    )
}

fn order(id: &str, side: Side, quantity: &str, price: &str) -> OrderTerms {
    OrderTerms {
        side,
        quantity: decimal(quantity),
        price: Some(decimal(price)),
        ..terms(id)
    }
}

fn market(id: &str, side: Side) -> OrderTerms {
    OrderTerms {
        side,
        price: None,
        kind: OrderKind::Market,
        time_in_force: TimeInForce::Ioc,
        ..terms(id)
    }
}

#[track_caller]
fn sent(world: &mut World, order: OrderTerms) -> u64 {
    let (number, decision) = world.send(order);
    assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
    number
}

/// The latch of executions: partial fills of one order are one; the order that meets the bound makes the agent reduce-only by its mandate; time
/// changes nothing, a person's act does, and the count begins anew.
///
/// Controls tried: counting each fill; without the reset at `agent.resumed`; without the
/// exemption of reductions.
#[test]
fn repeat_execution() {
    let mut world = World::new();
    world.long("2");
    world.document.conduct.max_executions = Some(2);
    let first = sent(&mut world, order("a", Side::Buy, "1", "99"));
    for (place, part) in ["0.5", "0.25", "0.25"].into_iter().enumerate() {
        world.fill(
            first,
            &order("a", Side::Buy, "1", "99"),
            part,
            "99",
            &format!("e{place}"),
        );
    }
    let second = sent(&mut world, order("b", Side::Buy, "1", "99"));
    assert_eq!(world.state.executed(), 1, "what did not trade counts for nothing");
    let open = sent(&mut world, order("c", Side::Buy, "1", "98"));
    world.fill(second, &order("b", Side::Buy, "1", "99"), "0.5", "99", "e3");
    let check = refuses(&world, order("d", Side::Buy, "1", "97"), Code::RepeatExecution);
    assert_eq!(
        (&*check.limit, &*check.observed),
        ("2 orders that traded", "2 since an officer last resumed the agent")
    );
    permits(&world, order("d", Side::Sell, "1", "101"));
    let (_, decision) = world.send(order("d", Side::Buy, "1", "97"));
    let by_mandate =
        |event: &StandingEvent| matches!(event, StandingEvent::ReduceOnly(event) if event.by == Actor::Mandate);
    assert!(
        decision.also().len() == 1 && by_mandate(&decision.also()[0]),
        "{decision:?}"
    );
    assert_eq!(world.state.standing_at(world.now), Standing::ReduceOnly);
    let again = world.ask(order("e", Side::Buy, "1", "97"));
    assert!(again.also().is_empty(), "said once: {again:?}");
    world.fill(open, &order("c", Side::Buy, "1", "98"), "1", "98", "e4");
    assert_eq!(world.state.executed(), 3, "open orders go on");
    world.now = world.now.plus_seconds(3 * 86_400);
    let waited = world.ask(order("f", Side::Buy, "1", "97"));
    assert!(
        waited
            .decided()
            .checks
            .iter()
            .any(|check| check.code == Code::RepeatExecution)
    );
    let by = Actor::Officer("ada".parse().expect("id"));
    world.fold(StandingEvent::from(AgentResumed { agent: agent(), by }));
    assert_eq!(world.state.executed(), 0);
    permits(&world, order("f", Side::Buy, "1", "97"));
    let left = &world.state.bounds_left(&world.document.conduct, world.now)[0];
    assert_eq!((left.bound, left.left), ("max_executions", Some(decimal("2"))));
}

/// Controls: `<=` for `<`; without the exemption the reduction is refused; counting what waits for late fills alone.
#[test]
fn open_orders_cap() {
    let mut world = World::new();
    world.document.conduct.max_open_orders = Some(2);
    world.long("2");
    let first = sent(&mut world, order("a", Side::Buy, "1", "99"));
    permits(&world, order("b", Side::Buy, "1", "98"));
    sent(&mut world, order("b", Side::Buy, "1", "98"));
    let check = refuses(&world, order("c", Side::Buy, "1", "97"), Code::OpenOrdersCap);
    assert_eq!((&*check.limit, &*check.observed), ("2 open orders", "3 with this one"));
    permits(&world, order("c", Side::Sell, "2", "101"));
    refuses(&world, order("c", Side::Sell, "2.01", "101"), Code::OpenOrdersCap);
    // In doubt it counts; closed, with a fill still to come, it does not.
    let why = || "timeout".to_owned();
    world.outcome("a", first, OutcomeState::InDoubt { why: why() });
    refuses(&world, order("c", Side::Buy, "1", "97"), Code::OpenOrdersCap);
    let closed = OutcomeState::Closed {
        executed: decimal("0.5"),
        venue_reference: None,
        why: CloseCause::Cancelled,
    };
    world.outcome("a", first, closed);
    permits(&world, order("c", Side::Buy, "1", "97"));
    assert_eq!(
        world.state.bounds_left(&world.document.conduct, world.now)[0].left,
        Some(decimal("1"))
    );
}

/// Controls: leaving open orders out; counting the other side's; a missing cap that permits.
#[test]
fn max_position() {
    let mut world = World::new();
    world.document.conduct.max_position = caps(&[("BTC_EUR", "5")]);
    world.long("2");
    permits(&world, order("a", Side::Buy, "3", "99"));
    refuses(
        &world,
        order("a", Side::Buy, "3.000000000000000001", "99"),
        Code::MaxPosition,
    );
    let open = sent(&mut world, order("a", Side::Buy, "2", "99"));
    let check = refuses(&world, order("b", Side::Buy, "1.5", "98"), Code::MaxPosition);
    let told = "5.5 long: 4 held or open, and this order";
    assert_eq!((&*check.limit, &*check.observed), ("5 BTC_EUR, long or short", told));
    permits(&world, order("b", Side::Buy, "1", "98"));
    // The other way: past flat to as much short, whatever may still be bought.
    permits(&world, order("b", Side::Sell, "7", "101"));
    refuses(&world, order("b", Side::Sell, "7.5", "101"), Code::MaxPosition);
    // In doubt it counts, what filled is no longer open, and what is cancelled is free.
    world.outcome(
        "a",
        open,
        OutcomeState::InDoubt {
            why: "timeout".to_owned(),
        },
    );
    refuses(&world, order("b", Side::Buy, "1.5", "98"), Code::MaxPosition);
    world.fill(open, &order("a", Side::Buy, "2", "99"), "0.5", "99", "e1");
    refuses(&world, order("b", Side::Buy, "1.5", "98"), Code::MaxPosition);
    let closed = OutcomeState::Closed {
        executed: decimal("0.5"),
        venue_reference: None,
        why: CloseCause::Cancelled,
    };
    world.outcome("a", open, closed);
    permits(&world, order("b", Side::Buy, "2.5", "98"));
    let left = world.state.bounds_left(&world.document.conduct, world.now);
    let told: Vec<_> = left.iter().map(|row| (row.of.as_deref(), row.left)).collect();
    let [buy, sell] = [decimal("2.5"), decimal("7.5")].map(Some);
    assert_eq!(told, [(Some("buy BTC_EUR"), buy), (Some("sell BTC_EUR"), sell)]);
}

/// What is unknown, or has no cap, refuses; a position beyond the cap may be reduced, and nothing else.
#[test]
fn a_position_that_cannot_be_told_refuses() {
    let mut world = World::new();
    world.document.conduct.max_position = caps(&[("BTC_EUR", "5")]);
    let ether = OrderTerms {
        instrument: instrument("ETH_EUR"),
        ..terms("a")
    };
    let check = refuses(&world, ether, Code::MaxPosition);
    assert!(check.limit.starts_with("none"), "{}", check.limit);
    let attested = |quantity| crate::PositionAttested {
        agent: agent(),
        instrument: instrument("BTC_EUR"),
        quantity,
        signature: extensions::ApprovalRecord {
            decision: extensions::ApprovalDecision::Approve,
            document: extensions::Digest::default(),
            key: extensions::Digest::default(),
            nonce: extensions::Digest::default(),
            officer: "ann".parse().expect("id"),
            passkey: None,
            signature: extensions::Base64(Vec::new()),
        },
    };
    world.fold(attested(decimal("9")));
    refuses(&world, order("a", Side::Buy, "0.1", "99"), Code::MaxPosition);
    permits(&world, order("a", Side::Sell, "9", "101"));
    let most = extensions::Decimal::new(i128::MAX, 0).expect("scale");
    world.fold(attested(most));
    let first = order("b", Side::Buy, "1", "99");
    world.fill(999, &first, "1", "99", "e1");
    let check = refuses(&world, order("c", Side::Buy, "1", "99"), Code::MaxPosition);
    assert!(check.observed.contains("unknown"), "{}", check.observed);
    assert_eq!(
        world.state.bounds_left(&world.document.conduct, world.now)[0].left,
        None
    );
}

/// Controls: `>` for `>=` at the touch, another venue's order taken for one of this, and a market order that reaches nothing.
#[test]
fn self_trade() {
    let mut world = World::new();
    world.long("3");
    let own = sent(&mut world, order("own", Side::Buy, "1", "99"));
    let sell = |price| order("x", Side::Sell, "1", price);
    permits(&world, sell("99"));
    world.document.conduct.self_trade = Some(SelfTrade::Refuse);
    // It reduces the position, and is refused all the same.
    let check = refuses(&world, sell("99"), Code::SelfTrade);
    assert_eq!(check.observed, "own: buy 1 at 99");
    permits(&world, sell("99.01"));
    permits(&world, order("x", Side::Buy, "0.5", "99"));
    refuses(&world, market("x", Side::Sell), Code::SelfTrade);
    permits(&world, market("x", Side::Buy));
    let other = OrderTerms {
        instrument: instrument("ETH_EUR"),
        ..sell("99")
    };
    permits(&world, other);
    // In doubt, or while it is being cancelled, it may still trade.
    world.outcome(
        "own",
        own,
        OutcomeState::InDoubt {
            why: "timeout".to_owned(),
        },
    );
    refuses(&world, sell("99"), Code::SelfTrade);
    world.outcome("own", own, OutcomeState::Rejected { why: "no".to_owned() });
    permits(&world, sell("99"));
    sent(&mut world, market("y", Side::Sell));
    refuses(&world, order("x", Side::Buy, "1", "96"), Code::SelfTrade);
}

/// A stop waits outside the book: neither it nor what it would meet is refused.
#[test]
fn self_trade_leaves_stops_out() {
    let mut world = World::new();
    world.document.conduct.self_trade = Some(SelfTrade::Refuse);
    world.long("3");
    let stop = OrderTerms {
        side: Side::Sell,
        stop_price: Some(decimal("97")),
        price: None,
        kind: OrderKind::StopMarket,
        ..terms("stop")
    };
    sent(&mut world, stop.clone());
    sent(&mut world, order("own", Side::Buy, "1", "98"));
    permits(
        &world,
        OrderTerms {
            client_order_id: ClientOrderId::new("s2").expect("id"),
            quantity: decimal("0.5"),
            ..stop
        },
    );
}

/// Controls: `>` for `>=` at the cap; without the exemption the reduction is refused; a state that counts before any mandate asks for it
/// has another digest than ever.
#[test]
fn day_loss() {
    let mut world = World::new();
    let untouched = world.state.snapshot();
    assert!(!String::from_utf8(untouched).expect("text").contains("losses"));
    let euros = |amount| {
        Caps::new(
            [("EUR", amount), ("USDT", "50")]
                .map(|(unit, cap)| (currency(unit), decimal(cap)))
                .to_vec(),
        )
    };
    world.document.conduct.max_day_loss = euros("20");
    world.long("4");
    let sell = |id: &str, quantity: &str, price: &str| order(id, Side::Sell, quantity, price);
    let number = sent(&mut world, sell("s1", "1", "96"));
    world.fill(number, &sell("s1", "1", "96"), "1", "90", "e1");
    permits(&world, order("a", Side::Buy, "1", "99"));
    let number = sent(&mut world, sell("s2", "1", "96"));
    world.fill(number, &sell("s2", "1", "96"), "1", "90", "e2");
    let check = refuses(&world, order("a", Side::Buy, "1", "99"), Code::DayLoss);
    assert_eq!(
        (&*check.limit, &*check.observed),
        ("EUR 20 lost in a UTC day", "EUR 20 lost today")
    );
    permits(&world, sell("s3", "2", "96"));
    refuses(&world, sell("s3", "2.5", "96"), Code::DayLoss);
    world.document.conduct.max_day_loss = euros("20.00000000000000001");
    permits(&world, order("a", Side::Buy, "1", "99"));
    let told = &world.state.bounds_left(&world.document.conduct, world.now)[0];
    assert_eq!(
        (told.used, told.left),
        (Some(decimal("20")), Some(decimal("0.00000000000000001")))
    );
    // One that is attested to be what it is keeps its cost; the state comes back from its snapshot.
    let again = crate::AgentState::from_snapshot(&world.state.snapshot(), world.state.digest()).expect("the same");
    assert_eq!(again, world.state);
}

/// What was held before the mandate asked, and what is closed of it, cannot be told: only reductions, until the next day.
#[test]
fn a_loss_that_cannot_be_told_refuses() {
    let mut world = World::new();
    world.long("4");
    let cap = Caps::new(vec![(currency("EUR"), decimal("1000"))]);
    world.document.conduct.max_day_loss = cap;
    let sell = order("s", Side::Sell, "1", "100");
    let number = sent(&mut world, sell.clone());
    permits(&world, order("a", Side::Buy, "1", "99"));
    world.fill(number, &sell, "1", "100", "e1");
    let check = refuses(&world, order("a", Side::Buy, "1", "99"), Code::DayLoss);
    assert!(check.observed.contains("cannot be told"), "{}", check.observed);
    permits(&world, order("t", Side::Sell, "3", "101"));
    let usdt = OrderTerms {
        currency: currency("USDT"),
        ..order("u", Side::Buy, "1", "99")
    };
    world.quoted_in = currency("USDT");
    let check = refuses(&world, usdt, Code::DayLoss);
    assert!(check.limit.starts_with("none"), "{}", check.limit);
}
