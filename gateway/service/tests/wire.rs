//! What a bot is answered over the routes: cancels pass in every state (guarantee 8), each refusal code stands where it should.

mod world;

#[path = "wire/amends.rs"]
mod amends;
#[path = "wire/batches.rs"]
mod batches;
#[path = "wire/binance.rs"]
mod binance;
#[path = "wire/cancels.rs"]
mod cancels;
#[path = "wire/codes.rs"]
mod codes;
#[path = "wire/fix.rs"]
mod fix;
#[path = "wire/lists.rs"]
mod lists;

use std::time::{Duration, Instant};

use extensions::{Clock, MandateDocument, Record};
use ledger::Append;
use world::World;

fn rt() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The usual mandate with parts of its text replaced.
fn edited(agent: &str, changes: &[(&str, &str)]) -> MandateDocument {
    let mut text = serde_json::to_string(&world::document(agent)).expect("document");
    for (from, to) in changes {
        assert!(text.contains(from), "{from} in {text}");
        text = text.replace(from, to);
    }
    let document: MandateDocument = serde_json::from_str(&text).expect("document");
    document.check().expect("document");
    document
}

/// An officer's record, followed by the first instance.
async fn recorded(world: &World, record: impl Record + std::fmt::Debug + Send + 'static) {
    let append = Append::next(record, world.clock.now());
    world.officer.append(append).await.expect("recorded");
    world.followed(0).await;
}

/// Steps the clock; the price is fresh at the new time.
fn later(world: &World, seconds: i64) {
    world.clock.plus_seconds(seconds);
    world.quote(&world.instances[0].gateway, "100");
}
