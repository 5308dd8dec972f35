//! Kraken's batches: so many single orders, read together or not at all.

use std::sync::atomic::Ordering;

use extensions::MandateDocument;
use gateway_policy::OrderDecided;
use serde_json::{Value, json};

use super::{edited, rt, until};
use crate::world::{
    Mood, World, agent, document,
    wire::{Told, Wire},
};

const ADD: &str = "/0/private/AddOrderBatch";
const CANCEL: &str = "/0/private/CancelOrderBatch";

fn limit(id: &str, volume: &str) -> Value {
    json!({"ordertype": "limit", "type": "buy", "volume": volume, "price": "100", "cl_ord_id": id})
}

fn batch(orders: &[Value]) -> String {
    json!({"nonce": "1", "pair": "XBTEUR", "orders": orders}).to_string()
}

async fn trading(document: MandateDocument) -> (World, Wire) {
    let world = World::new(1).await;
    let leaf = world.agent_of(document).await;
    let wire = Wire::of(&world, &leaf).await;
    (world, wire)
}

/// The ids of the bot's orders that were decided, as recorded.
async fn decided(world: &World) -> Vec<String> {
    let stream = world.stream("mm-1").await;
    let decided = stream.iter().filter(|entry| &*entry.kind == OrderDecided::KIND);
    let read = |body: &[u8]| extensions::canonical::from_slice::<OrderDecided>(body).expect("order");
    decided
        .map(|entry| read(entry.body()).order.client_order_id.to_string())
        .collect()
}

fn rows(told: &Told) -> &Vec<Value> {
    assert_eq!(told.status, 200, "{told:?}");
    told.body["result"]["orders"].as_array().expect("rows")
}

/// Each order is decided, recorded and sent by itself, in their order; one that the gate refuses keeps none of the others. The batch again is the same batch.
///
/// Control, tried: a batch that ends with its first refusal; the third order is missing.
#[test]
fn a_batch_is_so_many_single_orders() {
    rt().block_on(async {
        let (world, wire) = trading(document("mm-1")).await;
        let asked = batch(&[limit("b-1", "1"), limit("b-2", "501"), limit("b-3", "1e0")]);
        for time in 1..=2 {
            let told = wire.ask("POST", ADD, &asked).await;
            let rows = rows(&told);
            assert_eq!(told.body["error"], json!([]), "{told:?}");
            assert_eq!(rows[0]["descr"]["order"], "buy 1 XBTEUR @ limit 100");
            assert!(
                rows[0]["txid"].is_string() && rows[0]["txid"] != rows[2]["txid"],
                "{told:?}"
            );
            assert!(
                rows[2]["txid"].is_string() && rows[2].get("error").is_none(),
                "{told:?}"
            );
            assert_eq!(rows[1]["error"], "EGeneral:Permission denied");
            let ours = rows[1]["mandatum"].as_str().expect("ours");
            assert!(ours.starts_with("EMandatum:MAX_NOTIONAL: "), "{told:?}");
            assert_eq!(world.instances[0].venue.sends().len(), 2, "time {time}");
        }
        assert_eq!(decided(&world).await, ["b-1", "b-2", "b-3"]);
        let ids: Vec<Value> = world.instances[0]
            .gateway
            .slot(&agent("mm-1"))
            .lock()
            .state
            .open_orders()
            .iter()
            .map(|open| open.order.client_order_id.as_str().into())
            .collect();
        let cancel = json!({"cl_ord_ids": [ids[0], "other"], "orders": ["O00000-00000-999999"]}).to_string();
        let told = wire.ask("POST", CANCEL, &cancel).await;
        assert_eq!(told.body["result"]["count"], 1, "{told:?}");
        let orders: Vec<&Value> = [].into_iter().chain(ids.iter().skip(1)).collect();
        let told = wire
            .ask("POST", CANCEL, &json!({"cl_ord_ids": orders}).to_string())
            .await;
        assert_eq!(told.body["result"]["count"], 1, "{told:?}");
        assert_eq!(world.instances[0].venue.cancels().len(), 2);
    });
}

