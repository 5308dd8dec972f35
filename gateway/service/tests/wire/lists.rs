//! Binance's lists of two orders: each decided and recorded as a single one, both or neither sent, in one call.

use extensions::MandateDocument;
use gateway_policy::{DecisionKind, OrderDecided, OutcomeState};
use serde_json::json;

use super::{edited, rt, until};
use crate::world::{
    Mood, World, agent, document,
    wire::{Told, Wire},
};

const OCO: &str = "/api/v3/orderList/oco";
const OLDER: &str = "/api/v3/order/oco";
const SELL: &str =
    "symbol=BTCEUR&side=SELL&quantity=1&aboveType=LIMIT_MAKER&abovePrice=101&belowType=STOP_LOSS&belowStopPrice=99";

struct Desk {
    world: World,
    wire: Wire,
}

impl Desk {
    async fn of(document: MandateDocument) -> Self {
        let world = World::new(1).await;
        let leaf = world.agent_of(document).await;
        let wire = Wire::of(&world, &leaf).await;
        Self { world, wire }
    }

    async fn post(&self, path: &str, form: &str) -> Told {
        self.wire.ask("POST", path, form).await
    }

    async fn get(&self, query: &str) -> Told {
        self.wire.ask("GET", &format!("/api/v3/{query}"), "").await
    }

    fn sends(&self) -> usize {
        self.world.instances[0].venue.sends().len()
    }

    fn lists(&self) -> usize {
        self.world.instances[0].venue.lists.lock().expect("held").len()
    }

    async fn decided(&self) -> Vec<(u64, OrderDecided)> {
        let stream = self.world.stream("mm-1").await;
        let decided = stream.iter().filter(|entry| &*entry.kind == OrderDecided::KIND);
        decided
            .map(|entry| {
                (
                    entry.number,
                    extensions::canonical::from_slice(entry.body()).expect("order"),
                )
            })
            .collect()
    }

    async fn outcomes(&self) -> Vec<OutcomeState> {
        let stream = self.world.stream("mm-1").await;
        let outcomes = stream.iter().filter(|entry| &*entry.kind == "order.outcome");
        let read =
            |body: &[u8]| extensions::canonical::from_slice::<gateway_policy::OrderOutcome>(body).expect("outcome");
        outcomes.map(|entry| read(entry.body()).state).collect()
    }
}

/// Two permits, one call; the same list again is the same list; the cancel of one order ends both.
///
/// Control, tried: without `end_other`, the second order stays open in the books.
#[test]
fn a_list_is_two_permits_and_one_call() {
    rt().block_on(async {
        let desk = Desk::of(document("mm-1")).await;
        let form = format!("{SELL}&aboveClientOrderId=l-1&belowClientOrderId=l-2");
        let mut numbers = Vec::new();
        for time in 1..=2 {
            let told = desk.post(OCO, &form).await;
            assert_eq!(told.status, 200, "{told:?}");
            assert_eq!(
                (&told.body["contingencyType"], &told.body["listOrderStatus"]),
                (&"OCO".into(), &"EXECUTING".into())
            );
            let reports = told.body["orderReports"].as_array().expect("two");
            let kinds: Vec<_> = reports
                .iter()
                .map(|row| (row["clientOrderId"].clone(), row["type"].clone()))
                .collect();
            assert_eq!(
                kinds,
                [("l-1".into(), "LIMIT_MAKER".into()), ("l-2".into(), "STOP_LOSS".into())],
                "{told:?}"
            );
            let of_list = |row: &serde_json::Value| row["orderListId"] == told.body["orderListId"];
            assert!(reports.iter().all(of_list), "{told:?}");
            assert_eq!((desk.sends(), desk.lists()), (2, 1), "time {time}");
            numbers.push(told.body["orderListId"].as_u64().expect("number"));
        }
        assert_eq!(numbers[0], numbers[1]);
        let decided = desk.decided().await;
        let first = decided[0].0;
        assert_eq!(first, numbers[0]);
        assert!(
            decided.len() == 2
                && decided
                    .iter()
                    .all(|(_, one)| one.list == Some(first) && one.decision == DecisionKind::Permit)
        );

        let open = desk.get("openOrderList").await.body;
        assert_eq!(
            (open.as_array().map(Vec::len), &open[0]["orderListId"]),
            (Some(1), &first.into()),
            "{open}"
        );
        let told = desk
            .wire
            .ask(
                "PUT",
                "/api/v3/order/amend/keepPriority",
                "symbol=BTCEUR&origClientOrderId=l-1&newQty=0.5",
            )
            .await;
        assert_eq!(told.status, 400, "none of a list is amended: {told:?}");
        let told = desk
            .wire
            .ask("DELETE", "/api/v3/order", "symbol=BTCEUR&origClientOrderId=l-2")
            .await;
        assert_eq!(
            (&told.body["status"], &told.body["orderListId"]),
            (&"CANCELED".into(), &first.into()),
            "{told:?}"
        );
        let slot = desk.world.instances[0].gateway.slot(&agent("mm-1"));
        until("both have ended", || slot.lock().state.open_orders().is_empty()).await;
        let list = desk.get(&format!("orderList?orderListId={first}")).await.body;
        assert_eq!(list["listOrderStatus"], "ALL_DONE", "{list}");
        assert!(
            list["orderReports"]
                .as_array()
                .expect("two")
                .iter()
                .all(|row| row["status"] == "CANCELED"),
            "{list}"
        );
    });
}

