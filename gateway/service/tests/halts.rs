//! Guarantee 2 with a scorer that enforces: the halt of a runaway agent, warnings, reinstatement, officers' revocations; and
//! orders in doubt (orders.md §2, §3).
//!
//! Negative controls, tried: see each test.

mod world;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use extensions::{Clock, Timestamp, mandate::OnHalt};
use gateway_policy::{AgentEvent, CancelOutcome, CancelState, Code, OpenMark, OrderDecided, ScoreUse};
use gateway_service::{
    pipeline::{endings::OrderStatus, settle, submit::Submitted},
    session::Session,
    venue::{OrderLife, Trade, VenueOrderId},
};
use ledger::Append;
use revocation_core::{
    Actor, IncidentOpened, Standing, WarningEnd,
    incident::{IncidentCause, Trigger, incident_of},
    standing::{AgentReinstated, AgentRevoked, ProbationStarted},
    warning::{WarningClosed, WarningOpened},
};
use world::{
    ENFORCED, Mood, World, agent, by_ada, connection, execution, marks, open, order, reports, rt, runaway, until, watch,
};

fn codes(submitted: &Submitted) -> Vec<Code> {
    match submitted {
        Submitted::Refused(checks, _) | Submitted::Halted(checks, ..) => {
            checks.iter().map(|check| check.code).collect()
        }
        _ => Vec::new(),
    }
}

/// Sends orders forty times the usual size until one halts the agent; the incident it was told.
async fn run_away(world: &World, session: &Arc<Session>) -> extensions::IncidentId {
    for count in 1..200 {
        let submitted = world.submit(0, session, &runaway(&format!("run-{count}"))).await;
        if let Submitted::Halted(_, _, incident) = submitted {
            assert!(codes(&submitted).contains(&Code::AnomalyRevoked), "{submitted:?}");
            return incident;
        }
    }
    panic!("a runaway is caught");
}

async fn place(world: &World, session: &Arc<Session>, orders: &[String]) {
    for text in orders {
        let submitted = world.submit(0, session, text).await;
        assert!(matches!(submitted, Submitted::Forwarded(..)), "{submitted:?}");
    }
}

/// The kinds of an agent's entries, from the first of `kind` on.
async fn kinds_from(world: &World, name: &str, kind: &str) -> Vec<String> {
    let entries = world.stream(name).await;
    entries
        .iter()
        .map(|entry| entry.kind.to_string())
        .skip_while(|found| found != kind)
        .collect()
}

/// What the entries behind the first `agent.revoked` of an agent say: the revocation, and the incident in the same append.
async fn incident_beside_the_revocation(world: &World, name: &str) -> (AgentRevoked, IncidentOpened) {
    let entries = world.stream(name).await;
    let at = entries.iter().position(|entry| &*entry.kind == "agent.revoked");
    let [revoked, opened] = [0, 1].map(|behind| &entries[at.expect("revoked") + behind]);
    assert_eq!(&*opened.kind, "incident.opened");
    assert_eq!(opened.position, revoked.position + 1, "one append");
    let revoked = extensions::canonical::from_slice::<AgentRevoked>(revoked.body()).expect("revocation");
    let opened = extensions::canonical::from_slice::<IncidentOpened>(opened.body()).expect("incident");
    assert_eq!(revoked.incident, Some(opened.incident));
    (revoked, opened)
}

