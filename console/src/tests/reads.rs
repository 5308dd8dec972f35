//! Who reads records leaves an entry, by the API and by pages; a page that is loaded again does not flood the log.

use axum::http::StatusCode;
use ca_core::events::Role;
use extensions::{StreamId, StreamKind};
use serde_json::Value;

use super::{Bench, pages::Browser};
use crate::api::{RECORDS, ROUTES};

/// What the ledger says an officer read, once there are `least` such entries.
async fn reads(bench: &Bench, officer: &str, least: usize) -> Vec<Value> {
    let stream = StreamId::new(StreamKind::Officer, officer).unwrap();
    let began = std::time::Instant::now();
    loop {
        let entries = bench.ledger.read_stream(&stream, 0, 10_000).await.unwrap();
        let found = entries.iter().filter(|entry| &*entry.kind == "officer.read");
        let bodies: Vec<Value> = found
            .map(|entry| serde_json::from_slice(entry.body()).unwrap())
            .collect();
        // The reader does not wait for the entry.
        if bodies.len() >= least || began.elapsed().as_secs() > 30 {
            return bodies;
        }
        tokio::task::yield_now().await;
    }
}

/// An auditor who searches and takes proofs leaves entries that name the first records and count the others; what was refused is none.
///
/// Controls tried: without `has_read` in `access::admit`, and with either route out of `RECORDS`, no entry or another count; without the look
/// at the answer's status what is missing counts as read.
#[tokio::test]
async fn who_reads_records_leaves_an_entry() {
    let bench = Bench::new().await;
    let auditor = bench.officer("edith", &[Role::Auditor]).await;
    let ask = async |path: &str| bench.get(&auditor, path).await.0;
    assert_eq!(ask("/v1/entries/999999").await, StatusCode::NOT_FOUND);
    assert_eq!(ask("/v1/entries?kind=NO").await, StatusCode::BAD_REQUEST);
    assert_eq!(ask("/v1/agents").await, StatusCode::OK);
    assert_eq!(ask("/v1/entries/0").await, StatusCode::OK);
    let first = reads(&bench, "edith", 1).await;
    assert_eq!((first.len(), first[0]["count"].as_u64()), (1, Some(1)));
    assert_eq!(first[0]["records"], serde_json::json!(["/v1/entries/0"]));
    for _ in 0..20 {
        assert_eq!(ask("/v1/entries?kind=officer.signed").await, StatusCode::OK);
        assert_eq!(ask("/v1/entries/1").await, StatusCode::OK);
    }
    bench.console.tell_reads(Some(bench.now()));
    assert_eq!(reads(&bench, "edith", 1).await.len(), 1, "its minute is not over");
    bench.later(61);
    bench.console.tell_reads(Some(bench.now().plus_seconds(61)));
    let all = reads(&bench, "edith", 2).await;
    assert_eq!((all.len(), all[1]["count"].as_u64()), (2, Some(40)));
    let named = serde_json::json!(["/v1/entries?kind=officer.signed", "/v1/entries/1"]);
    assert_eq!(all[1]["records"], named);
    assert!(reads(&bench, "ada", 0).await.is_empty(), "nobody else");
    // By pages as well: they read by the same address.
    let ada = Browser::new(&bench, true).signed_in().await;
    for path in [
        "/entries",
        "/entries/2",
        "/entries/2/entry.json",
        "/entries/2/receipt.json",
    ] {
        assert_eq!(ada.get(path).await.0, StatusCode::OK);
    }
    bench.console.tell_reads(None);
    let of_ada = reads(&bench, "ada", 2).await;
    let counts: u64 = of_ada.iter().filter_map(|read| read["count"].as_u64()).sum();
    assert_eq!(counts, 4, "{of_ada:?}");
}

/// Every route that shows entries of the ledger is in the list. Control: one of them taken out of it.
#[test]
fn every_route_of_entries_is_counted() {
    let shows = ROUTES.iter().filter(|route| route.path.starts_with("/v1/entries"));
    let paths: Vec<&str> = shows.map(|route| route.path).collect();
    assert_eq!(paths, RECORDS);
}
