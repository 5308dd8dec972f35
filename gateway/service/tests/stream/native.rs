//! Binance's user data stream: what becomes of orders, in the venue's words, and nothing else.

use serde_json::{Value, json};

use super::{
    client::Client,
    world::{Mood, World, rt, wire::Wire},
};

const BYTES: usize = 1 << 20;

fn placed(id: &str, kind: &str) -> String {
    let rest = if kind == "LIMIT" {
        "&price=100&timeInForce=GTC"
    } else {
        ""
    };
    format!("symbol=BTCEUR&side=BUY&type={kind}&quantity=1{rest}&newClientOrderId={id}")
}

fn parts(report: &Value) -> [&str; 6] {
    ["e", "c", "x", "X", "z", "l"].map(|name| report[name].as_str().unwrap_or_default())
}

/// An order that rests, its cancel, a fill: each is told once, bare and in a combined stream. A refused order is not: its answer said so.
///
/// Control, tried: without the report of a cancel the next one is not the cancel's: seen red.
#[test]
fn what_becomes_of_orders_is_told_in_the_venues_words() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        let wire = Wire::of(&world, &leaf).await;
        let key = wire.ask("POST", "/api/v3/userDataStream", "").await.body["listenKey"].clone();
        let key = key.as_str().expect("a key");
        for method in ["PUT", "DELETE"] {
            let told = wire
                .ask(method, &format!("/api/v3/userDataStream?listenKey={key}"), "")
                .await;
            assert_eq!((told.status, told.body), (200, json!({})), "{method}");
        }
        let mut bare = Client::to(&world, &leaf, &format!("/ws/{key}"), BYTES)
            .await
            .expect("a stream");
        let combined = format!("/stream?streams={key}");
        let mut combined = Client::to(&world, &leaf, &combined, BYTES).await.expect("a stream");
        let mut next = async || {
            let report = bare.next().await;
            let named = combined.next().await;
            assert_eq!((&named["stream"], &named["data"]), (&json!(key), &report));
            report
        };
        wire.ask("POST", "/api/v3/order", &placed("rests", "LIMIT")).await;
        let report = next().await;
        assert_eq!(
            parts(&report),
            ["executionReport", "rests", "NEW", "NEW", "0", "0"],
            "{report}"
        );
        let large = placed("large", "LIMIT").replace("quantity=1", "quantity=100000");
        assert_eq!(wire.ask("POST", "/api/v3/order", &large).await.status, 403);
        let path = "/api/v3/order?symbol=BTCEUR&origClientOrderId=rests";
        assert_eq!(wire.ask("DELETE", path, "").await.status, 200);
        let report = next().await;
        assert_eq!(
            parts(&report),
            ["executionReport", "rests", "CANCELED", "CANCELED", "0", "0"],
            "{report}"
        );
        assert_eq!(report["C"], "rests", "of which order it is the cancel");
        world.instances[0].venue.be(Mood::Fill);
        for id in ["b-1", "b-2"] {
            let bought = wire.ask("POST", "/api/v3/order", &placed(id, "MARKET")).await;
            let report = next().await;
            assert_eq!(
                parts(&report),
                ["executionReport", id, "TRADE", "FILLED", "1", "1"],
                "{report}"
            );
            assert_eq!(
                (&report["i"], &report["L"], &report["Z"]),
                (&bought.body["orderId"], &json!("100"), &json!("100"))
            );
            assert!(
                report["t"].as_u64() > report["i"].as_u64() && report.get("n").is_none(),
                "{report}"
            );
        }
    });
}

/// Nothing is placed on it, and there is no other stream.
///
/// Control, built in: a subscription to the one stream is answered without an error.
#[test]
fn a_user_stream_takes_no_orders_and_no_other_stream() {
    rt().block_on(async {
        let world = World::new(1).await;
        let leaf = world.agent("mm-1").await;
        for target in ["/ws/btceur@trade", "/stream?streams=btceur@trade", "/stream?other=1"] {
            let refused = Client::to(&world, &leaf, target, BYTES).await.err().expect("refused");
            assert!(
                refused.contains("400 ") && refused.contains("ORDER_INVALID"),
                "{target}: {refused}"
            );
        }
        let mut bot = Client::to(&world, &leaf, "/stream", BYTES).await.expect("a stream");
        let subscribed = bot
            .ask(
                "1",
                json!({"id": "1", "method": "SUBSCRIBE", "params": ["certificate"]}),
            )
            .await;
        assert_eq!(subscribed, json!({"id": "1", "result": null}));
        for asked in [
            json!({"id": "2", "method": "SUBSCRIBE", "params": ["btceur@trade"]}),
            json!({"id": "2", "method": "order.place", "params": []}),
        ] {
            let refused = bot.ask("2", asked).await;
            assert!(refused["error"]["msg"].is_string(), "{refused}");
        }
        let order: Value = serde_json::from_str(&super::order("a")).expect("order");
        for text in [
            json!({"id": "3", "op": "order", "order": order}),
            json!([1]),
            json!("x"),
        ] {
            bot.send(text).await;
            assert!(bot.next().await["error"].is_object());
        }
        assert!(world.instances[0].venue.sends().is_empty());
    });
}