/// The older words say the same, and `DELETE` of a list cancels both.
#[test]
fn the_older_words_say_the_same() {
    rt().block_on(async {
        let desk = Desk::of(document("mm-1")).await;
        let form =
            "symbol=BTCEUR&side=SELL&quantity=1&price=101&stopPrice=99&limitClientOrderId=o-1&stopClientOrderId=o-2";
        let told = desk.post(OLDER, form).await;
        assert_eq!((told.status, desk.sends(), desk.lists()), (200, 2, 1), "{told:?}");
        let number = told.body["orderListId"].as_u64().expect("number");
        let told = desk
            .wire
            .ask(
                "DELETE",
                "/api/v3/orderList",
                &format!("symbol=BTCEUR&orderListId={number}"),
            )
            .await;
        assert_eq!(
            (told.status, &told.body["listOrderStatus"]),
            (200, &"ALL_DONE".into()),
            "{told:?}"
        );
        let slot = desk.world.instances[0].gateway.slot(&agent("mm-1"));
        until("both have ended", || slot.lock().state.open_orders().is_empty()).await;
        let told = desk
            .wire
            .ask(
                "DELETE",
                "/api/v3/orderList",
                &format!("symbol=BTCEUR&orderListId={number}"),
            )
            .await;
        assert_eq!(told.body["code"], -2011, "{told:?}");
    });
}

