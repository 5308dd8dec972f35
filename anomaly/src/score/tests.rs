//! Tests of the module `score`: what it must do and what it must refuse.

use extensions::{Counterparty, Currency, Decimal, Digest, Instrument, Region, Timestamp, canonical};
use proptest::prelude::*;

use super::*;
use crate::{
    baseline::{Thresholds, Verdict},
    sample::{self, Seeded},
    scale::{REVOKE, WARN},
    settings::BILLION,
};

/// Folds `observations` and gives each record.
fn play(baseline: &ApprovedBaseline, state: &mut ScorerState, observations: &[Observation]) -> Vec<ScoreRecord> {
    observations
        .iter()
        .map(|observation| {
            let scored = score(baseline, state, observation);
            state.apply(scored.record(), observation);
            *scored.record()
        })
        .collect()
}

/// How many orders until `threshold`, counted from 1.
fn orders_until(records: &[ScoreRecord], threshold: u32) -> Option<usize> {
    records
        .iter()
        .position(|record| record.score >= threshold)
        .map(|at| at + 1)
}

/// The obvious design, for comparison: each component's surprise clipped to one, weighted and summed, in millionths.
fn clipped_average(record: &ScoreRecord) -> u32 {
    let most = crate::calibrator::surprise(1) as u64;
    let parts = record.components.in_order();
    parts
        .iter()
        .map(|part| (u64::from(part.weight) * crate::calibrator::surprise(part.p) as u64 / most) as u32)
        .sum()
}

/// The third week of the healthy agent, with one side changed in every order.
fn changed(change: impl Fn(usize, &mut Observation)) -> Vec<Observation> {
    let mut orders = sample::orders(77, 14, 14);
    orders.iter_mut().enumerate().for_each(|(at, order)| change(at, order));
    orders
}

/// Every axis reaches warning and revocation by itself. The failing control is the clipped weighted average over the very same
/// orders: no axis reaches 0.75 there, since none weighs more than 0.30.
#[test]
fn a_single_axis_reaches_both_thresholds() {
    let baseline = sample::baseline(1);
    let base = sample::orders(77, 14, 1)[0];
    let axes: [(Component, Vec<Observation>); COMPONENTS] = [
        (
            Component::Size,
            changed(|_, order| order.notional = order.notional.unwrap().checked_mul(Decimal::from(100))),
        ),
        (
            Component::Rate,
            (0..200)
                .map(|at| Observation {
                    at: base.at.plus_millis(300 * at),
                    ..base
                })
                .collect(),
        ),
        (
            Component::Instrument,
            changed(|_, order| order.instrument = Instrument::new("DOGE_EUR").unwrap()),
        ),
        (
            Component::Hour,
            changed(|_, order| order.at = order.at.plus_seconds(12 * 3_600)),
        ),
        (
            Component::Origin,
            changed(|_, order| order.region = Region::new("xx-1").ok()),
        ),
    ];
    for (axis, orders) in axes {
        let records = play(&baseline, &mut ScorerState::default(), &orders);
        let (warned, revoked) = (orders_until(&records, WARN), orders_until(&records, REVOKE));
        let (Some(warned), Some(revoked)) = (warned, revoked) else {
            panic!("{axis:?} stays silent")
        };
        assert!(warned <= revoked && revoked <= 30, "{axis:?}: {warned} {revoked}");
        assert_eq!(records[revoked - 1].top(), axis);
        let most = records[..revoked].iter().map(clipped_average).max().unwrap();
        assert!(most < WARN, "the control reaches {most} on {axis:?}");
    }
}

#[test]
fn a_loop_and_a_foreign_region_are_caught_within_a_handful() {
    for seed in 0..8 {
        let baseline = sample::baseline(seed);
        let mut state = ScorerState::NEW;
        let healthy = sample::orders(seed + 100, 14, 3);
        play(&baseline, &mut state, &healthy);
        let last = *healthy.last().unwrap();
        let looped: Vec<_> = (1..100)
            .map(|at| Observation {
                at: last.at.plus_millis(at * 300),
                ..last
            })
            .collect();
        let records = play(&baseline, &mut state.clone(), &looped);
        let caught = orders_until(&records, REVOKE).unwrap();
        assert!(caught <= 20, "loop: {caught}");
        // A loop of one order repeats its names as well: either may lead.
        assert!([Component::Rate, Component::Instrument].contains(&records[caught - 1].top()));
        let mut foreign = sample::orders(seed + 200, 17, 2);
        foreign
            .iter_mut()
            .for_each(|order| order.region = Region::new("ap-east-1").ok());
        let caught = orders_until(&play(&baseline, &mut state, &foreign), REVOKE).unwrap();
        assert!(caught <= 5, "region: {caught}");
    }
}

