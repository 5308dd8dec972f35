//! Guarantee 1 and "acts that only narrow do not wait" (ARCHITECTURE §1) while things fail: the ledger at any commit, with or
//! without having written; the view's lease; the clocks.
//!
//! Negative controls, tried: see each test.

mod world;

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use extensions::Clock;
use gateway_policy::{CancelSource, CancelState, Code, VenueOrderId};
use gateway_service::{
    gateway::Gateway,
    listener::sessions::Holder,
    pipeline::{
        cancel::cancel,
        endings::OrderStatus,
        follow, repeat, settle,
        submit::{Signed, Submitted, submit},
    },
    session::Session,
};
use ledger::{Append, store::fault::Fault};
use revocation_core::{
    Actor, IncidentOpened,
    standing::AgentRevoked,
    warning::{WarningDefault, WarningOpened},
};
use world::{ENFORCED, Mood, World, agent, order, rt, runaway};

fn code(submitted: &Submitted) -> Option<Code> {
    match submitted {
        Submitted::Refused(checks, _) => checks.first().map(|check| check.code),
        _ => None,
    }
}

/// Waits until `holds`, for ten seconds at most.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Whichever commit fails, lost or kept: what was sent has its permit in the ledger as it is read after a clean opening, what
/// was answered `LEDGER_UNAVAILABLE` was not sent, not even by a repeat when the record turns out to stand.
///
/// Control by construction: sending what is not recorded does not compile (`Venue::forward` takes `Recorded<Permit>` alone).
#[test]
fn no_order_is_sent_without_a_durable_permit_whichever_commit_fails() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        world.tune = |settings| settings.repeat_patience = Duration::from_millis(20);
        let (mut unavailable, mut kept) = (0, 0);
        for (round, fault) in (0..24_u64).flat_map(|round| [(round, Fault::Lost), (round, Fault::Kept)]) {
            let name = format!("mm-{}-{round}", u8::from(fault == Fault::Kept));
            let leaf = world.agent(&name).await;
            world.reopen(1, Some((fault, round / 2))).await;
            let session = world.session(0, &leaf).await;
            let before = world.instances[0].venue.sends().len();
            let ids: Vec<String> = (0..16).map(|place| format!("{fault:?}-{round}-{place}")).collect();
            let shared = Arc::new(world);
            let mut tasks = tokio::task::JoinSet::new();
            for id in ids.clone() {
                let (world, session) = (shared.clone(), session.clone());
                tasks.spawn(async move { (world.submit(0, &session, &order(&id)).await, id) });
            }
            let (mut forwarded, mut lost) = (0, Vec::new());
            while let Some(ended) = tasks.join_next().await {
                match ended.expect("no panic") {
                    (Submitted::Forwarded(..), _) => forwarded += 1,
                    (Submitted::Unavailable(_), id) => lost.push(id),
                    (other, id) => panic!("{id}: {other:?}"),
                }
            }
            world = Arc::into_inner(shared).expect("all tasks have ended");
            assert_eq!(
                world.instances[0].venue.sends().len() - before,
                forwarded,
                "{fault:?} {round}"
            );
            unavailable += lost.len();
            kept += recovered(&mut world, &name, &leaf, &lost).await;
        }
        println!("{unavailable} orders unavailable, {kept} of them stood in the ledger all the same");
        assert!(unavailable > 100 && kept > 0);
    });
}

