//! Lists: what is written, what is believed of the answers, and their life at the paper venue.

use extensions::Instrument;
use serde_json::{Value, json};

use super::*;
use crate::venue::{
    CancelOutcome, Doubt, OrderKey, OrderLife, Outcome, Venue, VenueClientId,
    binance::{
        CancelReply, read_cancel, read_list,
        tests::{btc, d, paper},
    },
};

fn order(id: &str, side: Side, kind: Kind) -> VenueOrder {
    VenueOrder {
        client_id: VenueClientId::new(id).expect("fits"),
        instrument: Instrument::new("BTC_EUR").expect("fits"),
        side,
        kind,
        quantity: d("1"),
    }
}

fn limit(price: &str) -> Kind {
    Kind::Limit {
        price: d(price),
        time_in_force: TimeInForce::GoodTillCancelled,
    }
}

fn stop(price: &str) -> Kind {
    Kind::StopMarket { stop_price: d(price) }
}

fn sells(one: &str, other: &str) -> VenueList {
    let orders = [
        order(one, Side::Sell, limit("60000")),
        order(other, Side::Sell, stop("40000")),
    ];
    VenueList::new(orders).expect("a list")
}

#[test]
fn a_list_is_written_as_the_venue_reads_it() {
    assert_eq!(
        sells("a", "b").parameters("BTCEUR"),
        "symbol=BTCEUR&side=SELL&quantity=1&aboveType=LIMIT_MAKER&aboveClientOrderId=a&abovePrice=60000&belowType=STOP_LOSS&belowClientOrderId=b&belowStopPrice=40000&newOrderRespType=FULL"
    );
    let both = Kind::StopLimit {
        price: d("110"),
        stop_price: d("109"),
        time_in_force: TimeInForce::GoodTillCancelled,
    };
    let buys = [order("a", Side::Buy, both), order("b", Side::Buy, limit("90"))];
    assert_eq!(
        VenueList::new(buys).expect("a list").parameters("BTCEUR"),
        "symbol=BTCEUR&side=BUY&quantity=1&aboveType=STOP_LOSS_LIMIT&aboveClientOrderId=a&abovePrice=110&aboveStopPrice=109&aboveTimeInForce=GTC&belowType=LIMIT_MAKER&belowClientOrderId=b&belowPrice=90&newOrderRespType=FULL"
    );
    let other_size = VenueOrder {
        quantity: d("2"),
        ..order("b", Side::Sell, stop("90"))
    };
    for pair in [
        [order("a", Side::Sell, limit("110")), order("b", Side::Buy, stop("90"))],
        [order("a", Side::Sell, limit("110")), order("a", Side::Sell, stop("90"))],
        [
            order("a", Side::Sell, limit("110")),
            order("b", Side::Sell, limit("90")),
        ],
        [order("a", Side::Sell, stop("110")), order("b", Side::Sell, stop("90"))],
        [
            order("a", Side::Sell, limit("110")),
            order("b", Side::Sell, Kind::Market),
        ],
        [order("a", Side::Sell, limit("110")), other_size],
    ] {
        assert_eq!(VenueList::new(pair), None, "{pair:?}");
    }
}

fn row(id: &str, number: u64, kind: &str) -> Value {
    json!({
        "symbol": "BTCEUR", "orderId": number, "orderListId": 1, "clientOrderId": id, "transactTime": 1,
        "price": if kind == "LIMIT_MAKER" { "60000" } else { "0" }, "origQty": "1", "executedQty": "0",
        "cummulativeQuoteQty": "0", "status": "NEW", "timeInForce": "GTC", "type": kind, "side": "SELL",
    })
}

fn honest() -> Value {
    json!({
        "orderListId": 1, "contingencyType": "OCO", "listStatusType": "EXEC_STARTED", "listOrderStatus": "EXECUTING",
        "orderReports": [row("m-2", 8, "STOP_LOSS"), row("m-1", 7, "LIMIT_MAKER")],
    })
}