/// A runaway is halted by the scorer: refusal, revocation and incident in one append, gate and sessions closed here and at the other
/// instance, every order cancelled until the venue has answered, permits that wait for their send withheld, later orders refused.
///
/// Controls tried: `take_turn` and `carry_out` without `close_gate`, the waiting orders are sent after the halt; `MOST_TRIES`
/// of 1, an order stays open; `consequences` without its incident, it is missing behind the revocation.
#[test]
fn a_runaway_is_halted_whole() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.send_deadline = Duration::from_secs(30);
        world.start(2).await;
        let leaf = world.scored("mm-1", ENFORCED).await;
        let (session, other) = (world.session(0, &leaf).await, world.session(1, &leaf).await);
        let connections = [connection(&world, 0, &session), connection(&world, 1, &other)];
        place(&world, &session, &[order("a")]).await;
        until("one rests", || marks(&session, OpenMark::Accepted) == 1).await;
        let world = Arc::new(world);
        let venue = world.instances[0].venue.clone();
        venue.be(Mood::Wait);
        let waiting: Vec<_> = (0..2)
            .map(|place| {
                let (world, session) = (world.clone(), session.clone());
                tokio::spawn(async move { world.submit(0, &session, &order(&format!("wait-{place}"))).await })
            })
            .collect();
        let waits = || venue.waits.load(std::sync::atomic::Ordering::SeqCst);
        until("two wait for their send", || waits() == 2).await;
        venue.be(Mood::Accept);
        venue.deaf.store(3, std::sync::atomic::Ordering::SeqCst);
        let told = run_away(&world, &session).await;
        assert!(!session.slot.gate_open());
        // The order is answered first.
        until("sessions close", || connections[0].closing.is_cancelled()).await;
        let sent = venue.sends().len();
        venue.go.add_permits(2);
        for ended in waiting {
            let Submitted::Forwarded(story, _) = ended.await.expect("no panic") else {
                panic!("permitted")
            };
            assert_eq!(story.status, OrderStatus::Withheld);
        }
        assert_eq!(venue.sends().len(), sent, "no send starts after the halt");
        until("nothing is open", || open(&session) == 0).await;
        let entries = world.stream("mm-1").await;
        let revoked = entries
            .iter()
            .position(|entry| &*entry.kind == "agent.revoked")
            .expect("revoked");
        let decided = AgentEvent::decode(&entries[revoked - 1].kind, entries[revoked - 1].body());
        let Ok(AgentEvent::Decided(decided)) = decided else {
            panic!("{decided:?}")
        };
        assert!(decided.plan.is_some() && decided.score_use == Some(ScoreUse::Enforced));
        assert_eq!(
            entries[revoked].position,
            entries[revoked - 1].position + 1,
            "one append"
        );
        let (revocation, opened) = incident_beside_the_revocation(&world, "mm-1").await;
        assert_eq!((opened.incident, opened.cause), (told, IncidentCause::Score));
        for reported in reports(&world, "mm-1", 2).await {
            assert_eq!(
                reported.revoked, entries[revoked].number,
                "each instance reports its own"
            );
        }
        assert!(revocation.score >= Some(850_000), "{revocation:?}");
        assert_eq!(
            codes(&world.submit(0, &session, &order("late")).await),
            [Code::AgentRevoked]
        );
        until("the other instance hears", || !other.slot.gate_open()).await;
        assert!(connections[1].closing.is_cancelled());
        assert!(codes(&world.submit(1, &other, &order("elsewhere")).await).contains(&Code::AgentRevoked));
    });
}

/// What became of the cancels is an entry, with the plan, whoever decided the revocation; a cancel without an answer is no success. What
/// an earlier process left is finished and reported by the watch, once.
///
/// Controls tried: `carry_out` without `report`, the first is missing; `keep_halted` without `abandoned_halt`, the last one is.
#[test]
fn the_cancels_of_a_halt_are_reported() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let revoke = async |world: &World, name: &str| {
            let append = Append::next(by_ada(name), world.clock.now()).narrowing();
            world.officer.append(append).await.expect("recorded").number()
        };
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        place(&world, &session, &[order("a"), order("b")]).await;
        until("both rest", || marks(&session, OpenMark::Accepted) == 2).await;
        let revoked = revoke(&world, "mm-1").await;
        let [reported] = &reports(&world, "mm-1", 1).await[..] else {
            panic!("one report")
        };
        assert_eq!((reported.revoked, reported.plan.cancel.len()), (revoked, 2));
        assert_eq!(reported.in_words, "cancelled 2, kept 0 protective");

        let leaf = world.agent("mm-2").await;
        let session = world.session(0, &leaf).await;
        place(&world, &session, &[order("a")]).await;
        until("it rests", || marks(&session, OpenMark::Accepted) == 1).await;
        world.instances[0]
            .venue
            .deaf
            .store(i64::MAX, std::sync::atomic::Ordering::SeqCst);
        revoke(&world, "mm-2").await;
        let reported = reports(&world, "mm-2", 1).await[0].clone();
        let could_not = "cancelled 0, kept 0 protective, could not cancel 1: ";
        assert!(reported.in_words.starts_with(could_not), "{}", reported.in_words);
        world.instances[0]
            .venue
            .deaf
            .store(0, std::sync::atomic::Ordering::SeqCst);

        let leaf = world.agent("mm-3").await;
        let session = world.session(0, &leaf).await;
        place(&world, &session, &[order("a")]).await;
        until("it rests", || marks(&session, OpenMark::Accepted) == 1).await;
        world.stop.cancel();
        world.instances[0].stop.cancel();
        drop(session);
        let revoked = revoke(&world, "mm-3").await;
        // As the process before wrote it, before it ended.
        let before = CancelOutcome {
            agent: agent("mm-3"),
            client_order_id: "gone".parse().expect("id"),
            order: 1,
            state: CancelState::Cancelled,
        };
        let append = Append::next(before, world.clock.now());
        world.officer.append(append).await.expect("recorded");
        world.reopen(1, None).await;
        world.session(0, &leaf).await;
        let mut watch = watch(&world, 0, Duration::from_secs(10));
        for _ in 0..2 {
            watch.round().await;
            watch.halts_carried_out().await;
            world.committed(0).await;
            let [reported] = &reports(&world, "mm-3", 1).await[..] else {
                panic!("one report")
            };
            assert_eq!(reported.revoked, revoked);
            assert_eq!(reported.in_words, "cancelled 2, kept 0 protective");
        }
    });
}