/// Opens the ledger soundly and repeats what was lost: how many of those stood in it and were not sent.
async fn recovered(world: &mut World, name: &str, leaf: &[u8], lost: &[String]) -> usize {
    world.reopen(1, None).await;
    let permits = world.permits(name).await;
    world.instances[0]
        .venue
        .sent
        .lock()
        .expect("held")
        .retain(|(id, _)| VenueOrderId::parse(id).is_some_and(|id| id.belongs_to(&agent(name))));
    let sent = world.instances[0].venue.sends();
    for id in &sent {
        assert!(permits.contains(id), "{id} was sent without a permit");
    }
    let session = world.session(0, leaf).await;
    let mut stood = 0;
    for id in lost.iter().take(2) {
        match world.submit(0, &session, &order(id)).await {
            Submitted::Forwarded(..) => {}
            Submitted::Repeated(_) => stood += 1,
            other => panic!("{id}: {other:?}"),
        }
    }
    let mut again = world.instances[0].venue.sends();
    assert_eq!(
        again.len(),
        sent.len() + lost.len().min(2) - stood,
        "a permit that stood was sent late"
    );
    again.sort_unstable();
    again.dedup();
    assert_eq!(again.len(), sent.len() + lost.len().min(2) - stood, "sent twice");
    stood
}

/// Orders at the usual size that rest at the venue, and recorded so.
async fn resting(world: &World, session: &Arc<Session>, count: usize) {
    for place in 0..count {
        let submitted = world.submit(0, session, &order(&format!("rest-{place}"))).await;
        assert!(matches!(submitted, Submitted::Forwarded(..)), "{submitted:?}");
    }
    confirmed(session, count).await;
}

async fn confirmed(session: &Arc<Session>, count: usize) {
    until("orders are confirmed", || {
        let inner = session.slot.lock();
        inner.state.open_orders().iter().filter(|open| open.confirmed()).count() == count
    })
    .await;
}

/// How many runaway orders it takes, from the resting ones on, until the agent is revoked.
async fn fuse(world: &World) -> usize {
    let leaf = world.scored("twin", ENFORCED).await;
    let session = world.session(0, &leaf).await;
    resting(world, &session, 3).await;
    for count in 1..200 {
        if let Submitted::Halted(..) = world.submit(0, &session, &runaway(&format!("run-{count}"))).await {
            return count;
        }
    }
    panic!("a runaway is caught");
}

fn connection(gateway: &Gateway, session: &Arc<Session>) -> gateway_service::listener::sessions::Registered {
    let holder = Holder {
        agent: session.slot.agent,
        owner: None,
        serial: *session.certificate.serial().octets(),
    };
    gateway.sessions.register(holder).expect("room")
}

/// The ledger cannot write. A bot's cancel and a halt by score happen all the same: gate, sessions, cancels; both stand in the
/// ledger, late, after it was opened again, and the halt once, however many orders asked for it.
///
/// Controls tried: deferring narrowing reports of a stale slot like others, both late entries are missing; `halt::unrecorded`
/// without `carry_out`, the connection stays open, without `beside`, its incident is missing.
#[test]
fn a_dead_ledger_stops_neither_cancels_nor_a_halt() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let fuse = fuse(&world).await;
        for (name, orders) in [("mm-1", 1), ("mm-2", 3)] {
            dead_ledger(&mut world, fuse, name, orders).await;
        }
    });
}

/// `orders` of a runaway ask for its halt while the ledger is dead.
async fn dead_ledger(world: &mut World, fuse: usize, name: &str, orders: usize) {
    let leaf = world.scored(name, ENFORCED).await;
    let session = world.session(0, &leaf).await;
    resting(world, &session, 3).await;
    for count in 1..fuse {
        let submitted = world.submit(0, &session, &runaway(&format!("run-{count}"))).await;
        assert!(
            !matches!(submitted, Submitted::Halted(..)),
            "{count}: the twin halted later"
        );
    }
    settled(&session).await;
    world.reopen(1, Some((Fault::Lost, 0))).await;
    let session = world.session(0, &leaf).await;
    let (gateway, venues) = (world.instances[0].gateway.clone(), world.instances[0].venues.clone());
    let venue = world.instances[0].venue.clone();
    let (sent, open) = (venue.sends().len(), session.slot.lock().state.open_orders().len());
    assert!(open >= 3);
    let first = session.slot.lock().state.open_orders()[0].clone();
    let ended = cancel(&gateway, &venues, &session.slot, &first, CancelSource::Bot).await;
    assert_eq!(ended.state, CancelState::Cancelled);
    until("the ledger has closed itself", || gateway.ledger.closed().is_some()).await;
    let connection = connection(&gateway, &session);
    for place in 0..orders {
        let submitted = world.submit(0, &session, &runaway(&format!("last-{place}"))).await;
        assert!(matches!(submitted, Submitted::Unavailable(_)), "{submitted:?}");
    }
    assert!(!session.slot.gate_open());
    assert!(connection.closing.is_cancelled(), "its connections are closed");
    until("every open order is cancelled", || venue.cancels().len() >= open).await;
    assert_eq!(venue.sends().len(), sent, "nothing was sent");
    drop((session, gateway, venues, connection));
    late(world, name, &leaf).await;
}

