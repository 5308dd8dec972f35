//! Tests of the module `fit`: what it must do and what it must refuse.

use extensions::{Decimal, Region};

use super::*;
use crate::{
    baseline::Mode,
    learning::{Learning, Lineage},
    sample::{self, Seeded},
    settings::MILLION,
    window::SPANS_MICROS,
};

fn row(observation: Observation) -> Row {
    rows(&[observation])[0]
}

/// The step table never understates: over fresh draws from the same law, the share at or beyond each knot is at most its p, within
/// three standard errors of both samples. The control halves every p.
#[test]
fn size_tables_hold_on_fresh_data() {
    let fitted = sample::orders(1, 0, 200);
    let fresh = sample::orders(2, 0, 200);
    let sizes = size::fit(
        &fitted
            .iter()
            .map(|seen| row(*seen))
            .collect::<Vec<_>>()
            .iter()
            .collect::<Vec<_>>(),
        1,
    );
    let median = sizes.currencies[0].median;
    let drawn: Vec<i64> = fresh
        .iter()
        .map(|seen| crate::logarithm::ln_decimal(seen.notional.unwrap()).unwrap() - median)
        .collect();
    let holds = |scale: f64| {
        sizes.knots.iter().all(|knot| {
            let p = f64::from(knot.p) / 1e9 * scale;
            let share = drawn.iter().filter(|size| **size >= knot.size).count() as f64 / drawn.len() as f64;
            let error = (p * (1.0 - p) * (1.0 / drawn.len() as f64 + 1.0 / fitted.len() as f64))
                .max(0.0)
                .sqrt();
            share <= p + 3.0 * error + 1.0 / drawn.len() as f64
        })
    };
    assert!(holds(1.0));
    assert!(!holds(0.5));
}

/// The same for rates, where days are the independent unit: the mean over days of the share beyond each knot.
#[test]
fn rate_tables_hold_on_fresh_data() {
    let fitted = rows(&sample::orders(1, 0, 14));
    let fresh = rows(&sample::orders(2, 0, 200));
    for (scale, span) in SPANS_MICROS.into_iter().enumerate() {
        let rate = rate::fit(&fitted.iter().collect::<Vec<_>>(), scale, 100);
        let mut windows: Vec<u32> = Vec::new();
        for row in &fresh {
            let counted = row.setting.counted;
            match windows.last_mut() {
                Some(last) if counted.continued[scale] => *last = counted.counts[scale],
                _ => windows.push(counted.counts[scale]),
            }
        }
        for knot in &rate.knots {
            let share = windows.iter().filter(|count| **count >= knot.count).count() as f64 / windows.len() as f64;
            let p = f64::from(knot.p) / 1e9;
            // Windows of a day are alike: the day counts, not the window.
            let error = (p * (1.0 - p) * (1.0 / 200.0 + 1.0 / 14.0)).sqrt();
            assert!(share <= p + 3.0 * error, "{scale} {knot:?} {share}");
        }
        assert_eq!(rate.knots.last().unwrap().p, 100, "the table reaches its floor");
        assert!(rate.p50 <= rate.p99, "{span}");
    }
}

#[test]
fn turnover_counts_what_no_other_day_prepares_for() {
    // Ten days of ten orders; on two of them, four orders on a name of that day alone, and one day more that is expected to hold
    // five in a hundred: (0.4 + 0.4 + 0.05) / 11.
    let mut seen = sample::orders(1, 0, 1)[0];
    let mut all = Vec::new();
    for day in 0..10 {
        for order in 0..10 {
            let name = if order < 4 && day < 2 {
                format!("ONLY{day}")
            } else {
                "BTC_EUR".to_owned()
            };
            seen.instrument = extensions::Instrument::new(&name).unwrap();
            seen.at = extensions::Timestamp::parse(sample::FIRST_DAY)
                .unwrap()
                .plus_seconds(day * 86_400 + order);
            all.push(row(seen));
        }
    }
    let mix = instrument::fit(&all.iter().collect::<Vec<_>>(), |seen| seen.instrument, 0, 1_000);
    assert_eq!(mix.unseen_ppb, 77_272_728);
    // The commonest name: everything is at most as common.
    assert_eq!(mix.seen[0].p, BILLION);
    // The rare ones: unseen mass and both of them.
    assert_eq!(mix.seen[1].p, 77_272_728 + (922_727_272_u64 * 8).div_ceil(100) as u32);
}