/// Twelve agents over four further weeks: nothing is warned. The control is the same stream with every size ten times larger.
#[test]
fn a_healthy_agent_is_left_alone() {
    for seed in 0..12 {
        let baseline = sample::baseline(seed);
        assert_eq!(
            baseline.mode(),
            crate::Mode::Enforce,
            "{:?}",
            baseline.content().report.reasons
        );
        let mut orders = sample::orders(seed + 1_000, 14, 28);
        let records = play(&baseline, &mut ScorerState::default(), &orders);
        let highest = records.iter().map(|record| record.score).max().unwrap();
        assert!(highest < WARN, "seed {seed}: {highest}");
        orders
            .iter_mut()
            .for_each(|order| order.notional = order.notional.unwrap().checked_mul(Decimal::from(10)));
        assert!(orders_until(&play(&baseline, &mut ScorerState::default(), &orders), REVOKE).is_some());
    }
}

/// E averages at most one on data from the baseline's own law. Days are independent, so the tolerance is three standard errors of
/// the daily means; the control, sizes twenty times larger, exceeds it.
#[test]
fn e_values_average_at_most_one() {
    let daily_means = |factor: u64| {
        let mut means = Vec::new();
        for seed in 0..10 {
            let baseline = sample::baseline(seed);
            let mut orders = sample::orders(seed + 5_000, 14, 30);
            orders
                .iter_mut()
                .for_each(|order| order.notional = order.notional.unwrap().checked_mul(Decimal::from(factor)));
            let records = play(&baseline, &mut ScorerState::default(), &orders);
            for day in orders
                .iter()
                .zip(&records)
                .collect::<Vec<_>>()
                .chunk_by(|a, b| a.0.at.day() == b.0.at.day())
            {
                means.push(day.iter().map(|(_, record)| record.e as f64 / 1e6).sum::<f64>() / day.len() as f64);
            }
        }
        let n = means.len() as f64;
        let mean = means.iter().sum::<f64>() / n;
        let error = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
        (mean, error)
    };
    let (mean, error) = daily_means(1);
    assert!(mean <= 1.0 + 3.0 * error, "{mean} ± {error}");
    let (control, error) = daily_means(20);
    assert!(control > 1.0 + 3.0 * error, "{control} ± {error}");
}

/// State folded from the recorded JSON equals the live state, and every record is computed again bit for bit. The control leaves
/// one record out of the fold: the next score then differs.
#[test]
fn replay_is_identical() {
    let baseline = sample::baseline(3);
    let mut random = Seeded(9);
    let mut orders = sample::orders(4, 14, 120);
    for order in &mut orders {
        match random.below(12) {
            0 => order.region = None,
            1 => order.notional = None,
            2 => order.notional = order.notional.unwrap().checked_mul(Decimal::from(random.below(1_000))),
            3 => order.instrument = Instrument::new("NEW_EUR").unwrap(),
            4 => order.at = order.at.plus_micros(-(random.below(3_600_000_000) as i64)),
            _ => {}
        }
    }
    assert!(orders.len() > 3_000);
    let (mut live, mut folded, mut gapped) = (ScorerState::NEW, ScorerState::NEW, ScorerState::NEW);
    let mut differs = false;
    for (at, order) in orders.iter().enumerate() {
        let scored = score(&baseline, &live, order);
        let logged = canonical::to_vec(scored.record());
        live.apply(scored.record(), order);
        let read: ScoreRecord = canonical::from_slice(&logged).unwrap();
        assert_eq!(recompute(&baseline, &folded, order).difference(&read), None);
        assert_eq!(recompute(&baseline, &folded, order), read);
        differs |= recompute(&baseline, &gapped, order).difference(&read).is_some();
        folded.apply(&read, order);
        if at != 1_000 {
            gapped.apply(&read, order);
        }
        assert_eq!(folded, live);
    }
    assert!(differs, "leaving a record out must show");
}

