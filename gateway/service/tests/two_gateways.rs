//! Two gateway instances on one store and one venue: halts, and what became of their cancels (ARCHITECTURE §2, §4; guarantee 2).
//!
//! Negative controls, tried: see each test.

mod world;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use extensions::Clock;
use gateway_policy::{Code, OpenMark};
use gateway_service::{pipeline::submit::Submitted, session::Session};
use ledger::Append;
use revocation_core::HaltReported;
use world::{
    CountingVenue, ENFORCED, Mood, World, agent, by_ada, connection, marks, open, order, reports, rt, runaway, until,
    watch,
};

/// Two instances at one venue.
async fn two() -> World {
    let mut world = World::new(0).await;
    world.shared = Some(CountingVenue::new());
    world.start(2).await;
    world
}

/// How many entries of a kind the agent's stream holds.
async fn count(world: &World, name: &str, kind: &str) -> usize {
    let entries = world.stream(name).await;
    entries.iter().filter(|entry| &*entry.kind == kind).count()
}

/// Each instance reports once, of the same revocation, every order of the plan, each cancelled.
fn whole(reported: &[HaltReported], revoked: u64, orders: usize) {
    let by: BTreeSet<&str> = reported.iter().map(|one| one.gateway.as_str()).collect();
    assert_eq!((by.len(), reported.len()), (2, 2), "one each: {reported:?}");
    for one in reported {
        assert_eq!(one.revoked, revoked);
        assert_eq!(one.plan.cancel.len(), orders, "{one:?}");
        assert_eq!(one.in_words, format!("cancelled {orders}, kept 0 protective"));
    }
}

/// Orders that came by either instance, one of them in doubt, are cancelled by both when an officer revokes: the sessions of both close, both
/// report the whole, and a cancel that was lost is sent again.
///
/// Controls tried: `standing_effects` without `carry_out`, nothing is reported; the report's id without the instance, only one of them stands;
/// `MOST_TRIES` of 1, the report says what could not be cancelled.
#[test]
fn an_officers_revocation_is_carried_out_and_reported_by_both() {
    rt().block_on(async {
        let world = two().await;
        let venue = world.shared.clone().expect("shared");
        let leaf = world.agent("mm-1").await;
        let sessions = [world.session(0, &leaf).await, world.session(1, &leaf).await];
        let connections = [0, 1].map(|place| connection(&world, place, &sessions[place]));
        for (place, session) in sessions.iter().enumerate() {
            let submitted = world.submit(place, session, &order(&format!("o-{place}"))).await;
            assert!(matches!(submitted, Submitted::Forwarded(..)), "{submitted:?}");
        }
        venue.be(Mood::LoseAnswers);
        world.submit(1, &sessions[1], &order("doubt")).await;
        for session in &sessions {
            until("all are known", || {
                marks(session, OpenMark::Accepted) == 2 && marks(session, OpenMark::InDoubt) == 1
            })
            .await;
        }
        venue.deaf.store(6, std::sync::atomic::Ordering::SeqCst);
        let append = Append::next(by_ada("mm-1"), world.clock.now()).narrowing();
        let revoked = world.officer.append(append).await.expect("recorded").number();
        whole(&reports(&world, "mm-1", 2).await, revoked, 3);
        assert_eq!(venue.cancels(), {
            let mut ids = venue.sends();
            ids.sort_unstable();
            ids
        });
        for (session, connection) in sessions.iter().zip(&connections) {
            assert!(!session.slot.gate_open() && connection.closing.is_cancelled());
            until("nothing is open", || open(session) == 0).await;
        }
        let sent = venue.sends().len();
        for (place, session) in sessions.iter().enumerate() {
            let submitted = world.submit(place, session, &order(&format!("late-{place}"))).await;
            assert!(matches!(submitted, Submitted::Refused(..)), "{submitted:?}");
        }
        assert_eq!(venue.sends().len(), sent, "nothing is sent after the halt");
    });
}

/// Orders until the next one halts: how many that takes is the same for every bot of that history.
async fn to_the_brink(world: &World, session: &Arc<Session>, orders: Option<usize>) -> usize {
    for place in 0..orders.unwrap_or(200) {
        let submitted = world.submit(0, session, &runaway(&format!("run-{place}"))).await;
        if matches!(submitted, Submitted::Halted(..)) {
            return place;
        }
    }
    orders.expect("a runaway is caught")
}

