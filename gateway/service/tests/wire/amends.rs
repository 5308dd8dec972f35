//! Amends at the venues' paths: a cancel and a new order that meets the gate as any other, under the name that the venue would have kept.

use std::sync::atomic::Ordering;

use extensions::MandateDocument;
use gateway_policy::{DecisionKind, OrderDecided};
use revocation_core::{Actor, standing::AgentFrozen};
use serde_json::{Value, json};

use super::{edited, recorded, rt};
use crate::world::{
    World, agent, document,
    wire::{Told, Wire},
};

const AMEND: &str = "/0/private/AmendOrder";
const EDIT: &str = "/0/private/EditOrder";
const KEEP: &str = "/api/v3/order/amend/keepPriority";

struct Desk {
    world: World,
    wire: Wire,
}

impl Desk {
    async fn new() -> Self {
        Self::of(document("mm-1")).await
    }

    async fn of(document: MandateDocument) -> Self {
        let world = World::new(1).await;
        let leaf = world.agent_of(document).await;
        let wire = Wire::of(&world, &leaf).await;
        Self { world, wire }
    }

    async fn kraken(&self, path: &str, form: &str) -> Told {
        self.wire.ask("POST", path, form).await
    }

    /// An order of two at 100; its `txid`.
    async fn rests(&self, id: &str) -> String {
        let form = format!("pair=XBTEUR&type=buy&ordertype=limit&volume=2&price=100&cl_ord_id={id}");
        let told = self.kraken("/0/private/AddOrder", &form).await;
        told.body["result"]["txid"][0].as_str().expect("placed").to_owned()
    }

    async fn open(&self) -> Value {
        self.kraken("/0/private/OpenOrders", "nonce=1").await.body["result"]["open"].clone()
    }

    async fn shown(&self, txid: &str) -> Value {
        let told = self.kraken("/0/private/QueryOrders", &format!("txid={txid}")).await;
        told.body["result"][txid].clone()
    }

    fn sends(&self) -> usize {
        self.world.instances[0].venue.sends().len()
    }

    fn cancels(&self) -> usize {
        self.world.instances[0].venue.cancels().len()
    }

    /// The next cancel of an order of so much finds so much of it executed.
    fn executes(&self, ordered: u64, executed: u64) {
        let venue = &self.world.instances[0].venue;
        venue
            .partly
            .lock()
            .expect("held")
            .insert(ordered.into(), executed.into());
    }

    /// The orders as they were decided: id, quantity, decision.
    async fn decided(&self) -> Vec<(String, String, DecisionKind)> {
        let stream = self.world.stream("mm-1").await;
        let decided = stream.iter().filter(|entry| &*entry.kind == OrderDecided::KIND);
        let read = |body: &[u8]| extensions::canonical::from_slice::<OrderDecided>(body).expect("order");
        let told = decided.map(|entry| read(entry.body()));
        told.map(|one| {
            let id = one.order.client_order_id.to_string();
            (id, one.order.quantity.to_string(), one.decision)
        })
        .collect()
    }
}

fn says(told: &Told, code: &str) {
    let ours = told.body["error"][1].as_str().unwrap_or_default();
    assert!(ours.starts_with(&format!("EMandatum:{code}: ")), "{code}: {told:?}");
}

