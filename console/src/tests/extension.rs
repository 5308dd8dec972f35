//! Observing for longer, by API and page: a date that officers sign, and nothing else of the mandate.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Bench, pages::Browser};

const PATH: &str = "/v1/agents/mm-1/baselines/extend";

async fn until(bench: &Bench) -> Value {
    let (_, book) = bench.get(&bench.ada, "/v1/agents/mm-1/book").await;
    book["observes"].clone()
}

/// It needs a mandate in force, a date ahead within it, and a reason; another officer signs it; until then the score acts as before, and limits
/// stay as they were.
///
/// Controls tried: without the look at `present` an earlier date cuts the observation short under the name of an extension; without the one
/// at the pending revision what others are asked to sign is replaced.
#[tokio::test]
async fn observing_for_longer_is_signed() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let now = bench.now();
    let day = |days: i64| now.plus_seconds(days * 86_400);
    let asked = |days: i64| json!({"reason": "the month's end is missing", "until": day(days)});
    bench
        .refused(&bench.ada, "/v1/agents/nobody/baselines/extend", asked(7), "NOT_FOUND")
        .await;
    bench.refused(&bench.ada, PATH, asked(7), "NOT_FOUND").await;
    let question = bench.application("mm-1", "m-1", "500000").await;
    bench.refused(&bench.ada, PATH, asked(7), "NOT_FOUND").await;
    let signing = "/v1/applications/m-1/signatures";
    bench
        .done(&bench.ben, signing, bench.ben.signs(&question, "approve"))
        .await;
    let before = bench.get(&bench.ada, "/v1/applications/m-1").await.1["document"].clone();
    assert_eq!(until(&bench).await, Value::Null, "the score acts");
    for days in [-1, 0, 21] {
        bench.refused(&bench.ada, PATH, asked(days), "UNTIL").await;
    }
    let silent = json!({"reason": " ", "until": day(7)});
    bench.refused(&bench.ada, PATH, silent, "TEXT").await;

    let question = bench.done(&bench.ada, PATH, asked(7)).await;
    assert_eq!(until(&bench).await, Value::Null, "nothing holds before it is signed");
    bench.refused(&bench.ada, PATH, asked(8), "PENDING").await;
    let own = bench.ada.signs(&question, "approve");
    bench.refused(&bench.ada, signing, own, "SIGNATURE_REFUSED").await;
    let (_, shown) = bench.get(&bench.ben, "/v1/applications/m-1").await;
    assert_eq!(shown["rationale"], json!("the month's end is missing"));
    assert!(shown["changes"].to_string().contains("scoring"), "{}", shown["changes"]);
    bench
        .done(&bench.ben, signing, bench.ben.signs(&question, "approve"))
        .await;
    let observes = until(&bench).await;
    assert_eq!(
        (&observes["until"], &observes["approved_by"]),
        (&json!(day(7)), &json!(["ben"]))
    );
    let mut after = shown["document"].clone();
    after["conduct"]["scoring"] = before["conduct"]["scoring"].clone();
    after["rationale_commitment"] = before["rationale_commitment"].clone();
    assert_eq!(after, before, "nothing else changed");
    bench.refused(&bench.ada, PATH, asked(6), "UNTIL").await;
    bench.done(&bench.ada, PATH, asked(9)).await;
}

/// The page asks for it, keeps what was typed when it is refused, and leads to what is to be signed. Control: without the mandate there is no
/// such form.
#[tokio::test]
async fn the_page_of_baselines_asks_for_it() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let ada = Browser::new(&bench, true).signed_in().await;
    let page = "/agents/mm-1/baselines";
    assert!(!ada.get(page).await.1.contains("Observe for longer"));
    let question = bench.application("mm-1", "m-1", "500000").await;
    let yes = bench.ben.signs(&question, "approve");
    bench.done(&bench.ben, "/v1/applications/m-1/signatures", yes).await;
    assert!(ada.get(page).await.1.contains("Observe for longer"));
    let token = ada.token().await;
    let form = |until: &str| format!("token={token}&act=extend&until={until}&reason=more+days");
    let (status, shown) = super::pages::text_of(ada.post(page, &form("2020-01-01")).await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(
        shown.contains("until is 2020-01-01") && shown.contains(">more days</textarea>"),
        "{shown}"
    );
    let soon = bench.now().plus_seconds(3 * 86_400).to_string();
    let done = ada.post(page, &form(&soon[..10])).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(done.headers()["location"], "/applications/m-1");
    let proposed = ada.post(page, &format!("token={token}&act=propose")).await;
    assert_eq!(proposed.status(), StatusCode::CONFLICT, "nothing was observed yet");
}