fn stop(id: &str) -> String {
    order(id)
        .replace(
            r#""side":"buy","type":"limit""#,
            r#""side":"sell","type":"stop_market""#,
        )
        .replace(r#""price":"100""#, r#""stop_price":"99""#)
        .replace(r#","time_in_force":"gtc""#, "")
}

/// A protective stop outlives the halt while there is a position to protect, and is cancelled when a later fill leaves none.
///
/// Control tried: `Watch::keep_halted` doing nothing, and the stop stays for ever.
#[test]
fn protective_stops_stay_while_they_protect() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world
            .scored("mm-1", ["cancel_risk_increasing", "freeze", "enforce"])
            .await;
        let session = world.session(0, &leaf).await;
        let venue = world.instances[0].venue.clone();
        venue.be(Mood::Fill);
        place(&world, &session, &[order("long")]).await;
        until("the position is known", || open(&session) == 0).await;
        venue.be(Mood::Accept);
        let sell = order("sell").replace("\"buy\"", "\"sell\"");
        place(&world, &session, &[stop("stop"), sell, order("more")]).await;
        until("all rest", || marks(&session, OpenMark::Accepted) == 3).await;
        // The sale trades before its cancel arrives; its execution is listed later.
        let [stopped, sold] = ["stop", "sell"].map(|id| {
            let inner = session.slot.lock();
            let number = inner.state.open_order(&id.parse().expect("id")).expect("open").number;
            inner.state.venue_order_id(number).to_string()
        });
        venue
            .ended
            .lock()
            .expect("held")
            .insert(sold.clone(), OrderLife::Filled);
        run_away(&world, &session).await;
        until("the plan is carried out", || {
            open(&session) == 2 && marks(&session, OpenMark::Closing) == 1
        })
        .await;
        let mut watch = watch(&world, 0, Duration::from_secs(10));
        watch.round().await;
        assert!(!venue.cancels().contains(&stopped), "it protects");
        venue.trades.lock().expect("held").push(Trade {
            execution_id: execution(2_000_000),
            venue_order_id: VenueOrderId::new(&format!("v-{sold}")).expect("id"),
            instrument: "BTC_EUR".parse().expect("instrument"),
            bought: false,
            quantity: "1".parse().expect("quantity"),
            price: "100".parse().expect("price"),
            at: world.clock.now(),
        });
        let began = Instant::now();
        while open(&session) > 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "nothing is left to protect");
            watch.round().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(venue.cancels().contains(&stopped));
    });
}

fn warning(world: &World, name: &str) -> WarningOpened {
    WarningOpened {
        agent: agent(name),
        by: Actor::Officer("ada".parse().expect("id")),
        deadline: world.clock.now().plus_seconds(300),
        default: revocation_core::warning::WarningDefault::Freeze,
        score: None,
    }
}