/// One fixed stream under one fixed baseline of integers: the digest of all its records. It is the same in debug and release
/// builds and on every platform; a change means that the rules changed, and CONFIG_VERSION must rise.
#[test]
fn records_are_the_same_everywhere() {
    let baseline = sample::approve(crate::baseline::ProposedBaseline::new(fixed_content()).unwrap());
    let mut random = Seeded(1);
    let (mut state, mut at, mut all) = (
        ScorerState::NEW,
        Timestamp::parse(sample::FIRST_DAY).unwrap(),
        Vec::new(),
    );
    for _ in 0..2_000 {
        at = at.plus_micros(random.below(4_000_000_000) as i64);
        let names = ["BTC_EUR", "ETH_EUR", "NEW_EUR"];
        let observation = Observation {
            at,
            counterparty: Counterparty::new("exchange_a").unwrap(),
            currency: Currency::new("EUR").unwrap(),
            instrument: Instrument::new(names[random.below(3) as usize]).unwrap(),
            notional: Decimal::new(i128::from(random.below(1 << 40)), (random.below(12)) as u8),
            refused: false,
            region: (random.below(10) > 0).then(|| Region::new("eu-west-1").unwrap()),
        };
        let scored = score(&baseline, &state, &observation);
        state.apply(scored.record(), &observation);
        canonical::write_presorted(scored.record(), &mut all);
    }
    canonical::write_presorted(&state, &mut all);
    assert_eq!(
        Digest::of(&all).to_string(),
        "ca12ce0e8b7528ef6e5545cf7397dfbdda5f3f51cdc11e1c2e7b4653fc1d02d9"
    );
}

fn fixed_content() -> BaselineContent {
    let mut content = sample::proposed(&sample::orders(1, 0, 14)).content().clone();
    for (at, step) in content.drift.iter_mut().enumerate() {
        *step = crate::baseline::Step {
            d: 12_345 * at as i64,
            theta: 1_000_000 - 25_000 * at as u32,
        };
    }
    for table in &mut content.day.tables {
        table.theta = 800_000;
        table.knots = (0..30)
            .map(|at| crate::baseline::DayKnot {
                p: BILLION >> at.min(29),
                sum: at * 1_000_000,
            })
            .collect();
    }
    (content.day.lambda, content.channels) = (365, crate::baseline::Channels { day: true, order: true });
    content.lambda = 10_950;
    content.report = crate::Report::default();
    let currency = &mut content.sizes.currencies[0];
    (currency.median, currency.p50, currency.p99) = (6_900_000, Decimal::from(992), Decimal::from(5_000));
    content.sizes.knots = (0..40)
        .map(|at| crate::baseline::SizeKnot {
            p: BILLION >> (at / 2),
            size: at * 150_000,
        })
        .collect();
    for (scale, rate) in content.rates.iter_mut().enumerate() {
        rate.knots = (1..30)
            .map(|at| crate::baseline::RateKnot {
                count: at << scale,
                p: BILLION >> (at - 1).min(29),
            })
            .collect();
    }
    content.hours = (1..=168)
        .map(|hour| crate::baseline::HourBin {
            mass_ppb: 70_000 * hour,
            p: 5_000_000 * hour,
        })
        .collect();
    content
        .instruments
        .seen
        .retain(|seen| ["BTC_EUR", "ETH_EUR"].contains(&seen.name.as_str()));
    content
        .instruments
        .seen
        .iter_mut()
        .for_each(|seen| seen.p = 300_000_000);
    content
        .counterparties
        .seen
        .iter_mut()
        .for_each(|seen| seen.p = 900_000_000);
    for (again, burst) in [
        (
            &mut content.instruments.again_ppb,
            &mut content.instruments.burst_again_ppb,
        ),
        (
            &mut content.counterparties.again_ppb,
            &mut content.counterparties.burst_again_ppb,
        ),
    ] {
        (*again, *burst) = (300_000_000, 500_000_000);
    }
    content.instruments.unseen_ppb = 1_000_000;
    content.counterparties.unseen_ppb = 1_000_000;
    content.sizes.small_ppb = 520_000_000;
    content
}

#[test]
fn no_baseline_is_its_own_answer() {
    let order = sample::orders(1, 0, 1)[0];
    assert_eq!(assess(None, &ScorerState::NEW, &order), Scoring::NoBaseline);
    let baseline = sample::baseline(1);
    assert!(matches!(
        assess(Some(&baseline), &ScorerState::NEW, &order),
        Scoring::Scored(_)
    ));
}

