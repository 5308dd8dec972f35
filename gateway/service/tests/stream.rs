//! `/v1/stream`, frame by frame: the same gate and records as the routes, bad frames, bounds, and every way a session is closed.
//!
//! Negative controls, tried: see each test.

mod world;

#[path = "stream/client.rs"]
mod client;
#[path = "stream/disconnect.rs"]
mod disconnect;
#[path = "stream/ends.rs"]
mod ends;
#[path = "stream/frames.rs"]
mod frames;
#[path = "stream/native.rs"]
mod native;

use client::{Client, placing};
use extensions::MandateDocument;
use serde_json::{Value, json};
use world::{Mood, World, order, rt, until, wire::Wire};

/// What a route says of an order or refusal, without the receipt that only the first answer has.
fn told(mut body: Value) -> Value {
    body.as_object_mut().expect("object").remove("receipt");
    body
}

/// An order, a refusal and a cancel have the status and the body of their routes; what follows is told as events, and again from a number on.
///
/// Control, built in: the same ids over the routes.
#[test]
fn a_stream_says_what_the_routes_say() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let wire = Wire::of(&world, &leaf).await;
        let mut bot = Client::of(&world, &leaf).await;
        let placed = bot.ask("1", placing("1", &order("a"))).await;
        assert_eq!(placed["status"], 200, "{placed}");
        assert!(placed["body"]["receipt"].is_object(), "{placed}");
        let again = wire.post(&order("a")).await;
        assert_eq!(
            (json!(again.status), &again.body["order"], &again.body["number"]),
            (
                placed["status"].clone(),
                &placed["body"]["order"],
                &placed["body"]["number"]
            )
        );
        let large = order("big").replace(r#""quantity":"1""#, r#""quantity":"1000""#);
        let refused = bot.ask("2", placing("2", &large)).await;
        let again = wire.post(&large).await;
        assert_eq!(again.code(), Some("MAX_NOTIONAL"));
        assert_eq!(
            (refused["status"].clone(), told(refused["body"].clone())),
            (json!(again.status), told(again.body))
        );
        let unknown = bot
            .ask("3", json!({"id": "3", "op": "cancel", "client_order_id": "none"}))
            .await;
        assert_eq!(
            (unknown["status"].clone(), unknown["body"]["code"].clone()),
            (json!(404), json!("ORDER_NOT_FOUND"))
        );
        let cancelled = bot
            .ask("4", json!({"id": "4", "op": "cancel", "client_order_id": "a"}))
            .await;
        assert_eq!(
            cancelled["body"],
            json!({"client_order_id": "a", "became": "cancelled"})
        );
        bot.ask("5", placing("5", &order("b"))).await;
        let all = bot.ask("6", json!({"id": "6", "op": "cancel_all"})).await;
        assert_eq!(all["body"]["cancels"][0]["client_order_id"], "b", "{all}");
        let nothing = bot.ask("7", json!({"id": "7", "op": "withdraw"})).await;
        assert_eq!(
            (nothing["status"].clone(), nothing["body"]["code"].clone()),
            (json!(400), json!("ORDER_MALFORMED"))
        );
        // Events, and the same again for a bot that comes back.
        let first = bot.event("order").await;
        assert_eq!(first["data"]["body"]["order"]["client_order_id"], "a", "{first}");
        let mut back = Client::since(&world, &leaf, first["number"].as_u64().expect("number") - 1).await;
        assert_eq!(back.event("order").await, first);
        bot.send(json!({"op": "goodbye"})).await;
        assert_eq!(bot.closed().await, (1000, String::new()));
    });
}

/// Where the mandate asks for a signature, a message carries none: the order is refused, on the record, and a cancel passes.
///
/// Tried: with `bare` claiming `Proof::NotRequired` it is refused all the same, for `decide` asks the certificate.
#[test]
fn an_order_without_the_signature_that_the_mandate_asks_for_is_refused() {
    rt().block_on(async {
        let world = World::new(1).await;
        let text = serde_json::to_string(&world::document("mm-1")).expect("document");
        let text = text.replace(r#""order_proof":false"#, r#""order_proof":true"#);
        let document: MandateDocument = serde_json::from_str(&text).expect("document");
        let leaf = world.agent_of(document).await;
        let mut bot = Client::of(&world, &leaf).await;
        let refused = bot.ask("1", placing("1", &order("a"))).await;
        assert_eq!(refused["body"]["code"], "PROOF_REQUIRED", "{refused}");
        assert!(refused["body"]["receipt"].is_object(), "recorded");
        assert!(world.instances[0].venue.sends().is_empty());
        let all = bot.ask("2", json!({"id": "2", "op": "cancel_all"})).await;
        assert_eq!(all["status"], 200);
    });
}

/// Above the gateway's bound orders are counted and not read; cancels pass. Control, built in: those inside the bound are read.
#[test]
fn the_bound_on_messages_is_that_of_the_routes() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.messages_per_second = 0;
        world.start(1).await;
        let leaf = world.agent("mm-1").await;
        let mut bot = Client::of(&world, &leaf).await;
        for text in [placing("1", &order("a")), json!({"id": "1", "op": "withdraw"})] {
            let over = bot.ask("1", text).await;
            assert_eq!(over["body"]["code"], "RATE_MESSAGES", "{over}");
            assert_eq!(over["retry_after_s"], 1);
        }
        let all = bot.ask("2", json!({"id": "2", "op": "cancel_all"})).await;
        assert_eq!(all["status"], 200);
    });
}

/// Messages that are not answered yet are bounded: the next is not read before one is.
///
/// Control tried: with `room` always true, all five wait at the venue.
#[test]
fn messages_in_flight_are_bounded() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| {
            settings.stream.in_flight = 2;
            settings.send_deadline = std::time::Duration::from_secs(30);
        };
        world.start(1).await;
        let leaf = world.agent("mm-1").await;
        let venue = world.instances[0].venue.clone();
        venue.be(Mood::Wait);
        let mut bot = Client::of(&world, &leaf).await;
        for place in 0..5 {
            let id = format!("w-{place}");
            bot.send(placing(&id, &order(&id))).await;
        }
        let waits = || venue.waits.load(std::sync::atomic::Ordering::SeqCst);
        until("two wait at the venue", || waits() == 2).await;
        // A message that was read would have its permit recorded soon; the other session's order is, behind them.
        let mut other = Client::of(&world, &leaf).await;
        other.send(placing("other", &order("other"))).await;
        until("the other's waits too", || waits() == 3).await;
        assert_eq!(world.permits("mm-1").await.len(), 3);
        venue.be(Mood::Accept);
        venue.go.add_permits(16);
        for place in 0..5 {
            let answer = bot.answered(&format!("w-{place}")).await;
            assert_eq!(answer["status"], 200, "{answer}");
        }
    });
}