/// A warning halves the caps; unanswered, its default holds at the deadline by itself, and `settle` writes it down once. An
/// answered one ends, and the caps are whole again.
///
/// Control tried: `settle` doing nothing, the entries are missing while the agent is frozen all the same.
#[test]
fn a_warning_halves_caps_and_defaults_by_itself() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let append = async |opened: WarningOpened| {
            world
                .officer
                .append(Append::next(opened, world.clock.now()))
                .await
                .expect("recorded");
            world.followed(0).await;
        };
        let half = |id: &str| order(id).replace(r#""quantity":"1""#, r#""quantity":"251""#);
        append(warning(&world, "mm-1")).await;
        let refused = world.submit(0, &session, &half("warned")).await;
        assert_eq!(codes(&refused), [Code::MaxNotional], "{refused:?}");
        let closed = WarningClosed {
            agent: agent("mm-1"),
            by: Actor::Officer("ada".parse().expect("id")),
            why: WarningEnd::Acknowledged,
        };
        world
            .officer
            .append(Append::next(closed, world.clock.now()))
            .await
            .expect("recorded");
        world.followed(0).await;
        place(&world, &session, &[half("answered")]).await;
        append(warning(&world, "mm-1")).await;
        world.clock.plus_seconds(301);
        world.quote(&world.instances[0].gateway, "100");
        let gateway = &world.instances[0].gateway;
        until("it is frozen by itself", || {
            let inner = session.slot.lock();
            !inner.is_stale() && inner.state.standing_at(world.clock.now()) == Standing::Frozen
        })
        .await;
        for _ in 0..3 {
            settle::settle(gateway, &world.instances[0].venues, &session.slot);
        }
        assert!(!session.slot.gate_open());
        assert_eq!(
            codes(&world.submit(0, &session, &order("silent")).await),
            [Code::StateFrozen]
        );
        let kinds: Vec<_> = world
            .stream("mm-1")
            .await
            .iter()
            .map(|entry| entry.kind.to_string())
            .collect();
        assert_eq!(
            kinds.iter().filter(|kind| *kind == "warning.closed").count(),
            2,
            "{kinds:?}"
        );
        assert_eq!(
            kinds.iter().filter(|kind| *kind == "agent.frozen").count(),
            1,
            "{kinds:?}"
        );
    });
}

/// A warning nobody answers whose default is revocation: `settle` writes revocation and incident in one append, known by the deadline, so
/// that an order that writes the same down opens no second one.
///
/// Control tried: the report without `beside`, the incident is missing.
#[test]
fn an_unanswered_warning_that_revokes_opens_an_incident() {
    rt().block_on(async {
        let world = World::new(2).await;
        let leaf = world.agent("mm-1").await;
        let (session, other) = (world.session(0, &leaf).await, world.session(1, &leaf).await);
        let opened = WarningOpened {
            default: revocation_core::warning::WarningDefault::Revoke,
            ..warning(&world, "mm-1")
        };
        let append = Append::next(opened.clone(), world.clock.now());
        world.officer.append(append).await.expect("recorded");
        world.clock.plus_seconds(301);
        let written = || world.ledger.stream_next(session.slot.stream());
        let before = written();
        for (instance, session) in [(0, &session), (1, &other)] {
            world.followed(instance).await;
            let at = &world.instances[instance];
            settle::settle(&at.gateway, &at.venues, &session.slot);
        }
        // The end of the warning, the revocation, its incident; a report of the cancels may be there too.
        until("it is written down", || written() >= before + 3).await;
        world.followed(0).await;
        let (revoked, incident) = incident_beside_the_revocation(&world, "mm-1").await;
        assert_eq!(incident.cause, IncidentCause::UnansweredWarning);
        assert_eq!((revoked.by, revoked.score), (Actor::Mandate, None));
        let expected = incident_of(&agent("mm-1"), Trigger::Deadline(opened.deadline));
        assert_eq!(incident.incident, expected);
        let kinds = kinds_from(&world, "mm-1", "warning.opened").await;
        assert_eq!(
            kinds.iter().filter(|kind| *kind == "incident.opened").count(),
            1,
            "{kinds:?}"
        );
    });
}

