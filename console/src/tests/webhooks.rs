//! Dead letters as the record knows them, and asking for a message.

use axum::http::StatusCode;
use extensions::OfficerId;
use revocation_core::jobs::{DeliveryDead, DeliverySubscribed};
use serde_json::json;

use super::Bench;

/// What is asked stands in the subscription's own stream with the officer's name, and the letter is not dead any more. Controls: another
/// position and another name are refused, and the same ask again finds nothing dead.
#[tokio::test]
async fn a_dead_letter_is_asked_for_once() {
    let bench = Bench::new().await;
    let subscribed = DeliverySubscribed {
        from: 0,
        subscription: "desk".into(),
    };
    let dead = DeliveryDead {
        attempts: 16,
        entry: Some(7),
        fault: "timeout".into(),
        message: "msg_7_desk".into(),
        subscription: "desk".into(),
    };
    bench.append(subscribed).await;
    bench.append(dead).await;
    let (_, listed) = bench.get(&bench.ada, "/v1/webhooks").await;
    assert_eq!(
        listed["webhooks"],
        json!([{"dead": 1, "signed": null, "webhook": "desk"}])
    );
    let (_, letters) = bench.get(&bench.ada, "/v1/webhooks/desk/dead").await;
    assert_eq!(
        (&letters["dead"][0]["position"], &letters["dead"][0]["attempts"]),
        (&json!(7), &json!(16))
    );
    let replay = "/v1/webhooks/desk/replay";
    bench
        .refused(&bench.ada, replay, json!({"position": 8}), "NOT_DEAD")
        .await;
    let elsewhere = "/v1/webhooks/nobody/replay";
    bench
        .refused(&bench.ada, elsewhere, json!({"position": 7}), "NOT_FOUND")
        .await;
    let asked = bench.done(&bench.ada, replay, json!({"position": 7})).await;
    assert_eq!(
        (&asked["entry"]["kind"], &asked["entry"]["stream"]),
        (&json!("delivery.asked"), &json!("delivery/desk"))
    );
    bench
        .refused(&bench.ada, replay, json!({"position": 7}), "NOT_DEAD")
        .await;
    bench.done(&bench.ada, "/v1/webhooks/desk/test", json!({})).await;
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let by_ada = entries.iter().filter(|entry| &*entry.kind == "delivery.asked");
    let by_ada = by_ada.filter(|entry| String::from_utf8_lossy(entry.body()).contains(r#""officer":"ada""#));
    assert_eq!((by_ada.count(), bench.ada.id), (2, OfficerId::new("ada").unwrap()));
    assert_eq!(
        bench.get(&bench.ada, "/v1/webhooks/nobody/dead").await.0,
        StatusCode::NOT_FOUND
    );
}
