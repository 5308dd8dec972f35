//! Stops and their end: by officer, by house, after a review.

use axum::http::StatusCode;
use revocation_core::{
    Actor, HaltPlan, HaltReported, IncidentOpened, RevocationReason, WarningDefault,
    incident::{IncidentCause, Trigger, incident_of},
    standing::AgentRevoked,
    warning::WarningOpened,
};
use serde_json::{Value, json};

use super::Bench;

pub(crate) async fn state(bench: &Bench, agent: &str) -> Value {
    bench.get(&bench.ada, &format!("/v1/agents/{agent}")).await.1["standing"]["state"].clone()
}

pub(crate) fn signatures_of(asked: &Value) -> String {
    let proposal = asked["proposal"].as_str().unwrap().trim_start_matches("officer/");
    format!("/v1/proposals/{proposal}/signatures")
}

/// Acknowledged by Ada, reviewed by both.
pub(crate) async fn review(bench: &Bench, incident: &Value) {
    let at = |act: &str| format!("/v1/incidents/{}/{act}", incident.as_str().unwrap());
    bench.done(&bench.ada, &at("acknowledge"), json!({})).await;
    let found = json!({"finding": "confirmed", "impact": "none", "lessons": "a bound", "root_cause": "a loop"});
    let review = bench.done(&bench.ada, &at("review"), found).await;
    for member in [&bench.ada, &bench.ben] {
        let accepted = bench
            .done(member, &signatures_of(&review), member.signs(&review, "approve"))
            .await;
        assert_eq!(accepted["accepted"], json!((member.id == bench.ben.id).then_some(true)));
    }
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

/// One certificate is frozen, reduced and resumed by itself; the agent and its other certificate stay as they were.
#[tokio::test]
async fn one_certificate_is_stopped_alone() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let [one, other] = [1, 2].map(|number| extensions::Serial::new([number; 18]).unwrap());
    for serial in [one, other] {
        bench.append(reserved(&bench, serial)).await;
    }
    let at = |act: &str| format!("/v1/certificates/{one}/{act}");
    let standings = async || {
        let shown = bench.get(&bench.ada, "/v1/agents/mm-1").await.1;
        assert_eq!(shown["standing"]["state"], "active");
        let of = |place: usize| shown["certificates"][place]["standing"].clone();
        (of(0), of(1))
    };
    bench.refused(&bench.ada, &at("resume"), because(), "STANDING").await;
    for (act, expected) in [
        ("reduce-only", "reduce_only"),
        ("freeze", "frozen"),
        ("reduce-only", "reduce_only"),
        ("resume", "active"),
        ("freeze", "frozen"),
    ] {
        assert_eq!(bench.done(&bench.ada, &at(act), because()).await["already"], false);
        assert_eq!(standings().await, (json!(expected), json!("active")));
    }
    assert_eq!(bench.done(&bench.ben, &at("freeze"), because()).await["already"], true);
    bench.done(&bench.ada, &at("revoke"), because()).await;
    bench.refused(&bench.ada, &at("resume"), because(), "STANDING").await;
    let nowhere = format!("/v1/certificates/{}/freeze", extensions::Serial::new([3; 18]).unwrap());
    bench.refused(&bench.ada, &nowhere, because(), "NOT_FOUND").await;
}

fn reserved(bench: &Bench, serial: extensions::Serial) -> ca_core::events::CertificateReserved {
    let digest = extensions::Digest::default();
    ca_core::events::CertificateReserved {
        agent: "mm-1".parse().unwrap(),
        checks: 1,
        csr: digest,
        document: digest,
        issuer: digest,
        mandate: "m-1".parse().unwrap(),
        not_after: bench.now().plus_seconds(3_600),
        not_before: bench.now(),
        serial,
        spki: digest,
        tbs: digest,
    }
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
    bench
        .done(&bench.ada, &signatures_of(&asked), bench.ada.signs(&asked, "approve"))
        .await;
    bench
        .refused(
            &bench.ben,
            &signatures_of(&asked),
            bench.ben.signs(&asked, "approve"),
            "INCIDENT_OPEN",
        )
        .await;
    assert_eq!(state(&bench, "mm-1").await, "revoked");

    review(&bench, &incident).await;
    // Both signatures on the reinstatement stand already: what was owed is carried out now.
    bench.console.carry_out().await.unwrap();
    assert_eq!(state(&bench, "mm-1").await, "active");
}

