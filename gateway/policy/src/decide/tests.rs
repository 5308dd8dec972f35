//! Tests of the module `decide`: what it must do and what it must refuse.

use extensions::{
    Record, Region,
    mandate::{OnUnansweredWarning, Scoring},
    record::SealedText,
};
use revocation_core::{
    Actor, ScoreLevels, Standing, StandingEvent, Thresholds,
    house::ThresholdsSet,
    incident::{IncidentCause, Trigger, incident_of},
    warning::WarningEnd,
};

use crate::{
    AgentEvent, Code, Decision, EntryAt, OrderTerms, Replay, ScoreUse, Side, VenueOrderId,
    fixture::{World, agent, baseline, decimal, terms},
    replay_decision,
};

fn away(world: &mut World) {
    world.region = Region::new("eu-north-1").ok();
}

fn home(world: &mut World) {
    world.region = Region::new("eu-west-1").ok();
}

fn next(n: usize) -> OrderTerms {
    OrderTerms {
        quantity: decimal(&format!("0.{}1", n + 1)),
        ..terms(&format!("n{n}"))
    }
}

fn warned(world: &World) -> bool {
    matches!(world.state.standing_at(world.now), Standing::Warned { .. })
}

#[test]
fn a_permit_knows_where_it_goes() {
    let mut world = World::new();
    world.long("1");
    let Decision::Permit(mut permit) = world.ask(terms("a")) else {
        panic!("permitted")
    };
    assert_eq!((permit.number(), permit.epoch(), permit.send_within_ms()), (2, 7, 250));
    assert_eq!(permit.venue_order_id(), VenueOrderId::new(&agent(), 2));
    assert_eq!(permit.venue_order_id(), world.state.venue_order_id(2));
    assert_eq!(permit.notional(), Some(decimal("100")));
    assert_eq!(permit.decided().folded_to, Some(1));
    assert!(permit.take_also().is_empty());
    let sealed = SealedText {
        subject: "agent:mm-1".to_owned(),
        salt: [7; 32],
        text: "because".to_owned(),
    };
    permit.seal_reasoning(sealed.clone());
    assert_eq!(
        (permit.decided().reasoning, permit.sealed()),
        (Some(sealed.commitment()), &[sealed][..])
    );
}

/// One order from a region the baseline never saw warns, two in a row revoke: refusal and revocation are one append.
#[test]
fn warned_then_halted() {
    let mut world = World::new();
    away(&mut world);
    let (_, first) = world.send(next(0));
    assert!(matches!(first, Decision::Permit(_)), "{first:?}");
    let [StandingEvent::WarningOpened(opened)] = first.also() else {
        panic!("{:?}", first.also())
    };
    assert_eq!(opened.deadline, world.now.plus_seconds(300));
    assert_eq!(
        (opened.default, opened.by),
        (OnUnansweredWarning::ReduceOnly, Actor::Scorer)
    );
    assert!(warned(&world));
    let (number, second) = world.send(next(1));
    let Decision::Halt(halt) = &second else {
        panic!("{second:?}")
    };
    assert_eq!(halt.code(), Code::AnomalyRevoked);
    assert!(
        halt.checks()[0].observed.contains("origin"),
        "{}",
        halt.checks()[0].observed
    );
    assert_eq!(halt.plan().cancel.len(), 1, "the first permit is not confirmed");
    let [StandingEvent::Revoked(revoked)] = halt.also() else {
        panic!("{:?}", halt.also())
    };
    let opened = second.opens().expect("an incident, in the same append");
    assert_eq!(
        (Some(opened.incident), opened.cause),
        (revoked.incident, IncidentCause::Score)
    );
    assert_eq!(opened.incident, incident_of(&agent(), Trigger::Decision(number)));
    assert_eq!(world.state.standing_at(world.now), Standing::Revoked);
    // No permit under the revocation, and no second halt.
    home(&mut world);
    let (_, third) = world.send(next(2));
    assert!(
        matches!(&third, Decision::Refusal(refusal) if refusal.code() == Code::AgentRevoked && refusal.also().is_empty())
    );
    away(&mut world);
    assert!(matches!(world.ask(next(3)), Decision::Refusal(_)));
}