#[test]
fn quiet_hours_are_rare_and_circular() {
    let all = rows(&sample::orders(1, 0, 14));
    let hours = hour::fit(&all.iter().collect::<Vec<_>>(), 1_000_000);
    assert!(hours[0].p < 5_000_000, "midnight was never seen: {:?}", hours[0]);
    assert!(hours[12].p > 100_000_000, "noon is usual: {:?}", hours[12]);
    let sum: u64 = hours.iter().map(|bin| u64::from(bin.mass_ppb)).sum();
    assert!(
        (990_000_000..=1_001_000_000).contains(&sum),
        "the bins share all hours: {sum}"
    );
    // Sunday 23:00 smooths into Monday 00:00.
    let late = ["2026-11-08T23:30:00Z", "2026-11-15T23:30:00Z"].map(|at| {
        let at = extensions::Timestamp::parse(at).unwrap();
        row(Observation {
            at,
            ..sample::orders(1, 0, 1)[0]
        })
    });
    let table = hour::fit(&[&late[0], &late[1]], 1_000);
    assert!(
        table[0].mass_ppb == table[166].mass_ppb && table[0].mass_ppb < table[167].mass_ppb,
        "{:?}",
        (table[0], table[166], table[167])
    );
}

/// An hour never seen is the rarer the further it lies from one that was, up to six hours. Negative control: one mass for all of them turns this
/// red.
#[test]
fn far_hours_are_rarer_than_near_ones() {
    let all = rows(&sample::orders(1, 0, 28));
    let hours = hour::fit(&all.iter().collect::<Vec<_>>(), 1_000_000);
    // Orders come from 7 to 18; what the smoothing reaches counts as seen.
    let mut falling: Vec<_> = (0..7).rev().map(|hour| (hours[hour].mass_ppb, hours[hour].p)).collect();
    assert!(falling.windows(2).all(|pair| pair[0] >= pair[1]), "{falling:?}");
    falling.dedup();
    assert!(
        falling.len() > 3,
        "from 6 back to midnight it falls more than once: {falling:?}"
    );
}

#[test]
fn a_healthy_fortnight_is_admitted() {
    let proposed = sample::proposed(&sample::orders(1, 0, 14));
    let content = proposed.content();
    assert_eq!(
        (content.mode, content.report.reasons.len()),
        (Mode::Enforce, 0),
        "{:?}",
        content.report
    );
    assert_eq!(
        (content.report.days, content.report.active_days, content.version),
        (14, 14, 1)
    );
    assert!(content.channels.order && content.channels.day);
    let report = &content.report;
    for check in &report.power {
        // One kind of each is caught at some strength; the region and the loop within a handful.
        let most = if ["runaway", "new_region"].contains(&check.attack.as_str()) {
            20
        } else {
            200
        };
        assert!(check.orders.is_some_and(|orders| orders <= most), "{check:?}");
    }
    assert!(report.trends.is_empty(), "{:?}", report.trends);
    assert_eq!(
        (
            report.false_revocations.promised_milli,
            report.false_warnings.promised_milli
        ),
        (100, 4_000)
    );
    assert_eq!(report.false_revocations.seen, 0);
    // -ln 0.05 events at most, in 14 days: 78 a year. The history alone bounds no more than that.
    assert!((78_000..78_200).contains(&report.false_revocations.upper_milli));
}

/// Each shortfall is named with what to do; the same history whole is admitted (above).
#[test]
fn a_thin_history_is_not_admitted() {
    let starts = |orders: &[Observation], words: &str| {
        let proposed = sample::proposed(orders);
        assert_eq!(proposed.content().mode, Mode::WarnOnly);
        let reasons = &proposed.content().report.reasons;
        assert!(reasons.iter().any(|reason| reason.starts_with(words)), "{reasons:?}");
    };
    starts(
        &sample::orders(1, 0, 3),
        "the history spans 3 days, 7 are needed: observe on",
    );
}

