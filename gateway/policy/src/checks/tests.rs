//! Each code: an order that triggers it, and one just inside the limit that does not. Control for all of them: leaving a check out
//! of `CHECKS` turns the test of its code red, since the order that should trigger it is then permitted or lacks the code.

use extensions::{
    ClientOrderId, Counterparty, Region,
    limits::LimitsDocument,
    mandate::{OnUnansweredWarning, Scoring},
};
use revocation_core::{
    Actor, RevocationReason, StandingEvent,
    house::{HouseEvent, HouseFrozen, HouseReduceOnly, HouseReinstated, HouseRevoked, HouseScope},
    standing::{AgentFrozen, AgentReduceOnly, AgentRevoked, CertificateRevoked},
    warning::WarningOpened,
};

use crate::{
    Code, Decision, FailedCheck, Known, OrderKind, OrderTerms, OutcomeState, Proof, Side, TimeInForce, Validity, View,
    fixture::{World, agent, currency, decimal, instrument, limits_document, terms, time},
    state::MOST_OPEN_ORDERS,
};

mod bounds;
mod certificate;
mod exposure;
mod overrides;

fn codes(decision: &Decision) -> Vec<Code> {
    decision.decided().checks.iter().map(|check| check.code).collect()
}

#[track_caller]
fn permits(world: &World, order: OrderTerms) {
    let decision = world.ask(order);
    assert!(
        matches!(decision, Decision::Permit(_)),
        "{:?}",
        decision.decided().checks
    );
}

#[track_caller]
fn refuses(world: &World, order: OrderTerms, code: Code) -> FailedCheck {
    let decision = world.ask(order);
    assert!(matches!(decision, Decision::Refusal(_)), "{decision:?}");
    assert_eq!(codes(&decision), [code]);
    decision.decided().checks[0].clone()
}

fn by() -> Actor {
    Actor::parse("officer:ann").expect("valid")
}

#[test]
fn the_plain_order_is_permitted() {
    permits(&World::new(), terms("a"));
}

#[test]
fn extension_unreadable() {
    let world = World {
        readable: false,
        ..World::new()
    };
    refuses(&world, terms("a"), Code::ExtensionUnreadable);
}

#[test]
fn mandate_missing() {
    let world = World {
        held: false,
        ..World::new()
    };
    refuses(&world, terms("a"), Code::MandateMissing);
    let mut world = World::new();
    world.document.agent = extensions::AgentId::new("other").expect("valid");
    let check = refuses(&world, terms("a"), Code::MandateMissing);
    assert!(check.observed.contains("other"));
}

#[test]
fn status_unknown() {
    let world = World {
        view: View::Stale,
        ..World::new()
    };
    refuses(&world, terms("a"), Code::StatusUnknown);
    let mut world = World::new();
    let gap = crate::EntryAt {
        number: 5,
        at: world.now,
    };
    world.state.apply(gap, &crate::AgentEvent::Other);
    refuses(&world, terms("a"), Code::StatusUnknown);
}

#[test]
fn agent_revoked() {
    let mut world = World::new();
    let reason = RevocationReason::KeyCompromise;
    world.fold(StandingEvent::from(AgentRevoked {
        agent: agent(),
        by: by(),
        incident: None,
        reason,
        score: None,
    }));
    refuses(&world, terms("a"), Code::AgentRevoked);
    let mut world = World::new();
    world.house.apply(&HouseEvent::from(HouseRevoked {
        by: by(),
        reason,
        scope: HouseScope::All,
    }));
    refuses(&world, terms("a"), Code::AgentRevoked);
}

#[test]
fn cert_revoked() {
    let mut world = World::new();
    let revoked = |serial| {
        StandingEvent::from(CertificateRevoked {
            agent: agent(),
            by: by(),
            not_after: time("2026-11-20T13:00:00Z"),
            reason: RevocationReason::Superseded,
            serial,
        })
    };
    world.fold(revoked(extensions::Serial::new([2; 18]).expect("positive")));
    permits(&world, terms("a"));
    world.fold(revoked(world.certificate.serial));
    refuses(&world, terms("a"), Code::CertRevoked);
}

