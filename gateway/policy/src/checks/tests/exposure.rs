//! The limits above one agent: each group's at its limit, what is free of them, and what cannot be told.

use std::collections::BTreeMap;

use extensions::{OwnerId, Record, Timestamp};
use revocation_core::{ExposureLimits, ExposureSet};

use super::*;
use crate::{AgentEvent, Exposure, GroupExposure, Mandate, Replay, replay_decision};

fn owner() -> HouseScope {
    HouseScope::Owner(OwnerId::new("desk-1").expect("valid"))
}

fn limit(world: &mut World, scope: HouseScope, rows: &[(&str, &str)]) {
    let rows: BTreeMap<_, _> = rows
        .iter()
        .map(|(unit, amount)| (currency(unit), decimal(amount)))
        .collect();
    world.house.apply(&HouseEvent::from(ExposureSet {
        limits: ExposureLimits::try_from(rows).expect("limits"),
        scope,
        signatures: Vec::new(),
    }));
}

fn told(amount: &str, priced_at: Option<Timestamp>) -> GroupExposure {
    GroupExposure {
        amount: Some(decimal(amount)),
        instrument: priced_at.map(|_| instrument("ETH_EUR")),
        priced_at,
    }
}

fn groups(owner: GroupExposure, all: GroupExposure) -> Option<Exposure> {
    Some(Exposure {
        all: Some(all),
        owner: Some(owner),
    })
}

/// An order of EUR 100 at the limit of each group, and a hundredth above it; the tighter of both wins, and who has no limits is not looked at.
///
/// Controls: `<` for `<=`; the owner's limits alone; all agents' alone: each seen red.
#[test]
fn group_exposure() {
    let mut world = World::new();
    let now = world.now;
    limit(&mut world, owner(), &[("EUR", "1000")]);
    limit(&mut world, HouseScope::All, &[("EUR", "5000")]);
    world.exposure = groups(told("900", Some(now)), told("4900", Some(now)));
    permits(&world, terms("a"));
    world.exposure = groups(told("900.01", Some(now)), told("4900", None));
    let check = refuses(&world, terms("a"), Code::GroupExposure);
    assert_eq!(
        (&*check.limit, &*check.observed),
        (
            "EUR 1000 at stake for all agents of desk-1 together",
            "EUR 1000.01: 900.01 at stake, and this order"
        )
    );
    world.exposure = groups(told("900", None), told("4900.01", None));
    let check = refuses(&world, terms("a"), Code::GroupExposure);
    assert_eq!(check.limit, "EUR 5000 at stake for all agents together");
    // The order is valued at the highest of its prices, as it is reserved.
    world.exposure = groups(told("900", None), told("0", None));
    let high = |price: &str| OrderTerms {
        price: Some(decimal(price)),
        ..terms("a")
    };
    permits(&world, high("99"));
    refuses(&world, high("100.01"), Code::GroupExposure);
    limit(&mut world, owner(), &[]);
    permits(&world, high("100.01"));
    limit(&mut world, HouseScope::All, &[]);
    world.exposure = None;
    permits(&world, high("100.01"));
}

/// Another owner's limits are none of this agent's. Control: the first owner's limits for everybody: seen red.
#[test]
fn another_owners_limits_do_not_count() {
    let mut world = World::new();
    let other = HouseScope::Owner(OwnerId::new("desk-2").expect("valid"));
    limit(&mut world, other, &[("EUR", "1")]);
    permits(&world, terms("a"));
}

