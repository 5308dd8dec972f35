//! What a bot is told of an order that has left memory: the same as before, looked up, not searched for.
//!
//! Negative controls: see each test.

mod world;

use std::time::{Duration, Instant};

use gateway_policy::CancelSource;
use gateway_service::{
    pipeline::{
        cancel::cancel,
        endings::{Endings, OrderStory},
        repeat::story,
        watch::Watch,
    },
    session::Session,
    venue::{OrderLife, Trade, VenueOrderId},
};
use world::{Mood, World, execution, order};

async fn told(world: &World, session: &Session, id: &str) -> OrderStory {
    let id = id.parse().expect("id");
    let told = story(&world.instances[0].gateway, &session.slot, &id).await;
    told.expect("reads").expect("a story")
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One order of each end: refused, filled at once, filled by executions that the watch read, cancelled, withheld, in doubt, open. Each is told
/// from the record as it was told from memory. Controls: without the order that the state holds, the open one reads as filled; without
/// the look-up of its end, so does the cancelled one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_orders_are_told_as_young_ones_are() {
    let world = World::new(1).await;
    let leaf = world.agent("mm-1").await;
    let session = world.session(0, &leaf).await;
    let instance = &world.instances[0];
    let ids = ["refused", "filled", "traded", "cancelled", "withheld", "doubt", "open"];
    let venue = &instance.venue;
    for id in ids {
        venue.be(match id {
            "filled" => Mood::Fill,
            "doubt" => Mood::LoseAnswers,
            _ => Mood::Accept,
        });
        let text = match id {
            "refused" => order(id).replace("BTC_EUR", "ETH_EUR"),
            _ => order(id),
        };
        if id == "withheld" {
            session.slot.close_gate();
        }
        world.submit(0, &session, &text).await;
        world.instances[0].gateway.reconsider_gate(&session.slot);
    }
    let unanswered = || {
        let inner = session.slot.lock();
        let open = inner.state.open_orders();
        open.iter().filter(|open| open.confirmed()).count() < 3 || open.len() != 4
    };
    until("all but one are answered", || !unanswered()).await;
    let number = |id: &str| {
        let inner = session.slot.lock();
        let open = inner.state.open_order(&id.parse().expect("id")).expect("open").clone();
        (inner.state.venue_order_id(open.number).to_string(), open)
    };
    let (_, withdrawn) = number("cancelled");
    cancel(
        &instance.gateway,
        &instance.venues,
        &session.slot,
        &withdrawn,
        CancelSource::Bot,
    )
    .await;
    let (sent, traded) = number("traded");
    venue
        .ended
        .lock()
        .expect("held")
        .insert(sent.clone(), OrderLife::Filled);
    venue.trades.lock().expect("held").push(Trade {
        execution_id: execution(1),
        venue_order_id: VenueOrderId::new(&format!("v-{sent}")).expect("id"),
        instrument: traded.order.instrument,
        bought: true,
        quantity: traded.order.quantity,
        price: "100".parse().expect("price"),
        at: extensions::Clock::now(&*world.clock),
    });
    let exchange = world::EXCHANGE.parse().expect("name");
    let (gateway, venues) = (instance.gateway.clone(), instance.venues.clone());
    let every = Duration::from_millis(20);
    let mut watch = Watch::new(gateway, venues, exchange, venue.clone(), every, Duration::from_secs(60));
    watch.round().await;
    until("what has ended is gone", || {
        session.slot.lock().state.open_orders().len() <= 2
    })
    .await;
    let mut young = Vec::new();
    for id in ids {
        young.push(told(&world, &session, id).await);
    }
    session.slot.lock().endings = Endings::default();
    for (id, young) in ids.iter().zip(young) {
        assert_eq!(told(&world, &session, id).await, young, "{id}");
    }
}