/// A signature as recorded; the fold counts officers, `ca-core` checks signatures.
fn signed(officer: &str) -> extensions::ApprovalRecord {
    extensions::ApprovalRecord {
        decision: extensions::ApprovalDecision::Approve,
        document: extensions::Digest::default(),
        key: extensions::Digest::default(),
        nonce: extensions::Digest::default(),
        officer: officer.parse().expect("id"),
        passkey: None,
        signature: extensions::Base64(Vec::new()),
    }
}

/// Control, tried: leave the house out of `cert_revoked`, and a certificate from before the owner's revocation trades again.
#[test]
fn certificates_from_before_a_reinstatement_of_the_house_stay_revoked() {
    for (from, code) in [(0, None), (1, Some(Code::CertRevoked))] {
        let mut world = World::new();
        let (scope, reason) = (HouseScope::All, RevocationReason::KeyCompromise);
        world.house.apply(&HouseEvent::from(HouseRevoked {
            by: by(),
            reason,
            scope,
        }));
        let certificates_from = world.certificate.not_before.plus_seconds(from);
        let signatures = ["ada", "ben"].map(signed).to_vec();
        world.house.apply(&HouseEvent::from(HouseReinstated {
            certificates_from,
            scope,
            signatures,
        }));
        match code {
            Some(code) => drop(refuses(&world, terms("a"), code)),
            None => permits(&world, terms("a")),
        }
    }
}

#[test]
fn cert_expired() {
    let mut world = World::new();
    world.certificate.validity = Validity::Outside;
    refuses(&world, terms("a"), Code::CertExpired);
}

#[test]
fn state_frozen() {
    let mut world = World::new();
    world.fold(StandingEvent::from(AgentFrozen {
        agent: agent(),
        by: by(),
    }));
    refuses(&world, terms("a"), Code::StateFrozen);
    for (owner, frozen) in [("desk-1", true), ("desk-2", false)] {
        let mut world = World::new();
        let scope = HouseScope::parse(&format!("owner:{owner}")).expect("valid");
        world.house.apply(&HouseEvent::from(HouseFrozen { by: by(), scope }));
        if frozen {
            refuses(&world, terms("a"), Code::StateFrozen);
        } else {
            permits(&world, terms("a"));
        }
    }
}

#[test]
fn state_reduce_only() {
    let mut world = World::new();
    world.long("2");
    world.fold(StandingEvent::from(AgentReduceOnly {
        agent: agent(),
        by: by(),
    }));
    let check = refuses(&world, terms("a"), Code::StateReduceOnly);
    assert!(check.limit.contains("at most 0"), "{}", check.limit);
    let sell = |quantity| OrderTerms {
        side: Side::Sell,
        quantity: decimal(quantity),
        ..terms("b")
    };
    permits(&world, sell("2"));
    refuses(&world, sell("2.000000000000000001"), Code::StateReduceOnly);
    let mut world = World::new();
    world.house.apply(&HouseEvent::from(HouseReduceOnly {
        by: by(),
        scope: HouseScope::All,
    }));
    refuses(&world, terms("a"), Code::StateReduceOnly);
}

#[test]
fn duplicate() {
    let mut world = World::new();
    world.send(terms("a"));
    let other = OrderTerms {
        quantity: decimal("2"),
        ..terms("a")
    };
    refuses(&world, other.clone(), Code::Duplicate);
    refuses(&world, terms("a"), Code::Duplicate);
    permits(
        &world,
        OrderTerms {
            client_order_id: ClientOrderId::new("b").expect("valid"),
            ..other
        },
    );
    let world = World {
        known: Known::OtherBody,
        ..World::new()
    };
    refuses(&world, terms("a"), Code::Duplicate);
    // A refused order consumes its id.
    let mut world = World {
        region: None,
        ..World::new()
    };
    world.send(terms("a"));
    world.region = Region::new("eu-west-1").ok();
    refuses(
        &world,
        OrderTerms {
            quantity: decimal("2"),
            ..terms("a")
        },
        Code::Duplicate,
    );
}

