//! A report that a later one overtook on its way into the log: the state that decides is the one that the log makes.

mod world;

use std::time::{Duration, Instant};

use extensions::Clock as _;
use gateway_policy::{
    AgentEvent, AgentState, CancelOutcome, CancelRequested, CancelSource, CancelState, EntryAt, OpenOrder,
};
use gateway_service::{
    gateway::Gateway,
    pipeline::slot::{Report, Slot},
};
use world::{World, agent, order};

/// What the log makes: the state, and the kinds of its entries.
async fn of_log(gateway: &Gateway, slot: &Slot) -> (AgentState, Vec<String>) {
    let (mut state, mut kinds) = (AgentState::new(slot.agent), Vec::new());
    let entries = gateway.ledger.read_stream(slot.stream(), 0, 4_096).await;
    for entry in entries.expect("reads") {
        let event = AgentEvent::decode(&entry.kind, entry.body()).expect("decodes");
        let (number, at) = (entry.number, entry.at);
        state.apply(EntryAt { number, at }, &event);
        kinds.push(entry.kind.to_string());
    }
    (state, kinds)
}

/// A cancel that could not be sent is reported, and the next one is asked for before that report is durable: it narrows, so it stands first. The
/// state of the slot folds to the same digest as the log, which is what `verify` holds later decisions to.
///
/// Control tried: `goes_by_order` always false, the slot keeps the order of its queue and another digest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_is_what_the_log_makes_of_it() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    let gateway = world.instances[0].gateway.clone();
    let slot = gateway.slot(&agent("mm-1"));
    world.submit(0, &session, &order("rests")).await;
    let began = Instant::now();
    for round in 0.. {
        assert!(began.elapsed() < Duration::from_secs(20), "it never came so");
        let of = |open: &OpenOrder| (open.order.client_order_id, open.number);
        let (client_order_id, number) = slot.lock().state.open_orders().first().map(of).expect("an open order");
        let could_not = CancelOutcome {
            agent: slot.agent,
            client_order_id,
            order: number,
            state: CancelState::CouldNot {
                why: "no answer".to_owned(),
            },
        };
        let asked = CancelRequested {
            agent: slot.agent,
            by: CancelSource::Officer,
            client_order_id,
            order: number,
        };
        let (now, before) = (world.clock.now(), of_log(&gateway, &slot).await.1.len());
        let could_not = Report::new(could_not, format!("could-not-{round}"), now);
        let asked = Report::new(asked, format!("asked-{round}"), now).narrowing();
        slot.report(&gateway.writer, [could_not, asked]);
        let (state, kinds) = loop {
            let (state, kinds) = of_log(&gateway, &slot).await;
            let added = kinds[before..].iter().filter(|kind| kind.starts_with("order.cancel_"));
            if added.count() == 2 {
                break (state, kinds);
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let last = kinds.iter().rfind(|kind| kind.starts_with("order.cancel_"));
        if last.is_some_and(|kind| kind != "order.cancel_outcome") {
            // They stand as they were queued: the machine took its time between the two.
            continue;
        }
        while slot.lock().is_stale() || slot.lock().state.digest() != state.digest() {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "the slot keeps another state"
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        return;
    }
}
