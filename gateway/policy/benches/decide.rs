//! Time of one decision (P3: parse and limits 500 ns; with the score 1.5 µs): the body of the shared load test, the checks on a
//! state with 32 open orders, the score, and the fold and the bytes of the record.

#![allow(missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use extensions::{Record, mandate::Scoring};

// The fixture speaks of the crate as `crate`, which here is this bench.
pub use gateway_policy::*;

#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../src/fixture.rs"]
mod fixture;

const BODY: &str = r#"{"client_order_id":"b-000001","instrument":"ETH_EUR","side":"buy","type":"limit","quantity":"0.5","price":"100.55","currency":"EUR","counterparty":"exchange_a","time_in_force":"gtc","reduce_only":false,"reasoning":"bench"}"#;

fn world() -> fixture::World {
    let mut world = fixture::World::with(extensions::limits::LimitsDocument {
        per_day: vec!["EUR 5000000".to_owned()],
        ..fixture::limits_document()
    });
    for n in 0..32 {
        let id = format!("open-{n}");
        let (number, decision) = world.send(fixture::terms(&id));
        assert!(n == 0 || matches!(decision, Decision::Permit(_)), "{decision:?}");
        world.accept(&id, number);
        world.now = world.now.plus_millis(500);
    }
    world
}

fn bench(criterion: &mut Criterion) {
    let scored = world();
    let mut unscored = world();
    unscored.baseline = None;
    unscored.document.conduct.scoring = Scoring::ObserveUntil(scored.now.plus_seconds(86_400));
    let order = Order::from_json(BODY.as_bytes()).expect("an order");
    let permit = decide(&scored.facts(&order), &scored.state, scored.now);
    assert!(matches!(permit, Decision::Permit(_)), "{permit:?}");

    criterion.bench_function("parse", |b| b.iter(|| Order::from_json(black_box(BODY.as_bytes()))));
    criterion.bench_function("limits", |b| {
        b.iter(|| decide(&unscored.facts(black_box(&order)), &unscored.state, unscored.now));
    });
    criterion.bench_function("parse + limits", |b| {
        b.iter(|| {
            let order = Order::from_json(black_box(BODY.as_bytes())).expect("an order");
            decide(&unscored.facts(&order), &unscored.state, unscored.now)
        });
    });
    criterion.bench_function("parse + limits + score", |b| {
        b.iter(|| {
            let order = Order::from_json(black_box(BODY.as_bytes())).expect("an order");
            decide(&scored.facts(&order), &scored.state, scored.now)
        });
    });
    let mut body = Vec::with_capacity(4_096);
    criterion.bench_function("record bytes", |b| {
        b.iter(|| {
            body.clear();
            permit.decided().write_body(black_box(&mut body));
        });
    });
    let mut state = scored.state.clone();
    let (mut number, decided) = (state.next_number(), AgentEvent::Decided(permit.decided().clone()));
    let rejected = |order| {
        AgentEvent::Outcome(OrderOutcome {
            agent: fixture::agent(),
            client_order_id: permit.decided().order.client_order_id,
            order,
            state: OutcomeState::Withheld { why: String::new() },
        })
    };
    criterion.bench_function("fold of a permit and its end", |b| {
        b.iter(|| {
            state.apply(EntryAt { number, at: scored.now }, black_box(&decided));
            state.apply(
                EntryAt {
                    number: number + 1,
                    at: scored.now,
                },
                &rejected(number),
            );
            number += 2;
        });
    });
    criterion.bench_function("digest of the state", |b| b.iter(|| scored.state.digest()));
}

criterion_group!(benches, bench);
criterion_main!(benches);
