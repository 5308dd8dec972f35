//! Stops and their end: by officer, by house, after a review.

use axum::http::StatusCode;
use revocation_core::{Actor, WarningDefault, warning::WarningOpened};
use serde_json::{Value, json};

use super::Bench;

async fn state(bench: &Bench, agent: &str) -> Value {
    bench.get(&bench.ada, &format!("/v1/agents/{agent}")).await.1["standing"]["state"].clone()
}

fn because() -> Value {
    json!({"reason": "odd orders since noon"})
}

/// Each move of the table, and one that is not in it.
#[tokio::test]
async fn freeze_reduce_resume_revoke() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let at = |act: &str| format!("/v1/agents/mm-1/{act}");
    bench.refused(&bench.ada, &at("resume"), because(), "STANDING").await;
    for (act, expected) in [
        ("freeze", "frozen"),
        ("reduce-only", "reduce_only"),
        ("resume", "active"),
        ("revoke", "revoked"),
    ] {
        let answer = bench.done(&bench.ada, &at(act), because()).await;
        assert_eq!(answer["already"], false);
        assert_eq!(state(&bench, "mm-1").await, expected);
    }
    assert_eq!(bench.done(&bench.ben, &at("revoke"), because()).await["already"], true);
    bench.refused(&bench.ada, &at("resume"), because(), "STANDING").await;
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let acted = entries.iter().filter(|entry| &*entry.kind == "officer.acted");
    assert!(
        acted
            .clone()
            .all(|entry| !String::from_utf8_lossy(&entry.bytes).contains("odd orders")),
        "sealed"
    );
    assert_eq!(acted.count(), 4, "each act names its officer and reason");
}

/// Two officers, and only after acknowledgement and review. Control: the same proposal once the review is signed.
#[tokio::test]
async fn nobody_comes_back_before_the_review() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let incident = bench.done(&bench.ada, "/v1/agents/mm-1/revoke", because()).await["incident"].clone();
    let asked = bench
        .done(&bench.ada, "/v1/agents/mm-1/reinstate", json!({"incident": incident}))
        .await;
    let sign = |asked: &Value| {
        format!(
            "/v1/proposals/{}/signatures",
            asked["proposal"].as_str().unwrap().trim_start_matches("officer/")
        )
    };
    bench
        .done(&bench.ada, &sign(&asked), bench.ada.signs(&asked, "approve"))
        .await;
    bench
        .refused(
            &bench.ben,
            &sign(&asked),
            bench.ben.signs(&asked, "approve"),
            "INCIDENT_OPEN",
        )
        .await;
    assert_eq!(state(&bench, "mm-1").await, "revoked");

    let at = |act: &str| format!("/v1/incidents/{}/{act}", incident.as_str().unwrap());
    bench.done(&bench.ada, &at("acknowledge"), json!({})).await;
    let review = bench
        .done(
            &bench.ada,
            &at("review"),
            json!({"finding": "confirmed", "root_cause": "a loop"}),
        )
        .await;
    bench
        .done(&bench.ada, &sign(&review), bench.ada.signs(&review, "approve"))
        .await;
    assert_eq!(
        bench
            .done(&bench.ben, &sign(&review), bench.ben.signs(&review, "approve"))
            .await["accepted"],
        true
    );
    // Both signatures on the reinstatement stand already: what was owed is carried out now.
    bench.console.carry_out().await.unwrap();
    assert_eq!(state(&bench, "mm-1").await, "active");
}

/// Every agent of the owner gets its own revocation, nobody else's; an interrupted one is carried on.
#[tokio::test]
async fn an_owner_is_revoked_agent_by_agent() {
    let bench = Bench::new().await;
    for (agent, owner) in [("mm-1", "desk"), ("mm-2", "desk"), ("mm-3", "other")] {
        bench.agent(agent, owner).await;
    }
    bench
        .refused(&bench.ada, "/v1/owners/dsek/revoke", because(), "NOT_FOUND")
        .await;
    let before = bench.ledger.head().epoch;
    let answer = bench.done(&bench.ada, "/v1/owners/desk/revoke", because()).await;
    assert_eq!(answer["revoked"], 2);
    assert!(bench.ledger.head().epoch > before, "a house decision raises the epoch");
    for (agent, expected) in [("mm-1", "revoked"), ("mm-2", "revoked"), ("mm-3", "active")] {
        assert_eq!(state(&bench, agent).await, expected);
    }
    bench.agent("mm-4", "desk").await;
    bench.console.carry_out().await.unwrap();
    assert_eq!(
        state(&bench, "mm-4").await,
        "revoked",
        "registered behind the revocation"
    );
    bench.done(&bench.ada, "/v1/house/freeze", because()).await;
    assert_eq!(bench.get(&bench.ada, "/v1/house").await.1["all"], "frozen");
    bench.done(&bench.ben, "/v1/house/resume", because()).await;
    assert_eq!(bench.get(&bench.ada, "/v1/house").await.1["all"], "active");
}

/// Control: without a warning there is nothing to answer.
#[tokio::test]
async fn warnings_are_answered_before_their_deadline() {
    let bench = Bench::new().await;
    for (answer, expected) in [
        ("acknowledge", "active"),
        ("false_alarm", "active"),
        ("reduce_only", "reduce_only"),
        ("freeze", "frozen"),
        ("revoke", "revoked"),
    ] {
        let agent = format!("bot-{}", answer.replace('_', "-"));
        bench.agent(&agent, "desk").await;
        let path = format!("/v1/agents/{agent}/warnings/answer");
        let body = json!({"answer": answer, "reason": "seen"});
        bench.refused(&bench.ada, &path, body.clone(), "NO_WARNING").await;
        let opened = |seconds| WarningOpened {
            agent: agent.parse().unwrap(),
            by: Actor::Scorer,
            deadline: bench.now().plus_seconds(seconds),
            default: WarningDefault::Freeze,
            score: Some(760_000),
        };
        bench.append(opened(300)).await;
        assert_eq!(state(&bench, &agent).await, "warned");
        bench.done(&bench.ada, &path, body).await;
        assert_eq!(state(&bench, &agent).await, expected);
    }
    let (status, _) = bench.get(&bench.ada, "/v1/incidents?limit=1").await;
    assert_eq!(status, StatusCode::OK);
}