/// The scorer's own warning, on the way from the usual to the runaway, and in the same append as the order that led to it.
#[test]
fn the_scorer_warns_before_it_halts() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.scored("mm-1", ENFORCED).await;
        let session = world.session(0, &leaf).await;
        for count in 0..400 {
            let text = order(&format!("o-{count}")).replace(r#""quantity":"1""#, r#""quantity":"12""#);
            if let Submitted::Halted(..) = world.submit(0, &session, &text).await {
                break;
            }
        }
        let kinds = kinds_from(&world, "mm-1", "warning.opened").await;
        assert!(kinds.iter().any(|kind| kind == "agent.revoked"), "{kinds:?}");
    });
}

/// An officer's revocation by the console closes sessions and cancels at every instance, though the bot is silent and the
/// slot has lost a number to another writer before. Reinstated by two officers, the gate opens again, and the old
/// certificate stays refused; by one, nothing opens.
///
/// Controls tried: `follow::fold_stale` doing nothing, orders stay open; `reconsider_gate` opening always, one officer suffices.
#[test]
fn officers_revoke_and_reinstate() {
    rt().block_on(async {
        let world = World::new(2).await;
        let leaf = world.agent("mm-1").await;
        let (session, other) = (world.session(0, &leaf).await, world.session(1, &leaf).await);
        let connections = [connection(&world, 0, &session), connection(&world, 1, &other)];
        place(&world, &session, &[order("a"), order("b"), order("c")]).await;
        until("all rest", || marks(&session, OpenMark::Accepted) == 3).await;
        // As when a report of ours lost its number to another writer: the slot has to be folded again, and no order comes.
        session.slot.answered(true);
        let append = Append::next(by_ada("mm-1"), world.clock.now()).narrowing();
        let revoked_at = world.officer.append(append).await.expect("recorded").number();
        until("gates and sessions close", || {
            !session.slot.gate_open() && !other.slot.gate_open() && connections.iter().all(|c| c.closing.is_cancelled())
        })
        .await;
        let ids = world.permits("mm-1").await;
        until("the venue was told", || world.instances[0].venue.cancels() == ids).await;
        until("and it is folded", || open(&session) == 0).await;
        let reinstate = async |officers: &[&str], from: Timestamp| {
            let document = serde_json::json!({"agent": "mm-1", "purpose": "reinstate", "revoked_at": revoked_at});
            let (signatures, _) = world.decided("agent.reinstated", &document, officers).await;
            let event = AgentReinstated {
                agent: agent("mm-1"),
                certificates_from: from,
                incident: None,
                signatures,
            };
            world.record(event).await;
            world.followed(0).await;
        };
        let from = world.clock.now().plus_seconds(60);
        reinstate(&["ada"], from).await;
        assert!(!session.slot.gate_open(), "one officer does not reinstate");
        assert!(codes(&world.submit(0, &session, &order("one")).await).contains(&Code::AgentRevoked));
        reinstate(&["ada", "op"], from).await;
        until("the gate opens", || session.slot.gate_open()).await;
        assert_eq!(
            codes(&world.submit(0, &session, &order("old")).await),
            [Code::CertRevoked]
        );
    });
}