/// The house's own levels decide where it has set any: the order that warns above does not where the house warns later, and halts where it
/// halts earlier. Control: the test above, without them; answer the default from `Context::thresholds`, and both halves are red.
#[test]
fn the_houses_own_levels_decide() {
    let with = |levels: Option<(u32, u32)>| {
        let mut world = World::new();
        let thresholds = Thresholds {
            score: levels.and_then(|(warn, revoke)| ScoreLevels::new(warn, revoke).ok()),
            ..Thresholds::default()
        };
        let event = ThresholdsSet {
            signatures: Vec::new(),
            thresholds,
        };
        assert!(world.house.apply(&event.into()));
        away(&mut world);
        let (_, decision) = world.send(next(0));
        (warned(&world), decision)
    };
    let (warns, decision) = with(None);
    let score = decision.decided().score.as_ref().expect("scored").score;
    assert!(warns && score < 850_000, "{score}");

    let (warns, decision) = with(Some((score + 1, score + 2)));
    assert!(!warns && matches!(decision, Decision::Permit(_)), "{decision:?}");

    let (_, decision) = with(Some((score - 1, score)));
    let Decision::Halt(halt) = &decision else {
        panic!("{decision:?}")
    };
    let limit = &halt.checks()[0].limit;
    assert!(!limit.contains("0.85"), "the level in force is told: {limit}");
}

/// A refused order is scored as well, and may be the one that halts: every failed check is still reported.
#[test]
fn refused_orders_are_scored_once_each() {
    let mut world = World::new();
    away(&mut world);
    let big = |n| OrderTerms {
        quantity: decimal("100"),
        ..next(n)
    };
    let (_, first) = world.send(big(0));
    assert!(matches!(first, Decision::Refusal(_)) && first.also().len() == 1);
    let (_, second) = world.send(big(1));
    let codes: Vec<Code> = second.decided().checks.iter().map(|check| check.code).collect();
    assert_eq!(codes, [Code::MaxNotional, Code::DayNotional, Code::AnomalyRevoked]);
    assert!(matches!(second, Decision::Halt(_)));
}

/// Guarantee 8: a verified reduction is scored but cannot itself halt. Control, tried: dropping `!context.reduction` from `revokes`.
#[test]
fn a_reduction_is_scored_and_never_halts() {
    let mut world = World::new();
    world.long("3");
    away(&mut world);
    for n in 0..3 {
        let sell = OrderTerms {
            side: Side::Sell,
            ..next(n)
        };
        let (_, decision) = world.send(sell);
        assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
        assert!(decision.decided().score.is_some() && decision.decided().reduction);
    }
    let score = world
        .ask(OrderTerms {
            side: Side::Sell,
            ..next(4)
        })
        .decided()
        .score
        .expect("scored")
        .score;
    assert!(score >= 850_000, "{score}");
    assert!(warned(&world));
    assert!(matches!(world.ask(next(5)), Decision::Halt(_)));
}

#[test]
fn a_warning_closes_itself_when_the_score_decays() {
    let mut world = World::new();
    away(&mut world);
    world.send(next(0));
    home(&mut world);
    let mut closed = None;
    for n in 1..6 {
        let (_, decision) = world.send(next(n));
        if let [StandingEvent::WarningClosed(event)] = decision.also() {
            closed = closed.or(Some((n, event.why)));
        }
    }
    let (after, why) = closed.expect("closed");
    assert!(after >= 2 && why == WarningEnd::Decayed, "{after}");
    assert_eq!(world.state.standing_at(world.now), Standing::Active);
}

/// No timer has to be alive: the first decision after the deadline applies and records the mandate's default.
#[test]
fn a_passed_deadline_is_the_mandates_default() {
    for (default, code, halts) in [
        (OnUnansweredWarning::ReduceOnly, Code::StateReduceOnly, false),
        (OnUnansweredWarning::Freeze, Code::StateFrozen, false),
        (OnUnansweredWarning::Revoke, Code::AgentRevoked, true),
    ] {
        let mut world = World::new();
        world.document.conduct.on_unanswered_warning = default;
        away(&mut world);
        world.send(next(0));
        home(&mut world);
        let deadline = world.now.plus_seconds(300);
        world.now = deadline.plus_micros(-1);
        let before = world.ask(next(1));
        assert!(matches!(before, Decision::Permit(_)), "{before:?}");
        world.now = world.now.plus_micros(1);
        let (_, decision) = world.send(next(1));
        assert_eq!(decision.decided().primary_code(), Some(code));
        assert_eq!(matches!(decision, Decision::Halt(_)), halts);
        assert!(matches!(decision.also()[0], StandingEvent::WarningClosed(ref e) if e.why == WarningEnd::Defaulted));
        assert_eq!(decision.also().len(), if halts { 2 } else { 1 });
        let opened = decision.opens().map(|opened| (opened.incident, opened.cause));
        let expected = incident_of(&agent(), Trigger::Deadline(deadline));
        assert_eq!(opened, halts.then_some((expected, IncidentCause::UnansweredWarning)));
        let (_, again) = world.send(next(2));
        assert!(again.also().is_empty(), "recorded once");
        assert_eq!(again.decided().primary_code(), Some(code));
    }
}

