//! Guarantee 3 under replays: ids that the state has forgotten (512), that the endings have forgotten (4,096), after a restart, beside
//! traffic, with another body, over two instances of which one lags.
//!
//! Negative controls, tried: see each test.

mod world;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use gateway_policy::{AgentEvent, Code, DecisionKind, RECENT_ORDERS, VenueOrderId};
use gateway_service::{
    pipeline::{endings::REMEMBERED_ORDERS, submit::Submitted},
    session::Session,
};
use world::{Mood, World, agent, order, rt};

const NAME: &str = "mm-1";
/// Orders on their way at a time.
const AT_A_TIME: usize = 32;

/// What an order has to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Sent,
    Repeated,
    /// Another body under a used id.
    Duplicate,
    /// What only makes ids grow old.
    Refused,
}

fn text(id: &str, expected: Expected) -> String {
    match expected {
        Expected::Sent | Expected::Repeated => order(id),
        Expected::Duplicate => order(id).replace(r#""quantity":"1""#, r#""quantity":"2""#),
        Expected::Refused => order(id).replace("BTC_EUR", "ETH_EUR"),
    }
}

fn came_to(submitted: &Submitted) -> Expected {
    match submitted {
        Submitted::Forwarded(..) => Expected::Sent,
        Submitted::Repeated(_) => Expected::Repeated,
        Submitted::Refused(checks, _) if checks[0].code == Code::Duplicate => Expected::Duplicate,
        Submitted::Refused(..) => Expected::Refused,
        other => panic!("{other:?}"),
    }
}

/// One order of a storm: at which instance, under which id, what it has to come to.
type Planned = (usize, String, Expected);

/// Submits many at a time, in that order; each comes to what is expected.
async fn submitted(world: &Arc<World>, sessions: &[Arc<Session>], orders: impl IntoIterator<Item = Planned>) {
    let mut tasks = tokio::task::JoinSet::new();
    for (at, id, expected) in orders {
        let (world, session) = (world.clone(), sessions[at].clone());
        tasks.spawn(async move {
            let submitted = world.submit(at, &session, &text(&id, expected)).await;
            assert_eq!(came_to(&submitted), expected, "{id} at {at}: {submitted:?}");
        });
        if tasks.len() >= AT_A_TIME {
            tasks.join_next().await.expect("some").expect("as expected");
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("as expected");
    }
}

fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|place| format!("{prefix}-{place}")).collect()
}

fn planned(ids: &[String], expected: Expected) -> impl Iterator<Item = Planned> {
    ids.iter().map(move |id| (0, id.clone(), expected))
}

async fn sessions(world: &World, leaf: &[u8]) -> Vec<Arc<Session>> {
    let mut sessions = Vec::new();
    for instance in 0..world.instances.len() {
        world.instances[instance].venue.be(Mood::Fill);
        sessions.push(world.session(instance, leaf).await);
    }
    sessions
}

/// No id has two permits, no permit was sent twice, and exactly `count` were sent, over all instances.
async fn sent_once_each(world: &World, count: usize) {
    let stream = extensions::StreamId::agent(&agent(NAME));
    let (mut permits, mut next) = (HashMap::new(), 0);
    loop {
        let page = world.ledger.read_stream(&stream, next, 4_096).await.expect("read");
        for entry in &page {
            if let Ok(AgentEvent::Decided(decided)) = AgentEvent::decode(&entry.kind, entry.body())
                && decided.decision == DecisionKind::Permit
            {
                let id = decided.order.client_order_id.to_string();
                let venue_id = VenueOrderId::new(&decided.agent, entry.number).to_string();
                let before = permits.insert(id.clone(), venue_id);
                assert_eq!(before, None, "{id} is permitted twice");
            }
        }
        next += page.len() as u64;
        if page.is_empty() {
            break;
        }
    }
    let mut sends = Vec::new();
    world.instances.iter().for_each(|at| sends.extend(at.venue.sends()));
    let once: HashSet<&String> = sends.iter().collect();
    assert_eq!((once.len(), sends.len()), (count, count), "each permit is sent once");
    assert!(
        permits.values().all(|id| once.contains(id)),
        "{} permits",
        permits.len()
    );
}

