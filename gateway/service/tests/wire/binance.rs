//! Binance's routes: what a bot reads of itself, what an order would meet, and what a replacement is.

use std::time::{Duration, Instant};

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
        let me = wire.ask("GET", "/v1/me", "").await.body;
        let left = &me["day"][0]["left"];
        assert!(left.as_str().is_some_and(|left| left.starts_with("49999")), "{left}");
        assert_eq!(
            account["balances"],
            serde_json::json!([
                {"asset": "BTC", "free": "1.5", "locked": "0.5"},
                {"asset": "EUR", "free": left, "locked": "0"},
            ]),
            "of a unit of prices what the mandate still permits today"
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

/// A test is the same decision and nothing else: no entry, no id used, nothing sent, every failed check named; it counts as a message.
///
/// Control, tried: with `submit` in the place of `rehearse` the number moves and the venue is sent the order.
#[test]
fn a_tested_order_is_none() {
    rt().block_on(async {
        let (world, wire) = trading().await;
        let slot = world.instances[0].gateway.slot(&agent("mm-1"));
        let before = slot.lock().state.next_number();
        let test = async |order: &str| wire.ask("POST", "/api/v3/order/test", order).await;
        for _ in 0..3 {
            let told = test(&placed("t-1", "LIMIT")).await;
            assert_eq!((told.status, &told.body), (200, &serde_json::json!({})));
        }
        let large = placed("t-1", "LIMIT")
            .replace("quantity=1", "quantity=1000")
            .replace("price=100", "price=120");
        let told = test(&large).await;
        assert_eq!((told.status, &told.body["code"]), (403, &(-1002).into()), "{told:?}");
        let codes: Vec<&str> = told.body["checks"]
            .as_array()
            .expect("checks")
            .iter()
            .filter_map(|c| c["code"].as_str())
            .collect();
        assert_eq!(codes, ["MAX_NOTIONAL", "PRICE_COLLAR"]);
        assert_eq!(test("symbol=BTCEUR&side=BUY").await.status, 400);
        assert_eq!(slot.lock().state.next_number(), before, "no entry");
        assert!(world.instances[0].venue.sends().is_empty());
        let real = wire.ask("POST", "/api/v3/order", &placed("t-1", "LIMIT")).await;
        assert_eq!(real.status, 200, "the id is still free: {real:?}");
        let used = test(&placed("t-1", "LIMIT")).await;
        assert_eq!(used.body["checks"][0]["code"], "DUPLICATE", "{used:?}");
        // Another two in the same second of the monotonic clock at most: the bound is one.
        slot.lock().messages = gateway_service::pipeline::unread::MessageBound::default();
        let most = world.instances[0].gateway.settings.messages_per_second;
        let now = Instant::now();
        (0..most).for_each(|_| {
            slot.lock().messages.admit(now, most);
        });
        let flood = test(&placed("t-2", "LIMIT")).await;
        let late = now.elapsed() >= Duration::from_secs(1);
        assert!(late || flood.body["code"] == -1015, "{flood:?}");
    });
}

/// A replacement is a cancel and a new order, in the venue's shapes: both, one without the other, neither; the new one meets the whole gate.
///
/// Control, tried: with the cancel's failure ignored, `STOP_ON_FAILURE` sends a second order.
#[test]
fn a_replacement_is_a_cancel_and_a_new_order() {
    rt().block_on(async {
        let (world, wire) = trading().await;
        let venue = &world.instances[0].venue;
        let replace = async |mode: &str, old: &str, new: &str| {
            let body = format!(
                "{}&cancelReplaceMode={mode}&cancelOrigClientOrderId={old}",
                placed(new, "LIMIT")
            );
            wire.ask("POST", "/api/v3/order/cancelReplace", &body).await
        };
        wire.ask("POST", "/api/v3/order", &placed("a-1", "LIMIT")).await;
        rests(&world, 1).await;
        let both = replace("STOP_ON_FAILURE", "a-1", "a-2").await;
        assert_eq!(both.status, 200, "{both:?}");
        assert_eq!(
            (&both.body["cancelResult"], &both.body["newOrderResult"]),
            (&"SUCCESS".into(), &"SUCCESS".into())
        );
        assert_eq!(both.body["cancelResponse"]["origClientOrderId"], "a-1");
        assert_eq!(both.body["newOrderResponse"]["clientOrderId"], "a-2");
        rests(&world, 1).await;
        let (sent, cancels) = (venue.sends().len(), venue.cancels().len());

        let none = replace("STOP_ON_FAILURE", "a-1", "a-3").await;
        assert_eq!((none.status, &none.body["code"]), (400, &(-2022).into()), "{none:?}");
        assert_eq!(none.body["data"]["newOrderResult"], "NOT_ATTEMPTED");
        assert_eq!(none.body["data"]["cancelResponse"]["code"], -2011);
        assert_eq!((venue.sends().len(), venue.cancels().len()), (sent, cancels));

        let new_alone = replace("ALLOW_FAILURE", "a-1", "a-3").await;
        assert_eq!(
            (new_alone.status, &new_alone.body["code"]),
            (409, &(-2021).into()),
            "{new_alone:?}"
        );
        assert_eq!(new_alone.body["data"]["newOrderResult"], "SUCCESS");
        rests(&world, 2).await;

        // What raises risk beyond the mandate is refused as a new order, and its cancel passes.
        let body = placed("a-4", "LIMIT").replace("quantity=1", "quantity=1000")
            + "&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=a-2";
        let cancel_alone = wire.ask("POST", "/api/v3/order/cancelReplace", &body).await;
        assert_eq!(
            (cancel_alone.status, &cancel_alone.body["code"]),
            (409, &(-2021).into()),
            "{cancel_alone:?}"
        );
        assert_eq!(cancel_alone.body["data"]["cancelResult"], "SUCCESS");
        let why = cancel_alone.body["data"]["newOrderResponse"]["msg"]
            .as_str()
            .expect("words");
        assert!(why.starts_with("MAX_NOTIONAL"), "{why}");
        rests(&world, 1).await;

        // A cancel of which nobody knows is never called a failure, and stops the new order.
        venue.deaf.store(1_000, std::sync::atomic::Ordering::SeqCst);
        let before = venue.sends().len();
        let doubt = replace("STOP_ON_FAILURE", "a-3", "a-5").await;
        assert_eq!((doubt.status, &doubt.body["code"]), (504, &(-1007).into()), "{doubt:?}");
        assert_eq!(doubt.body["data"]["newOrderResult"], "NOT_ATTEMPTED");
        assert_eq!(venue.sends().len(), before);
        venue.deaf.store(0, std::sync::atomic::Ordering::SeqCst);

        for wrong in [
            "",
            "&cancelReplaceMode=STOP_ON_FAILURE",
            "&cancelReplaceMode=MAYBE&cancelOrderId=1",
            "&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=a-3&cancelRestrictions=ONLY_NEW",
        ] {
            let told = wire
                .ask("POST", "/api/v3/order/cancelReplace", &(placed("a-6", "LIMIT") + wrong))
                .await;
            assert_eq!(
                (told.status, &told.body["code"]),
                (400, &(-1900).into()),
                "{wrong}: {told:?}"
            );
        }
        assert_eq!(venue.sends().len(), before);
    });
}

/// Every other path of the venue is refused in its shape, whatever the method, and nothing reaches the venue.
///
/// Control: the list has an answered path's neighbours (`order`, `order/test`), which a prefix match would let through.
#[test]
fn other_paths_of_the_venue_are_refused() {
    rt().block_on(async {
        let (world, wire) = trading().await;
        for path in [
            "/api",
            "/api/v3",
            "/api/v1/order",
            "/api/v3/orderList/oto",
            "/api/v3/orderList/otoco",
            "/api/v3/sor/order",
            "/api/v3/sor/order/test",
            "/api/v3/order/test/more",
            "/api/v3/userDataStream/isolated",
            "/sapi/v1/userDataStream",
            "/api/v3/account/commission",
            "/api/v3/historicalTrades",
            "/api/v3/ticker",
            "/api/v3/uiKlines",
            "/sapi/v1/capital/withdraw/apply",
            "/sapi/v1/asset/transfer",
            "/sapi/v1/sub-account/universalTransfer",
            "/sapi/v1/sub-account/virtualSubAccount",
            "/sapi/v1/margin/order",
            "/sapi/v1/account/apiRestrictions",
            "/wapi/v3/withdraw.html",
            "/fapi",
            "/fapi/v1/order",
            "/fapi/v1/leverage",
            "/dapi/v1/order",
            "/eapi/v1/order",
            "/papi/v1/um/order",
        ] {
            for method in ["GET", "POST", "PUT", "DELETE"] {
                let told = wire.ask(method, path, "symbol=BTCEUR").await;
                assert_eq!(
                    (told.status, &told.body["code"]),
                    (404, &(-1002).into()),
                    "{method} {path}: {told:?}"
                );
                assert!(
                    told.body["msg"]
                        .as_str()
                        .is_some_and(|text| text.starts_with("PATH_UNKNOWN")),
                    "{path}"
                );
            }
        }
        assert!(world.instances[0].venue.sends().is_empty());
    });
}

/// Questions about the market: listed paths and parameters alone, each once, of a market that is traded here, so many a second; a venue that lacks the path
/// is told so.
///
/// Control, tried: without `only` an unknown parameter is answered.
#[test]
fn questions_about_the_market_are_bounded() {
    rt().block_on(async {
        let (world, wire) = trading().await;
        for (query, status, code) in [
            ("ticker/price?symbol=BTCEUR", 404, -1002),
            ("ticker/price", 400, -1900),
            ("ticker/price?symbols=%5B%22BTCEUR%22%5D", 400, -1900),
            ("ticker/price?symbol=DOGEEUR", 400, -1900),
            ("ticker/price?symbol=BTCEUR&symbol=BTCEUR", 400, -1900),
            ("ticker/24hr?symbol=BTCEUR&type=MINI", 400, -1900),
            ("depth?symbol=BTCEUR&limit=501", 400, -1900),
            ("depth?symbol=BTCEUR&limit=500", 404, -1002),
            ("klines?symbol=BTCEUR", 400, -1900),
            ("klines?symbol=BTCEUR&interval=1m&startTime=-1", 400, -1900),
        ] {
            let told = wire.ask("GET", &format!("/api/v3/{query}"), "").await;
            assert_eq!(
                (told.status, &told.body["code"]),
                (status, &code.into()),
                "{query}: {told:?}"
            );
        }
        let generic = wire.ask("GET", "/api/v3/exchangeInfo", "").await.body;
        assert_eq!(
            generic["symbols"][0]["filters"][0]["tickSize"], "0.00000001",
            "a venue without rules"
        );
        let (began, mut refused) = (Instant::now(), 0);
        for _ in 0..60 {
            let told = wire.ask("GET", "/api/v3/avgPrice?symbol=BTCEUR", "").await;
            refused += u32::from(told.body["code"] == -1015);
        }
        assert!(refused > 0 || began.elapsed() >= Duration::from_secs(1), "{refused}");
        assert_eq!(
            wire.ask("POST", "/api/v3/order", &placed("o-1", "LIMIT")).await.status,
            200,
            "orders have a bound of their own"
        );
        drop(world);
    });
}
