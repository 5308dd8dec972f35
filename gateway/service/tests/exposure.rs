//! Limits above one agent under races, restarts, lost numbers and two gateways (`GROUP_EXPOSURE`).
//!
//! Rounds of the race: 60, or what `MANDATUM_RACE_ROUNDS` says.

mod world;

use std::{sync::Arc, time::Duration};

use extensions::{Clock, Decimal, OwnerId};
use gateway_policy::{AgentExposure, Code, Exposure, GroupSum, Proof, Quoted};
use gateway_service::{
    gateway::Gateway,
    pipeline::{exposures::Quotes, rehearse::rehearse, submit::Submitted},
    session::Session,
};
use world::{CountingVenue, Mood, World, document, exposure_set, marks, open, order, rt, until};

/// Senders of one round, over both agents.
const SENDERS: usize = 32;

fn rounds() -> usize {
    let told = std::env::var("MANDATUM_RACE_ROUNDS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(60)
}

fn decimal(text: &str) -> Decimal {
    text.parse().expect("decimal")
}

/// A session of a further agent of an owner.
async fn agent_of(world: &World, instance: usize, name: &str, owner: &str) -> Arc<Session> {
    let mut document = document(name);
    document.owner = owner.parse().expect("id");
    let leaf = world.agent_of(document).await;
    world.session(instance, &leaf).await
}

/// An order of so much at 100.
fn of(id: &str, side: &str, quantity: &str) -> String {
    order(id)
        .replace(r#""side":"buy""#, &format!(r#""side":"{side}""#))
        .replace(r#""quantity":"1""#, &format!(r#""quantity":"{quantity}""#))
}

#[track_caller]
fn refused(submitted: &Submitted) {
    match submitted {
        Submitted::Refused(checks, _) => {
            let codes: Vec<Code> = checks.iter().map(|check| check.code).collect();
            assert_eq!(codes, [Code::GroupExposure], "{checks:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn permitted(submitted: &Submitted) {
    assert!(matches!(submitted, Submitted::Forwarded(..)), "{submitted:?}");
}

/// What the gateway's book says of an owner and of all.
fn told(world: &World, gateway: &Gateway, owner: &str) -> Option<Exposure> {
    let owner: OwnerId = owner.parse().expect("id");
    let quotes = Quotes {
        venues: &gateway.prices,
        now: world.clock.now(),
        longest: gateway.settings.reference_max_age,
        lease: gateway.settings.view_lease,
    };
    let house = gateway.house.load();
    let unit = "EUR".parse().expect("unit");
    gateway
        .exposures
        .lock()
        .told(&house.state, Some(&owner), &unit, &quotes)
}

fn of_owner(world: &World, gateway: &Gateway, owner: &str) -> Option<Decimal> {
    told(world, gateway, owner)?.owner?.amount
}

/// That the book's sum of all is that of the states of all agents.
#[track_caller]
fn is_the_fold(world: &World, gateway: &Gateway) {
    let parts: Vec<AgentExposure> = gateway
        .slots()
        .iter()
        .map(|slot| AgentExposure::of(&slot.lock().state))
        .collect();
    let unit = "EUR".parse().expect("unit");
    let price = gateway.prices.values().next().expect("a venue");
    let sum = GroupSum::of(parts.iter()).told(&unit, |name| Quoted::At(price.of(name).expect("a price")));
    let told = told(world, gateway, "desk").and_then(|told| told.all).expect("limits");
    assert_eq!(told, sum);
}

/// Many senders of two agents at one limit of their owner: as many orders pass as fit, no more and no fewer, whichever thread they are decided
/// on; so it stands in the ledger.
///
/// Controls: `judged_and_reserved` that lets the book go before it decides, so that a permit enters it only when it is queued, and more pass
/// than fit; without `reserve`, the same: each seen red.
#[test]
fn of_two_agents_orders_as_many_pass_as_fit() {
    rt().block_on(async {
        let world = Arc::new(World::new(1).await);
        for round in 0..rounds() {
            let owner = format!("desk-{round}");
            let fits = 1 + round % 12;
            let amount = (fits * 100 + 99).to_string();
            let mut sessions = Vec::new();
            for name in [format!("a-{round}"), format!("b-{round}")] {
                sessions.push(agent_of(&world, 0, &name, &owner).await);
            }
            world.limit_exposure(&format!("owner:{owner}"), Some(&amount)).await;
            let mut tasks = tokio::task::JoinSet::new();
            for sender in 0..SENDERS {
                let (world, session) = (world.clone(), sessions[sender % 2].clone());
                tasks.spawn(async move { world.submit(0, &session, &order(&format!("o-{sender}"))).await });
            }
            let mut passed = 0;
            while let Some(submitted) = tasks.join_next().await {
                match submitted.expect("no panic") {
                    Submitted::Forwarded(..) => passed += 1,
                    other => refused(&other),
                }
            }
            let recorded =
                world.permits(&format!("a-{round}")).await.len() + world.permits(&format!("b-{round}")).await.len();
            assert_eq!((passed, recorded), (fits, fits), "round {round}");
        }
        verifies(&world).await;
    });
}

async fn verifies(world: &World) {
    let mut states = ledger::verify::states::States::default();
    let options = ledger::verify::Options {
        fold: Some(&mut states),
        ..Default::default()
    };
    let report = ledger::verify::verify_directory(world.directory.path(), options).await;
    println!("{}", report.expect("verifies"));
}

/// What ends makes room, what fills is held at the reference price, and follows it; an old price refuses what raises risk, of every agent; what
/// reduces passes, and a rehearsal reserves nothing.
///
/// Control: `weigh` left out of `report`, and the refused order's room is never free.
#[test]
fn what_ends_makes_room_and_what_fills_is_held() {
    rt().block_on(async {
        let world = World::new(1).await;
        let one = agent_of(&world, 0, "mm-1", "desk").await;
        let two = agent_of(&world, 0, "mm-2", "desk").await;
        let (gateway, venue) = (&world.instances[0].gateway, &world.instances[0].venue);
        world.limit_exposure("owner:desk", Some("500")).await;
        permitted(&world.submit(0, &one, &of("a", "buy", "3")).await);
        let asked = gateway_policy::Order::from_json(of("b", "sell", "2.01").as_bytes()).expect("order");
        for _ in 0..2 {
            let checks = rehearse(gateway, &two, &asked, Proof::NotRequired)
                .await
                .expect("rehearsed");
            assert_eq!(checks[0].code, Code::GroupExposure);
        }
        refused(&world.submit(0, &two, &of("b", "sell", "2.01")).await);
        permitted(&world.submit(0, &two, &of("c", "sell", "2")).await);
        assert_eq!(of_owner(&world, gateway, "desk"), Some(decimal("500")));
        // The venue refuses one, and its room is free when that is known.
        venue.be(Mood::Reject);
        world.limit_exposure("owner:desk", Some("600")).await;
        world.submit(0, &two, &of("d", "sell", "1")).await;
        until("its room is free", || {
            of_owner(&world, gateway, "desk") == Some(decimal("500"))
        })
        .await;
        venue.be(Mood::Fill);
        permitted(&world.submit(0, &one, &of("e", "buy", "1")).await);
        until("it is bought", || one.slot.lock().state.positions().len() == 1).await;
        assert_eq!(of_owner(&world, gateway, "desk"), Some(decimal("600")));
        // 1 held at 110, and 5 open at 100.
        world.quote(gateway, "110");
        assert_eq!(of_owner(&world, gateway, "desk"), Some(decimal("610")));
        refused(
            &world
                .submit(
                    0,
                    &two,
                    &of("f", "sell", "0.01").replace(r#""price":"100""#, r#""price":"110""#),
                )
                .await,
        );
        world.quote(gateway, "100");
        world.limit_exposure("owner:desk", Some("0")).await;
        refused(&world.submit(0, &one, &of("g", "sell", "1.01")).await);
        permitted(&world.submit(0, &one, &of("h", "sell", "1")).await);
        until("it is flat", || one.slot.lock().state.positions().is_empty()).await;
        assert_eq!(of_owner(&world, gateway, "desk"), Some(decimal("500")));
        is_the_fold_of_owner(&world, gateway, &[&one, &two]);
    });
}

fn is_the_fold_of_owner(world: &World, gateway: &Gateway, sessions: &[&Arc<Session>]) {
    let parts: Vec<AgentExposure> = sessions
        .iter()
        .map(|session| AgentExposure::of(&session.slot.lock().state))
        .collect();
    let unit = "EUR".parse().expect("unit");
    let sum = GroupSum::of(parts.iter()).told(&unit, |_| Quoted::Otherwise);
    assert_eq!(of_owner(world, gateway, "desk"), sum.amount);
}

/// What is held of an instrument whose price grows old is at stake with nobody knows how much: another agent's order is refused, and passes again
/// with a price. The order's own price alone does not help.
///
/// The check itself is held by the policy's own tests.
#[test]
fn an_unpriced_position_refuses_what_raises_risk() {
    rt().block_on(async {
        let world = World::new(1).await;
        let one = agent_of(&world, 0, "mm-1", "desk").await;
        let two = agent_of(&world, 0, "mm-2", "desk").await;
        let gateway = &world.instances[0].gateway;
        world.limit_exposure("all", Some("100000")).await;
        attest(&world, "mm-1", "ETH_EUR", "2").await;
        let submitted = world.submit(0, &two, &order("a")).await;
        refused(&submitted);
        let Submitted::Refused(checks, _) = submitted else {
            unreachable!()
        };
        assert!(checks[0].observed.contains("ETH_EUR cannot be valued"), "{checks:?}");
        for prices in gateway.prices.values() {
            let quote = gateway_policy::ReferencePrice {
                at: world.clock.now(),
                currency: "EUR".parse().expect("unit"),
                price: decimal("10"),
            };
            prices.observe("ETH_EUR".parse().expect("instrument"), quote, std::time::Instant::now());
        }
        permitted(&world.submit(0, &two, &order("b")).await);
        world.clock.plus_seconds(6);
        world.quote(gateway, "100");
        refused(&world.submit(0, &two, &order("c")).await);
        refused(&world.submit(0, &one, &order("c")).await);
    });
}

/// An officer says that an agent holds so much.
async fn attest(world: &World, name: &str, instrument: &str, quantity: &str) {
    let signature = world.attests(name, instrument, quantity);
    world
        .record(gateway_policy::PositionAttested {
            agent: world::agent(name),
            instrument: instrument.parse().expect("instrument"),
            quantity: decimal(quantity),
            signature,
        })
        .await;
    world.followed(0).await;
}

/// Limits that two officers did not sign bind nobody; signed ones hold for what was permitted before them, and after a restart; lifted ones end.
///
/// Controls: `begin` that puts nobody in the book, and the first limits find nothing at stake: seen red; `house.exposure_set` out of `SIGNED`, and
/// the unsigned ones bind.
#[test]
fn limits_hold_for_what_was_before_them() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let mut document = document("mm-1");
        document.owner = "desk".parse().expect("id");
        let leaf = world.agent_of(document).await;
        let session = world.session(0, &leaf).await;
        permitted(&world.submit(0, &session, &of("a", "buy", "3")).await);
        world.record(exposure_set("all", Some("1"), Vec::new())).await;
        world.followed(0).await;
        permitted(&world.submit(0, &session, &of("b", "buy", "1")).await);
        world.limit_exposure("owner:desk", Some("500")).await;
        refused(&world.submit(0, &session, &of("c", "buy", "1.01")).await);
        permitted(&world.submit(0, &session, &of("d", "buy", "1")).await);
        until("they rest", || marks(&session, gateway_policy::OpenMark::Accepted) == 3).await;
        world.committed(0).await;
        world.reopen(1, None).await;
        let session = world.session(0, &leaf).await;
        assert_eq!(open(&session), 3);
        refused(&world.submit(0, &session, &of("e", "buy", "0.01")).await);
        world.limit_exposure("owner:desk", None).await;
        permitted(&world.submit(0, &session, &of("f", "buy", "50")).await);
        verifies(&world).await;
    });
}

/// Numbers that others take, epochs that rise while orders wait: what was reserved for an order that lost its number is free again, and in the end
/// the book is the fold of its agents.
///
/// `weigh` left out of `resync` alone stays green here: each later report weighs the agent again.
#[test]
fn what_is_lost_is_not_reserved() {
    rt().block_on(async {
        let world = Arc::new(World::new(1).await);
        world.limit_exposure("all", Some("1000000")).await;
        let mut sessions = Vec::new();
        for name in ["mm-1", "mm-2", "mm-3"] {
            sessions.push(agent_of(&world, 0, name, "desk").await);
        }
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..180 {
            let (world, session) = (world.clone(), sessions[sender % 3].clone());
            tasks.spawn(async move {
                tokio::time::sleep(Duration::from_millis((sender / 6) as u64)).await;
                world.submit(0, &session, &order(&format!("o-{sender}"))).await
            });
        }
        for round in 0..8 {
            let region = world.regions("127.0.0.0/8", Vec::new());
            world.record(region).await;
            attest(&world, "mm-1", "BTC_EUR", &(round % 3).to_string()).await;
        }
        while let Some(submitted) = tasks.join_next().await {
            permitted(&submitted.expect("no panic"));
        }
        let gateway = &world.instances[0].gateway;
        world.committed(0).await;
        world.followed(0).await;
        until("all is folded", || {
            gateway.slots().iter().all(|slot| !slot.lock().is_stale())
        })
        .await;
        is_the_fold(&world, gateway);
        let expected = decimal("18100");
        assert_eq!(
            told(&world, gateway, "desk").and_then(|told| told.all?.amount),
            Some(expected)
        );
    });
}

/// Two gateways on one store: what one permitted is known to the other once it is followed, and refuses there. What each permits before it hears of
/// the other is what the limit can be passed by: no more than one limit's worth a further gateway (decision 0016).
#[test]
fn what_another_gateway_permitted_counts() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.shared = Some(CountingVenue::new());
        world.start(2).await;
        let one = agent_of(&world, 0, "mm-1", "desk").await;
        let two = agent_of(&world, 1, "mm-2", "desk").await;
        world.limit_exposure("owner:desk", Some("300")).await;
        permitted(&world.submit(0, &one, &of("a", "buy", "2")).await);
        world.followed(1).await;
        refused(&world.submit(1, &two, &of("a", "buy", "1.01")).await);
        permitted(&world.submit(1, &two, &of("b", "buy", "1")).await);
        world.followed(0).await;
        refused(&world.submit(0, &one, &of("b", "buy", "0.01")).await);
        // Both at once, and neither has heard of the other: each keeps to the limit by itself.
        world.limit_exposure("owner:desk", Some("500")).await;
        let world = Arc::new(world);
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..40 {
            let (world, session) = (world.clone(), [&one, &two][sender % 2].clone());
            tasks.spawn(async move { world.submit(sender % 2, &session, &order(&format!("o-{sender}"))).await });
        }
        let mut passed = 0;
        while let Some(submitted) = tasks.join_next().await {
            passed += usize::from(matches!(submitted.expect("no panic"), Submitted::Forwarded(..)));
        }
        assert!((2..=4).contains(&passed), "{passed} of 2 that fit, and of 2 more");
        for place in 0..2 {
            world.followed(place).await;
            let sum = of_owner(&world, &world.instances[place].gateway, "desk");
            assert_eq!(sum, Some(Decimal::from(300 + 100 * passed as u64)));
        }
        refused(&world.submit(0, &one, &order("late-0")).await);
        refused(&world.submit(1, &two, &order("late-1")).await);
    });
}