/// Old, older and oldest ids, each three times and once for another order, beside fresh ones; then the same after a restart.
///
/// Controls tried: `indexed` that asks no index, and the older ids are sent again; a state that remembers a refused repeat as its id's order, and
/// the first one's bot is told `DUPLICATE`.
#[test]
fn ids_of_any_age_are_answered_from_the_record() {
    rt().block_on(async {
        let mut world = World::new(1).await;
        let leaf = world.agent(NAME).await;
        let used = [ids("oldest", 2), ids("older", 6), ids("young", 6)];
        let [oldest, older, young] = &used;
        {
            let shared = Arc::new(world);
            let at = sessions(&shared, &leaf).await;
            submitted(&shared, &at, planned(oldest, Expected::Sent)).await;
            let filler = ids("first", REMEMBERED_ORDERS - RECENT_ORDERS);
            submitted(&shared, &at, planned(&filler, Expected::Refused)).await;
            submitted(&shared, &at, planned(older, Expected::Sent)).await;
            let filler = ids("second", RECENT_ORDERS + 20);
            submitted(&shared, &at, planned(&filler, Expected::Refused)).await;
            submitted(&shared, &at, planned(young, Expected::Sent)).await;
            drop(at);
            world = Arc::into_inner(shared).expect("all have ended");
        }
        let mut fresh = 0;
        for life in ["before", "after"] {
            let shared = Arc::new(world);
            let at = sessions(&shared, &leaf).await;
            let mut storm = Vec::new();
            for (place, id) in used.iter().flatten().enumerate() {
                storm.extend((0..3).map(|_| (0, id.clone(), Expected::Repeated)));
                storm.push((0, id.clone(), Expected::Duplicate));
                storm.push((0, format!("{life}-{place}"), Expected::Sent));
                fresh += 1;
            }
            submitted(&shared, &at, storm).await;
            sent_once_each(&shared, 14 + fresh).await;
            drop(at);
            world = Arc::into_inner(shared).expect("all have ended");
            world.reopen(1, None).await;
        }
    });
}

/// Ids at the edge of what the state remembers, replayed while fresh orders push them over it.
///
/// Control tried: `indexed` that calls an id new which the state remembered (it is looked up again in the turn, and may be forgotten by
/// then), and an id is permitted twice.
#[test]
fn an_id_is_not_forgotten_between_two_looks() {
    rt().block_on(async {
        let world = Arc::new(World::new(1).await);
        let leaf = world.agent(NAME).await;
        let at = sessions(&world, &leaf).await;
        let mut used = ids("first", RECENT_ORDERS + 8);
        submitted(&world, &at, planned(&used, Expected::Sent)).await;
        for round in 0..300 {
            // The oldest that is remembered, four times, beside the one that pushes it out.
            let oldest = used[used.len() - RECENT_ORDERS].clone();
            let fresh = format!("fresh-{round}");
            let mut storm = vec![(0, oldest, Expected::Repeated); 4];
            storm.insert(round % 5, (0, fresh.clone(), Expected::Sent));
            submitted(&world, &at, storm).await;
            used.push(fresh);
        }
        sent_once_each(&world, used.len()).await;
    });
}

/// Two instances of which the second hears of nothing: what the first has sent it repeats, what it has not heard of it learns from the stream.
///
/// Control tried: decisions appended with `Append::next`, and ids are sent by both.
#[test]
fn an_instance_that_lags_sends_nothing_again() {
    rt().block_on(async {
        let world = Arc::new(World::new(2).await);
        let leaf = world.agent(NAME).await;
        let at = sessions(&world, &leaf).await;
        let heard = ids("heard", 8);
        submitted(&world, &at, planned(&heard, Expected::Sent)).await;
        submitted(
            &world,
            &at,
            planned(&ids("filler", RECENT_ORDERS + 20), Expected::Refused),
        )
        .await;
        world.followed(1).await;
        world.instances[1].stop.cancel();
        let unheard = ids("unheard", 8);
        submitted(&world, &at, planned(&unheard, Expected::Sent)).await;
        let mut storm = Vec::new();
        for id in heard.iter().chain(&unheard) {
            storm.extend([0, 1, 1].map(|instance| (instance, id.clone(), Expected::Repeated)));
            storm.push((1, id.clone(), Expected::Duplicate));
        }
        storm.extend((0..8).map(|place| (place % 2, format!("fresh-{place}"), Expected::Sent)));
        submitted(&world, &at, storm).await;
        sent_once_each(&world, 24).await;
    });
}
