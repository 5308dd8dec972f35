//! Less than was asked, and what is asked about an application.

use ca_core::events::Role;
use serde_json::{Value, json};

use super::Bench;

async fn shown(bench: &Bench) -> Value {
    bench.get(&bench.ben, "/v1/applications/m-1").await.1
}

fn per_day(document: &Value, amount: &str) -> Value {
    let mut limits = document["limits"].clone();
    limits["per_day"] = json!([format!("EUR {amount}")]);
    json!({"limits": limits, "reason": "a smaller start"})
}

/// An officer narrows and may sign; the applicant may not, nor do earlier signatures count. Wider, equal or decided: refused.
///
/// Controls tried: `narrowed` without the look at `wider`, the log takes it and the register leaves it out (`is_narrowed_by`), so that the
/// wider one cannot be signed; without that too, it is in force.
#[tokio::test]
async fn an_officer_grants_less_than_was_asked() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let first = bench.application("mm-1", "m-1", "2000000").await;
    let (narrow, sign) = ("/v1/applications/m-1/narrow", "/v1/applications/m-1/signatures");
    let cy = bench.officer("cy", &[Role::Approver]).await;
    bench.done(&cy, sign, cy.signs(&first, "approve")).await;
    let asked = shown(&bench).await;
    bench
        .refused(&bench.ben, narrow, per_day(&asked["document"], "2000001"), "WIDER")
        .await;
    bench
        .refused(&bench.ben, narrow, per_day(&asked["document"], "2000000"), "UNCHANGED")
        .await;
    let less = bench
        .done(&bench.ben, narrow, per_day(&asked["document"], "900000"))
        .await;
    assert_eq!(less["revision"], 2);
    let now = shown(&bench).await;
    assert_eq!((&now["applicant"], &now["narrowed_by"]), (&json!("ada"), &json!("ben")));
    assert_eq!(now["signatures"], json!([]), "the earlier one was over more");
    assert_eq!(now["rationale"], "small", "the applicant's own");
    let why = &now["questions"][0];
    assert_eq!(
        (&why["text"], &why["narrowed"]),
        (&json!("a smaller start"), &json!(true))
    );
    bench
        .refused(&bench.ada, sign, bench.ada.signs(&less, "approve"), "SIGNATURE_REFUSED")
        .await;
    bench
        .refused(&cy, sign, cy.signs(&first, "approve"), "SIGNATURE_REFUSED")
        .await;
    // EUR 900000 lies below the threshold: one officer suffices, also the one who narrowed.
    let answer = bench.done(&bench.ben, sign, bench.ben.signs(&less, "approve")).await;
    assert_eq!(answer["approved"], true);
    bench
        .refused(&bench.ben, narrow, per_day(&asked["document"], "800000"), "NOT_PENDING")
        .await;
}

/// A revision that names somebody who narrowed, and is wider, is nobody's: what the applicant asked for stands.
#[tokio::test]
async fn a_wider_one_written_into_the_log_is_not_followed() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    bench.application("mm-1", "m-1", "500000").await;
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let submitted = entries
        .iter()
        .rfind(|entry| &*entry.kind == "application.submitted")
        .unwrap();
    let mut event: ca_core::events::ApplicationSubmitted = extensions::canonical::from_slice(submitted.body()).unwrap();
    let wide = bench.asks("mm-1", "m-1", ("900000", "50000"), None)["limits"].clone();
    event.document.limits = serde_json::from_value(wide).unwrap();
    event.document_digest = event.document.digest();
    event.revision = 2;
    event.narrowed_by = Some("ben".parse().unwrap());
    bench.append(event.clone()).await;
    let now = shown(&bench).await;
    assert_eq!((&now["revision"], &now["narrowed_by"]), (&json!(1), &json!(null)));
    event.narrowed_by = None;
    bench.append(event).await;
    assert_eq!(
        shown(&bench).await["revision"],
        2,
        "the control: an applicant may ask for more"
    );
}

/// Questions and answers stand in order, sealed, and change nothing of what is signed.
#[tokio::test]
async fn questions_are_asked_and_answered() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let asked = bench.application("mm-1", "m-1", "500000").await;
    let path = "/v1/applications/m-1/questions";
    bench.done(&bench.ben, path, json!({"text": "why at night?"})).await;
    bench.done(&bench.ada, path, json!({"text": "it hedges Asia"})).await;
    bench
        .refused(
            &bench.ada,
            "/v1/applications/m-9/questions",
            json!({"text": "?"}),
            "NOT_FOUND",
        )
        .await;
    let auditor = bench.officer("aud", &[Role::Auditor]).await;
    bench
        .refused(&auditor, path, json!({"text": "?"}), "ROLE_MISSING")
        .await;
    let now = shown(&bench).await;
    let said: Vec<(&str, &str)> = now["questions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["officer"].as_str().unwrap(), one["text"].as_str().unwrap()))
        .collect();
    assert_eq!(said, [("ben", "why at night?"), ("ada", "it hedges Asia")]);
    assert_eq!(now["document_digest"], asked["document_digest"]);
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let mut all = entries
        .iter()
        .map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned());
    assert!(!all.any(|entry| entry.contains("hedges Asia")), "sealed");
}