/// What is not there, cannot be told, is valued at an old price or at none, or has no row in the limits, refuses.
///
/// Controls: an absent fact as nothing at stake; without the age; a unit without a row as unlimited: each seen red.
#[test]
fn what_cannot_be_told_refuses() {
    let mut world = World::new();
    let now = world.now;
    limit(&mut world, owner(), &[("EUR", "1000")]);
    refuses(&world, terms("a"), Code::GroupExposure);
    world.exposure = Some(Exposure::default());
    let check = refuses(&world, terms("a"), Code::GroupExposure);
    assert!(check.observed.contains("cannot be told"), "{check:?}");
    let unquoted = GroupExposure {
        instrument: Some(instrument("ETH_EUR")),
        ..GroupExposure::default()
    };
    world.exposure = groups(unquoted, told("0", None));
    let check = refuses(&world, terms("a"), Code::GroupExposure);
    assert!(check.observed.contains("ETH_EUR cannot be valued"), "{check:?}");
    let most = i64::from(crate::REFERENCE_MAX_AGE_MS);
    for (age, inside) in [(most, true), (most + 1, false), (-most, true), (-most - 1, false)] {
        world.exposure = groups(told("0", Some(now.plus_millis(-age))), told("0", None));
        if inside {
            permits(&world, terms("a"));
        } else {
            let check = refuses(&world, terms("a"), Code::GroupExposure);
            assert!(
                check.observed.contains("ETH_EUR is valued at a price 5001 ms old"),
                "{check:?}"
            );
        }
    }
    world.exposure = groups(told("0", None), told("0", None));
    limit(&mut world, owner(), &[("USD", "1000")]);
    let check = refuses(&world, terms("a"), Code::GroupExposure);
    assert_eq!(
        (&*check.limit, &*check.observed),
        (
            "none: the limits of all agents of desk-1 together do not name EUR",
            "an order in EUR"
        )
    );
}

/// A verified reduction passes whatever the group has at stake, and what would turn the position does not; cancels meet no check at all.
///
/// Control: without the exemption the reduction is refused: seen red.
#[test]
fn reductions_are_free_of_it() {
    let mut world = World::new();
    world.long("2");
    limit(&mut world, owner(), &[("EUR", "0")]);
    let sell = |quantity: &str| OrderTerms {
        side: Side::Sell,
        quantity: decimal(quantity),
        ..terms("a")
    };
    permits(&world, sell("2"));
    refuses(&world, sell("2.01"), Code::GroupExposure);
    world.exposure = groups(told("200", None), told("0", None));
    permits(&world, sell("2"));
    refuses(&world, sell("2.01"), Code::GroupExposure);
    assert!(world.state.cancel_targets(None).is_empty());
}

/// The record holds the fact, and the decision taken again from it is the same, byte for byte; from another fact it is another one. A record
/// from before there were such limits has no such member, and reads and comes out as it was.
///
/// Controls: a replay that gives no fact; one that gives it as nothing at stake: each seen red.
#[test]
fn the_record_holds_the_fact() {
    let mut world = World::new();
    let old = world.ask(terms("a"));
    limit(&mut world, owner(), &[("EUR", "1000")]);
    let now = world.now;
    for (amount, permit) in [("900", true), ("900.01", false)] {
        world.exposure = groups(told(amount, Some(now)), told("4000", Some(now)));
        let decision = world.ask(terms("a"));
        assert_eq!(matches!(decision, Decision::Permit(_)), permit);
        let body = again(&world, &decision);
        assert!(body.contains(r#""exposure":{"all":{"amount":"4000""#), "{body}");
        let mut wrong = decision.decided().clone();
        wrong.exposure = groups(told("950", Some(now)), told("4000", Some(now)));
        if permit {
            assert_ne!(replayed(&world, &wrong), written(&wrong));
        }
    }
    world.house = revocation_core::HouseState::default();
    assert!(!again(&world, &old).contains("exposure"));
}

fn again(world: &World, decision: &Decision) -> String {
    let body = written(decision.decided());
    let read = match AgentEvent::decode("order.decided", body.as_bytes()).expect("canonical") {
        AgentEvent::Decided(read) => read,
        other => panic!("{other:?}"),
    };
    assert_eq!(replayed(world, &read), body);
    body
}

fn written(decided: &crate::OrderDecided) -> String {
    let mut body = Vec::new();
    decided.write_body(&mut body);
    String::from_utf8(body).expect("text")
}

fn replayed(world: &World, read: &crate::OrderDecided) -> String {
    let with = Replay {
        limits: Some(&world.limits),
        mandate: Some(Mandate {
            digest: extensions::Digest::of(b"document"),
            document: &world.document,
        }),
        baseline: world.baseline.as_ref(),
        house: &world.house,
    };
    let again = replay_decision(read, world.now, 7, &world.state, with).expect("replays");
    String::from_utf8(again.body).expect("text")
}

/// Two officers may let one order pass it, as any limit of how much. Control: without the code in `may_be_overridden`: seen red.
#[test]
fn officers_may_let_one_order_pass() {
    assert!(Code::GroupExposure.may_be_overridden());
}