/// Waits until no decision or report of the agent is on its way.
async fn settled(session: &Arc<Session>) {
    until("no order is unanswered", || {
        let inner = session.slot.lock();
        !inner.state.open_orders().iter().any(|open| open.unanswered())
    })
    .await;
}

async fn late(world: &mut World, name: &str, leaf: &[u8]) {
    world.reopen(1, None).await;
    let late: Vec<String> = world
        .stream(name)
        .await
        .iter()
        .filter(|entry| entry.late)
        .map(|e| e.kind.to_string())
        .collect();
    assert_eq!(
        late.iter().filter(|kind| *kind == "agent.revoked").count(),
        1,
        "{late:?}"
    );
    let stream = world.stream(name).await;
    let of = stream.iter().position(|entry| &*entry.kind == "agent.revoked");
    let [revoked, opened] = [0, 1].map(|behind| &stream[of.expect("revoked") + behind]);
    let revoked = extensions::canonical::from_slice::<AgentRevoked>(revoked.body()).expect("revocation");
    let opened = extensions::canonical::from_slice::<IncidentOpened>(opened.body()).expect("the incident beside it");
    assert_eq!(revoked.incident, Some(opened.incident));
    assert!(revoked.score >= Some(850_000), "the score that led to it: {revoked:?}");
    assert!(late.iter().any(|kind| kind == "order.cancel_requested"), "{late:?}");
    let session = world.session(0, leaf).await;
    assert!(!session.slot.gate_open());
    let refused = world.submit(0, &session, &order("after")).await;
    assert_eq!(code(&refused), Some(Code::AgentRevoked), "{refused:?}");
}

/// A warning's deadline passes while the ledger can write nothing: its default is carried out, and stands in the ledger once after
/// the next start, however often somebody looked. Control tried: a report that does not narrow is in no reserve file, and the
/// revocation is missing.
#[test]
fn a_dead_ledger_carries_a_passed_deadline_out() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        resting(&world, &session, 2).await;
        settled(&session).await;
        let opened = WarningOpened {
            agent: agent("mm-1"),
            by: Actor::Officer("ada".parse().expect("id")),
            deadline: world.clock.now().plus_seconds(300),
            default: WarningDefault::Revoke,
            score: None,
        };
        let append = Append::next(opened, world.clock.now());
        world.officer.append(append).await.expect("recorded");
        drop(session);
        world.reopen(1, Some((Fault::Lost, 0))).await;
        let session = world.session(0, &leaf).await;
        let (gateway, venues) = (world.instances[0].gateway.clone(), world.instances[0].venues.clone());
        let venue = world.instances[0].venue.clone();
        let first = session.slot.lock().state.open_orders()[0].clone();
        cancel(&gateway, &venues, &session.slot, &first, CancelSource::Bot).await;
        until("the ledger has closed itself", || gateway.ledger.closed().is_some()).await;
        let before = venue.cancels().len();
        world.clock.plus_seconds(301);
        for _ in 0..3 {
            settle::settle(&gateway, &venues, &session.slot);
        }
        assert!(!session.slot.gate_open());
        until("the other order is cancelled", || venue.cancels().len() > before).await;
        drop((session, gateway, venues));
        world.reopen(1, None).await;
        let stream = world.stream("mm-1").await;
        let late = |kind: &str| stream.iter().filter(|e| e.late && &*e.kind == kind).count();
        assert_eq!((late("warning.closed"), late("agent.revoked")), (1, 1));
    });
}

