//! Guarantees 1 to 3 under races: many senders, a revoker, a freeze, two gateway instances on one store (ARCHITECTURE §5).
//!
//! Rounds: 1,000, 10,000 under `MANDATUM_SOAK`, or what `MANDATUM_RACE_ROUNDS` says.
//!
//! Negative controls, tried: append decisions with `Append::next` instead of `Append::exactly` in `pipeline::submit`, and all
//! three tests go red (permits behind the revocation, permits behind the freeze, an order sent twice). Let `take_turn` decide an
//! order whose id is known, and the replay storm goes red.

mod world;

use std::sync::Arc;

use extensions::Clock;
use gateway_policy::{AgentEvent, DecisionKind};
use gateway_service::pipeline::submit::Submitted;
use ledger::Append;
use revocation_core::{Actor, RevocationReason, standing::AgentRevoked};
use world::{World, agent, order, rt};

/// Senders of one round, over both instances.
const SENDERS: usize = 64;

fn rounds() -> usize {
    std::env::var("MANDATUM_RACE_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(if std::env::var_os("MANDATUM_SOAK").is_some() {
            10_000
        } else {
            1_000
        })
}

fn revocation(name: &str) -> AgentRevoked {
    AgentRevoked {
        agent: agent(name),
        by: Actor::Officer("ada".parse().expect("id")),
        incident: None,
        reason: RevocationReason::PrivilegeWithdrawn,
        score: None,
    }
}

/// What one round leaves behind in the agent's stream: numbers of permits, and of the revocation.
async fn permits_and_revocation(world: &World, name: &str) -> (Vec<u64>, Option<u64>) {
    let stream = extensions::StreamId::agent(&agent(name));
    let entries = world.ledger.read_stream(&stream, 0, 4_096).await.expect("read");
    let mut permits = Vec::new();
    let mut revoked = None;
    for (place, entry) in entries.iter().enumerate() {
        assert_eq!(entry.number, place as u64, "gapless");
        match AgentEvent::decode(&entry.kind, entry.body()).expect("readable") {
            AgentEvent::Decided(decided) if decided.decision == DecisionKind::Permit => permits.push(entry.number),
            _ if &*entry.kind == "agent.revoked" => revoked = Some(entry.number),
            _ => {}
        }
    }
    (permits, revoked)
}

#[test]
fn no_permit_is_numbered_after_a_revocation() {
    rt().block_on(async {
        let world = Arc::new(World::new(2).await);
        let (mut permitted, mut stopped) = (0, 0);
        for round in 0..rounds() {
            let name = format!("bot-{round}");
            let leaf = world.agent(&name).await;
            let sessions = [world.session(0, &leaf).await, world.session(1, &leaf).await];
            let mut tasks = tokio::task::JoinSet::new();
            for sender in 0..SENDERS {
                let (world, session) = (world.clone(), sessions[sender % 2].clone());
                tasks.spawn(async move {
                    let id = format!("o-{round}-{sender}");
                    world.submit(sender % 2, &session, &order(&id)).await
                });
            }
            let revoker = {
                let (world, name) = (world.clone(), name.clone());
                tokio::spawn(async move {
                    for _ in 0..round % 40 {
                        tokio::task::yield_now().await;
                    }
                    let append = Append::next(revocation(&name), world.clock.now()).narrowing();
                    world.officer.append(append).await.expect("recorded");
                })
            };
            let mut forwarded = 0;
            while let Some(submitted) = tasks.join_next().await {
                match submitted.expect("no panic") {
                    Submitted::Forwarded(..) => forwarded += 1,
                    Submitted::Refused(..) => stopped += 1,
                    other => panic!("unexpected: {other:?}"),
                }
            }
            revoker.await.expect("revoked");
            let (permits, revoked) = permits_and_revocation(&world, &name).await;
            let revoked = revoked.expect("the revocation is an entry of the same stream");
            assert!(
                permits.iter().all(|number| *number < revoked),
                "round {round}: {permits:?} against {revoked}"
            );
            assert_eq!(permits.len(), forwarded, "round {round}: each permit was answered once");
            permitted += forwarded;
            let late = world.submit(0, &sessions[0], &order("late")).await;
            assert!(matches!(late, Submitted::Refused(..)), "round {round}: {late:?}");
        }
        println!("soak: {} rounds: {permitted} permitted, {stopped} refused", rounds());
        sent_once_and_recorded(&world).await;
        verifies_with_states(&world).await;
    });
}

