//! Overrides: one order, its hash, its checks, its minutes, once; never who asks, nor the score.

use extensions::{Digest, Timestamp, approval::ApprovalRecord};
use revocation_core::{
    Actor, Standing, StandingEvent,
    standing::{AgentFrozen, AgentReduceOnly},
};

use super::*;
use crate::{DecisionKind, OverrideGranted};

fn large(id: &str) -> OrderTerms {
    OrderTerms {
        quantity: decimal("1000"),
        ..terms(id)
    }
}

fn granted(world: &World, terms: OrderTerms, checks: &[Code], expires: Timestamp) -> OverrideGranted {
    OverrideGranted {
        agent: agent(),
        checks: checks.to_vec(),
        expires,
        order: world.state.next_number(),
        reason: Digest::default(),
        signatures: Vec::<ApprovalRecord>::new(),
        terms: terms.terms_digest(),
    }
}

fn failed(decision: &Decision) -> Vec<Code> {
    decision.decided().checks.iter().map(|check| check.code).collect()
}

/// Controls tried: without `use_up` the second passes; without the bound from the entry on one lasts as long as it says; without the look at `expires` the late one does; comparing no terms, the other does;
/// an override for any of what failed in place of all of it.
#[test]
fn an_override_lets_one_order_pass_once() {
    let mut world = World::new();
    let whole = failed(&world.ask(large("a")));
    assert!(whole.contains(&Code::MaxNotional), "{whole:?}");
    let ends = world.now.plus_seconds(600);
    let grant = granted(&world, large("a"), &whole, ends);
    let number = world.state.next_number();
    world.fold(grant.clone());
    let other = OrderTerms {
        quantity: decimal("1000.1"),
        ..terms("b")
    };
    assert_eq!(failed(&world.ask(other)), whole, "its own hash alone");
    let later = std::mem::replace(&mut world.now, ends.plus_seconds(1));
    assert!(matches!(world.ask(large("b")), Decision::Refusal(_)), "too late");
    world.now = later;
    let far = world.now.plus_seconds(86_400);
    let mut again = World::new();
    again.fold(granted(&again, large("a"), &whole, far));
    again.now = again.now.plus_seconds(15 * 60);
    assert!(
        !failed(&again.ask(large("b"))).contains(&Code::MaxNotional),
        "to the minute"
    );
    again.now = again.now.plus_seconds(1);
    assert!(
        failed(&again.ask(large("b"))).contains(&Code::MaxNotional),
        "whatever it says"
    );
    let (order, decision) = world.send(large("b"));
    assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
    world.accept("b", order);
    let used = decision.decided().overridden.clone().expect("by an override");
    assert_eq!(used.grant, number);
    assert_eq!(used.checks.iter().map(|check| check.code).collect::<Vec<_>>(), whole);
    assert_eq!(decision.decided().decision, DecisionKind::Permit);
    assert_eq!(failed(&world.ask(large("c"))), whole, "once");

    // What was granted for a part of what fails lets nothing pass, and is not used up.
    world.fold(granted(&world, large("a"), &whole[1..], ends));
    let (_, decision) = world.send(large("d"));
    assert_eq!(failed(&decision), failed(&world.ask(large("e"))));
    assert!(decision.decided().overridden.is_none() && matches!(decision, Decision::Refusal(_)));
}

/// What an entry says does not suffice: who asks and in what standing is never let pass, whatever is written. Control tried: without
/// `may_be_overridden` in `Overrides::of` the frozen bot's order is permitted.
#[test]
fn nothing_overrides_standing_or_scope() {
    let mut world = World::new();
    let by = Actor::Officer("ada".parse().expect("id"));
    let all: Vec<Code> = Code::ALL.to_vec();
    let ends = world.now.plus_seconds(600);
    world.fold(granted(&world, large("a"), &all, ends));
    let foreign = OrderTerms {
        instrument: instrument("XYZ_EUR"),
        ..terms("b")
    };
    world.fold(granted(&world, foreign.clone(), &all, ends));
    assert!(failed(&world.ask(foreign)).contains(&Code::InstrumentNotAllowed));
    world.fold(StandingEvent::from(AgentReduceOnly { agent: agent(), by }));
    assert!(failed(&world.ask(large("c"))).contains(&Code::StateReduceOnly));
    world.fold(StandingEvent::from(AgentFrozen { agent: agent(), by }));
    assert_eq!(world.state.standing_at(world.now), Standing::Frozen);
    assert!(failed(&world.ask(large("c"))).contains(&Code::StateFrozen));
}
