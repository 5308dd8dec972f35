//! Limits above one agent: proposed by an administrator, signed by two, shown where an agent's limits are.

use serde_json::{Value, json};

use super::{Bench, pages::Browser};

const PATH: &str = "/v1/house/exposure";

async fn shown(bench: &Bench) -> Value {
    bench.get(&bench.ada, "/v1/house").await.1["exposure"].clone()
}

async fn signed_by_two(bench: &Bench, body: Value) {
    let asked = bench.done(&bench.ada, PATH, body).await;
    let reference = asked["proposal"].as_str().unwrap().trim_start_matches("officer/");
    let path = format!("/v1/proposals/{reference}/signatures");
    let before = shown(bench).await;
    bench.done(&bench.ada, &path, bench.ada.signs(&asked, "approve")).await;
    assert_eq!(shown(bench).await, before, "one signature changes nothing");
    let answer = bench.done(&bench.ben, &path, bench.ben.signs(&asked, "approve")).await;
    assert_eq!(answer["accepted"], true, "{answer}");
}

/// What is no limit is refused when it is asked for; two signatures set, replace and end a group's limits, and none of another's.
///
/// Control: `known` left out, and the owner of nobody is limited.
#[tokio::test]
async fn two_officers_limit_a_group() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    assert_eq!(shown(&bench).await, json!({"all": null, "owners": {}}));
    for (limits, scope, code) in [
        (json!({"EUR": "5"}), "owner:nobody", "NOT_FOUND"),
        (json!({"EUR": "-5"}), "all", "BODY"),
        (json!({"EUR": 5}), "all", "BODY"),
        (json!({"eur": "5"}), "all", "BODY"),
        (json!({"EUR": "5"}), "desk", "BODY"),
    ] {
        bench
            .refused(&bench.ada, PATH, json!({"limits": limits, "scope": scope}), code)
            .await;
    }
    signed_by_two(
        &bench,
        json!({"limits": {"EUR": "500000", "USD": "7"}, "scope": "owner:desk"}),
    )
    .await;
    signed_by_two(&bench, json!({"limits": {"EUR": "9"}, "scope": "all"})).await;
    signed_by_two(&bench, json!({"limits": {"EUR": "400000"}, "scope": "owner:desk"})).await;
    assert_eq!(
        shown(&bench).await,
        json!({"all": {"EUR": "9"}, "owners": {"desk": {"EUR": "400000"}}})
    );
    let (_, book) = bench.get(&bench.ada, "/v1/agents/mm-1/book").await;
    assert_eq!(
        book["exposure"],
        json!([
            {"limit": "400000", "scope": "owner", "unit": "EUR"},
            {"limit": "9", "scope": "all", "unit": "EUR"},
        ])
    );
    let page = Browser::new(&bench, true).signed_in().await.get("/agents/mm-1").await.1;
    assert!(
        page.contains("EUR at stake for all bots of its owner together; 9 EUR at stake for all bots together."),
        "{page}"
    );
    signed_by_two(&bench, json!({"limits": {}, "scope": "owner:desk"})).await;
    signed_by_two(&bench, json!({"limits": {}, "scope": "all"})).await;
    assert_eq!(shown(&bench).await, json!({"all": null, "owners": {}}));
    let page = Browser::new(&bench, true).signed_in().await.get("/agents/mm-1").await.1;
    assert!(!page.contains("Above this bot"), "{page}");
}