/// What the scorer's halt appends. Control: the same agent once the incident it names is reviewed and another baseline is in force.
///
/// Control tried: `may_be_reinstated` without `baseline_owed`, the console appends it; `explained` always `Ok` as well, it is obeyed.
#[tokio::test]
async fn a_halted_agent_comes_back_only_by_the_review_of_its_halt() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let agent: extensions::AgentId = "mm-1".parse().unwrap();
    let incident = incident_of(&agent, Trigger::Decision(7));
    let revoked = AgentRevoked {
        agent,
        by: Actor::Scorer,
        incident: Some(incident),
        reason: RevocationReason::PrivilegeWithdrawn,
        score: Some(910_000),
    };
    bench.append(revoked).await;
    let path = "/v1/agents/mm-1/reinstate";
    let asked = bench.done(&bench.ada, path, json!({"incident": incident})).await;
    bench
        .done(&bench.ada, &signatures_of(&asked), bench.ada.signs(&asked, "approve"))
        .await;
    let last = || bench.ben.signs(&asked, "approve");
    // The incident is named and not recorded yet: nobody could have reviewed it.
    bench
        .refused(&bench.ben, &signatures_of(&asked), last(), "INCIDENT_OPEN")
        .await;
    let opened = IncidentOpened {
        agent,
        by: Actor::Scorer,
        cause: IncidentCause::Score,
        incident,
    };
    bench.append(opened).await;
    bench.console.carry_out().await.unwrap();
    assert_eq!(state(&bench, "mm-1").await, "revoked");
    let listed = bench.get(&bench.ada, "/v1/incidents").await.1;
    assert_eq!(listed["incidents"][0]["opened_by"], "scorer");
    assert_eq!(
        listed["incidents"][0]["halt"],
        json!([]),
        "the cancels are on their way"
    );
    let plan = HaltPlan {
        cancel: Vec::new(),
        keep: vec!["stop".parse().unwrap()],
    };
    let report = plan.report(|_| None);
    let revoked = bench.get(&bench.ada, "/v1/agents/mm-1").await.1["halt"].clone();
    assert_eq!(revoked, json!([]));
    bench
        .append(HaltReported::new(agent, "gw-1".parse().unwrap(), 1, plan, report))
        .await;
    let listed = bench.get(&bench.ada, "/v1/incidents").await.1;
    let shown = bench.get(&bench.ada, "/v1/agents/mm-1").await.1;
    for halt in [&listed["incidents"][0]["halt"][0], &shown["halt"][0]] {
        assert_eq!(halt["in_words"], "cancelled 0, kept 1 protective");
        assert_eq!(halt["kept"], json!(["stop"]));
    }
    review(&bench, &json!(incident)).await;
    bench.console.carry_out().await.unwrap();
    assert_eq!(
        state(&bench, "mm-1").await,
        "revoked",
        "what it is held to is still the same"
    );
    super::scored::learn(&bench).await;
    bench.console.carry_out().await.unwrap();
    assert_eq!(state(&bench, "mm-1").await, "active");
}