/// Below a hundred orders the channel by day is the only one, and says so; below seven days there is none (above).
#[test]
fn a_sparse_history_is_admitted_by_days() {
    let sparse: Vec<_> = sample::orders(1, 0, 14).into_iter().step_by(6).collect();
    let content = sample::proposed(&sparse).content().clone();
    assert_eq!(
        (content.mode, content.channels.order, content.channels.day),
        (Mode::Enforce, false, true)
    );
    let reasons = &content.report.reasons;
    assert!(
        reasons[0].starts_with(&format!("{} orders, 100 are needed", sparse.len())),
        "{reasons:?}"
    );
}

/// Seven days of three orders are too few by themselves even with peers; sixty orders are not. The peers weigh three hundred.
#[test]
fn peers_stand_in_for_a_short_history() {
    let few: Vec<_> = sample::orders(1, 0, 14).into_iter().step_by(6).collect();
    let peers = sample::orders(9, 0, 60);
    let mut learning = Learning::new(sample::agent());
    few.iter().for_each(|seen| learning.observe(*seen));
    let alone = learning.propose(&Settings::house(), None).unwrap();
    learning.borrow(&peers);
    let together = learning.propose(&Settings::house(), None).unwrap();
    assert!(
        (270..=300).contains(&together.content().report.peers),
        "{}",
        together.content().report.peers
    );
    assert!(!alone.content().channels.order && together.content().channels.order);
    assert_eq!(
        together.content().lambda,
        alone.content().lambda,
        "peers do not make it busier"
    );
}

/// Sizes that grow tenfold over the fortnight are pointed out; the same orders as they were are not (the control: flagging
/// everything turns the healthy fortnight above red).
#[test]
fn a_ramp_within_the_observation_is_pointed_out() {
    for seed in 0..5 {
        let mut orders = sample::orders(seed, 0, 14);
        let first = orders[0].at.day();
        for order in &mut orders {
            let steps = (order.at.day() - first) as i32;
            let factor = Decimal::new((1.18_f64.powi(steps) * 100.0) as i128, 2).unwrap();
            order.notional = order.notional.unwrap().checked_mul(factor);
        }
        let proposed = sample::proposed(&orders);
        let trends = &proposed.content().report.trends;
        assert!(
            trends.iter().any(|trend| trend.component == crate::Component::Size),
            "{seed}: {trends:?}"
        );
        assert!(
            proposed
                .content()
                .in_words()
                .iter()
                .any(|line| line.starts_with("CAUTION: within the history size"))
        );
    }
}

/// A ramp timed to re-baselining: each baseline is half as large again as the one before, which never looks like much. Against
/// the first the cap and the slow detector both speak, and the candidate may only warn. The control is the steady agent.
#[test]
fn a_ramp_across_baselines_is_stopped() {
    let first = sample::proposed(&sample::orders(1, 0, 14));
    let later = |percent: u64| {
        let mut learning = Learning::new(sample::agent());
        for mut order in sample::orders(2, 14, 28) {
            order.notional = order
                .notional
                .unwrap()
                .checked_mul(Decimal::new(i128::from(percent), 2).unwrap());
            learning.observe(order);
        }
        let lineage = Lineage {
            current: (first.content(), first.digest()),
            first: None,
        };
        learning
            .propose(&Settings::house(), Some(lineage))
            .unwrap()
            .content()
            .clone()
    };
    let steady = later(100);
    assert_eq!(steady.mode, Mode::Enforce, "{:?}", steady.report.reasons);
    assert!(
        steady.report.slow.iter().all(|one| !one.flagged),
        "{:?}",
        steady.report.slow
    );
    let grown = later(225);
    assert_eq!(grown.mode, Mode::WarnOnly);
    let words = grown.in_words().join("\n");
    assert!(words.contains("BEYOND THE CAP: p99 of sizes in EUR"), "{words}");
    assert!(
        words.contains("CAUTION: over ") && words.contains("size drifted from the first baseline"),
        "{words}"
    );
}