#[test]
fn duplicate_suspected() {
    let mut world = World::new();
    let (number, _) = world.send(terms("a"));
    world.now = world.now.plus_millis(1_000);
    let check = refuses(&world, terms("b"), Code::DuplicateSuspected);
    assert!(check.observed.contains("as a,"), "{}", check.observed);
    permits(
        &world,
        OrderTerms {
            quantity: decimal("1.1"),
            ..terms("b")
        },
    );
    world.now = world.now.plus_millis(1);
    permits(&world, terms("b"));
    world.now = world.now.plus_millis(-1);
    world.outcome(
        "a",
        number,
        OutcomeState::InDoubt {
            why: "timeout".to_owned(),
        },
    );
    refuses(&world, terms("b"), Code::DuplicateSuspected);
    world.accept("a", number);
    permits(&world, terms("b"));
    let mut world = World::new();
    world.document.conduct.repeat_window_ms = 0;
    world.send(terms("a"));
    permits(&world, terms("b"));
}

#[test]
fn instrument_not_allowed() {
    let world = World::new();
    let check = refuses(
        &world,
        OrderTerms {
            instrument: instrument("BTCEUR"),
            ..terms("a")
        },
        Code::InstrumentNotAllowed,
    );
    assert!(check.change.starts_with("did you mean BTC_EUR?"), "{}", check.change);
    assert_eq!(
        (check.limit.as_str(), check.observed.as_str()),
        ("BTC_EUR, ETH_EUR", "BTCEUR")
    );
    permits(
        &world,
        OrderTerms {
            instrument: instrument("ETH_EUR"),
            ..terms("a")
        },
    );
}

#[test]
fn counterparty_not_allowed() {
    let world = World::new();
    let to = |name| OrderTerms {
        counterparty: Counterparty::new(name).expect("valid"),
        ..terms("a")
    };
    let check = refuses(&world, to("exchange_b"), Code::CounterpartyNotAllowed);
    assert!(check.change.starts_with("did you mean exchange_a?"), "{}", check.change);
}

#[test]
fn outside_hours() {
    let mut world = World::new();
    for (now, inside) in [
        ("2026-11-20T06:59:59.999999Z", false),
        ("2026-11-20T07:00:00Z", true),
        ("2026-11-20T19:59:59.999999Z", true),
        ("2026-11-20T20:00:00Z", false),
        ("2026-11-21T12:00:00Z", false),
    ] {
        world.now = time(now);
        if inside {
            permits(&world, terms("a"));
        } else {
            refuses(&world, terms("a"), Code::OutsideHours);
        }
    }
}

#[test]
fn region_not_allowed() {
    let mut world = World {
        region: Region::new("us-east-1").ok(),
        ..World::new()
    };
    refuses(&world, terms("a"), Code::RegionNotAllowed);
    world.region = None;
    refuses(&world, terms("a"), Code::RegionNotAllowed);
}

#[test]
fn order_type_not_allowed() {
    let world = World::with(LimitsDocument {
        order_types: vec!["limit".to_owned()],
        ..limits_document()
    });
    let market = OrderTerms {
        kind: OrderKind::Market,
        price: None,
        time_in_force: TimeInForce::Ioc,
        ..terms("a")
    };
    refuses(&world, market.clone(), Code::OrderTypeNotAllowed);
    permits(&world, terms("a"));
    permits(&World::new(), market);
}

#[test]
fn proof_required_and_invalid() {
    let mut world = World::with(LimitsDocument {
        order_proof: true,
        ..limits_document()
    });
    for missing in [Proof::Missing, Proof::NotRequired] {
        world.proof = missing;
        refuses(&world, terms("a"), Code::ProofRequired);
    }
    world.proof = Proof::Invalid;
    refuses(&world, terms("a"), Code::ProofInvalid);
    world.proof = Proof::Valid;
    permits(&world, terms("a"));
    let world = World {
        proof: Proof::Invalid,
        ..World::new()
    };
    refuses(&world, terms("a"), Code::ProofInvalid);
}