/// A reinstatement answers one revocation, while it stands, and for fourteen days: signatures given before, or long ago, end no later stop.
///
/// Controls tried: `current` always `Ok`, and the house comes back by itself after its second revocation; `open` without the look at
/// `expires_at`, and the proposal of last month becomes its entry.
#[tokio::test]
async fn a_reinstatement_answers_one_revocation() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    for path in [
        "/v1/agents/mm-1/reinstate",
        "/v1/house/reinstate",
        "/v1/owners/desk/reinstate",
    ] {
        bench.refused(&bench.ada, path, json!({}), "STANDING").await;
    }
    let all = || async { bench.get(&bench.ada, "/v1/house").await.1["all"].clone() };
    bench.done(&bench.ada, "/v1/house/revoke", because()).await;
    let first = bench.done(&bench.ada, "/v1/house/reinstate", json!({})).await;
    let second = bench.done(&bench.ada, "/v1/house/reinstate", json!({})).await;
    // The second proposal has one signature when the first becomes its entry.
    bench
        .done(&bench.ada, &signatures_of(&second), bench.ada.signs(&second, "approve"))
        .await;
    for member in [&bench.ada, &bench.ben] {
        bench
            .done(member, &signatures_of(&first), member.signs(&first, "approve"))
            .await;
    }
    assert_eq!(all().await, "active");
    bench.done(&bench.ada, "/v1/house/revoke", because()).await;
    bench
        .refused(
            &bench.ben,
            &signatures_of(&second),
            bench.ben.signs(&second, "approve"),
            "STALE",
        )
        .await;
    bench.console.carry_out().await.unwrap();
    assert_eq!(all().await, "revoked");
    let path = format!(
        "/v1/proposals/{}",
        second["proposal"].as_str().unwrap().trim_start_matches("officer/")
    );
    assert_eq!(bench.get(&bench.ada, &path).await.1["accepted"], false, "closed");

    // Signed by both while the review is missing, and reviewed only after it has lapsed.
    let incident = bench.get(&bench.ada, "/v1/incidents").await.1["incidents"][0]["incident"].clone();
    let asked = bench
        .done(&bench.ada, "/v1/agents/mm-1/reinstate", json!({"incident": incident}))
        .await;
    bench
        .done(&bench.ada, &signatures_of(&asked), bench.ada.signs(&asked, "approve"))
        .await;
    bench
        .refused(
            &bench.ben,
            &signatures_of(&asked),
            bench.ben.signs(&asked, "approve"),
            "INCIDENT_OPEN",
        )
        .await;
    review(&bench, &incident).await;
    bench.later(15 * 86_400);
    bench.console.carry_out().await.unwrap();
    assert_eq!(state(&bench, "mm-1").await, "revoked");
}

/// Every agent of the owner gets its own revocation and incident, nobody else's; an interrupted one is carried on.
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
    let incidents = bench.get(&bench.ada, "/v1/incidents").await.1["incidents"].clone();
    let of: Vec<&str> = incidents
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["agent"].as_str().unwrap())
        .collect();
    assert!(
        of.len() == 2 && of.contains(&"mm-1") && of.contains(&"mm-2"),
        "one each: {of:?}"
    );
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

/// Bots that were warned together are one event, and one act holds them: each may only reduce. Control: a bot without a warning is named and
/// stays as it was; when none is left there is nothing to hold.
#[tokio::test]
async fn bots_that_were_warned_together_are_held_together() {
    let bench = Bench::new().await;
    for agent in ["bot-a", "bot-b", "bot-c"] {
        bench.agent(agent, "desk").await;
    }
    for agent in ["bot-a", "bot-b"] {
        let opened = WarningOpened {
            agent: agent.parse().unwrap(),
            by: Actor::Scorer,
            deadline: bench.now().plus_seconds(300),
            default: WarningDefault::Revoke,
            score: Some(760_000),
        };
        bench.append(opened).await;
    }
    let (_, listed) = bench.get(&bench.ada, "/v1/warnings").await;
    assert_eq!(listed["events"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["events"][0]["bots"], 2, "{listed}");
    let path = "/v1/warnings/hold";
    let body = json!({"agents": ["bot-a", "bot-b", "bot-c"], "reason": "the market moves"});
    let held = bench.done(&bench.ada, path, body.clone()).await;
    assert_eq!(
        (held["held"].as_array().map(Vec::len), &held["not_open"]),
        (Some(2), &json!(["bot-c"]))
    );
    for (agent, expected) in [("bot-a", "reduce_only"), ("bot-b", "reduce_only"), ("bot-c", "active")] {
        assert_eq!(state(&bench, agent).await, expected);
    }
    bench.refused(&bench.ada, path, body, "NO_WARNING").await;
    assert_eq!(bench.get(&bench.ada, "/v1/warnings").await.1["events"], json!([]));
}
