//! Names (instruments, counterparties): how common each is, and how much of a day falls on names no other day has.

use std::collections::BTreeMap;

use super::{Row, share_ppb};
use crate::{
    baseline::{MOST_NAMES, Mix, SeenName},
    observation::Observation,
    settings::BILLION,
};

/// What a day not seen yet is expected to hold of new names, percent.
const UNSEEN_DAY_PERCENT: u64 = 5;

/// A repetition is never taken to be rarer than this, ppb: no policy can know it better from a fortnight.
const AGAIN_FLOOR: u32 = 50_000_000;

/// How often a name was seen, and on which day if on one alone.
#[derive(Clone, Copy)]
struct Sight {
    orders: u64,
    only_day: Option<i64>,
}

/// `place` is 0 for instruments and 1 for counterparties.
pub(super) fn fit<T: Ord + Copy>(rows: &[&Row], name: impl Fn(&Observation) -> T, place: usize, floor: u32) -> Mix<T> {
    let mut sights: BTreeMap<T, Sight> = BTreeMap::new();
    let mut days: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let first = Sight {
            orders: 0,
            only_day: Some(row.day),
        };
        let sight = sights.entry(name(&row.observation)).or_insert(first);
        sight.orders += 1;
        sight.only_day = sight.only_day.filter(|day| *day == row.day);
        days.entry(row.day).or_default().0 += 1;
    }
    for sight in sights.values() {
        if let Some(day) = sight.only_day.and_then(|day| days.get_mut(&day)) {
            day.1 += sight.orders;
        }
    }
    let turnover = turnover(UNSEEN_DAY_PERCENT, days.values().copied()).max(forward(rows, &name));
    let total = rows.len() as u64;
    let mut common: Vec<(T, u64)> = sights.into_iter().map(|(name, sight)| (name, sight.orders)).collect();
    common.sort_by_key(|(name, orders)| (std::cmp::Reverse(*orders), *name));
    let forgotten: u64 = common.iter().skip(MOST_NAMES).map(|(_, orders)| orders).sum();
    common.truncate(MOST_NAMES);
    let unseen_ppb = turnover
        .saturating_add(if forgotten > 0 {
            share_ppb(forgotten, total, 1)
        } else {
            0
        })
        .clamp(floor.max(1), BILLION);
    let mut seen: Vec<SeenName<T>> = common
        .iter()
        .map(|(name, orders)| {
            let as_rare: u64 = common
                .iter()
                .filter(|(_, other)| other <= orders)
                .map(|(_, other)| other)
                .sum();
            SeenName {
                name: *name,
                p: with_unseen(share_ppb(as_rare + forgotten, total, 1), unseen_ppb),
                share_ppb: share_ppb(*orders, total, 1),
            }
        })
        .collect();
    seen.sort_by_key(|seen| seen.name);
    let again = |burst: bool| {
        let among = rows.iter().filter(|row| row.setting.in_burst() == burst);
        among.fold((0, 0), |(again, all), row| {
            (again + u64::from(row.setting.again[place]), all + 1)
        })
    };
    let (between, bursts) = (again(false), again(true));
    let again_ppb = share_ppb(between.0 + 1, between.1 + 2, AGAIN_FLOOR);
    // Few bursts say little: ten orders' worth of what happens between them is added.
    let usual = u64::from(again_ppb / 100_000);
    Mix {
        again_ppb,
        burst_again_ppb: share_ppb(bursts.0 * 10_000 + 10 * usual, (bursts.1 + 10) * 10_000, AGAIN_FLOOR),
        seen,
        unseen_ppb,
    }
}

/// The same looking ahead: the mean over the days of the second half of the share of orders on names that no earlier day has. Names
/// that come to stay show here, and not in the comparison with all other days.
fn forward<T: Ord + Copy>(rows: &[&Row], name: impl Fn(&Observation) -> T) -> u32 {
    let mut first_seen: BTreeMap<T, i64> = BTreeMap::new();
    let mut days: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let first = *first_seen.entry(name(&row.observation)).or_insert(row.day);
        let day = days.entry(row.day).or_default();
        day.0 += 1;
        day.1 += u64::from(first == row.day);
    }
    turnover(UNSEEN_DAY_PERCENT, days.values().copied().skip(days.len().div_ceil(2)))
}

/// The mean over days of the share of orders that no other day prepares for, ppb; days are (orders, such orders); `percent` is what a day
/// not seen yet is expected to hold of them.
pub(super) fn turnover(percent: u64, days: impl Iterator<Item = (u64, u64)>) -> u32 {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for (orders, new) in days.filter(|(orders, _)| *orders > 0) {
        sum += if new == 0 {
            0
        } else {
            u64::from(share_ppb(new, orders, 1))
        };
        count += 1;
    }
    // One more day stands for those not seen yet.
    let sum = sum + u64::from(BILLION) * percent / 100;
    u32::try_from(sum.div_ceil(count + 1))
        .unwrap_or(BILLION)
        .clamp(1, BILLION)
}

/// `unseen + (1 - unseen) · share`, rounded up.
pub(super) fn with_unseen(share: u32, unseen: u32) -> u32 {
    let seen = (u64::from(BILLION - unseen) * u64::from(share)).div_ceil(u64::from(BILLION));
    u32::try_from(seen + u64::from(unseen)).unwrap_or(BILLION).min(BILLION)
}
