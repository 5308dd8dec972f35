//! Tests of the module `fit`: what it must do and what it must refuse.

use extensions::{Decimal, Region};

use super::*;
use crate::{
    baseline::Mode,
    learning::Learning,
    sample::{self, Seeded},
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
        for knot in &rate.knots {
            let share = fresh.iter().filter(|row| row.counts[scale] >= knot.count).count() as f64 / fresh.len() as f64;
            let p = f64::from(knot.p) / 1e9;
            // Within a day orders share their window: the day counts, not the order.
            let error = (p * (1.0 - p) * (1.0 / 200.0 + 1.0 / 14.0)).sqrt();
            assert!(share <= p + 3.0 * error, "{scale} {knot:?} {share}");
        }
        assert_eq!(rate.knots.last().unwrap().p, 100, "the table reaches its floor");
        assert!(rate.p50 <= rate.p99, "{span}");
    }
}

#[test]
fn turnover_counts_what_no_other_day_prepares_for() {
    // Ten days of ten orders; on two of them, four orders on a name of that day alone: (0.4 + 0.4) / 10.
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
    let mix = instrument::fit(&all.iter().collect::<Vec<_>>(), |seen| seen.instrument, 1_000);
    assert_eq!(mix.unseen_ppb, 80_000_000);
    // The commonest name: everything is at most as common.
    assert_eq!(mix.seen[0].p, BILLION);
    // The rare ones: unseen mass and both of them.
    assert_eq!(mix.seen[1].p, 80_000_000 + 920_000_000 / 100 * 8);
}

#[test]
fn quiet_hours_are_rare_and_circular() {
    let all = rows(&sample::orders(1, 0, 14));
    let hours = hour::fit(&all.iter().collect::<Vec<_>>(), 1_000_000);
    assert_eq!(hours[0], 1_000_000, "midnight was never seen");
    assert!(hours[12] > 100_000_000, "noon is usual");
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
        table[0] == table[166] && table[0] < table[167],
        "{:?}",
        (table[0], table[166], table[167])
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
    assert!(
        content
            .report
            .power
            .iter()
            .take(2)
            .all(|check| check.orders.is_some_and(|orders| orders <= 20))
    );
    assert_eq!(content.report.false_revocations_seen, 0);
    // -ln 0.05 events at most, in 14 days: 78 a year. The history alone bounds no more than that.
    assert!((78_000..78_200).contains(&content.report.false_revocations_upper_milli));
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
    let sparse: Vec<_> = sample::orders(1, 0, 14).into_iter().step_by(6).collect();
    starts(&sparse, &format!("{} orders, 100 are needed", sparse.len()));
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
    assert!(erratic.d > steady.d || erratic.theta < steady.theta || erratic.mode == Mode::WarnOnly);
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
        .propose(&Settings::house(), Some((first.content(), first.digest())))
        .unwrap();
    assert_eq!(
        (second.content().version, second.content().anchor),
        (2, Some(first.digest()))
    );
    let third = learning
        .propose(&Settings::house(), Some((second.content(), second.digest())))
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
    for round in 0..40 {
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
