//! The replacement of a bot that was stopped for its behaviour, by stock tools.

use revocation_core::{
    Actor, IncidentOpened, RevocationReason,
    incident::{IncidentCause, Trigger, incident_of},
    standing::AgentRevoked,
};
use serde_json::Value;

use super::*;
use crate::tests::{
    scored::learn,
    standing::{review, signatures_of, state},
};

pub(super) async fn halted(bench: &Bench) -> Value {
    let agent = "mm-1".parse().unwrap();
    let incident = incident_of(&agent, Trigger::Decision(7));
    let revoked = AgentRevoked {
        agent,
        by: Actor::Scorer,
        incident: Some(incident),
        reason: RevocationReason::PrivilegeWithdrawn,
        score: Some(910_000),
    };
    bench.append(revoked).await;
    let opened = IncidentOpened {
        agent,
        by: Actor::Scorer,
        cause: IncidentCause::Score,
        incident,
    };
    bench.append(opened).await;
    bench.console.carry_out().await.unwrap();
    json!(incident)
}

async fn waits_for(bench: &Bench) -> Value {
    bench.get(&bench.ada, "/v1/agents/mm-1").await.1["replacements"][0]["waits_for"].clone()
}

/// It is queued by itself, takes the bot's request, and stays inactive until review, baseline and reinstatement are signed; then the
/// certificate is there, without anybody asking again.
///
/// Control: the bot polls after each step, and is answered 202 until the last one. Given to the `ca` role at once (tried), the request is
/// refused there as long as the agent is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replacement_waits_for_review_and_baseline() {
    if !has("curl") || !has("openssl") {
        return;
    }
    let bench = Bench::new().await;
    let at = bench.folder.path();
    let (origin, stop) = listening(&bench).await;
    bench.agent("mm-1", "desk").await;
    learn(&bench).await;
    let asked = bench.application("mm-1", "m-1", "500000").await;
    let path = "/v1/applications/m-1/signatures";
    bench.done(&bench.ben, path, bench.ben.signs(&asked, "approve")).await;
    let incident = halted(&bench).await;
    assert_eq!(
        waits_for(&bench).await,
        json!(["review", "baseline", "reinstatement", "request"])
    );

    let path = "/v1/agents/mm-1/enrolment-tokens";
    let token = bench.done(&bench.ada, path, json!({"mandate": "m-1"})).await;
    let user = format!("bot:{}", token["token"].as_str().unwrap());
    let enrol = format!("{origin}/simpleenroll");
    request(at, "bot");
    let post = ["-H", "Content-Type: application/pkcs10", "--data-binary", "@bot.b64"];
    let (status, _) = curl(at, &[&post[..], &["-u", &user, &enrol]].concat()).await;
    assert_eq!(status, 202, "{}", std::fs::read_to_string(at.join("out")).unwrap());
    assert_eq!(waits_for(&bench).await, json!(["review", "baseline", "reinstatement"]));

    let back = bench
        .done(&bench.ada, "/v1/agents/mm-1/reinstate", json!({"incident": incident}))
        .await;
    bench
        .done(&bench.ada, &signatures_of(&back), bench.ada.signs(&back, "approve"))
        .await;
    let last = bench.ben.signs(&back, "approve");
    bench
        .refused(&bench.ben, &signatures_of(&back), last, "INCIDENT_OPEN")
        .await;
    review(&bench, &incident).await;
    bench.console.carry_out().await.unwrap();
    assert_eq!(waits_for(&bench).await, json!(["baseline", "reinstatement"]));
    assert_eq!(curl(at, &[&post[..], &[&enrol]].concat()).await.0, 202);
    assert_eq!(state(&bench, "mm-1").await, "revoked");

    let path = "/v1/agents/mm-1/baselines";
    let asked = bench.done(&bench.ada, path, json!({})).await;
    let sign = format!("{path}/{}/signatures", asked["document_digest"].as_str().unwrap());
    for member in [&bench.ada, &bench.ben] {
        bench.done(member, &sign, member.signs(&asked, "approve")).await;
    }
    bench.console.carry_out().await.unwrap();
    assert_eq!(state(&bench, "mm-1").await, "active");
    assert_eq!(waits_for(&bench).await, Value::Null);
    let (status, _) = curl(at, &[&post[..], &[&enrol]].concat()).await;
    assert_eq!(status, 200, "{}", std::fs::read_to_string(at.join("out")).unwrap());
    assert!(certificate(at, "bot.pem").contains("URI:spiffe://bots.example/"));
    stop.cancel();
}