/// What is no batch does nothing: no order of it is decided, whichever it is that does not read.
///
/// Control, built in: the same batch without its fault, at the end. Control, tried: without the look for an id twice, two orders are decided.
#[test]
fn one_order_that_cannot_be_read_and_there_is_no_batch() {
    rt().block_on(async {
        let (world, wire) = trading(document("mm-1")).await;
        let good = [limit("b-1", "1"), limit("b-2", "1"), limit("b-3", "1")];
        let third = |name: &str, value: Value| {
            let mut orders = good.clone();
            orders[2][name] = value;
            batch(&orders)
        };
        let text = batch(&good);
        let many: Vec<Value> = (0..16).map(|n| limit(&format!("m-{n}"), "1")).collect();
        for (body, code) in [
            (third("cl_ord_id", "b-1".into()), "ORDER_INVALID"),
            (third("cl_ord_id", "am:1:1:x".into()), "ORDER_INVALID"),
            (third("volume", "1e-99".into()), "ORDER_INVALID"),
            (third("volume", "0".into()), "ORDER_INVALID"),
            (third("volume", json!([1])), "ORDER_MALFORMED"),
            (third("leverage", "5".into()), "ORDER_INVALID"),
            (third("deadline", "2030-01-01T00:00:00Z".into()), "ORDER_INVALID"),
            (third("pair", "XBTEUR".into()), "ORDER_INVALID"),
            (third("close", json!({"ordertype": "limit"})), "ORDER_MALFORMED"),
            (third("price", Value::Null), "ORDER_INVALID"),
            (batch(&many), "ORDER_INVALID"),
            (batch(&good[..1]), "ORDER_INVALID"),
            (batch(&[]), "ORDER_INVALID"),
            (text.replace("XBTEUR", "XDGEUR"), "ORDER_INVALID"),
            (text.replacen("{\"", "{\"deadline\":\"x\",\"", 1), "ORDER_INVALID"),
            (text.replacen("\"orders\"", "\"order\"", 1), "ORDER_MALFORMED"),
            (
                text.replacen("\"price\":\"100\"", "\"price\":\"100\",\"price\":\"1\"", 1),
                "ORDER_MALFORMED",
            ),
            (text.replacen("{\"", "{\"orders\":[],\"", 1), "ORDER_MALFORMED"),
            (format!("{text}{text}"), "ORDER_MALFORMED"),
            (format!("[{text}]"), "ORDER_MALFORMED"),
            (text.replacen('[', "", 1), "ORDER_MALFORMED"),
            ("pair=XBTEUR&orders=[]".to_owned(), "ORDER_MALFORMED"),
            (String::new(), "ORDER_MALFORMED"),
        ] {
            let told = wire.ask("POST", ADD, &body).await;
            let error = told.body["error"][1].as_str().unwrap_or_default();
            assert!(error.starts_with(&format!("EMandatum:{code}: ")), "{body}: {told:?}");
        }
        let told = wire.ask("POST", &format!("{ADD}?validate=true"), &text).await;
        assert!(
            told.body["error"][1]
                .as_str()
                .expect("ours")
                .contains("ORDER_MALFORMED"),
            "{told:?}"
        );
        assert!(decided(&world).await.is_empty() && world.instances[0].venue.sends().is_empty());

        let tried = text.replacen("{\"", "{\"validate\":true,\"", 1);
        let told = wire.ask("POST", ADD, &tried).await;
        assert!(
            rows(&told)
                .iter()
                .all(|row| row.get("txid").is_none() && row.get("error").is_none()),
            "{told:?}"
        );
        assert!(decided(&world).await.is_empty(), "a test is no order");
        let told = wire.ask("POST", ADD, &text).await;
        assert!(rows(&told).iter().all(|row| row["txid"].is_string()), "{told:?}");
        for body in [
            r#"{"orders":[]}"#,
            r#"{"orders":[1]}"#,
            r#"{"orders":"O1"}"#,
            r#"{"orders":["O1"],"x":1}"#,
            "{}",
        ] {
            let told = wire.ask("POST", CANCEL, body).await;
            assert_eq!(told.body["error"][0], "EGeneral:Not accepted", "{body}: {told:?}");
        }
        assert!(world.instances[0].venue.cancels().is_empty());
    });
}

