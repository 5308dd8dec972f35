//! A seeded, invented agent for this crate's tests: working hours, five instruments, two counterparties, log-normal sizes.

use std::{collections::BTreeMap, sync::Mutex};

use extensions::{AgentId, Counterparty, Currency, Decimal, Instrument, Region, Timestamp};

use crate::{
    baseline::{ApprovedBaseline, ProposedBaseline},
    events::BaselineApproved,
    learning::Learning,
    observation::Observation,
    settings::Settings,
};

/// Monday, 2 November 2026.
pub(crate) const FIRST_DAY: &str = "2026-11-02T00:00:00Z";
/// Orders on a usual day.
pub(crate) const DAILY: u64 = 30;

/// SplitMix64.
pub(crate) struct Seeded(pub(crate) u64);

impl Seeded {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Standard normal, near enough: twelve uniforms less six.
    fn normal(&mut self) -> f64 {
        (0..12)
            .map(|_| self.below(1 << 20) as f64 / f64::from(1 << 20))
            .sum::<f64>()
            - 6.0
    }
}

pub(crate) fn agent() -> AgentId {
    AgentId::new("mm-1").unwrap()
}

/// The orders of `days` days from `first` (0 = [`FIRST_DAY`]), by time.
pub(crate) fn orders(seed: u64, first: i64, days: i64) -> Vec<Observation> {
    let mut random = Seeded(seed);
    let mut orders = Vec::new();
    for day in first..first + days {
        let count = DAILY - 5 + random.below(11);
        for _ in 0..count {
            let micros = (7 * 3_600_000_000 + random.below(11 * 3_600_000_000)) as i64;
            orders.push(order(
                &mut random,
                Timestamp::parse(FIRST_DAY)
                    .unwrap()
                    .plus_seconds(day * 86_400)
                    .plus_micros(micros),
            ));
        }
    }
    orders.sort_by_key(|order| order.at);
    orders
}

fn order(random: &mut Seeded, at: Timestamp) -> Observation {
    let instrument = [
        "BTC_EUR", "BTC_EUR", "BTC_EUR", "ETH_EUR", "ETH_EUR", "SOL_EUR", "XRP_EUR", "ADA_EUR",
    ][random.below(8) as usize];
    let counterparty = ["exchange_a", "exchange_a", "exchange_b"][random.below(3) as usize];
    let cents = (100_000.0 * (0.5 * random.normal()).exp()) as i128;
    Observation {
        at,
        counterparty: Counterparty::new(counterparty).unwrap(),
        currency: Currency::new("EUR").unwrap(),
        instrument: Instrument::new(instrument).unwrap(),
        notional: Decimal::new(cents, 2),
        refused: false,
        region: Some(Region::new("eu-west-1").unwrap()),
    }
}

pub(crate) fn proposed(observations: &[Observation]) -> ProposedBaseline {
    let mut learning = Learning::new(agent());
    observations.iter().for_each(|seen| learning.observe(*seen));
    learning.propose(&Settings::house(), None).unwrap()
}

pub(crate) fn approve(proposed: ProposedBaseline) -> ApprovedBaseline {
    let approval = BaselineApproved {
        agent: proposed.content().agent,
        approvals: vec!["application 7".to_owned()],
        baseline: proposed.digest(),
        version: proposed.content().version,
    };
    proposed.approve(&approval).unwrap()
}

/// The approved baseline of a fortnight, fitted once.
pub(crate) fn baseline(seed: u64) -> ApprovedBaseline {
    static FITTED: Mutex<BTreeMap<u64, ApprovedBaseline>> = Mutex::new(BTreeMap::new());
    if let Some(known) = FITTED.lock().unwrap().get(&seed) {
        return known.clone();
    }
    let fitted = approve(proposed(&orders(seed, 0, 14)));
    FITTED.lock().unwrap().insert(seed, fitted.clone());
    fitted
}