/// An amended order keeps its names wherever it is shown or named, however often it is amended and whatever it executed on the way; at the venue there is one at a
/// time, and each has a decision of its own.
///
/// Controls, tried: `latest` that finds nothing, and the second amend is of an unknown order; no look at what the cancelled one executed, and the last one is of 3.
#[test]
fn an_amended_order_keeps_its_names() {
    rt().block_on(async {
        let desk = Desk::new().await;
        let txid = desk.rests("k-1").await;
        let told = desk
            .kraken(AMEND, &format!("txid={txid}&order_qty=1.0&limit_price=99"))
            .await;
        assert_eq!(told.body["error"], json!([]), "{told:?}");
        assert_eq!(told.body["result"]["txid"], txid.as_str(), "{told:?}");
        assert_eq!((desk.sends(), desk.cancels()), (2, 1));
        let open = desk.open().await;
        assert_eq!(open.as_object().expect("open").len(), 1, "{open}");
        assert_eq!(
            (
                &open[&txid]["cl_ord_id"],
                &open[&txid]["vol"],
                &open[&txid]["descr"]["price"]
            ),
            (&"k-1".into(), &"1".into(), &"99".into()),
            "{open}"
        );
        // The same again is the same.
        let told = desk
            .kraken(AMEND, &format!("txid={txid}&order_qty=1&limit_price=99"))
            .await;
        assert_eq!((told.body["error"].clone(), desk.sends()), (json!([]), 2), "{told:?}");

        // By the bot's own id, and more; then less, when half of that is executed.
        let told = desk.kraken(AMEND, "cl_ord_id=k-1&order_qty=4").await;
        assert_eq!((told.body["error"].clone(), desk.sends()), (json!([]), 3), "{told:?}");
        desk.executes(4, 1);
        let told = desk.kraken(AMEND, "cl_ord_id=k-1&order_qty=3").await;
        assert_eq!((told.body["error"].clone(), desk.sends()), (json!([]), 4), "{told:?}");
        let shown = desk.shown(&txid).await;
        assert_eq!(
            (&shown["status"], &shown["vol"], &shown["vol_exec"], &shown["cl_ord_id"]),
            (&"open".into(), &"3".into(), &"1".into(), &"k-1".into()),
            "{shown}"
        );
        let wanted: Vec<(String, String, DecisionKind)> = ["k-1", "am:0:1:k-1", "am:0:2:k-1", "am:0:3:k-1"]
            .into_iter()
            .zip(["2", "1", "4", "2"])
            .map(|(id, quantity)| (id.to_owned(), quantity.to_owned(), DecisionKind::Permit))
            .collect();
        let decided = desk.decided().await;
        let number = decided[1].0.split(':').nth(1).expect("number").to_owned();
        let ids = wanted
            .into_iter()
            .map(|(id, quantity, kind)| (id.replace(":0:", &format!(":{number}:")), quantity, kind));
        assert_eq!(decided, ids.collect::<Vec<_>>());

        let told = desk.kraken("/0/private/CancelOrder", &format!("txid={txid}")).await;
        assert_eq!(told.body["result"]["count"], 1, "{told:?}");
        assert_eq!(desk.open().await, json!({}));
        let shown = desk.shown(&txid).await;
        assert_eq!(
            (&shown["status"], &shown["vol_exec"]),
            (&"canceled".into(), &"1".into()),
            "{shown}"
        );
        let closed = desk.kraken("/0/private/ClosedOrders", "nonce=1").await;
        assert_eq!(closed.body["result"]["count"], 1, "one order: {closed:?}");
        says(
            &desk.kraken(AMEND, &format!("txid={txid}&order_qty=1")).await,
            "ORDER_NOT_FOUND",
        );
    });
}