/// Both gateways decide at once that the bot is halted: one halt stands, with one incident, and the other gateway's order is refused; both carry
/// it out.
///
/// Control tried: `unrecorded` for a conflict as for a closed ledger, and the loser owes a second revocation with an incident of its own.
#[test]
fn two_halts_at_once_are_one() {
    rt().block_on(async {
        let world = Arc::new(two().await);
        let leaf = world.scored("mm-0", ENFORCED).await;
        let session = world.session(0, &leaf).await;
        let brink = to_the_brink(&world, &session, None).await;
        for round in 1..=8 {
            let name = format!("mm-{round}");
            let leaf = world.scored(&name, ENFORCED).await;
            let sessions = [world.session(0, &leaf).await, world.session(1, &leaf).await];
            assert_eq!(to_the_brink(&world, &sessions[0], Some(brink)).await, brink, "{name}");
            world.followed(1).await;
            let ends = sessions.each_ref().map(|session| {
                let (world, session) = (world.clone(), session.clone());
                let place = usize::from(Arc::ptr_eq(&session, &sessions[1]));
                tokio::spawn(async move { world.submit(place, &session, &runaway(&format!("last-{place}"))).await })
            });
            let mut halted = 0;
            for end in ends {
                match end.await.expect("no panic") {
                    Submitted::Halted(..) => halted += 1,
                    Submitted::Refused(checks, _) => {
                        assert!(
                            checks.iter().any(|check| check.code == Code::AgentRevoked),
                            "{checks:?}"
                        );
                    }
                    other => panic!("{name}: {other:?}"),
                }
            }
            assert_eq!(halted, 1, "{name}");
            let reported = reports(&world, &name, 2).await;
            assert!(
                reported.iter().all(|one| one.report.could_not.is_empty()),
                "{reported:?}"
            );
            assert!(reported[0].gateway != reported[1].gateway && reported[0].revoked == reported[1].revoked);
            for (kind, times) in [("agent.revoked", 1), ("incident.opened", 1), ("halt.reported", 2)] {
                assert_eq!(count(&world, &name, kind).await, times, "{name}: {kind}");
            }
            for session in &sessions {
                assert!(!session.slot.gate_open());
                until("nothing is open", || open(session) == 0).await;
            }
        }
    });
}

/// One instance ends before it heard of the revocation. The other carries it out and reports; started again, the first finds that somebody did,
/// and neither sends nor reports anything a second time. With nobody left to report, one of them does.
///
/// Controls tried: `abandoned_halt` that looks at what it sends alone, it is reported again; `keep_halted` without it, the second is never.
#[test]
fn a_halt_is_finished_by_whoever_is_left() {
    rt().block_on(async {
        let mut world = two().await;
        let venue = world.shared.clone().expect("shared");
        for (name, left) in [("mm-1", 1), ("mm-2", 0)] {
            let leaf = world.agent(name).await;
            let session = world.session(0, &leaf).await;
            world.submit(0, &session, &order("a")).await;
            until("it rests", || marks(&session, OpenMark::Accepted) == 1).await;
            world.followed(1).await;
            world.instances[0].stop.cancel();
            if left == 0 {
                world.instances[1].stop.cancel();
            }
            // Their followers end at the next entry or heartbeat; what is folded by then is not carried out.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let append = Append::next(by_ada(name), world.clock.now()).narrowing();
            let revoked = world.officer.append(append).await.expect("recorded").number();
            let before = reports(&world, name, left).await.len();
            assert_eq!(before, left, "{name}");
            world.reopen(2, None).await;
            for place in [0, 1] {
                let mut watch = watch(&world, place, Duration::from_secs(10));
                watch.round().await;
                watch.halts_carried_out().await;
                world.committed(place).await;
                let reported = reports(&world, name, 1).await;
                assert_eq!(reported.len(), 1, "{name}: {reported:?}");
                assert_eq!((reported[0].revoked, reported[0].plan.cancel.len()), (revoked, 1));
                world.followed(1).await;
            }
            let stood = count(&world, name, "halt.reported").await;
            assert_eq!(stood, 1, "{name}");
            assert_eq!(agent(name), reports(&world, name, 1).await[0].agent);
        }
        let mut sent = venue.sends();
        sent.sort_unstable();
        assert_eq!(venue.cancels(), sent, "each was cancelled");
    });
}