#[test]
fn max_notional() {
    let world = World::new();
    let order = |quantity: &str, price: &str| OrderTerms {
        quantity: decimal(quantity),
        price: Some(decimal(price)),
        ..terms("a")
    };
    permits(&world, order("10", "100"));
    let check = refuses(&world, order("10.00000000000000001", "100"), Code::MaxNotional);
    assert_eq!(check.limit, "EUR 1000 for one order");
    // The higher of order and reference price counts, in both directions.
    refuses(&world, order("10", "100.01"), Code::MaxNotional);
    refuses(&world, order("10.01", "50"), Code::MaxNotional);
    // A notional typed into the quantity, and more than can be multiplied exactly.
    assert!(codes(&world.ask(order("1000", "100"))).contains(&Code::MaxNotional));
    let world = World {
        reference: Some(decimal("0.1")),
        ..World::new()
    };
    let widest = world.ask(order("9999999999999999999", "0.100000000000000001"));
    assert!(codes(&widest).contains(&Code::MaxNotional));
}

#[test]
fn warned_caps_are_halved() {
    let mut world = World::new();
    world.baseline = None;
    world.document.conduct.scoring = Scoring::ObserveUntil(time("2027-01-01T00:00:00Z"));
    world.fold(StandingEvent::from(WarningOpened {
        agent: agent(),
        by: by(),
        deadline: world.now.plus_seconds(300),
        default: OnUnansweredWarning::Freeze,
        score: None,
    }));
    let order = |quantity| OrderTerms {
        quantity: decimal(quantity),
        ..terms("a")
    };
    permits(&world, order("5"));
    let check = refuses(&world, order("5.01"), Code::MaxNotional);
    assert_eq!(check.limit, "EUR 500 for one order (halved while warned)");
    world.now = world.now.plus_seconds(299);
    permits(&world, order("5"));
    world.now = world.now.plus_seconds(1);
    refuses(&world, order("5"), Code::StateFrozen);
}

#[test]
fn unit_not_allowed() {
    let world = World::new();
    let usd = OrderTerms {
        currency: currency("USD"),
        ..terms("a")
    };
    refuses(&world, usd, Code::UnitNotAllowed);
    // A unit with a cap, but not the one the instrument is quoted in.
    let usdt = OrderTerms {
        currency: currency("USDT"),
        ..terms("a")
    };
    let check = refuses(&world, usdt.clone(), Code::UnitNotAllowed);
    assert_eq!(check.change, "write currency EUR, and the prices in it");
    permits(
        &World {
            quoted_in: currency("USDT"),
            baseline: World::new().baseline,
            ..World::new()
        },
        usdt.clone(),
    );
    let no_day = World::with(LimitsDocument {
        per_day: vec!["EUR 5000".to_owned()],
        ..limits_document()
    });
    refuses(
        &World {
            quoted_in: currency("USDT"),
            ..no_day
        },
        usdt,
        Code::UnitNotAllowed,
    );
}

#[test]
fn price_collar() {
    let world = World::new();
    let limit = |side, price: &str| OrderTerms {
        side,
        price: Some(decimal(price)),
        ..terms("a")
    };
    permits(&world, limit(Side::Buy, "105"));
    let check = refuses(&world, limit(Side::Buy, "105.0000000000000001"), Code::PriceCollar);
    assert_eq!(check.change, "set a price of at most 105");
    permits(&world, limit(Side::Buy, "1"));
    permits(&world, limit(Side::Sell, "95"));
    refuses(&world, limit(Side::Sell, "94.99"), Code::PriceCollar);
    permits(&world, limit(Side::Sell, "200"));
}

#[test]
fn price_collar_of_stops() {
    let world = World::new();
    let stop = |side, stop: &str, price: Option<&str>| OrderTerms {
        side,
        stop_price: Some(decimal(stop)),
        price: price.map(decimal),
        kind: if price.is_some() {
            OrderKind::StopLimit
        } else {
            OrderKind::StopMarket
        },
        ..terms("a")
    };
    permits(&world, stop(Side::Buy, "100", None));
    refuses(&world, stop(Side::Buy, "99.99", None), Code::PriceCollar);
    permits(&world, stop(Side::Sell, "100", None));
    refuses(&world, stop(Side::Sell, "100.01", None), Code::PriceCollar);
    // The limit price is held to the stop, far from the reference as that may be.
    permits(&world, stop(Side::Sell, "50", Some("47.5")));
    refuses(&world, stop(Side::Sell, "50", Some("47.49")), Code::PriceCollar);
    permits(&world, stop(Side::Buy, "200", Some("210")));
    refuses(&world, stop(Side::Buy, "200", Some("210.01")), Code::PriceCollar);
}