/// Every send has its permit in the ledger, at an earlier position than anything that followed it, and happened once.
async fn sent_once_and_recorded(world: &World) {
    let mut recorded = std::collections::HashSet::new();
    for stream in world.ledger.streams(extensions::StreamKind::Agent) {
        let id = agent(stream.name());
        for entry in world.ledger.read_stream(&stream, 0, 4_096).await.expect("read") {
            if let Ok(AgentEvent::Decided(decided)) = AgentEvent::decode(&entry.kind, entry.body())
                && decided.decision == DecisionKind::Permit
            {
                recorded.insert(gateway_policy::VenueOrderId::new(&id, entry.number).to_string());
            }
        }
    }
    for instance in &world.instances {
        let mut sends = instance.venue.sends();
        let count = sends.len();
        sends.sort_unstable();
        sends.dedup();
        assert_eq!(sends.len(), count, "no order is sent twice");
        for sent in &sends {
            assert!(recorded.contains(sent), "{sent} was sent without a record");
        }
    }
}

/// The ledger verifies offline, every decision names the entry before it, and every recorded digest is what the entries fold to:
/// replay and live state are the same, whatever was lost and decided again in between.
async fn verifies_with_states(world: &World) {
    let mut states = ledger::verify::states::States::default();
    let options = ledger::verify::Options {
        fold: Some(&mut states),
        ..Default::default()
    };
    let report = ledger::verify::verify_directory(world.directory.path(), options)
        .await
        .expect("verifies");
    println!("{report}; {} state digests compared", states.compared());
}

#[test]
fn a_replay_storm_is_one_order_at_the_venue() {
    rt().block_on(async {
        let world = Arc::new(World::new(2).await);
        let leaf = world.agent("mm-1").await;
        let sessions = [world.session(0, &leaf).await, world.session(1, &leaf).await];
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..1_000 {
            let (world, session) = (world.clone(), sessions[sender % 2].clone());
            tasks.spawn(async move { world.submit(sender % 2, &session, &order("the-one")).await });
        }
        let mut first = 0;
        while let Some(submitted) = tasks.join_next().await {
            match submitted.expect("no panic") {
                Submitted::Forwarded(..) => first += 1,
                Submitted::Repeated(_) => {}
                other => panic!("unexpected: {other:?}"),
            }
        }
        assert_eq!(first, 1);
        let sends: usize = world
            .instances
            .iter()
            .map(|instance| instance.venue.sends().len())
            .sum();
        assert_eq!(sends, 1, "over both instances");
        verifies_with_states(&world).await;
    });
}

#[test]
fn a_freeze_of_the_house_reaches_orders_decided_before_it_was_known() {
    rt().block_on(async {
        let world = Arc::new(World::new(2).await);
        let leaf = world.agent("mm-1").await;
        let session = world.session(0, &leaf).await;
        let frozen = revocation_core::house::HouseFrozen {
            by: Actor::Officer("ada".parse().expect("id")),
            scope: revocation_core::HouseScope::All,
        };
        let mut tasks = tokio::task::JoinSet::new();
        for sender in 0..SENDERS {
            let (world, session) = (world.clone(), session.clone());
            tasks.spawn(async move { world.submit(0, &session, &order(&format!("o-{sender}"))).await });
        }
        let recorded = world
            .officer
            .append(Append::next(frozen, world.clock.now()).narrowing())
            .await
            .expect("frozen");
        while tasks.join_next().await.is_some() {}
        let stream = extensions::StreamId::agent(&agent("mm-1"));
        for entry in world.ledger.read_stream(&stream, 0, 4_096).await.expect("read") {
            if let Ok(AgentEvent::Decided(decided)) = AgentEvent::decode(&entry.kind, entry.body())
                && decided.decision == DecisionKind::Permit
            {
                assert!(
                    entry.position < recorded.position(),
                    "a permit stands behind the freeze"
                );
            }
        }
    });
}