/// An order whose answer was lost is never sent again: found at the venue it is accepted, unknown there it is withheld after
/// the venue's longest delay and, for another instance, that one's lease. Its value stays reserved until then.
///
/// Control tried: `Watch::patience` without the lease, the other instance withholds at once.
#[test]
fn doubts_are_resolved_and_reserved_until_then() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.send_deadline = Duration::from_secs(1);
        world.start(2).await;
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let venue = world.instances[0].venue.clone();
        for (mood, id) in [(Mood::LoseAnswers, "found"), (Mood::LoseOrders, "lost")] {
            venue.be(mood);
            let Submitted::Forwarded(story, _) = world.submit(0, &session, &order(id)).await else {
                panic!("permitted")
            };
            assert_eq!(story.status, OrderStatus::InDoubt);
            let Submitted::Repeated(story) = world.submit(0, &session, &order(id)).await else {
                panic!("repeated")
            };
            assert_eq!(story.status, OrderStatus::InDoubt);
        }
        assert_eq!(venue.sends().len(), 1, "never sent again");
        until("both are in doubt", || marks(&session, OpenMark::InDoubt) == 2).await;
        let euros = || {
            let inner = session.slot.lock();
            inner
                .state
                .day_notional(&"EUR".parse().expect("unit"), world.clock.now())
                .map(|held| held.to_string())
        };
        assert_eq!(euros().as_deref(), Some("200"));
        // The other instance sees neither at its venue, and waits the sender's lease, which is a minute here.
        world.followed(1).await;
        let (mut own, mut other) = (
            watch(&world, 0, Duration::from_secs(1)),
            watch(&world, 1, Duration::ZERO),
        );
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            other.round().await;
        }
        own.round().await;
        until("the one is found", || marks(&session, OpenMark::Accepted) == 1).await;
        assert_eq!(
            (marks(&session, OpenMark::InDoubt), euros().as_deref()),
            (1, Some("200"))
        );
        let began = Instant::now();
        while open(&session) > 1 {
            assert!(began.elapsed() < Duration::from_secs(10), "the other one is given up");
            tokio::time::sleep(Duration::from_millis(50)).await;
            own.round().await;
        }
        assert!(
            began.elapsed() > Duration::from_millis(500),
            "not before the longest delay"
        );
        assert_eq!(euros().as_deref(), Some("100"));
        assert_eq!(venue.sends().len(), 1);
        let Submitted::Repeated(story) = world.submit(0, &session, &order("lost")).await else {
            panic!("repeated")
        };
        assert_eq!(story.status, OrderStatus::Withheld);
    });
}

/// Observed only, the same runaway is recorded as what would have happened, and nothing happens.
#[test]
fn observed_scores_do_nothing_but_stand_in_the_record() {
    rt().block_on(async {
        let world = World::new(1).await;
        let conduct = ["cancel_all", "freeze", "observe until 2030-01-01T00:00:00.000000Z"];
        let leaf = world.scored("mm-1", conduct).await;
        let session = world.session(0, &leaf).await;
        for count in 0..40 {
            place(&world, &session, &[runaway(&format!("run-{count}"))]).await;
        }
        assert!(session.slot.gate_open());
        let entries = world.stream("mm-1").await;
        let uses: Vec<ScoreUse> = entries
            .iter()
            .filter_map(|entry| extensions::canonical::from_slice::<OrderDecided>(entry.body()).ok())
            .filter_map(|decided| decided.score_use)
            .collect();
        assert!(
            uses.contains(&ScoreUse::WouldRevoke) && !uses.contains(&ScoreUse::Enforced),
            "{uses:?}"
        );
        assert!(
            !entries
                .iter()
                .any(|entry| ["agent.revoked", "warning.opened"].contains(&&*entry.kind))
        );
    });
}

/// A bot that hangs up at once, each time: what it had queued is concluded, the halt among it is carried out, and nothing keeps the slot from
/// being folded again. Control: with `conclude` awaited in the request's own future the halt closes no session and `resync` never ends.
#[test]
fn a_bot_that_hangs_up_leaves_nothing_undone() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.scored("mm-1", ENFORCED).await;
        let session = world.session(0, &leaf).await;
        let registered = connection(&world, 0, &session);
        for count in 1..200 {
            let text = runaway(&format!("gone-{count}"));
            let hangs_up = world.submit(0, &session, &text);
            // One poll queues the order; then the bot is gone.
            drop(tokio::time::timeout(Duration::ZERO, hangs_up).await);
            if registered.closing.is_cancelled() {
                break;
            }
        }
        let closed = || registered.closing.is_cancelled();
        until("the halt of a bot that is gone is carried out", closed).await;
        let gateway = &world.instances[0].gateway;
        let folded = session.slot.resync(&gateway.ledger, &gateway.writer);
        let folded = tokio::time::timeout(Duration::from_secs(10), folded).await;
        folded.expect("every answer was counted").expect("reads");
    });
}