#[test]
fn no_reference_price() {
    let mut world = World::new();
    world.reference_age_ms = 5_000;
    permits(&world, terms("a"));
    for age in [5_001, -5_001] {
        world.reference_age_ms = age;
        refuses(&world, terms("a"), Code::NoReferencePrice);
    }
    world.reference = None;
    refuses(&world, terms("a"), Code::NoReferencePrice);
    let market = OrderTerms {
        kind: OrderKind::Market,
        price: None,
        time_in_force: TimeInForce::Ioc,
        ..terms("a")
    };
    refuses(&world, market, Code::NoReferencePrice);
    let world = World {
        reference: Some(decimal("0")),
        ..World::new()
    };
    refuses(&world, terms("a"), Code::NoReferencePrice);
}

#[test]
fn rate_orders() {
    let mut world = World::with(LimitsDocument {
        order_rates: vec!["3/1s".to_owned()],
        ..limits_document()
    });
    // Refused orders count.
    world.send(OrderTerms {
        instrument: instrument("XXX"),
        ..terms("a")
    });
    for id in ["b", "c"] {
        let quantity = if id == "b" { "1.1" } else { "1.2" };
        let order = OrderTerms {
            quantity: decimal(quantity),
            ..terms(id)
        };
        assert!(matches!(world.send(order).1, Decision::Permit(_)));
    }
    let check = refuses(
        &world,
        OrderTerms {
            quantity: decimal("1.3"),
            ..terms("d")
        },
        Code::RateOrders,
    );
    assert_eq!(
        (check.limit.as_str(), check.observed.as_str()),
        ("3 orders in 1 s", "4 with this one")
    );
    world.now = world.now.plus_millis(1_100);
    permits(
        &world,
        OrderTerms {
            quantity: decimal("1.3"),
            ..terms("d")
        },
    );
}

#[test]
fn open_orders_max() {
    let mut world = World::with(LimitsDocument {
        order_rates: vec!["100000/1d".to_owned()],
        per_day: vec!["EUR 500000".to_owned()],
        ..limits_document()
    });
    world.document.conduct.repeat_window_ms = 0;
    let mut first = 0;
    for n in 0..MOST_OPEN_ORDERS {
        let (number, decision) = world.send(terms(&format!("o{n}")));
        assert!(matches!(decision, Decision::Permit(_)), "{n}: {decision:?}");
        first = if n == 0 { number } else { first };
    }
    refuses(&world, terms("one-more"), Code::OpenOrdersMax);
    world.outcome("o0", first, OutcomeState::Rejected { why: "no".to_owned() });
    permits(&world, terms("one-more"));
}

#[test]
fn day_notional() {
    let mut world = World::with(LimitsDocument {
        per_day: vec!["EUR 1500".to_owned()],
        ..limits_document()
    });
    let order = |id: &str, quantity: &str| OrderTerms {
        quantity: decimal(quantity),
        ..terms(id)
    };
    let (number, _) = world.send(order("a", "10"));
    permits(&world, order("b", "5"));
    let check = refuses(&world, order("b", "5.000000000000000001"), Code::DayNotional);
    assert_eq!(check.limit, "EUR 1500 a UTC day");
    // In doubt it holds, filled it stays, released it is free.
    world.outcome(
        "a",
        number,
        OutcomeState::InDoubt {
            why: "timeout".to_owned(),
        },
    );
    refuses(&world, order("b", "6"), Code::DayNotional);
    world.fill(number, &order("a", "10"), "4", "100", "e1");
    refuses(&world, order("b", "6"), Code::DayNotional);
    let executed = decimal("4");
    world.outcome(
        "a",
        number,
        OutcomeState::Closed {
            executed,
            venue_reference: None,
            why: crate::CloseCause::Cancelled,
        },
    );
    permits(&world, order("b", "10"));
    world.now = time("2026-11-23T12:00:00Z");
    permits(&world, order("b", "10"));
}