#[test]
fn warn_only_never_revokes() {
    let baseline = sample::baseline(1);
    let mut record = *score(&baseline, &ScorerState::NEW, &sample::orders(1, 0, 1)[0]).record();
    for (score, verdict) in [
        (0, Verdict::Clear),
        (749_999, Verdict::Clear),
        (750_000, Verdict::Warn),
        (850_000, Verdict::Revoke),
    ] {
        record.score = score;
        assert_eq!(baseline.verdict(&record, Thresholds::default()), verdict);
    }
    let mut content = baseline.content().clone();
    content.mode = crate::Mode::WarnOnly;
    let warn_only = sample::approve(crate::baseline::ProposedBaseline::new(content).unwrap());
    assert_eq!(warn_only.verdict(&record, Thresholds::default()), Verdict::Warn);
}

#[test]
fn reasons_are_in_words() {
    let baseline = sample::baseline(1);
    let base = sample::orders(2, 14, 1)[0];
    let mut state = ScorerState::NEW;
    let flood: Vec<_> = (0..41)
        .map(|at| Observation {
            at: base.at.plus_millis(at * 20),
            ..base
        })
        .collect();
    let record = *play(&baseline, &mut state, &flood).last().unwrap();
    let rate = record.reason(Component::Rate, &baseline, &flood[40]);
    assert!(
        rate.starts_with("rate: 41 orders in 1 ") && rate.contains("; baseline p99 is "),
        "{rate}"
    );
    assert!(
        record
            .summary(&baseline, &flood[40])
            .contains(&record.reason(record.top(), &baseline, &flood[40])),
        "{}",
        record.summary(&baseline, &flood[40])
    );
    let strange = Observation {
        instrument: Instrument::new("DOGE_EUR").unwrap(),
        notional: Decimal::parse("1000000").ok(),
        region: None,
        ..base
    };
    let scored = score(&baseline, &ScorerState::NEW, &strange);
    assert_eq!(
        scored.record().components.origin.p,
        1_000,
        "an unknown network counts as never seen"
    );
    let words = scored.record().reasons(&baseline, &strange);
    assert!(
        words[0].starts_with("size: 1000000 EUR; baseline p50 is "),
        "{}",
        words[0]
    );
    assert!(
        words[2].starts_with("instrument: the instrument DOGE_EUR is not in the baseline; "),
        "{}",
        words[2]
    );
    assert!(words[3].starts_with("hour: Monday"), "{}", words[3]);
    assert_eq!(words[4], "origin: the network is in no known region");
}

/// Orders over the message bound are not read, yet the next order's rate shows them; the control without them stays calm.
#[test]
fn unread_orders_count() {
    let baseline = sample::baseline(1);
    let order = sample::orders(2, 14, 1)[3];
    let mut state = ScorerState::NEW;
    let calm = score(&baseline, &state, &order).record().components.rate;
    state.observe_unread(order.at, 500);
    let flooded = score(&baseline, &state, &order).record().components.rate;
    assert!(flooded.e > 1_000 * calm.e && flooded.observed == 501, "{flooded:?}");
}

#[test]
fn state_is_small_and_canonical() {
    let mut state = ScorerState::NEW;
    play(&sample::baseline(1), &mut state, &sample::orders(2, 14, 5));
    let mut plain = Vec::new();
    canonical::write_presorted(&state, &mut plain);
    assert_eq!(plain, canonical::to_vec(&state));
    assert_eq!(canonical::from_slice::<ScorerState>(&plain).unwrap(), state);
    assert!(size_of::<ScorerState>() <= 768, "{}", size_of::<ScorerState>());
    let seen = state.setting(&sample::orders(2, 19, 1)[0]);
    state.reset_evidence();
    assert_eq!(
        (state.evidence(), state.day_evidence()),
        ([0; DETECTORS], [0; COMPONENTS])
    );
    assert_eq!((state.orders(), state.days()), ([0; DETECTORS], [0; COMPONENTS]));
    assert_eq!(
        state.setting(&sample::orders(2, 19, 1)[0]).counted,
        seen.counted,
        "the counters stay"
    );
}

