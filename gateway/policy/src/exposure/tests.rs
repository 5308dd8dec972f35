//! The sum of a group against what its agents' histories come to, and what it is worth at prices.

use extensions::{Decimal, Timestamp, limits::LimitsDocument, mandate::Scoring};
use proptest::prelude::*;

use super::*;
use crate::{
    fixture::{World, currency, decimal, instrument, limits_document, terms, time},
    flows::{Oracle, step, take},
};

const AGENTS: usize = 3;

fn at(price: &str, at: Timestamp) -> Quoted {
    Quoted::At(ReferencePrice {
        at,
        currency: currency("EUR"),
        price: decimal(price),
    })
}

fn world() -> World {
    let mut world = World::with(LimitsDocument {
        order_rates: vec!["8/1s".to_owned()],
        per_day: vec!["EUR 3000".to_owned()],
        ..limits_document()
    });
    world.document.conduct.scoring = Scoring::ObserveUntil(time("2030-01-01T00:00:00Z"));
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever happens to the agents of a group, its sum, moved part by part, is that of plain lists of everything that happened: what is held at
    /// the price, and what counted orders may still fill. It is the same when it is summed anew, and nothing is left of agents that are gone.
    ///
    /// Controls: a part that keeps the sign of what is held; one without open orders; `shift` that forgets the old part: each seen red.
    #[test]
    fn the_sum_of_a_group_is_what_its_agents_did(steps in prop::collection::vec((0..AGENTS, step()), 1..160), price in 1_i64..20_000) {
        let mut agents: Vec<(World, Oracle)> = (0..AGENTS).map(|_| (world(), Oracle::default())).collect();
        let (mut sum, mut parts) = (GroupSum::default(), vec![AgentExposure::default(); AGENTS]);
        let price = Decimal::new(i128::from(price), 2).expect("scale");
        let hundredths = price.mantissa() * 10_i128.pow(2 - u32::from(price.scale()));
        for (which, step) in steps {
            let (world, oracle) = &mut agents[which];
            take(world, oracle, step)?;
            let part = AgentExposure::of(&world.state);
            sum.replace(&parts[which], &part);
            parts[which] = part;
            let told = sum.told(&currency("EUR"), |_| at(&price.to_string(), world.now)).amount;
            let expected: i128 = agents.iter().map(|(_, oracle)| oracle.at_stake(hundredths)).sum();
            prop_assert_eq!(told, Decimal::new(expected, 4));
        }
        prop_assert_eq!(&sum, &GroupSum::of(parts.iter()));
        parts.iter().for_each(|part| sum.replace(part, &AgentExposure::default()));
        prop_assert_eq!(sum, GroupSum::default());
    }
}

/// A long one and a short one do not make up for one another. The oldest price is the one that is told; another unit counts for itself; without a
/// price, and with one agent that cannot be told, there is no sum in any unit.
///
/// Controls: `Nowhere` as `Otherwise`; the latest price's time in place of the oldest; without `untold`: each seen red.
#[test]
fn what_cannot_be_valued_is_not_told() {
    let mut world = world();
    let now = world.now;
    world.long("2");
    let mut short = AgentExposure::of(&world.state);
    short.held.push((instrument("ETH_EUR"), decimal("3")));
    short.reserve(currency("USD"), decimal("7"));
    let long = AgentExposure::of(&world.state);
    let mut sum = GroupSum::of([&long, &short].into_iter());
    let earlier = now.plus_millis(-40);
    let quoted = |name: &Instrument| {
        if *name == instrument("BTC_EUR") {
            at("100", now)
        } else {
            at("10", earlier)
        }
    };
    let told = sum.told(&currency("EUR"), quoted);
    assert_eq!(told.amount, Some(decimal("430")));
    assert_eq!(
        (told.priced_at, told.instrument),
        (Some(earlier), Some(instrument("ETH_EUR")))
    );
    let in_dollars = sum.told(&currency("USD"), |_| Quoted::Otherwise);
    assert_eq!((in_dollars.amount, in_dollars.priced_at), (Some(decimal("7")), None));
    let nowhere = sum.told(&currency("USD"), |_| Quoted::Nowhere);
    assert_eq!(
        (nowhere.amount, nowhere.instrument),
        (None, Some(instrument("BTC_EUR")))
    );
    sum.replace(&long, &AgentExposure::untold());
    assert_eq!(sum.told(&currency("USD"), |_| Quoted::Otherwise).amount, None);
    sum.replace(&AgentExposure::untold(), &long);
    assert_eq!(sum.told(&currency("EUR"), quoted).amount, Some(decimal("430")));
}

/// A position that left its range is unknown until an officer attests it, and with it what its agent has at stake. Control: `untold` from
/// `faulty` alone: seen red.
#[test]
fn an_unknown_position_is_not_told() {
    let mut world = world();
    let most = decimal("9999999999999999999");
    for place in 0..20 {
        let order = crate::OrderTerms {
            quantity: most,
            ..terms("huge")
        };
        world.fill(place, &order, &most.to_string(), "1", &format!("e{place}"));
    }
    // Twenty times 10^19 fit; a fraction of 18 decimals beside them does not.
    let order = terms("fine");
    world.fill(99, &order, "0.000000000000000001", "1", "fine");
    assert!(!world.state.positions_known());
    let sum = GroupSum::of([&AgentExposure::of(&world.state)].into_iter());
    assert_eq!(sum.told(&currency("EUR"), |_| at("1", world.now)).amount, None);
}

/// A sum that left its range says so, and is whole again only when it is made anew. Control: `beyond` that the next part clears: seen red.
#[test]
fn a_sum_beyond_its_range_is_not_told() {
    let part = |unit: &str, value: &str| {
        let mut part = AgentExposure::default();
        part.reserve(currency(unit), decimal(value));
        part
    };
    let huge = Decimal::new(i128::MAX / 2 + 1, 0).expect("scale");
    let mut giant = AgentExposure::default();
    giant.reserve(currency("EUR"), huge);
    let mut sum = GroupSum::of([&giant, &giant].into_iter());
    assert!(sum.is_beyond());
    sum.replace(&giant, &part("EUR", "1"));
    assert!(sum.is_beyond());
    assert_eq!(sum.told(&currency("EUR"), |_| Quoted::Nowhere).amount, None);
    let whole = GroupSum::of([&part("EUR", "1"), &part("EUR", "0.5")].into_iter());
    assert_eq!(
        whole.told(&currency("EUR"), |_| Quoted::Nowhere).amount,
        Some(decimal("1.5"))
    );
}
