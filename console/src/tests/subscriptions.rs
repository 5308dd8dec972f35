//! Subscriptions that officers sign: two of them, a secret that is shown once, and what was delivered.

use axum::http::StatusCode;
use revocation_core::jobs::{DeliveryAttempted, DeliveryDead, DeliverySubscribed};
use serde_json::{Value, json};

use super::Bench;

fn wanted(name: &str) -> Value {
    json!({"format": "cloud_events", "kinds": ["agent.*"], "url": "https://desk.example.com/hook", "webhook": name})
}

/// Both sign what was proposed.
async fn sign(bench: &Bench, asked: &Value) {
    let proposal = asked["proposal"].as_str().unwrap().trim_start_matches("officer/");
    let path = format!("/v1/proposals/{proposal}/signatures");
    for by in [&bench.ada, &bench.ben] {
        bench.done(by, &path, by.signs(asked, "approve")).await;
    }
}

/// A subscription in force.
pub(crate) async fn signed(bench: &Bench, name: &str) -> String {
    let asked = bench.done(&bench.ada, "/v1/webhooks", wanted(name)).await;
    sign(bench, &asked).await;
    asked["secret"].as_str().unwrap().to_owned()
}

async fn in_force(bench: &Bench, name: &str) -> Value {
    let (_, listed) = bench.get(&bench.ada, "/v1/webhooks").await;
    let mut all = listed["webhooks"].as_array().unwrap().iter();
    let found = all.find(|one| one["webhook"] == name);
    found.map_or(Value::Null, |one| one["signed"].clone())
}

/// One signature is not enough, two are; a change keeps the secret unless another is asked for; the secret of the house is in one answer and in no
/// entry, list or export. Control tried: with `exports` holding texts of every subject the last assertion is red.
#[tokio::test]
async fn two_sign_a_subscription_and_its_secret_is_shown_once() {
    let bench = Bench::new().await;
    let asked = bench.done(&bench.ada, "/v1/webhooks", wanted("desk")).await;
    let secret = asked["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && !asked["document"].to_string().contains(&secret));
    let path = asked["proposal"].as_str().unwrap().trim_start_matches("officer/");
    let path = format!("/v1/proposals/{path}/signatures");
    bench.done(&bench.ada, &path, bench.ada.signs(&asked, "approve")).await;
    assert_eq!(in_force(&bench, "desk").await, Value::Null, "one is not enough");
    bench.done(&bench.ben, &path, bench.ben.signs(&asked, "approve")).await;
    assert_eq!(in_force(&bench, "desk").await["url"], "https://desk.example.com/hook");
    let commitment = asked["document"]["webhook"]["secret"].clone();
    let mut change = wanted("desk");
    change["url"] = json!("https://other.example.com/");
    let changed = bench.done(&bench.ada, "/v1/webhooks", change.clone()).await;
    assert_eq!(
        (&changed["secret"], &changed["document"]["webhook"]["secret"]),
        (&Value::Null, &commitment)
    );
    sign(&bench, &changed).await;
    assert_eq!(in_force(&bench, "desk").await["url"], "https://other.example.com/");
    change["new_secret"] = json!(true);
    let renewed = bench.done(&bench.ada, "/v1/webhooks", change).await;
    assert_ne!(renewed["document"]["webhook"]["secret"], commitment);
    let ended = bench.done(&bench.ada, "/v1/webhooks/desk/remove", json!({})).await;
    sign(&bench, &ended).await;
    assert_eq!(in_force(&bench, "desk").await, Value::Null);
    let mut out = Vec::new();
    ledger::export::export(&bench.ledger, true, &mut out).await.unwrap();
    let out = String::from_utf8(out).unwrap();
    assert!(out.contains("\ntext "), "other texts are in it");
    assert!(!out.contains(&secret) && !out.contains(renewed["secret"].as_str().unwrap()));
}

/// Control: the first of each pair is accepted where the second is refused.
#[tokio::test]
async fn what_cannot_be_a_subscription_is_refused_with_its_reason() {
    let bench = Bench::new().await;
    bench
        .append(DeliverySubscribed {
            from: 0,
            subscription: "configured".into(),
        })
        .await;
    let path = "/v1/webhooks";
    bench
        .refused(&bench.ada, path, wanted("configured"), "CONFIGURED")
        .await;
    bench.refused(&bench.ada, path, wanted("de sk"), "WEBHOOK").await;
    let with = |name: &str, value: Value| {
        let mut body = wanted("desk");
        body[name] = value;
        body
    };
    for (name, value, code) in [
        ("url", json!("https://u:p@desk.example.com/"), "WEBHOOK"),
        ("url", json!("file:///etc/passwd"), "WEBHOOK"),
        ("kinds", json!(["*"]), "WEBHOOK"),
        ("secret", json!("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "SECRET"),
        ("format", json!("pagerduty"), "SECRET"),
        ("format", json!("carrier_pigeon"), "BODY"),
    ] {
        bench.refused(&bench.ada, path, with(name, value), code).await;
    }
    let mut paged = with("format", json!("pagerduty"));
    paged["secret"] = json!("0123456789abcdef0123456789abcdef");
    let asked = bench.done(&bench.ada, path, paged).await;
    assert_eq!(asked["secret"], Value::Null, "whoever brought it knows it");
    let absent = "/v1/webhooks/desk/remove";
    bench.refused(&bench.ada, absent, json!({}), "NOT_FOUND").await;
}

/// What was tried, newest first, without the signs of life; pages follow one another without a gap.
#[tokio::test]
async fn deliveries_are_told() {
    let bench = Bench::new().await;
    signed(&bench, "desk").await;
    let attempted = |entry: Option<u64>, attempt, fault: Option<&str>| DeliveryAttempted {
        attempt,
        entry,
        fault: fault.map(str::to_owned),
        message: format!("msg-{attempt}"),
        status: Some(if fault.is_some() { 500 } else { 200 }),
        subscription: "desk".into(),
        through: 0,
    };
    bench.append(attempted(Some(3), 1, Some("HTTP 500"))).await;
    bench.append(attempted(None, 1, None)).await;
    bench.append(attempted(Some(3), 2, None)).await;
    let dead = DeliveryDead {
        attempts: 16,
        entry: Some(4),
        fault: "no answer".into(),
        message: "msg".into(),
        subscription: "desk".into(),
    };
    bench.append(dead).await;
    let (status, all) = bench.get(&bench.ada, "/v1/webhooks/desk/deliveries").await;
    assert_eq!(status, StatusCode::OK);
    let told = |answer: &Value| -> Vec<Value> {
        let rows = answer["deliveries"].as_array().unwrap().iter();
        rows.map(|row| json!([row["what"], row["entry"], row["attempts"]]))
            .collect()
    };
    let every = [
        json!(["given_up", 4, 16]),
        json!(["delivered", 3, 2]),
        json!(["failed", 3, 1]),
    ];
    assert_eq!((told(&all), &all["next"]), (every.to_vec(), &Value::Null));
    let (_, first) = bench.get(&bench.ada, "/v1/webhooks/desk/deliveries?limit=2").await;
    let next = format!("/v1/webhooks/desk/deliveries?limit=2&before={}", first["next"]);
    let (_, second) = bench.get(&bench.ada, &next).await;
    assert_eq!([told(&first), told(&second)].concat(), every);
    bench.refused_get("/v1/webhooks/nobody/deliveries").await;
}