/// Where the gate refuses one of them, neither is sent, and the permit of the other is recorded as withheld. Both count in every limit.
///
/// Control, tried: a permit that is not withheld stays open without an end.
#[test]
fn both_or_neither_are_sent() {
    rt().block_on(async {
        let one = [(r#""repeat_window_ms":0"#, r#""max_open_orders":1,"repeat_window_ms":0"#)];
        let desk = Desk::of(edited("mm-1", &one)).await;
        let form = format!("{SELL}&aboveClientOrderId=l-1&belowClientOrderId=l-2");
        for _ in 0..2 {
            let told = desk.post(OCO, &form).await;
            let said = told.body["msg"].as_str().expect("text");
            assert!(said.starts_with("OPEN_ORDERS_CAP: "), "{told:?}");
        }
        let stop = SELL.replace("belowStopPrice=99", "belowStopPrice=100.5");
        let told = desk.post(OCO, &stop).await;
        assert!(
            told.body["msg"].as_str().expect("text").starts_with("PRICE_COLLAR: "),
            "{told:?}"
        );
        let told = desk.post(OCO, &SELL.replace("quantity=1", "quantity=501")).await;
        assert!(
            told.body["msg"].as_str().expect("text").starts_with("MAX_NOTIONAL: "),
            "{told:?}"
        );
        assert_eq!((desk.sends(), desk.lists()), (0, 0));
        let slot = desk.world.instances[0].gateway.slot(&agent("mm-1"));
        until("none is open", || slot.lock().state.open_orders().is_empty()).await;
        let withheld = desk.outcomes().await;
        assert_eq!(withheld.len(), 2, "{withheld:?}");
        assert!(
            withheld
                .iter()
                .all(|state| matches!(state, OutcomeState::Withheld { .. })),
            "{withheld:?}"
        );
    });
}

/// A doubt is one about both, and the list is never sent again; a closed gate sends neither.
///
/// Control, tried: a gate that is not asked sends the last one.
#[test]
fn a_doubt_is_about_both() {
    rt().block_on(async {
        let desk = Desk::of(document("mm-1")).await;
        let venue = desk.world.instances[0].venue.clone();
        venue.be(Mood::LoseAnswers);
        let form = format!("{SELL}&aboveClientOrderId=l-1&belowClientOrderId=l-2");
        assert_eq!(desk.post(OCO, &form).await.status, 504);
        venue.be(Mood::Accept);
        assert_eq!(desk.post(OCO, &form).await.status, 504);
        assert_eq!((desk.sends(), desk.lists()), (2, 1));
        venue.be(Mood::Reject);
        let told = desk.post(OCO, SELL).await;
        assert_eq!(told.body["code"], -1900, "{told:?}");
        venue.be(Mood::Accept);
        desk.world.instances[0].gateway.slot(&agent("mm-1")).close_gate();
        let told = desk.post(OCO, SELL).await;
        assert_eq!(told.status, 503, "{told:?}");
        assert_eq!(desk.lists(), 2);
    });
}

/// What is no list does nothing.
///
/// Control, built in: the list without its fault, at the end.
#[test]
fn what_is_no_list_does_nothing() {
    rt().block_on(async {
        let desk = Desk::of(document("mm-1")).await;
        for (form, code) in [
            (SELL.replace("LIMIT_MAKER", "TAKE_PROFIT"), "ORDER_INVALID"),
            (SELL.replace("STOP_LOSS", "LIMIT_MAKER"), "ORDER_INVALID"),
            (SELL.replace("SELL", "BUY"), "ORDER_INVALID"),
            (SELL.replace("&belowStopPrice=99", ""), "ORDER_INVALID"),
            (SELL.replace("&abovePrice=101", ""), "ORDER_INVALID"),
            (format!("{SELL}&belowPrice=98"), "ORDER_INVALID"),
            (format!("{SELL}&aboveStopPrice=98"), "ORDER_INVALID"),
            (format!("{SELL}&aboveTimeInForce=IOC"), "ORDER_INVALID"),
            (format!("{SELL}&aboveIcebergQty=1"), "ORDER_INVALID"),
            (format!("{SELL}&price=101"), "ORDER_INVALID"),
            (
                format!("{SELL}&aboveClientOrderId=x&belowClientOrderId=x"),
                "ORDER_INVALID",
            ),
            (SELL.replace("quantity=1", "quantity=1e-99"), "ORDER_INVALID"),
            (format!("{SELL}&quantity=1"), "ORDER_MALFORMED"),
            (SELL.replace("BTCEUR", "DOGEEUR"), "ORDER_INVALID"),
        ] {
            let told = desk.post(OCO, &form).await;
            assert!(
                told.body["msg"].as_str().expect("text").starts_with(code),
                "{form}: {told:?}"
            );
        }
        for path in ["/api/v3/orderList/oto", "/api/v3/orderList/otoco"] {
            let told = desk.post(path, SELL).await;
            assert_eq!((told.status, &told.body["code"]), (404, &json!(-1002)), "{told:?}");
            assert!(
                told.body["msg"].as_str().expect("text").contains("orderList/oco"),
                "{told:?}"
            );
        }
        assert_eq!((desk.sends(), desk.decided().await.len()), (0, 0));
        assert_eq!(desk.post(OCO, SELL).await.status, 200);
        assert_eq!(desk.sends(), 2);
    });
}
