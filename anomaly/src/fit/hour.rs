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

/// Hours beyond which nearness tells nothing apart.
const FARTHEST: usize = 7;
/// What a day not seen yet is expected to hold of new hours, percent: half of it, since schedules change as a whole.
const UNSEEN_DAY_PERCENT: u64 = 50;

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
    let near: [u64; HOURS] = std::array::from_fn(|hour| nearness(&mass, hour));
    let all_near = near.iter().sum::<u64>().max(1);
    let unseen_mass = |near: u64| (u64::from(unseen) * near).div_ceil(all_near).max(1) as u32;
    // No hour that was seen is rarer than one that was not.
    let least = near.iter().copied().max().map_or(1, unseen_mass);
    std::array::from_fn::<_, HOURS, _>(|hour| match mass[hour] {
        0 => {
            let as_far: u64 = near.iter().filter(|other| **other <= near[hour]).sum();
            HourBin {
                mass_ppb: unseen_mass(near[hour]),
                p: unseen_mass(as_far),
            }
        }
        own => {
            let as_quiet = mass.iter().filter(|other| **other <= own).sum();
            let seen = u64::from(BILLION - unseen) * own / total.max(1);
            HourBin {
                mass_ppb: (seen as u32).max(least),
                p: with_unseen(share_ppb(as_quiet, total, 1), unseen),
            }
        }
    })
    .to_vec()
}

/// How near an hour never seen lies to one that was; 0 for one that was. Halved by the hour up to six: agents start earlier and stay longer
/// before they trade at another time of day, and clocks are put back.
fn nearness(mass: &Bins, hour: usize) -> u64 {
    let within = |distance: &usize| {
        let seen = |hour: usize| mass[hour % HOURS] > 0;
        seen(hour + distance) || seen(hour + HOURS - distance)
    };
    if mass[hour] > 0 {
        0
    } else {
        1 << (FARTHEST - (1..FARTHEST).find(within).unwrap_or(FARTHEST))
    }
}

/// The mean over days of the share of active hours that no other day prepares for.
fn unseen(days: &[Bins], all: &Bins, smoothing: Smoothing) -> u32 {
    turnover(
        UNSEEN_DAY_PERCENT,
        days.iter().map(|day| {
            let others = smoothing.apply(&std::array::from_fn(|hour| all[hour] - day[hour]));
            let new = (0..HOURS).filter(|hour| others[*hour] == 0).map(|hour| day[hour]).sum();
            (day.iter().sum(), new)
        }),
    )
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
