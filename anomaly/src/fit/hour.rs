//! Hours: 168 bins of the UTC week. Each bin is half its own count and half the mean of that hour over like days (working days,
//! weekends), smoothed around the week, since two weeks hold only two of each hour.

use std::collections::BTreeMap;

use super::{
    Row,
    instrument::{turnover, with_unseen},
    share_ppb,
};
use crate::baseline::HOURS;

/// The weight of one order in a smoothed bin: a multiple of every divisor used (4 for the kernel, 5 and 2 for like days, 2 for
/// the halves).
const UNIT: u64 = 80;

type Bins = [u64; HOURS];

pub(super) fn fit(rows: &[&Row], floor: u32) -> Vec<u32> {
    let mut days: BTreeMap<i64, Bins> = BTreeMap::new();
    let mut all = [0; HOURS];
    for row in rows {
        let hour = usize::from(row.observation.at.hour_of_week()).min(HOURS - 1);
        days.entry(row.day).or_insert([0; HOURS])[hour] += 1;
        all[hour] += 1;
    }
    let unseen = turnover(days.values().map(|day| {
        let others = smooth(&std::array::from_fn(|hour| all[hour] - day[hour]));
        let new = (0..HOURS).filter(|hour| others[*hour] == 0).map(|hour| day[hour]).sum();
        (day.iter().sum(), new)
    }))
    .max(floor);
    let mass = smooth(&all);
    let total: u64 = mass.iter().sum();
    mass.iter()
        .map(|own| match own {
            0 => unseen,
            _ => {
                let as_quiet = mass.iter().filter(|other| *other <= own).sum();
                with_unseen(share_ppb(as_quiet, total, 1), unseen)
            }
        })
        .collect()
}

fn smooth(counts: &Bins) -> Bins {
    let mixed: Bins = std::array::from_fn(|hour| {
        let like = if hour / 24 < 5 { 0..5 } else { 5..7 };
        let days = like.len() as u64;
        let sum: u64 = like.map(|day| counts[day * 24 + hour % 24]).sum();
        counts[hour] * UNIT / 2 + sum * UNIT / 2 / days
    });
    std::array::from_fn(|hour| {
        let (before, after) = (mixed[(hour + HOURS - 1) % HOURS], mixed[(hour + 1) % HOURS]);
        (before + 2 * mixed[hour] + after) / 4
    })
}