#[test]
fn observing_records_and_does_nothing() {
    let mut world = World::new();
    world.document.conduct.scoring = Scoring::ObserveUntil(world.now.plus_seconds(60));
    let mut uses = Vec::new();
    for n in 0..3 {
        if n > 0 {
            away(&mut world);
        }
        let (_, decision) = world.send(next(n));
        assert!(
            matches!(decision, Decision::Permit(_)) && decision.also().is_empty(),
            "{decision:?}"
        );
        uses.push(decision.decided().score_use.expect("scored"));
    }
    assert_eq!(uses, [ScoreUse::Observed, ScoreUse::WouldWarn, ScoreUse::WouldRevoke]);
    world.now = world.now.plus_seconds(60);
    assert!(
        matches!(world.ask(next(4)), Decision::Halt(_)),
        "enforced from the date on"
    );
}

#[test]
fn a_baseline_that_only_warns_never_revokes() {
    let mut world = World::new();
    world.baseline = Some(baseline(anomaly::baseline::Mode::WarnOnly));
    away(&mut world);
    for n in 0..4 {
        let (_, decision) = world.send(next(n));
        assert!(matches!(decision, Decision::Permit(_)), "{decision:?}");
    }
    assert!(warned(&world));
}

/// Each recorded decision gives its own bytes again. Control: recording any fact wrongly (here the region) is found.
#[test]
fn decisions_replay_to_the_same_bytes() {
    let mut world = World::new();
    world.long("2");
    let mut recorded = Vec::new();
    for n in 0..12 {
        if n % 5 == 3 {
            away(&mut world);
        } else {
            home(&mut world);
        }
        world.now = world.now.plus_millis(37);
        let order = if n % 3 == 0 {
            OrderTerms {
                side: Side::Sell,
                ..next(n)
            }
        } else {
            next(n)
        };
        let before = world.state.clone();
        let (_, decision) = world.send(order);
        let behind: Vec<&str> = decision.also().iter().map(Record::kind).collect();
        let behind = [behind, decision.opens().iter().map(|opened| opened.kind()).collect()].concat();
        recorded.push((before, world.now, decision.decided().clone(), behind));
    }
    let with = Replay {
        limits: Some(&world.limits),
        mandate: Some(crate::Mandate {
            digest: extensions::Digest::of(b"document"),
            document: &world.document,
        }),
        baseline: world.baseline.as_ref(),
        house: &world.house,
    };
    assert!(recorded.iter().any(|(.., behind)| !behind.is_empty()));
    for (state, at, decided, behind) in &recorded {
        let mut body = Vec::new();
        decided.write_body(&mut body);
        let read = match AgentEvent::decode("order.decided", &body).expect("canonical") {
            AgentEvent::Decided(read) => read,
            other => panic!("{other:?}"),
        };
        let again = replay_decision(&read, *at, 7, state, with).expect("replays");
        assert_eq!(again.body, body);
        let kinds: Vec<&str> = again.behind.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(&kinds, behind);
        let mut wrong = read.clone();
        wrong.region = Region::new("us-east-1").ok();
        let mut wrong_body = Vec::new();
        wrong.write_body(&mut wrong_body);
        assert_ne!(
            replay_decision(&wrong, *at, 7, state, with).expect("replays").body,
            wrong_body
        );
        assert!(replay_decision(&read, *at, 7, &world.state, with).is_err());
        assert!(replay_decision(&read, *at, 7, state, Replay { baseline: None, ..with }).is_err());
    }
}

/// The tentative state, and the state folded from the entries as they are read back, are the same. Control: leaving the `also`
/// records out of `apply_decision` parts them at the first warning.
#[test]
fn the_tentative_state_is_the_fold_of_the_entries() {
    let mut world = World::new();
    let mut folded = world.state.clone();
    away(&mut world);
    for n in 0..3 {
        let (number, decision) = world.send(next(n));
        let mut bodies = vec![(number, "order.decided", {
            let mut body = Vec::new();
            decision.decided().write_body(&mut body);
            body
        })];
        for (behind, event) in decision.also().iter().enumerate() {
            let mut body = Vec::new();
            event.write_body(&mut body);
            bodies.push((number + 1 + behind as u64, event.kind(), body));
        }
        if let Some(opened) = decision.opens() {
            let mut body = Vec::new();
            opened.write_body(&mut body);
            bodies.push((number + bodies.len() as u64, opened.kind(), body));
        }
        for (number, kind, body) in bodies {
            folded.apply(
                EntryAt { number, at: world.now },
                &AgentEvent::decode(kind, &body).expect("canonical"),
            );
        }
        assert_eq!(folded, world.state);
        assert_eq!(folded.digest(), world.state.digest());
    }
}
