//! Binance's routes: what a bot reads of itself, what an order would meet, and what a replacement is.

use std::time::Duration;

use super::{rt, until};
use crate::world::{Mood, World, agent, document, wire::Wire};

/// An order in the venue's words.
fn placed(id: &str, kind: &str) -> String {
    let order = "symbol=BTCEUR&side=BUY&quantity=1";
    match kind {
        "MARKET" => format!("{order}&type=MARKET&newClientOrderId={id}"),
        _ => format!("{order}&type=LIMIT&timeInForce=GTC&price=100&newClientOrderId={id}"),
    }
}

async fn trading() -> (World, Wire) {
    let world = World::new(1).await;
    let leaf = world.agent_of(document("mm-1")).await;
    let wire = Wire::of(&world, &leaf).await;
    (world, wire)
}

async fn rests(world: &World, count: usize) {
    let slot = world.instances[0].gateway.slot(&agent("mm-1"));
    until("they rest", || {
        let inner = slot.lock();
        inner.state.open_orders().iter().filter(|open| open.confirmed()).count() == count
    })
    .await;
}

/// What was paid stands where every fill is known; the books are the gateway's own; fills are found by number, order, market and time.
///
/// Control, tried: an answer that begins at the stream's start whatever `fromId` says lists the first fill again.
#[test]
fn a_bot_reads_its_own_books() {
    rt().block_on(async {
        let (world, wire) = trading().await;
        world.instances[0].venue.be(Mood::Fill);
        let bought = wire.ask("POST", "/api/v3/order", &placed("b-1", "MARKET")).await;
        assert_eq!(bought.status, 200, "{bought:?}");
        assert_eq!(bought.body["executedQty"], "1");
        assert_eq!(bought.body["cummulativeQuoteQty"], "100");
        assert_eq!(
            bought.body["fills"],
            serde_json::json!([{"price": "100", "qty": "1"}]),
            "no commission and no id is made up"
        );
        wire.ask("POST", "/api/v3/order", &placed("b-2", "MARKET")).await;
        world.instances[0].venue.be(Mood::Accept);
        wire.ask("POST", "/api/v3/order", &placed("r-1", "LIMIT")).await;
        rests(&world, 1).await;
        let sell = placed("s-1", "LIMIT")
            .replace("BUY", "SELL")
            .replace("quantity=1", "quantity=0.5");
        wire.ask("POST", "/api/v3/order", &sell).await;
        rests(&world, 2).await;
        let refused = placed("n-1", "LIMIT").replace("quantity=1", "quantity=100000");
        assert_eq!(wire.ask("POST", "/api/v3/order", &refused).await.status, 403);

        let account = wire.ask("GET", "/api/v3/account", "").await.body;
        assert_eq!(
            account["balances"],
            serde_json::json!([{"asset": "BTC", "free": "1.5", "locked": "0.5"}]),
            "no balance of a unit that no book holds"
        );
        for (right, has) in [("canTrade", true), ("canWithdraw", false), ("canDeposit", false)] {
            assert_eq!(account[right], has, "{right}");
        }

        until("both fills are recorded", || {
            world
                .ledger
                .stream_next(world.instances[0].gateway.slot(&agent("mm-1")).stream())
                >= world.instances[0]
                    .gateway
                    .slot(&agent("mm-1"))
                    .lock()
                    .state
                    .next_number()
        })
        .await;
        let list = async |query: &str| wire.ask("GET", &format!("/api/v3/{query}"), "").await;
        let all = list("myTrades?symbol=BTCEUR").await.body;
        let rows = all.as_array().expect("rows");
        assert_eq!(rows.len(), 2, "{all}");
        assert_eq!(
            (&rows[0]["quoteQty"], &rows[0]["isBuyer"]),
            (&"100".into(), &true.into())
        );
        assert_eq!(rows[0]["orderId"], bought.body["orderId"]);
        assert!(rows[0].get("commission").is_none());
        let second = rows[1]["id"].as_u64().expect("number");
        let count = |told: &crate::world::wire::Told| told.body.as_array().map(Vec::len);
        for (query, rows) in [
            (format!("symbol=BTCEUR&fromId={second}"), Some(1)),
            (format!("symbol=BTCEUR&fromId={}", second + 1), Some(0)),
            ("symbol=BTCEUR&limit=1".to_owned(), Some(1)),
            ("symbol=ETHEUR".to_owned(), Some(0)),
            (format!("symbol=BTC/EUR&orderId={}", bought.body["orderId"]), Some(1)),
            (format!("symbol=BTCEUR&startTime={}", rows[0]["time"]), Some(2)),
            ("symbol=BTCEUR&startTime=99999999999999".to_owned(), Some(0)),
            ("symbol=BTCEUR&endTime=1".to_owned(), Some(0)),
            ("symbol=BTCEUR&limit=1001".to_owned(), None),
            ("symbol=BTCEUR&limit=0".to_owned(), None),
            ("symbol=BTCEUR&fromId=1&startTime=1".to_owned(), None),
            ("symbol=BTCEUR&fromId=-1".to_owned(), None),
            ("symbol=BTCEUR&isIsolated=TRUE".to_owned(), None),
            ("symbol=BTCEUR&symbol=ETHEUR".to_owned(), None),
            (String::new(), None),
        ] {
            let told = list(&format!("myTrades?{query}")).await;
            assert_eq!(count(&told), rows, "{query}: {told:?}");
            assert_eq!(told.status, if rows.is_some() { 200 } else { 400 }, "{query}");
        }
        let orders = list("allOrders?symbol=BTCEUR").await.body;
        let ids: Vec<&str> = orders
            .as_array()
            .expect("rows")
            .iter()
            .filter_map(|row| row["clientOrderId"].as_str())
            .collect();
        assert_eq!(ids, ["b-1", "b-2", "r-1", "s-1"], "what was refused is at no venue");
        assert_eq!(orders[0]["cummulativeQuoteQty"], "100");
        assert_eq!(orders[2]["cummulativeQuoteQty"], "0");
        let from = format!("allOrders?symbol=BTCEUR&orderId={}&limit=1", orders[1]["orderId"]);
        assert_eq!(list(&from).await.body[0]["clientOrderId"], "b-2");

        // Out of memory, the same is read from the record.
        let slot = world.instances[0].gateway.slot(&agent("mm-1"));
        slot.lock().endings = gateway_service::pipeline::endings::Endings::default();
        let old = list("order?symbol=BTCEUR&origClientOrderId=b-1").await.body;
        assert_eq!(
            (&old["status"], &old["cummulativeQuoteQty"]),
            (&"FILLED".into(), &"100".into())
        );
        tokio::time::timeout(Duration::from_secs(10), world.followed(0))
            .await
            .expect("followed");
    });
}