/// A commit that takes longer than the send deadline: the permit stands in the record and is withheld. So is one whose venue is reached
/// later than that, though its revocation was not heard of. Before the deadline the same order is sent, the control of both.
///
/// Control tried: `forward`'s gate without the deadline, and both are sent.
#[test]
fn nothing_is_sent_later_than_the_send_deadline() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        // Far more than a busy machine takes for a commit; what is to be late has a shorter one.
        world.tune = |settings| settings.send_deadline = Duration::from_secs(60);
        world.start(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let sent = world.submit(0, &session, &order("in-time")).await;
        assert!(matches!(&sent, Submitted::Forwarded(story, _) if story.status == OrderStatus::Open));
        settled(&session).await;

        world.tune = |settings| settings.send_deadline = Duration::from_millis(500);
        world
            .reopen(1, Some((Fault::Late(Duration::from_millis(1_200)), 0)))
            .await;
        let session = world.session(0, &leaf).await;
        let slow = world.submit(0, &session, &order("slow")).await;
        withheld(&slow);
        assert_eq!(world.instances[0].venue.sends().len(), 1);

        world.tune = |settings| settings.send_deadline = Duration::from_secs(4);
        world.reopen(1, None).await;
        let session = world.session(0, &leaf).await;
        let venue = world.instances[0].venue.clone();
        venue.be(world::Mood::Wait);
        let world = Arc::new(world);
        let late = {
            let (world, session) = (world.clone(), session.clone());
            tokio::spawn(async move { world.submit(0, &session, &order("late")).await })
        };
        // In the ledger, not only queued: a revocation that took its number would have it decided again.
        let recorded = async {
            while world.permits("mm-1").await.len() < 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), recorded)
            .await
            .expect("it is recorded");
        world.instances[0].stop.cancel();
        let revoked = AgentRevoked {
            agent: agent("mm-1"),
            by: revocation_core::Actor::Officer("ada".parse().expect("id")),
            incident: None,
            reason: revocation_core::RevocationReason::PrivilegeWithdrawn,
            score: None,
        };
        let append = ledger::Append::next(revoked, world.clock.now()).narrowing();
        world.officer.append(append).await.expect("recorded");
        // The deadline is counted from the decision, which is over.
        tokio::time::sleep(world.instances[0].gateway.settings.send_deadline).await;
        venue.go.add_permits(1);
        withheld(&late.await.expect("no panic"));
        assert_eq!(venue.sends().len(), 1, "nothing but the first");
    });
}

fn withheld(submitted: &Submitted) {
    let Submitted::Forwarded(story, _) = submitted else {
        panic!("permitted, and recorded so: {submitted:?}")
    };
    assert_eq!(story.status, OrderStatus::Withheld, "{story:?}");
}

/// A gateway that hears nothing of the ledger any more refuses when its lease ends; one beside it that hears goes on.
///
/// Control tried: `Gateway::view` always fresh, and the deaf one goes on for ever.
#[test]
fn a_deaf_gateway_refuses_when_its_lease_ends() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.view_lease = Duration::from_millis(600);
        world.start(2).await;
        let leaf = world.agent("mm-1").await;
        let sessions = [world.session(0, &leaf).await, world.session(1, &leaf).await];
        assert!(matches!(
            world.submit(0, &sessions[0], &order("o-1")).await,
            Submitted::Forwarded(..)
        ));
        world.instances[0].stop.cancel();
        let began = Instant::now();
        let mut place = 0;
        let refused = loop {
            place += 1;
            let submitted = world.submit(0, &sessions[0], &order(&format!("deaf-{place}"))).await;
            if !matches!(submitted, Submitted::Forwarded(..)) {
                break submitted;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "it never refuses");
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!(code(&refused), Some(Code::StatusUnknown), "{refused:?}");
        let hearing = world.submit(1, &sessions[1], &order("hearing")).await;
        assert!(matches!(hearing, Submitted::Forwarded(..)), "{hearing:?}");
    });
}