fn any_observation() -> impl Strategy<Value = Observation> {
    let name = "[A-Z0-9_.-]{1,32}";
    let lower = "[a-z0-9_.-]{1,32}";
    let notional = proptest::option::of((any::<i128>(), 0_u8..=36));
    (
        any::<i64>(),
        lower,
        "[A-Z0-9]{1,16}",
        name,
        notional,
        any::<bool>(),
        proptest::option::of(lower),
    )
        .prop_map(
            |(at, counterparty, currency, instrument, notional, refused, region)| Observation {
                at: Timestamp::from_micros(at),
                counterparty: Counterparty::new(&counterparty).unwrap(),
                currency: Currency::new(if refused { "EUR" } else { &currency }).unwrap(),
                instrument: Instrument::new(&instrument).unwrap(),
                notional: notional.and_then(|(mantissa, scale)| Decimal::new(mantissa, scale)),
                refused,
                region: region.and_then(|region| Region::new(&region).ok()),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, in whatever order and however far apart in time: a score in range, shares that sum to one.
    #[test]
    fn nothing_makes_it_fail(observations in proptest::collection::vec(any_observation(), 1..30), c in any::<i64>()) {
        let baseline = sample::baseline(1);
        let mut state = ScorerState::NEW;
        for observation in observations {
            let scored = score(&baseline, &state, &observation);
            let mut record = *scored.record();
            prop_assert!(record.score <= MILLION);
            let parts = record.components.in_order();
            prop_assert_eq!(parts.iter().map(|part| part.share).sum::<u32>(), MILLION);
            let _ = record.summary(&baseline, &observation);
            let _ = record.reasons(&baseline, &observation);
            // Even a state folded from a forged record must not make the next score fail.
            record.c_after = c;
            state.apply(&record, &observation);
        }
    }

    #[test]
    fn shares_sum_to_one(parts in proptest::array::uniform5(0_u64..(1 << 61))) {
        let shares = shares(&parts);
        prop_assert_eq!(shares.iter().sum::<u32>(), MILLION);
    }

    /// The components' parts of C sum to C, to the rounding of five logarithms.
    #[test]
    fn contributions_sum_to_the_total(seed in 0_u64..50, count in 1_usize..200) {
        let baseline = sample::baseline(1);
        let mut orders = sample::orders(seed, 14, 14);
        orders.truncate(count);
        orders.iter_mut().for_each(|order| order.region = if seed % 2 == 0 { None } else { order.region });
        for record in play(&baseline, &mut ScorerState::default(), &orders) {
            let parts = record.components.in_order().map(|part| (part.c as f64 / 1e6).exp());
            let total = parts.iter().sum::<f64>().ln() * 1e6;
            prop_assert!((total - record.c_after as f64).abs() <= 10.0, "{} {}", total, record.c_after);
        }
    }

    /// A rarer order never scores lower, on any axis, whatever came before.
    #[test]
    fn rises_with_every_component(at in 0_usize..400, more in 1_u64..1_000_000, unread in 0_u32..1_000, evidence in 0_i64..20_000_000) {
        let baseline = sample::baseline(1);
        let order = sample::orders(5, 14, 14)[at];
        let mut state = ScorerState::NEW;
        let mut record = *score(&baseline, &state, &order).record();
        record.c_after = evidence;
        state.apply(&record, &order);
        let usual = score(&baseline, &state, &order).score();
        let larger = Observation { notional: order.notional.unwrap().checked_mul(Decimal::from(more)), ..order };
        let new = Observation { instrument: Instrument::new("NEW_EUR").unwrap(), ..order };
        let foreign = Observation { region: None, ..order };
        let strange = Observation { counterparty: Counterparty::new("stranger").unwrap(), ..order };
        for rarer in [larger, new, foreign, strange] {
            prop_assert!(score(&baseline, &state, &rarer).score() >= usual);
        }
        let mut busier = state;
        busier.observe_unread(order.at, unread);
        prop_assert!(score(&baseline, &busier, &order).score() >= usual);
        let night = Observation { at: Timestamp::from_micros(order.at.micros() / 86_400_000_000 * 86_400_000_000), ..order };
        prop_assert!(score(&baseline, &state, &night).record().components.hour.e >= score(&baseline, &state, &order).record().components.hour.e);
    }

    /// `C = max(1, C)·(E·e^-d)^theta`: never below its start by evidence of one or more, never past its bounds.
    #[test]
    fn drift_is_bounded_and_monotone(before in any::<i64>(), point in any::<i64>(), more in 0_i64..1_000_000, d in 0_i64..(1 << 40), theta in 0_u32..=MILLION) {
        let after = drift(before, point, d, theta);
        prop_assert!(after.abs() <= MOST_EVIDENCE);
        prop_assert!(drift(before, point.saturating_add(more), d, theta) >= after);
        prop_assert!(drift(before.saturating_add(more), point, d, theta) >= after);
        prop_assert_eq!(drift(before.min(0), point, d, theta), drift(0, point, d, theta));
    }
}