#[test]
fn nothing_is_proposed_from_nothing() {
    let learning = Learning::new(sample::agent());
    assert!(learning.is_empty());
    let fault = learning.propose(&Settings::house(), None).unwrap_err();
    assert!(fault.to_string().starts_with("0 usable orders on 0 days"), "{fault}");
    let mut settings = Settings::house();
    settings.weights.size += 1;
    assert_eq!(learning.propose(&settings, None), Err(ProposalFault::Settings));
}

/// An erratic agent, ten times as large every third day, gets a larger allowance or a smaller step than a steady one.
#[test]
fn an_erratic_agent_gets_more_allowance() {
    let steady = sample::proposed(&sample::orders(1, 0, 14)).content().clone();
    let mut orders = sample::orders(1, 0, 14);
    for order in orders.iter_mut().filter(|order| order.at.day() % 5 == 0) {
        order.notional = order.notional.unwrap().checked_mul(Decimal::from(30));
    }
    let erratic = sample::proposed(&orders).content().clone();
    let damped = |content: &BaselineContent| {
        content
            .drift
            .iter()
            .map(|step| i64::from(MILLION - step.theta) + step.d)
            .sum::<i64>()
    };
    assert!(damped(&erratic) > damped(&steady) || erratic.mode == Mode::WarnOnly);
}

/// Refused orders teach rates and nothing else: a region seen only in refused orders stays unseen.
#[test]
fn refused_orders_teach_rates_only() {
    let mut orders = sample::orders(1, 0, 14);
    let foreign = Region::new("ap-east-1").unwrap();
    for order in orders.iter_mut().step_by(10) {
        order.refused = true;
        order.region = Some(foreign);
        order.notional = order.notional.unwrap().checked_mul(Decimal::from(1_000));
    }
    let content = sample::proposed(&orders).content().clone();
    assert!(!content.regions.contains(&foreign));
    assert!(content.sizes.currencies[0].p99 < Decimal::from(20_000));
    assert_eq!(content.report.orders, orders.len() as u64);
    // The control: the same orders, not refused, are learned.
    orders.iter_mut().for_each(|order| order.refused = false);
    assert!(sample::proposed(&orders).content().regions.contains(&foreign));
}

#[test]
fn a_later_baseline_keeps_the_anchor() {
    let first = sample::proposed(&sample::orders(1, 0, 14));
    let mut learning = Learning::new(sample::agent());
    sample::orders(2, 14, 14)
        .into_iter()
        .for_each(|seen| learning.observe(seen));
    let second = learning
        .propose(
            &Settings::house(),
            Some(Lineage {
                current: (first.content(), first.digest()),
                first: None,
            }),
        )
        .unwrap();
    assert_eq!(
        (second.content().version, second.content().anchor),
        (2, Some(first.digest()))
    );
    let third = learning
        .propose(
            &Settings::house(),
            Some(Lineage {
                current: (second.content(), second.digest()),
                first: Some(first.content()),
            }),
        )
        .unwrap();
    assert_eq!(
        (third.content().version, third.content().anchor),
        (3, Some(first.digest()))
    );
}

/// Histories of odd shapes give a proposal or a fault, never a panic, and every proposal keeps the rules of form.
#[test]
fn odd_histories_are_survived() {
    let mut random = Seeded(5);
    for round in 0..18 {
        let days = 1 + random.below(20) as i64;
        let mut orders = sample::orders(round, 0, days);
        let kind = random.below(6);
        for order in &mut orders {
            match kind {
                0 => order.notional = Decimal::new(1, 18),
                1 => order.notional = Decimal::new(i128::MAX >> random.below(120), 0),
                2 => order.at = extensions::Timestamp::from_micros((random.next() >> 1) as i64),
                3 => order.instrument = extensions::Instrument::new(&format!("X{}", random.below(2_000))).unwrap(),
                4 => order.at = extensions::Timestamp::parse(sample::FIRST_DAY).unwrap(),
                _ => order.refused = random.below(3) > 0,
            }
        }
        let mut learning = Learning::new(sample::agent());
        orders.iter().for_each(|seen| learning.observe(*seen));
        match learning.propose(&Settings::house(), None) {
            Ok(proposed) => assert_eq!(proposed.content().defect(), None, "kind {kind}"),
            Err(fault) => assert!(matches!(fault, ProposalFault::TooLittle { .. }), "kind {kind}: {fault}"),
        }
    }
}
