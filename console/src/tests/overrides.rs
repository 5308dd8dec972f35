//! An override is asked for one refused order, in minutes, and takes two officers.

use axum::http::StatusCode;
use gateway_policy::{Code, OverrideGranted};
use ledger::Append;
use revocation_core::{Actor, standing::AgentReduceOnly};
use serde_json::json;

use super::{
    Bench,
    whatif::{house, sends},
};

/// Controls tried: `refused` that takes any decision, and the permitted one is asked for; without the look at `may_be_overridden` the order of a
/// bot that may only reduce is.
#[tokio::test]
async fn two_officers_let_a_refused_order_pass() {
    let bench = Bench::new().await;
    let document = house(&bench).await;
    let stream = extensions::StreamId::agent(&document.agent);
    let first = bench.ledger.stream_next(&stream);
    sends(&bench, &document, "small", "100", bench.now()).await;
    sends(&bench, &document, "over", "600", bench.now()).await;
    // Where its number is looked for.
    let (_, found) = bench.get(&bench.ada, "/v1/entries?code=MAX_NOTIONAL").await;
    assert_eq!(found["entries"][0]["number"], first + 1, "{found}");
    let path = "/v1/agents/mm-1/overrides";
    let asked = |order: u64, minutes: u64| json!({"minutes": minutes, "order": order, "reason": "an exception"});
    for minutes in [0, 16] {
        bench
            .refused(&bench.ada, path, asked(first + 1, minutes), "OVERRIDE")
            .await;
    }
    for order in [first, first + 2, 0] {
        bench.refused(&bench.ada, path, asked(order, 5), "NOT_FOUND").await;
    }
    let mut wordless = asked(first + 1, 5);
    wordless["reason"] = json!(" ");
    bench.refused(&bench.ada, path, wordless, "TEXT").await;

    let proposal = bench.done(&bench.ada, path, asked(first + 1, 5)).await;
    assert_eq!(proposal["officers_needed"], 2);
    assert_eq!(proposal["document"]["checks"], json!([Code::MaxNotional]));
    let sign = format!(
        "/v1/proposals/{}/signatures",
        proposal["proposal"].as_str().unwrap().trim_start_matches("officer/")
    );
    let one = bench
        .done(&bench.ben, &sign, bench.ben.signs(&proposal, "approve"))
        .await;
    assert_eq!(one["accepted"], serde_json::Value::Null, "{one}");
    let two = bench
        .done(&bench.ada, &sign, bench.ada.signs(&proposal, "approve"))
        .await;
    assert_eq!(two["accepted"], true);
    let written = bench.ledger.stream_next(&stream) - 1;
    let entries = bench.ledger.read_stream(&stream, written, 1).await.unwrap();
    assert_eq!(&*entries[0].kind, OverrideGranted::KIND);
    sends(&bench, &document, "again", "600", bench.now()).await;
    let (status, shown) = bench.get(&bench.ada, "/v1/agents/mm-1/orders").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(shown["orders"][0]["decision"], "permit");
    assert_eq!(shown["orders"][0]["overridden"], json!([Code::MaxNotional]));

    let (agent, by) = (document.agent, Actor::Officer("ada".parse().unwrap()));
    let narrowed = Append::next(AgentReduceOnly { agent, by }, bench.now());
    bench
        .writer
        .append(narrowed)
        .await
        .map_err(|error| error.to_string())
        .unwrap();
    let number = bench.ledger.stream_next(&stream);
    sends(&bench, &document, "narrowed", "600", bench.now()).await;
    bench.refused(&bench.ada, path, asked(number, 5), "NO_OVERRIDE").await;
}