/// What raises risk beyond the mandate is refused and recorded, and the open order stays as it is; so it stays for a bot that is frozen. What fits once the old one
/// is gone is no longer counted beside it.
///
/// Controls, tried: without the question before the cancel, the order is gone; with that question asked of the state as it stands, the last amend is refused.
#[test]
fn an_amend_beyond_the_mandate_costs_no_order() {
    rt().block_on(async {
        let one = [(r#""repeat_window_ms":0"#, r#""max_open_orders":1,"repeat_window_ms":0"#)];
        let desk = Desk::of(edited("mm-1", &one)).await;
        let txid = desk.rests("k-1").await;
        for (path, form) in [
            (AMEND, format!("txid={txid}&order_qty=501")),
            (EDIT, format!("txid={txid}&pair=XBTEUR&volume=501")),
        ] {
            let told = desk.kraken(path, &form).await;
            assert_eq!(told.body["error"][0], "EGeneral:Permission denied", "{told:?}");
            says(&told, "MAX_NOTIONAL");
        }
        says(
            &desk.kraken(AMEND, &format!("txid={txid}&limit_price=103")).await,
            "PRICE_COLLAR",
        );
        assert_eq!((desk.sends(), desk.cancels()), (1, 0));
        assert_eq!(desk.shown(&txid).await["vol"], "2");
        let decided = desk.decided().await;
        assert_eq!(
            decided.iter().filter(|one| one.2 == DecisionKind::Refusal).count(),
            3,
            "{decided:?}"
        );

        let told = desk.kraken(AMEND, &format!("txid={txid}&order_qty=3")).await;
        assert_eq!((told.body["error"].clone(), desk.sends()), (json!([]), 2), "{told:?}");
        let (agent, by) = (agent("mm-1"), Actor::Officer("ada".parse().expect("id")));
        recorded(&desk.world, AgentFrozen { agent, by }).await;
        says(
            &desk.kraken(AMEND, &format!("txid={txid}&order_qty=1")).await,
            "STATE_FROZEN",
        );
        assert_eq!(desk.shown(&txid).await["vol"], "3");
        let told = desk.kraken("/0/private/CancelOrder", "cl_ord_id=k-1").await;
        assert_eq!(told.body["result"]["count"], 1, "{told:?}");
    });
}

/// What cannot be read, names no open order, or asks for no more than was executed changes nothing.
///
/// Control, built in: the amend without its fault, at the end.
#[test]
fn what_is_no_amend_changes_nothing() {
    rt().block_on(async {
        let desk = Desk::new().await;
        let txid = desk.rests("k-1").await;
        for (form, code) in [
            (format!("txid={txid}&order_qty=0"), "ORDER_INVALID"),
            (format!("txid={txid}&order_qty=1e-99"), "ORDER_INVALID"),
            (format!("txid={txid}&order_qty=-1"), "ORDER_INVALID"),
            (format!("txid={txid}&order_qty=1&order_qty=1"), "ORDER_MALFORMED"),
            (format!("txid={txid}&limit_price=%2B1%25"), "ORDER_INVALID"),
            (format!("txid={txid}&limit_price=0"), "ORDER_INVALID"),
            (format!("txid={txid}&trigger_price=90"), "ORDER_INVALID"),
            (format!("txid={txid}&display_qty=1"), "ORDER_INVALID"),
            (format!("txid={txid}&post_only=true&order_qty=1"), "ORDER_INVALID"),
            (format!("txid={txid}&cl_ord_id=k-1&order_qty=1"), "ORDER_INVALID"),
            ("order_qty=1".to_owned(), "ORDER_INVALID"),
            ("cl_ord_id=k-2&order_qty=1".to_owned(), "ORDER_NOT_FOUND"),
            ("txid=junk&order_qty=1".to_owned(), "ORDER_NOT_FOUND"),
            (format!("txid={txid}&pair=XDGEUR&order_qty=1"), "ORDER_NOT_FOUND"),
        ] {
            says(&desk.kraken(AMEND, &form).await, code);
        }
        for form in [
            format!("txid={txid}&volume=1"),
            "pair=XBTEUR&volume=1".to_owned(),
            format!("txid={txid}&pair=XBTEUR"),
            format!("txid={txid}&pair=XBTEUR&volume=2&price=100"),
            format!("txid={txid}&pair=XBTEUR&volume=1&price2=90"),
            format!("txid={txid}&pair=XBTEUR&volume=1&validate=true"),
            format!("txid={txid}&pair=XBTEUR&volume=1&oflags=post"),
        ] {
            says(&desk.kraken(EDIT, &form).await, "ORDER_INVALID");
        }
        for query in [
            "origClientOrderId=k-1&newQty=3&symbol=BTCEUR",
            "origClientOrderId=k-1&newQty=0&symbol=BTCEUR",
            "origClientOrderId=k-1&newQty=x&symbol=BTCEUR",
            "origClientOrderId=k-1&newQty=1",
            "newQty=1&symbol=BTCEUR",
            "origClientOrderId=k-1&newQty=1&symbol=ETHEUR",
            "origClientOrderId=k-1&newQty=1&symbol=BTCEUR&newClientOrderId=k-2",
        ] {
            let told = desk.wire.ask("PUT", KEEP, query).await;
            assert_eq!(told.status, 400, "{query}: {told:?}");
        }
        assert_eq!((desk.sends(), desk.cancels()), (1, 0));
        assert_eq!(desk.decided().await.len(), 1);
        let told = desk.kraken(AMEND, &format!("txid={txid}&order_qty=1")).await;
        assert_eq!((told.body["error"].clone(), desk.sends()), (json!([]), 2), "{told:?}");
    });
}

/// An order that ended before its cancel is not ordered again; one that executed as much as is asked for by then is cancelled and no more.
///
/// Control, tried: no look at what the cancelled one executed; it is ordered again.
#[test]
fn what_was_executed_is_not_ordered_again() {
    rt().block_on(async {
        let desk = Desk::new().await;
        let first = desk.rests("k-1").await;
        desk.executes(2, 1);
        let told = desk.kraken(AMEND, &format!("txid={first}&order_qty=1")).await;
        assert_eq!(told.body["error"][0], "EGeneral:Permission denied", "{told:?}");
        says(&told, "REPLACE_PARTLY");
        assert_eq!((desk.sends(), desk.cancels()), (1, 1));
        assert_eq!(desk.shown(&first).await["status"], "canceled");

        let second = desk.rests("k-2").await;
        let venue = &desk.world.instances[0].venue;
        let sent = venue.sends().last().expect("sent").clone();
        venue
            .ended
            .lock()
            .expect("held")
            .insert(sent, gateway_service::venue::OrderLife::Filled);
        says(
            &desk.kraken(AMEND, &format!("txid={second}&order_qty=1")).await,
            "ORDER_NOT_FOUND",
        );
        assert_eq!(desk.sends(), 2);
        assert_eq!(desk.shown(&second).await["status"], "closed");
    });
}

/// While the venue does not confirm the cancel, nothing new is ordered; and two amends of one order at once make one new order.
///
/// Controls, tried: a doubt taken for a cancel, and a second order is sent beside the first; without the claim, two amends make two orders.
#[test]
fn a_doubt_and_a_second_amend_order_nothing() {
    rt().block_on(async {
        let desk = Desk::new().await;
        let txid = desk.rests("k-1").await;
        let venue = desk.world.instances[0].venue.clone();
        // Lost twice, so that the first is still at it when the second comes.
        venue.deaf.store(2, Ordering::SeqCst);
        let form = |volume: u8| format!("txid={txid}&pair=XBTEUR&volume={volume}");
        let (one, other) = (form(1), form(3));
        let both = tokio::join!(desk.kraken(EDIT, &one), desk.kraken(EDIT, &other));
        let statuses = [both.0.status, both.1.status];
        assert!(statuses.contains(&200) && statuses.contains(&504), "{both:?}");
        assert_eq!(desk.sends(), 2);

        let txid = desk.rests("k-2").await;
        venue.deaf.store(1_000, Ordering::SeqCst);
        let told = desk.kraken(AMEND, &format!("txid={txid}&order_qty=1")).await;
        assert_eq!((told.status, desk.sends()), (504, 3), "{told:?}");
        venue.deaf.store(0, Ordering::SeqCst);
        let told = desk.kraken("/0/private/CancelOrder", &format!("txid={txid}")).await;
        assert_eq!(told.body["result"]["count"], 1, "{told:?}");
    });
}

/// Of two replacements of one order at once, one counts: a bot that asks again before it is answered does not order twice.
///
/// Control, tried: without the claim in `replace.rs`, both are sent.
#[test]
fn of_two_replacements_at_once_one_counts() {
    rt().block_on(async {
        let desk = Desk::new().await;
        desk.rests("k-1").await;
        desk.world.instances[0].venue.deaf.store(2, Ordering::SeqCst);
        let form = |id: &str| {
            let order = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=100";
            format!("{order}&newClientOrderId={id}&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=k-1")
        };
        let (one, other) = (form("r-1"), form("r-2"));
        let path = "/api/v3/order/cancelReplace";
        let both = tokio::join!(desk.wire.ask("POST", path, &one), desk.wire.ask("POST", path, &other));
        let statuses = [both.0.status, both.1.status];
        assert!(statuses.contains(&200) && statuses.contains(&504), "{both:?}");
        assert_eq!(desk.sends(), 2);
    });
}

/// An edited order has names of its own, and the old ones stay with the old one.
#[test]
fn an_edited_order_has_names_of_its_own() {
    rt().block_on(async {
        let desk = Desk::new().await;
        let old = desk.rests("k-1").await;
        let told = desk
            .kraken(EDIT, &format!("txid={old}&pair=XBTEUR&volume=1&price=99.5"))
            .await;
        let result = &told.body["result"];
        assert_eq!(
            (&result["status"], &result["originaltxid"]),
            (&"ok".into(), &old.as_str().into()),
            "{told:?}"
        );
        assert_eq!(
            (&result["volume"], &result["price"]),
            (&"1".into(), &"99.5".into()),
            "{told:?}"
        );
        let new = result["txid"].as_str().expect("named").to_owned();
        assert_ne!(new, old);
        assert_eq!(desk.shown(&old).await["status"], "canceled");
        assert_eq!(desk.shown(&new).await["status"], "open");
        says(
            &desk.kraken("/0/private/CancelOrder", &format!("txid={old}")).await,
            "ORDER_NOT_FOUND",
        );
        says(
            &desk.kraken(EDIT, &format!("txid={old}&pair=XBTEUR&volume=1")).await,
            "ORDER_NOT_FOUND",
        );
        assert_eq!(desk.open().await.as_object().expect("open").len(), 1);
    });
}

/// Binance's amend: less of an order, in its own shape, under the same `orderId` and id.
#[test]
fn less_of_an_order_keeps_its_order_id() {
    rt().block_on(async {
        let desk = Desk::new().await;
        desk.rests("k-1").await;
        let open = desk.wire.ask("GET", "/api/v3/openOrders", "").await.body;
        let number = open[0]["orderId"].as_u64().expect("number");
        desk.executes(2, 1);
        let told = desk
            .wire
            .ask("PUT", &format!("{KEEP}?symbol=BTCEUR&orderId={number}&newQty=1.5"), "")
            .await;
        let amended = &told.body["amendedOrder"];
        assert_eq!(
            (
                &amended["orderId"],
                &amended["clientOrderId"],
                &amended["qty"],
                &amended["executedQty"],
                &amended["status"]
            ),
            (
                &number.into(),
                &"k-1".into(),
                &"1.5".into(),
                &"1".into(),
                &"PARTIALLY_FILLED".into()
            ),
            "{told:?}"
        );
        let all = desk.wire.ask("GET", "/api/v3/allOrders?symbol=BTCEUR", "").await.body;
        assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
        assert_eq!(
            (&all[0]["orderId"], &all[0]["origQty"]),
            (&number.into(), &"1.5".into()),
            "{all}"
        );
        let told = desk
            .wire
            .ask("DELETE", &format!("/api/v3/order?symbol=BTCEUR&orderId={number}"), "")
            .await;
        assert_eq!(
            (&told.body["orderId"], &told.body["status"]),
            (&number.into(), &"CANCELED".into()),
            "{told:?}"
        );
        assert_eq!(desk.wire.ask("GET", "/api/v3/openOrders", "").await.body, json!([]));
    });
}
