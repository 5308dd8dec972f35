//! Searches: what is found is what a look at every entry finds, however it is found.

use extensions::{Record, StreamId};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{agent, fresh};
use crate::{
    Append, Ledger, Writer,
    search::{MOST_LOOKED, Search},
};

/// A record of any kind and body.
#[derive(Debug, Clone)]
struct Seen {
    stream: StreamId,
    kind: &'static str,
    body: Value,
}

impl Record for Seen {
    fn stream(&self) -> StreamId {
        self.stream.clone()
    }
    fn kind(&self) -> &'static str {
        self.kind
    }
    fn write_body(&self, out: &mut Vec<u8>) {
        extensions::canonical::write_presorted(&self.body, out);
    }
}

fn decided(decision: &str, codes: &[&str]) -> (&'static str, Value) {
    let checks: Vec<Value> = codes.iter().map(|code| json!({"code": code})).collect();
    ("order.decided", json!({"checks": checks, "decision": decision}))
}

/// What a log is made of here.
fn some() -> Vec<(&'static str, Value)> {
    vec![
        decided("permit", &[]),
        decided("refusal", &["MAX_NOTIONAL"]),
        decided("refusal", &["MAX_NOTIONAL", "HOURS"]),
        decided("halt", &["ANOMALY_REVOKED"]),
        ("order.filled", json!({"quantity": "1"})),
        ("agent.revoked", json!({"reason": "x"})),
        ("officer.refused", json!({"code": "ROLE_MISSING"})),
    ]
}

async fn write(writer: &Writer, rows: &[(usize, bool)]) {
    for (kind, other) in rows {
        let (kind, body) = some()[*kind % some().len()].clone();
        let stream = agent(if *other { "other" } else { "bot" });
        let record = Seen { stream, kind, body };
        writer
            .append(Append::next(record, super::now()))
            .await
            .expect("recorded");
    }
}

/// Every position that a search finds, page by page; no page looks at more than it may.
async fn all(ledger: &Ledger, mut search: Search) -> Vec<u64> {
    let mut found = Vec::new();
    loop {
        let answer = ledger.search(&search).await.expect("answers");
        assert!(answer.looked <= MOST_LOOKED && answer.found.len() <= search.limit);
        found.extend(answer.found.iter().map(|one| one.entry.position));
        match answer.next {
            Some(next) => search.before = Some(next),
            None => return found,
        }
    }
}

/// The same by looking at everything.
async fn by_hand(ledger: &Ledger, search: &Search) -> Vec<u64> {
    let entries = ledger.read_range(0, 4_096).await.expect("reads");
    let fits = |entry: &crate::CommittedEntry| {
        let body: Value = serde_json::from_slice(entry.body()).expect("JSON");
        let codes: Vec<&str> = body["checks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|check| check["code"].as_str())
            .chain(body["code"].as_str())
            .collect();
        search.stream.as_ref().is_none_or(|stream| *stream == entry.stream)
            && search.kind.as_ref().is_none_or(|kind| **kind == *entry.kind)
            && search
                .decision
                .as_ref()
                .is_none_or(|decision| body["decision"] == **decision)
            && search.code.as_ref().is_none_or(|code| codes.contains(&code.as_str()))
            && search.before.is_none_or(|before| entry.position < before)
    };
    entries
        .iter()
        .rev()
        .filter(|entry| fits(entry))
        .map(|entry| entry.position)
        .collect()
}

fn maybe(values: &'static [&'static str]) -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop::sample::select(values).prop_map(str::to_owned))
}

fn searches() -> impl Strategy<Value = Search> {
    (
        prop::option::of(prop::bool::ANY),
        maybe(&[
            "order.decided",
            "order.filled",
            "agent.revoked",
            "officer.refused",
            "none.such",
        ]),
        maybe(&["permit", "refusal", "halt"]),
        maybe(&["MAX_NOTIONAL", "HOURS", "ROLE_MISSING", "NONE_SUCH"]),
        prop::option::of(0_u64..40),
        1_usize..5,
    )
        .prop_map(|(other, kind, decision, code, before, limit)| Search {
            stream: other.map(|other| agent(if other { "other" } else { "bot" })),
            kind,
            decision,
            code,
            before,
            limit,
            ..Search::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Control, tried: with `order.filled` taken for indexed in `Search::mark`, a search for fills finds nothing.
    #[test]
    fn a_search_finds_what_a_look_at_everything_finds(
        rows in prop::collection::vec((0_usize..7, prop::bool::ANY), 0..30),
        asked in prop::collection::vec(searches(), 4),
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
        runtime.block_on(async {
            let (_folder, ledger, writer) = fresh().await;
            write(&writer, &rows).await;
            for search in asked {
                let wanted = by_hand(&ledger, &search).await;
                assert_eq!(all(&ledger, search.clone()).await, wanted, "{search:?}");
            }
            ledger.close().await.expect("closes");
        });
    }
}

/// A search by time begins and ends where the store's clock says; what is rare among much that is common is found in one look.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_rare_is_found_at_once() {
    let (_folder, ledger, writer) = fresh().await;
    write(&writer, &[(5, false)]).await;
    let rare = ledger.head().size - 1;
    for _ in 0..8 {
        write(&writer, &vec![(0, false); 300]).await;
    }
    let search = Search {
        kind: Some("agent.revoked".into()),
        limit: 10,
        ..Search::default()
    };
    let answer = ledger.search(&search).await.expect("answers");
    assert_eq!(
        answer.found.iter().map(|one| one.entry.position).collect::<Vec<_>>(),
        [rare]
    );
    assert!(answer.looked <= 1, "{} entries were looked at", answer.looked);
    let later = Search {
        from: Some(super::now().plus_seconds(1)),
        ..search.clone()
    };
    assert!(
        all(&ledger, later).await.is_empty(),
        "the clock stands still at one moment"
    );
    let earlier = Search {
        until: Some(super::now()),
        ..search
    };
    assert!(all(&ledger, earlier).await.is_empty());
}