/// A refusal that says to send the order again is followed to the letter, once what it names has passed: the order goes out. Control tried:
/// with the advice to keep the id, the stored refusal comes back.
#[test]
fn the_advice_to_send_again_works() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.view_lease = Duration::from_millis(600);
        world.start(2).await;
        let leaf = world.agent("mm-1").await;
        let deaf = world.session(0, &leaf).await;
        let hearing = world.session(1, &leaf).await;
        world.instances[0].stop.cancel();
        until("the lease ends", || {
            world.instances[0].gateway.view() == gateway_policy::View::Stale
        })
        .await;
        let stale = world.submit(0, &deaf, &order("stale")).await;
        let advice = advised(&stale, Code::StatusUnknown);
        let (gateway, venues) = (world.instances[0].gateway.clone(), world.instances[0].venues.clone());
        let from = gateway.followed_to();
        tokio::spawn(follow::run(gateway.clone(), venues, from, world.stop.child_token()));
        until("it hears again", || gateway.view() == gateway_policy::View::Fresh).await;
        again(&world, 0, &deaf, "stale", &advice).await;
        world.clock.plus_seconds(60);
        let aged = world.submit(1, &hearing, &order("aged")).await;
        let advice = advised(&aged, Code::NoReferencePrice);
        world.quote(&world.instances[1].gateway, "100");
        again(&world, 1, &hearing, "aged", &advice).await;
    });
}

/// An entry of the house that this build cannot read: what was decided with it is not known, so every order is refused from then on, whatever
/// else is read later. Control tried: without `unreadable` the next readable entry lets orders through, on a house that lacks the one between.
#[test]
fn an_unreadable_entry_of_the_house_refuses_for_good() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let before = world.submit(0, &session, &order("before")).await;
        assert!(matches!(before, Submitted::Forwarded(..)), "{before:?}");
        let house = extensions::StreamId::house;
        world
            .raw(house(), "house.frozen", br#"{"by":"a later version"}"#, true)
            .await;
        world.followed(0).await;
        let first = world.submit(0, &session, &order("first")).await;
        assert_eq!(code(&first), Some(Code::StatusUnknown), "{first:?}");
        world
            .raw(house(), "house.resumed", br#"{"by":"mandate","scope":"all"}"#, true)
            .await;
        world.followed(0).await;
        let second = world.submit(0, &session, &order("second")).await;
        assert_eq!(code(&second), Some(Code::StatusUnknown), "{second:?}");
    });
}

/// A bot that connects before the gateway has followed its mandate is refused, and passes on the same connection once it has. Control tried:
/// with the mandate looked for at the handshake alone, it is refused until it connects anew.
#[test]
fn a_session_finds_its_mandate_later() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.instances[0].stop.cancel();
        let leaf = world.agent("mm-1").await;
        let session = world.early_session(0, &leaf);
        let early = world.submit(0, &session, &order("early")).await;
        let advice = advised(&early, Code::MandateMissing);
        let (gateway, venues) = (world.instances[0].gateway.clone(), world.instances[0].venues.clone());
        let from = gateway.followed_to();
        tokio::spawn(follow::run(gateway, venues, from, world.stop.child_token()));
        world.followed(0).await;
        again(&world, 0, &session, "early", &advice).await;
    });
}