/// A doubt is the answer for all, and nothing behind it is sent, now or when the batch comes again while it lasts.
///
/// Control, tried: a batch that goes on behind a doubt; three are sent.
#[test]
fn behind_a_doubt_nothing_more_of_a_batch_is_sent() {
    rt().block_on(async {
        let (world, wire) = trading(document("mm-1")).await;
        world.instances[0].venue.be(Mood::LoseAnswers);
        let asked = batch(&[limit("b-1", "1"), limit("b-2", "1"), limit("b-3", "1")]);
        let told = wire.ask("POST", ADD, &asked).await;
        assert_eq!(told.status, 504, "{told:?}");
        world.instances[0].venue.be(Mood::Accept);
        let told = wire.ask("POST", ADD, &asked).await;
        assert_eq!(told.status, 504, "{told:?}");
        assert_eq!(decided(&world).await, ["b-1"]);
        assert_eq!(world.instances[0].venue.sends().len(), 1);
    });
}

/// A bot that hangs up in the middle places no more of its batch; what was decided goes on.
///
/// Control, tried: the orders taken on a task of their own; the second one is sent.
#[test]
fn a_bot_that_hangs_up_places_no_more_of_its_batch() {
    rt().block_on(async {
        let (world, wire) = trading(document("mm-1")).await;
        let venue = world.instances[0].venue.clone();
        venue.be(Mood::Wait);
        let asked = batch(&[limit("b-1", "1"), limit("b-2", "1")]);
        let bot = tokio::spawn(async move { wire.ask("POST", ADD, &asked).await });
        until("the first is on its way", || venue.waits.load(Ordering::SeqCst) == 1).await;
        bot.abort();
        drop(bot.await);
        venue.go.add_permits(2);
        until("the first is sent", || venue.sends().len() == 1).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(venue.sends().len(), 1);
        assert_eq!(decided(&world).await, ["b-1"]);
    });
}

/// Each order of a batch is a message under the gateway's bound. Where some of a batch stand, no error makes a client send all of it again.
///
/// Control, tried: the bound asked for once; all of the batch is read.
#[test]
fn a_batch_is_as_many_messages_as_it_has_orders() {
    rt().block_on(async {
        let mut world = World::new(0).await;
        world.tune = |settings| settings.messages_per_second = 2;
        world.start(1).await;
        let leaf = world.agent_of(document("mm-1")).await;
        let wire = Wire::of(&world, &leaf).await;
        let asked = batch(&[
            limit("b-1", "1"),
            limit("b-2", "1"),
            limit("b-3", "1"),
            limit("b-4", "1"),
        ]);
        let told = wire.ask("POST", ADD, &asked).await;
        let unread: Vec<&Value> = rows(&told).iter().filter(|row| row.get("txid").is_none()).collect();
        assert!((1..=2).contains(&unread.len()), "{told:?}");
        for row in unread {
            assert_eq!(row["error"], "EGeneral:Permission denied", "{told:?}");
            assert!(
                row["mandatum"].as_str().expect("ours").contains("RATE_MESSAGES"),
                "{told:?}"
            );
        }
    });
}

/// Where the mandate asks for signed orders, a batch without a signature is so many refusals, each recorded.
#[test]
fn a_batch_without_a_signature_is_refused_order_by_order() {
    rt().block_on(async {
        let (world, wire) = trading(edited("mm-1", &[(r#""order_proof":false"#, r#""order_proof":true"#)])).await;
        let told = wire
            .ask("POST", ADD, &batch(&[limit("b-1", "1"), limit("b-2", "1")]))
            .await;
        for row in rows(&told) {
            assert_eq!(row["error"], "EAPI:Invalid key", "{told:?}");
            assert!(
                row["mandatum"].as_str().expect("ours").contains("PROOF_REQUIRED"),
                "{told:?}"
            );
        }
        assert_eq!(decided(&world).await.len(), 2, "recorded");
        assert!(world.instances[0].venue.sends().is_empty());
    });
}
