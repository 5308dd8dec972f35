//! What is overdue, what happened after a revocation, and who may sign its review.

use revocation_core::{
    Actor, WarningDefault,
    jobs::{CrlPublished, DeliveryAttempted, DeliveryDead},
    warning::{WarningClosed, WarningEnd, WarningOpened},
};
use serde_json::{Value, json};

use super::{Bench, standing::signatures_of};

async fn overdue(bench: &Bench) -> Vec<String> {
    let listed = bench.get(&bench.ben, "/v1/overdue").await.1;
    let rows = listed["overdue"].as_array().unwrap().iter();
    rows.map(|one| one["what"].as_str().unwrap().to_owned()).collect()
}

/// A warning that ran out is overdue until a person acts. Control: before it ended, and after the act, nothing is.
#[tokio::test]
async fn a_warning_nobody_answered_is_told_until_somebody_acts() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let agent = "mm-1".parse().unwrap();
    let opened = WarningOpened {
        agent,
        by: Actor::Scorer,
        deadline: bench.now().plus_seconds(300),
        default: WarningDefault::Freeze,
        score: Some(760_000),
    };
    bench.append(opened).await;
    assert!(overdue(&bench).await.is_empty());
    let closed = WarningClosed {
        agent,
        by: Actor::Mandate,
        why: WarningEnd::Defaulted,
    };
    bench.append(closed).await;
    assert_eq!(overdue(&bench).await, ["warning_unanswered"]);
    let because = json!({"reason": "looked at it"});
    bench.done(&bench.ada, "/v1/agents/mm-1/revoke", because).await;
    assert!(overdue(&bench).await.is_empty());
}

/// The one who registered and stopped a bot cannot sign its review alone, whoever wrote it. Control: the second officer ends it, and the
/// timeline tells each step with its entry.
#[tokio::test]
async fn a_review_takes_somebody_else_and_the_timeline_tells_it() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let because = json!({"reason": "odd orders"});
    let incident = bench.done(&bench.ada, "/v1/agents/mm-1/revoke", because).await["incident"].clone();
    let at = |what: &str| format!("/v1/incidents/{}/{what}", incident.as_str().unwrap());
    bench.done(&bench.ada, &at("acknowledge"), json!({})).await;
    let found = json!({"finding": "confirmed", "impact": "none", "lessons": "a bound", "root_cause": "a loop"});
    let asked = bench.done(&bench.ada, &at("review"), found).await;
    let path = signatures_of(&asked);
    bench.done(&bench.ada, &path, bench.ada.signs(&asked, "approve")).await;
    let again = bench.ada.signs(&asked, "approve");
    let (status, _) = bench.post(&bench.ada, &path, again).await;
    assert!(!status.is_success(), "one officer is not two");
    assert_eq!(
        kinds(&bench, &at("timeline")).await.last().unwrap(),
        "incident.acknowledged"
    );
    bench.done(&bench.ben, &path, bench.ben.signs(&asked, "approve")).await;
    let kinds = kinds(&bench, &at("timeline")).await;
    let told = [
        "agent.revoked",
        "incident.opened",
        "incident.acknowledged",
        "incident.reviewed",
    ];
    assert_eq!(kinds, told);
}

async fn kinds(bench: &Bench, path: &str) -> Vec<Value> {
    let shown = bench.get(&bench.ben, path).await.1;
    assert_eq!(shown["complete"], true, "{shown}");
    let lines = shown["timeline"].as_array().unwrap().iter();
    // The role `ca` signs its list beside these acts.
    let lines = lines.filter(|one| one["kind"] != "crl.published");
    lines.map(|one| one["kind"].clone()).collect()
}

/// The list that the revocation is on, and the latest attempt of each webhook that told of it: delivered, or given up. Control: what tells of
/// another entry is not of this incident.
#[tokio::test]
async fn the_timeline_tells_of_lists_and_webhooks() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let because = json!({"reason": "odd orders"});
    let acted = bench.done(&bench.ada, "/v1/agents/mm-1/revoke", because).await;
    let path = format!("/v1/incidents/{}/timeline", acted["incident"].as_str().unwrap());
    let position = acted["entry"]["position"].as_u64().unwrap();
    let attempted = |entry, subscription: &str| DeliveryAttempted {
        attempt: 1,
        entry: Some(entry),
        fault: None,
        message: "m".into(),
        status: Some(200),
        subscription: subscription.into(),
        through: 0,
    };
    bench.append(attempted(position, "desk")).await;
    bench.append(attempted(0, "other")).await;
    bench
        .append(DeliveryDead {
            attempts: 16,
            entry: Some(position),
            fault: "timeout".into(),
            message: "m".into(),
            subscription: "risk".into(),
        })
        .await;
    bench
        .append(CrlPublished {
            digest: extensions::Digest::default(),
            entries: 1,
            issuer: None,
            list: None,
            next_update: bench.now().plus_seconds(600),
            number: 9_999,
            this_update: bench.now(),
        })
        .await;
    let shown = bench.get(&bench.ben, &path).await.1;
    let of = |kind: &str| {
        let lines = shown["timeline"].as_array().unwrap().iter();
        let lines = lines.filter(|one| one["kind"] == kind);
        lines
            .map(|one| one["detail"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("delivery.attempted"),
        ["agent.revoked to desk, attempt 1"],
        "{shown}"
    );
    assert_eq!(of("delivery.dead"), ["agent.revoked to risk, attempt 16, timeout"]);
    assert_eq!(of("crl.published").len(), 1, "{shown}");
}