#[test]
fn position_unknown() {
    let mut world = World::new();
    let sell = |quantity| OrderTerms {
        side: Side::Sell,
        reduce_only: true,
        quantity: decimal(quantity),
        ..terms("a")
    };
    refuses(&world, sell("1"), Code::PositionUnknown);
    world.long("2");
    permits(&world, sell("2"));
    refuses(&world, sell("2.1"), Code::PositionUnknown);
    world.send(OrderTerms {
        reduce_only: false,
        ..sell("1.5")
    });
    let more = OrderTerms {
        client_order_id: ClientOrderId::new("z").expect("valid"),
        ..sell("0.6")
    };
    refuses(&world, more.clone(), Code::PositionUnknown);
    permits(
        &world,
        OrderTerms {
            quantity: decimal("0.5"),
            ..more
        },
    );
}

#[test]
fn baseline_missing() {
    let mut world = World {
        baseline: None,
        ..World::new()
    };
    refuses(&world, terms("a"), Code::BaselineMissing);
    world.document.conduct.scoring = Scoring::ObserveUntil(world.now.plus_micros(1));
    permits(&world, terms("a"));
    world.document.conduct.scoring = Scoring::ObserveUntil(world.now);
    refuses(&world, terms("a"), Code::BaselineMissing);
}

/// All failed checks are reported, in decision order. Control, tried: stopping at the first makes the list short.
#[test]
fn every_failed_check_is_reported_in_decision_order() {
    let mut world = World {
        region: None,
        proof: Proof::Invalid,
        ..World::new()
    };
    world.now = time("2026-11-21T12:00:00Z");
    let order = OrderTerms {
        instrument: instrument("XXX"),
        counterparty: Counterparty::new("nobody").expect("valid"),
        quantity: decimal("100"),
        price: Some(decimal("200")),
        reduce_only: true,
        ..terms("a")
    };
    let decision = world.ask(order);
    assert_eq!(
        codes(&decision),
        [
            Code::InstrumentNotAllowed,
            Code::CounterpartyNotAllowed,
            Code::OutsideHours,
            Code::RegionNotAllowed,
            Code::ProofInvalid,
            Code::MaxNotional,
            Code::PriceCollar,
            Code::DayNotional,
            Code::PositionUnknown,
        ]
    );
    assert!(codes(&decision).is_sorted());
}

/// Guarantee 8: hours, upper size, rates and day do not hold a verified reduction back; region, instrument, counterparty and
/// collar do. Control, tried: dropping `context.reduction` from any of the four checks turns this red.
#[test]
fn a_verified_reduction_is_free_of_exactly_what_it_should_be() {
    let mut world = World::with(LimitsDocument {
        order_rates: vec!["1/1d".to_owned()],
        per_day: vec!["EUR 1000".to_owned()],
        ..limits_document()
    });
    world.long("10");
    world.reference = Some(decimal("400"));
    world.now = time("2026-11-21T03:00:00Z");
    world.baseline = None;
    let sell = OrderTerms {
        side: Side::Sell,
        quantity: decimal("10"),
        price: Some(decimal("400")),
        ..terms("reduce")
    };
    permits(&world, sell.clone());
    let too_much = world.ask(OrderTerms {
        quantity: decimal("10.1"),
        ..sell.clone()
    });
    assert_eq!(
        codes(&too_much),
        [
            Code::OutsideHours,
            Code::MaxNotional,
            Code::RateOrders,
            Code::DayNotional,
            Code::BaselineMissing
        ]
    );
    refuses(
        &world,
        OrderTerms {
            price: Some(decimal("379.9")),
            ..sell.clone()
        },
        Code::PriceCollar,
    );
    refuses(
        &world,
        OrderTerms {
            counterparty: Counterparty::new("x").expect("valid"),
            ..sell.clone()
        },
        Code::CounterpartyNotAllowed,
    );
    world.region = None;
    refuses(&world, sell.clone(), Code::RegionNotAllowed);
    world.region = Region::new("eu-west-1").ok();
    world.fold(StandingEvent::from(AgentFrozen {
        agent: agent(),
        by: by(),
    }));
    refuses(&world, sell, Code::StateFrozen);
}