/// Whatever of the answer cannot be true, neither order is believed to be there or not; a refusal is one of both.
///
/// Control, built in: the honest answer. Control, tried: without the look at both executed sums, the last lie is believed.
#[test]
fn one_lie_is_a_doubt_about_both() {
    let list = sells("m-1", "m-2");
    let read = |status: u16, body: &str| read_list(status, body.as_bytes(), &list, "BTCEUR");
    let [one, other] = read(200, &honest().to_string());
    let number = |outcome: Outcome| match outcome {
        Outcome::Accepted(report) => report.venue_order_id.as_str().to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!((number(one), number(other)), ("7".to_owned(), "8".to_owned()));
    let change = |change: &dyn Fn(&mut Value)| {
        let mut said = honest();
        change(&mut said);
        said.to_string()
    };
    let lies: [&dyn Fn(&mut Value); 13] = [
        &|said| said["contingencyType"] = "OTO".into(),
        &|said| said["orderReports"] = json!([]),
        &|said| said["orderReports"] = json!([row("m-1", 7, "LIMIT_MAKER")]),
        &|said| said["orderReports"][1] = row("m-2", 8, "STOP_LOSS"),
        &|said| {
            said["orderReports"]
                .as_array_mut()
                .expect("rows")
                .push(row("m-3", 9, "STOP_LOSS"))
        },
        &|said| said["orderReports"][0]["clientOrderId"] = "m-3".into(),
        &|said| said["orderReports"][0]["orderId"] = 7.into(),
        &|said| said["orderReports"][1]["type"] = "LIMIT".into(),
        &|said| said["orderReports"][1]["price"] = "50000".into(),
        &|said| said["orderReports"][0]["side"] = "BUY".into(),
        &|said| said["orderReports"][0]["origQty"] = "2".into(),
        &|said| said["orderReports"][0]["symbol"] = "ETHEUR".into(),
        &|said| {
            for at in 0..2 {
                said["orderReports"][at]["executedQty"] = "0.5".into();
                said["orderReports"][at]["status"] = "PARTIALLY_FILLED".into();
            }
        },
    ];
    let unknown = |both: &[Outcome; 2]| both.iter().all(|one| matches!(one, Outcome::Unknown(_)));
    for (at, lie) in lies.iter().enumerate() {
        let both = read(200, &change(lie));
        assert!(unknown(&both), "lie {at}: {both:?}");
    }
    for (status, body) in [
        (200, "{}"),
        (200, "<html>"),
        (503, r#"{"code":-1000,"msg":"?"}"#),
        (400, r#"{"code":-1007,"msg":"?"}"#),
        (400, r#"{"code":-2010,"msg":"Duplicate order sent."}"#),
    ] {
        assert!(unknown(&read(status, body)), "{status} {body}");
    }
    let refused = read(400, r#"{"code":-2010,"msg":"Account has insufficient balance"}"#);
    assert!(
        refused.iter().all(|one| matches!(one, Outcome::Rejected(_))),
        "{refused:?}"
    );
}

/// The cancel of one order is answered with its list; the order's own row is believed as the answer about it alone would be.
///
/// Control, built in: the honest list.
#[test]
fn a_cancel_is_answered_with_the_list() {
    let key = |id: &str| OrderKey {
        client_id: VenueClientId::new(id).expect("fits"),
        instrument: btc(),
    };
    let ended = |status: &str| {
        let mut said = honest();
        for at in 0..2 {
            let row = &mut said["orderReports"][at];
            row["origClientOrderId"] = row["clientOrderId"].clone();
            row["clientOrderId"] = "cancel".into();
            row["status"] = status.into();
        }
        said
    };
    let read = |said: &Value, id: &str| read_cancel(200, said.to_string().as_bytes(), &key(id), "BTCEUR");
    for id in ["m-1", "m-2"] {
        let CancelReply::Closed(report) = read(&ended("CANCELED"), id) else {
            panic!("closed")
        };
        assert_eq!(
            (report.client_id, report.life),
            (Some(key(id).client_id), OrderLife::Cancelled)
        );
    }
    let unknown = |reply: CancelReply| matches!(reply, CancelReply::Unknown(Doubt::Contradiction(_)));
    assert!(unknown(read(&ended("CANCELED"), "m-3")));
    assert!(unknown(read(&ended("NEW"), "m-1")));
    let mut twice = ended("CANCELED");
    twice["orderReports"][0]["origClientOrderId"] = "m-1".into();
    assert!(unknown(read(&twice, "m-1")));
}

/// A list lives and ends at the paper venue: the cancel of one order ends both, and a closed gate sends neither.
#[tokio::test]
async fn a_list_lives_and_ends_at_the_paper_venue() {
    let (venue, adapter) = paper().await;
    let sent = || venue.count(|received| received.path == "/api/v3/orderList/oco");
    let withheld = adapter.send_list(&sells("m-0", "n-0"), &(|| false)).await;
    assert!(
        withheld.iter().all(|one| matches!(one, Outcome::Withheld(_))) && sent() == 0,
        "{withheld:?}"
    );
    let [Outcome::Accepted(one), Outcome::Accepted(other)] = adapter.send_list(&sells("m-1", "m-2"), &(|| true)).await
    else {
        panic!("taken")
    };
    assert_eq!((one.life, other.life, sent()), (OrderLife::Open, OrderLife::Open, 1));
    for id in ["m-1", "m-2"] {
        let key = OrderKey {
            client_id: VenueClientId::new(id).expect("fits"),
            instrument: btc(),
        };
        let CancelOutcome::Closed(report) = adapter.cancel(&key).await else {
            panic!("closed")
        };
        assert_eq!(report.life, OrderLife::Cancelled, "{id}");
    }
    let crossed = [
        order("m-3", Side::Sell, limit("40000")),
        order("m-4", Side::Sell, stop("30000")),
    ];
    let crossed = VenueList::new(crossed).expect("a list");
    let refused = adapter.send_list(&crossed, &(|| true)).await;
    assert!(
        refused.iter().all(|one| matches!(one, Outcome::Rejected(_))),
        "{refused:?}"
    );
    assert!(adapter.open_orders(None).await.expect("known").foreign.is_empty());
}