/// A gateway that ended before an outcome was recorded does not know whether it sent the order; a bot that asks the next one reads that from
/// the first moment, not `permitted`. Control tried: without `doubt_own` it reads `permitted` until the venue was asked.
#[test]
fn a_permit_without_an_outcome_is_in_doubt_after_a_restart() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        world.instances[0].venue.be(Mood::Wait);
        let (gateway, venues) = (world.instances[0].gateway.clone(), world.instances[0].venues.clone());
        let parsed = gateway_policy::Order::from_json(order("o-1").as_bytes()).expect("order");
        let asked = session.clone();
        let ended = tokio::spawn(async move {
            let signed = Signed {
                proof: gateway_policy::Proof::NotRequired,
                by: None,
                evidence: None,
            };
            submit(&gateway, &venues, &asked, &parsed, &signed).await
        });
        until("it waits for its send", || {
            world.instances[0].venue.waits.load(Ordering::SeqCst) == 1
        })
        .await;
        ended.abort();
        world.reopen(1, None).await;
        let session = world.session(0, &leaf).await;
        let open = session.slot.lock().state.open_orders().to_vec();
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].mark, gateway_policy::OpenMark::InDoubt, "{open:?}");
        let told = repeat::story(
            &world.instances[0].gateway,
            &session.slot,
            &open[0].order.client_order_id,
        )
        .await;
        assert_eq!(told.expect("reads").expect("a story").status, OrderStatus::InDoubt);
    });
}

/// What the check of this code says to change.
fn advised(submitted: &Submitted, code: Code) -> String {
    let Submitted::Refused(checks, _) = submitted else {
        panic!("{submitted:?}")
    };
    let check = checks.iter().find(|check| check.code == code);
    check.unwrap_or_else(|| panic!("{checks:?}")).change.clone()
}

/// Sends the order again as the advice says: under a fresh id where it asks for one.
async fn again(world: &World, instance: usize, session: &Arc<Session>, id: &str, advice: &str) {
    assert!(advice.contains("send it again"), "{advice}");
    let id = match advice.contains("fresh client_order_id") {
        true => format!("{id}-fresh"),
        false => id.to_owned(),
    };
    let submitted = world.submit(instance, session, &order(&id)).await;
    assert!(matches!(submitted, Submitted::Forwarded(..)), "{advice}: {submitted:?}");
}

/// The decision clock steps back four minutes: entries stay in the order of their numbers and orders go on. It runs ahead: prices are
/// too old, then the certificate is outside its validity, then inside again after the step is undone.
///
/// Control tried: `Prices::observe` ordered by the decision clock, and no price is taken after a step back.
#[test]
fn clocks_may_step() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let gateway = &world.instances[0].gateway;
        let ask = async |id: &str| world.submit(0, &session, &order(id)).await;
        assert!(matches!(ask("now").await, Submitted::Forwarded(..)));
        world.clock.plus_seconds(-240);
        assert_eq!(code(&ask("future-price").await), Some(Code::NoReferencePrice));
        world.quote(gateway, "100");
        let back = ask("back").await;
        assert!(matches!(back, Submitted::Forwarded(..)), "{back:?}");
        world.clock.plus_seconds(246);
        assert_eq!(code(&ask("old-price").await), Some(Code::NoReferencePrice));
        world.quote(gateway, "100");
        assert!(matches!(ask("new-price").await, Submitted::Forwarded(..)));
        world.clock.plus_seconds(2 * 86_400);
        world.quote(gateway, "100");
        let ahead = ask("ahead").await;
        let Submitted::Refused(checks, _) = &ahead else {
            panic!("{ahead:?}")
        };
        assert!(checks.iter().any(|check| check.code == Code::CertExpired), "{checks:?}");
        world.clock.plus_seconds(-3 * 86_400);
        let before = ask("before").await;
        let Submitted::Refused(checks, _) = &before else {
            panic!("{before:?}")
        };
        assert!(checks.iter().any(|check| check.code == Code::CertExpired), "{checks:?}");
        world.clock.plus_seconds(86_400);
        world.quote(gateway, "100");
        let again = ask("again").await;
        assert!(matches!(again, Submitted::Forwarded(..)), "{again:?}");
        let times: Vec<_> = world.stream("mm-1").await.iter().map(|entry| entry.at).collect();
        assert!(!times.is_sorted() && world.clock.now() > world::noon());
        assert_eq!(agent("mm-1"), session.slot.agent);
    });
}
