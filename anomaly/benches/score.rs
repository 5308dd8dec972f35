//! Time of one score: the whole path of a decision's score and the fold of its record.

use std::hint::black_box;

use anomaly::{BaselineApproved, Learning, Observation, ScorerState, Settings, score};
use criterion::{Criterion, criterion_group, criterion_main};
use extensions::{AgentId, Counterparty, Currency, Decimal, Instrument, Region, Timestamp};

fn orders(count: i64) -> Vec<Observation> {
    let instruments = [
        "BTC_EUR", "ETH_EUR", "SOL_EUR", "XRP_EUR", "ADA_EUR", "DOT_EUR", "LTC_EUR",
    ];
    (0..count)
        .map(|at| Observation {
            at: Timestamp::from_seconds(1_793_577_600 + at * 2_700 + at % 7 * 61),
            counterparty: Counterparty::new("exchange_a").expect("valid"),
            currency: Currency::new("EUR").expect("valid"),
            instrument: Instrument::new(instruments[(at * at % 7) as usize]).expect("valid"),
            notional: Decimal::new(100_000 + i128::from(at * 7_919 % 40_000), 2),
            refused: false,
            region: Region::new("eu-west-1").ok(),
        })
        .collect()
}

fn bench(criterion: &mut Criterion) {
    let history = orders(450);
    let mut learning = Learning::new(AgentId::new("mm-1").expect("valid"));
    history.iter().for_each(|seen| learning.observe(*seen));
    let proposed = learning.propose(&Settings::house(), None).expect("enough");
    let approval = BaselineApproved {
        agent: proposed.content().agent,
        approvals: vec!["bench".to_owned()],
        baseline: proposed.digest(),
        version: 1,
    };
    let baseline = proposed.approve(&approval).expect("matches");
    let mut state = ScorerState::NEW;
    for seen in &history {
        let scored = score(&baseline, &state, seen);
        state.apply(scored.record(), seen);
    }
    let order = history[200];
    let scored = score(&baseline, &state, &order);
    criterion.bench_function("score", |bencher| {
        bencher.iter(|| score(black_box(&baseline), black_box(&state), black_box(&order)))
    });
    criterion.bench_function("apply", |bencher| {
        bencher.iter(|| {
            let mut state = state;
            state.apply(black_box(scored.record()), black_box(&order));
            state
        });
    });
    criterion.bench_function("propose, 450 orders", |bencher| {
        bencher.iter(|| learning.propose(black_box(&Settings::house()), None).expect("enough"));
    });
}

criterion_group!(benches, bench);
criterion_main!(benches);
