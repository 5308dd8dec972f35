//! Cancel on disconnect, by the injected clock.

use extensions::MandateDocument;
use gateway_policy::{CancelRequested, CancelSource};
use gateway_service::pipeline::settle::settle;
use ledger::CommittedEntry;
use serde_json::json;

use super::{
    client::{Client, placing},
    world::{World, agent, order, rt, until},
};

fn with_grace(name: &str, seconds: u16) -> MandateDocument {
    let mut document = super::world::document(name);
    document.conduct.cancel_after_disconnect_s = Some(seconds);
    document.check().expect("document");
    document
}

/// A session goes: by itself, or with a word before.
async fn leaves(world: &World, name: &str, mut bot: Client, clean: bool, left: usize) {
    if clean {
        bot.send(json!({"op": "goodbye"})).await;
        assert_eq!(bot.closed().await.0, 1000);
    }
    drop(bot);
    let gateway = &world.instances[0].gateway;
    until("it is gone", || gateway.streams.open_of(&agent(name)) == left).await;
}

/// Steps the clock and settles; how many cancels the venue was sent so far, once what was settled is on its way.
async fn later(world: &World, name: &str, seconds: i64, cancels: usize) {
    world.clock.plus_seconds(seconds);
    let at = &world.instances[0];
    settle(&at.gateway, &at.venues, &at.gateway.slot(&agent(name)));
    until("as many cancels", || at.venue.cancels().len() >= cancels).await;
    world.committed(0).await;
    assert_eq!(at.venue.cancels().len(), cancels, "after {seconds} s");
}

/// Only the last session counts, only when it breaks, and only when the bot is not back in time; the record says why.
///
/// Control tried: with `disconnect::settle` doing nothing the orders rest. Built in: a goodbye, a second session, and one that is back in time.
#[test]
fn a_bot_that_does_not_come_back_has_its_orders_cancelled() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent_of(with_grace("mm-1", 30)).await;
        let mut one = Client::of(&world, &leaf).await;
        let two = Client::of(&world, &leaf).await;
        for id in ["a", "b"] {
            assert_eq!(one.ask(id, placing(id, &order(id))).await["status"], 200);
        }
        leaves(&world, "mm-1", one, false, 1).await;
        later(&world, "mm-1", 60, 0).await;
        leaves(&world, "mm-1", two, false, 0).await;
        later(&world, "mm-1", 29, 0).await;
        let back = Client::of(&world, &leaf).await;
        later(&world, "mm-1", 60, 0).await;
        leaves(&world, "mm-1", back, true, 0).await;
        later(&world, "mm-1", 60, 0).await;
        let last = Client::of(&world, &leaf).await;
        leaves(&world, "mm-1", last, false, 0).await;
        later(&world, "mm-1", 29, 0).await;
        later(&world, "mm-1", 1, 2).await;
        let requested = |entry: &std::sync::Arc<CommittedEntry>| {
            let requested = extensions::canonical::from_slice::<CancelRequested>(entry.body());
            (&*entry.kind == "order.cancel_requested").then(|| requested.expect("request").by)
        };
        let entries = world.stream("mm-1").await;
        let by: Vec<CancelSource> = entries.iter().filter_map(requested).collect();
        assert_eq!(by, [CancelSource::Disconnect, CancelSource::Disconnect]);
        later(&world, "mm-1", 60, 2).await;
    });
}

/// A mandate that says nothing keeps the orders. Control, built in: the one above.
#[test]
fn without_a_grace_orders_stay() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let mut bot = Client::of(&world, &leaf).await;
        assert_eq!(bot.ask("a", placing("a", &order("a"))).await["status"], 200);
        leaves(&world, "mm-1", bot, false, 0).await;
        later(&world, "mm-1", 86_400, 0).await;
    });
}