/// A halt keeps what its own mandate keeps: a document that officers approve afterwards withdraws no stop that protects a position. Control:
/// planned by the latest mandate, as before, the watch cancels it in its next round.
#[test]
fn a_later_mandate_withdraws_nothing_that_the_halt_kept() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world
            .scored("mm-1", ["cancel_risk_increasing", "freeze", "enforce"])
            .await;
        let session = world.session(0, &leaf).await;
        let venue = world.instances[0].venue.clone();
        venue.be(Mood::Fill);
        place(&world, &session, &[order("long")]).await;
        until("the position is known", || open(&session) == 0).await;
        venue.be(Mood::Accept);
        place(&world, &session, &[stop("stop")]).await;
        until("it rests", || marks(&session, OpenMark::Accepted) == 1).await;
        run_away(&world, &session).await;
        until("all else is withdrawn", || open(&session) == 1).await;
        let mut later = world::document_with("mm-1", ENFORCED);
        later.mandate = "m-later".parse().expect("id");
        let _ = world.agent_of(later).await;
        world.followed(0).await;
        let gateway = &world.instances[0].gateway;
        let latest = gateway.mandates.on_halt_of(&agent("mm-1"));
        assert_eq!(latest, OnHalt::CancelAll, "the later document is in force");
        assert_eq!(gateway.on_halt_of(&session.slot), OnHalt::CancelRiskIncreasing);
        watch(&world, 0, Duration::from_secs(10)).round().await;
        assert_eq!(open(&session), 1, "it protects");
    });
}

/// A probation that is over withdraws what the bot left at the venue, though nobody writes that it is over. And the small mandate, approved
/// after the everyday one, does not say what a halt does with open orders.
///
/// Controls tried: `mode_at` without the end of the probation, and the orders rest; `approve` that takes every mandate as the latest, and the
/// halt would keep protective stops.
#[test]
fn a_probation_that_is_over_leaves_nothing_at_the_venue() {
    rt().block_on(async {
        let world = World::new(1).await;
        world.agent("mm-1").await;
        let observed = "observe until 2030-01-01T00:00:00.000000Z";
        let mut small = world::document_with("mm-1", ["cancel_risk_increasing", "freeze", observed]);
        small.mandate = "m-small".parse().expect("id");
        small.conduct.probation_hours = Some(2);
        let leaf = world.agent_of(small.clone()).await;
        world.followed(0).await;
        let gateway = world.instances[0].gateway.clone();
        assert_eq!(gateway.mandates.on_halt_of(&agent("mm-1")), OnHalt::CancelAll);

        let incident: extensions::IncidentId = "i-1".parse().expect("id");
        let halted = AgentRevoked {
            by: Actor::Scorer,
            incident: Some(incident),
            ..by_ada("mm-1")
        };
        let number = world.record(halted).await;
        let document = serde_json::json!({
            "agent": "mm-1", "document": small.digest(), "hours": 2, "incident": incident, "mandate": "m-small",
            "purpose": "probation", "revoked_at": number,
        });
        // Signed before the certificate began, which stands for one that is issued afterwards.
        world.clock.plus_seconds(-3_600);
        let signed = world.decided("agent.probation_started", &document, &["ada", "op"]);
        let (signatures, _) = signed.await;
        world.clock.plus_seconds(3_600);
        let begun = ProbationStarted {
            agent: agent("mm-1"),
            certificates_from: world::noon().plus_seconds(-3_600),
            document: small.digest(),
            hours: 2,
            incident,
            mandate: small.mandate,
            signatures,
        };
        world.record(begun).await;
        world.followed(0).await;
        let session = world.session(0, &leaf).await;
        until("the gate opens", || session.slot.gate_open()).await;
        let venue = world.instances[0].venue.clone();
        place(&world, &session, &[order("a"), order("b")]).await;
        until("both rest", || marks(&session, OpenMark::Accepted) == 2).await;
        let mut watch = watch(&world, 0, Duration::from_secs(10));
        watch.round().await;
        assert!(venue.cancels().is_empty(), "it is under way");
        world.clock.plus_seconds(2 * 3_600);
        let refused = world.submit(0, &session, &order("late")).await;
        assert!(codes(&refused).contains(&Code::AgentRevoked), "{refused:?}");
        let began = Instant::now();
        while open(&session) > 0 {
            assert!(began.elapsed() < Duration::from_secs(10), "nothing rests");
            watch.round().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(venue.cancels().len(), 2);
    });
}
