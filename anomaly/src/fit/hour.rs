//! Hours: 168 bins of the UTC week, smoothed over like days and neighbouring hours, since two weeks hold only two of each hour. How
//! far is chosen by the history: the smoothing under which left-out days are likeliest.

use std::collections::BTreeMap;

use super::{
    Row,
    instrument::{turnover, with_unseen},
    share_ppb,
};
use crate::{
    baseline::{HOURS, HourBin},
    settings::BILLION,
};

type Bins = [u64; HOURS];

/// Ways to smooth, from close to wide: the weight of the bin itself against like days and all days, and how often the kernel (1, 2, 1)
/// passes over the week.
const SMOOTHINGS: [Smoothing; 6] = [
    Smoothing {
        own: 2,
        like: 2,
        all: 0,
        passes: 1,
    },
    Smoothing {
        own: 0,
        like: 4,
        all: 0,
        passes: 1,
    },
    Smoothing {
        own: 0,
        like: 2,
        all: 2,
        passes: 1,
    },
    Smoothing {
        own: 0,
        like: 0,
        all: 4,
        passes: 1,
    },
    Smoothing {
        own: 0,
        like: 0,
        all: 4,
        passes: 3,
    },
    Smoothing {
        own: 0,
        like: 0,
        all: 4,
        passes: 6,
    },
];

#[derive(Clone, Copy)]
struct Smoothing {
    own: u64,
    like: u64,
    all: u64,
    passes: u32,
}

pub(super) fn fit(rows: &[&Row], floor: u32) -> Vec<HourBin> {
    let mut days: BTreeMap<i64, Bins> = BTreeMap::new();
    let mut all = [0; HOURS];
    for row in rows.iter().filter(|row| !row.setting.counted.continued[2]) {
        let hour = usize::from(row.observation.at.hour_of_week()).min(HOURS - 1);
        days.entry(row.day).or_insert([0; HOURS])[hour] += 1;
        all[hour] += 1;
    }
    let days: Vec<Bins> = days.into_values().collect();
    let smoothing = best(&days, &all);
    let unseen = unseen(&days, &all, smoothing).max(floor);
    let mass = smoothing.apply(&all);
    let total: u64 = mass.iter().sum();
    let empty = mass.iter().filter(|own| **own == 0).count() as u32;
    // No hour that was seen is rarer than one that was not.
    let least = (unseen / empty.max(1)).max(1);
    mass.iter()
        .map(|own| match own {
            0 => HourBin {
                mass_ppb: least,
                p: unseen,
            },
            _ => {
                let as_quiet = mass.iter().filter(|other| *other <= own).sum();
                let seen = u64::from(BILLION - unseen) * *own / total.max(1);
                HourBin {
                    mass_ppb: (seen as u32).max(least),
                    p: with_unseen(share_ppb(as_quiet, total, 1), unseen),
                }
            }
        })
        .collect()
}

/// The mean over days of the share of active hours that no other day prepares for.
fn unseen(days: &[Bins], all: &Bins, smoothing: Smoothing) -> u32 {
    turnover(days.iter().map(|day| {
        let others = smoothing.apply(&std::array::from_fn(|hour| all[hour] - day[hour]));
        let new = (0..HOURS).filter(|hour| others[*hour] == 0).map(|hour| day[hour]).sum();
        (day.iter().sum(), new)
    }))
}

/// The smoothing under which left-out days are likeliest; the closest of equals.
fn best(days: &[Bins], all: &Bins) -> Smoothing {
    let folds = days.len().min(7);
    let likelihood = |smoothing: &Smoothing| -> f64 {
        (0..folds)
            .map(|fold| {
                let held: Vec<&Bins> = days.iter().skip(fold).step_by(folds).collect();
                let left: Bins = std::array::from_fn(|hour| held.iter().map(|day| day[hour]).sum::<u64>());
                let others = smoothing.apply(&std::array::from_fn(|hour| all[hour] - left[hour]));
                let total = others.iter().sum::<u64>().max(1) as f64;
                // One hour in a hundred is left for hours never seen.
                let mass = |hour: usize| 0.99 * others[hour] as f64 / total + 0.01 / HOURS as f64;
                (0..HOURS).map(|hour| left[hour] as f64 * mass(hour).ln()).sum::<f64>()
            })
            .sum()
    };
    let mut best = (f64::NEG_INFINITY, SMOOTHINGS[0]);
    for smoothing in SMOOTHINGS {
        let value = likelihood(&smoothing);
        if value > best.0 + 1e-9 {
            best = (value, smoothing);
        }
    }
    best.1
}

impl Smoothing {
    fn apply(self, counts: &Bins) -> Bins {
        // 70 is divided by the five working days, the two of the weekend, and all seven.
        let mut mixed: Bins = std::array::from_fn(|hour| {
            let sum = |mut days: std::ops::Range<usize>| -> u64 {
                days.by_ref().map(|day| counts[day * 24 + hour % 24]).sum()
            };
            let (like, days) = if hour / 24 < 5 { (sum(0..5), 5) } else { (sum(5..7), 2) };
            (counts[hour] * self.own * 70 + like * self.like * 70 / days + sum(0..7) * self.all * 10) * 1_024
        });
        for _ in 0..self.passes {
            mixed = std::array::from_fn(|hour| {
                let (before, after) = (mixed[(hour + HOURS - 1) % HOURS], mixed[(hour + 1) % HOURS]);
                (before + 2 * mixed[hour] + after) / 4
            });
        }
        mixed
    }
}
