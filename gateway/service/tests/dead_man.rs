//! A venue's dead man's switch is held for healthy bots alone.
//!
//! Negative controls: see each test.

mod world;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use gateway_service::pipeline::dead_man::{Beat, DeadMan};
use world::{World, order};

fn switch(world: &World) -> DeadMan {
    let instance = &world.instances[0];
    let exchange = world::EXCHANGE.parse().expect("name");
    let venue: Arc<dyn gateway_service::venue::Venue> = instance.venue.clone();
    DeadMan::new(instance.gateway.clone(), exchange, venue, Duration::from_secs(60))
}

fn beats(world: &World) -> i64 {
    world.instances[0].venue.beats.load(Ordering::SeqCst)
}

/// With nothing open, and with a healthy bot's order, the venue is told to wait; with the order of a bot whose gate is closed it is not, and with
/// that of another, healthy one beside it neither.
///
/// Control, tried: without the look at the gate the stopped bot's switch is held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_switch_of_a_stopped_bot_is_not_held() {
    let world = World::new(1).await;
    let switch = switch(&world);
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    assert_eq!(switch.beat().await, Beat::Told, "nothing rests there");
    world.submit(0, &session, &order("rests")).await;
    assert_eq!(switch.beat().await, Beat::Told);
    assert_eq!(beats(&world), 2);
    session.slot.close_gate();
    assert_eq!(switch.beat().await, Beat::Withheld);
    assert_eq!(beats(&world), 2, "the venue counts on");
    world.instances[0].gateway.reconsider_gate(&session.slot);
    assert_eq!(switch.beat().await, Beat::Told, "it was let go again");
}

/// A bot without an order there stops no switch: it hits nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_bot_without_orders_lets_the_others_rest() {
    let world = World::new(1).await;
    let switch = switch(&world);
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    session.slot.close_gate();
    assert_eq!(switch.beat().await, Beat::Told);
}

/// Control, tried: without the look at the ledger a gateway that can record nothing goes on holding the switch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_a_ledger_holds_no_switch() {
    let world = World::new(1).await;
    let switch = switch(&world);
    world.ledger.close().await.expect("closes");
    assert_eq!(switch.beat().await, Beat::Withheld);
    assert_eq!(beats(&world), 0);
}
