//! Rates: the larger of the observed share and a negative binomial tail, whose mean and dispersion are raised for the number of
//! windows they stand on. Fourteen days are fourteen samples of a day's count, however many orders they hold.

use statrs::distribution::{DiscreteCDF, NegativeBinomial};

use super::{Row, probability_ppb, share_ppb};
use crate::baseline::{MOST_KNOTS, RateKnot, RateScale};

/// Counts up to here have a step each; beyond, steps grow by a tenth.
const SINGLE_STEPS: u32 = 32;
/// Dispersion is never below that of a geometric law of this mean: rare bursts are not proof of their absence.
const BURST_MEAN: f64 = 4.0;

pub(super) fn fit(rows: &[&Row], scale: usize, floor: u32) -> RateScale {
    let mut counts: Vec<u32> = Vec::new();
    for row in rows {
        let counted = &row.setting.counted;
        match counts.last_mut() {
            Some(last) if counted.continued[scale] => *last = counted.counts[scale],
            _ => counts.push(counted.counts[scale]),
        }
    }
    counts.sort_unstable();
    let n = counts.len();
    if n == 0 {
        return RateScale {
            knots: Vec::new(),
            p50: 0,
            p99: 0,
        };
    }
    let law = law(&counts);
    let most = counts[n - 1];
    let observed = |count: u32| {
        let at_least = (n - counts.partition_point(|other| *other < count)) as u64;
        share_ppb(1 + at_least, n as u64 + 1, floor)
    };
    let model = |count: u32| {
        law.as_ref().map_or(1.0, |law| {
            count.checked_sub(2).map_or(1.0, |less| law.sf(u64::from(less)))
        })
    };
    let (last, anchor) = (f64::from(observed(most)) / 1e9, model(most).max(f64::MIN_POSITIVE));
    let mut knots = Vec::new();
    let mut count = 1_u32;
    while knots.len() < MOST_KNOTS {
        let p = if count <= most {
            probability_ppb(model(count), floor).max(observed(count))
        } else {
            // Beyond the largest count the model decays from whichever is larger there.
            probability_ppb(model(count) * (last / anchor).max(1.0), floor)
        };
        knots.push(RateKnot { count, p });
        if p <= floor {
            break;
        }
        count = if count < SINGLE_STEPS {
            count + 1
        } else {
            count.saturating_add(count / 10)
        };
    }
    for at in (1..knots.len()).rev() {
        knots[at - 1].p = knots[at - 1].p.max(knots[at].p);
    }
    RateScale {
        knots,
        p50: counts[(n - 1) / 2],
        p99: counts[(n - 1) * 99 / 100],
    }
}

/// The law of the orders of a window *besides* its first.
fn law(counts: &[u32]) -> Option<NegativeBinomial> {
    let n = counts.len() as f64;
    let root = n.sqrt();
    let mean = counts.iter().map(|count| f64::from(*count) - 1.0).sum::<f64>() / n;
    let variance = counts
        .iter()
        .map(|count| (f64::from(*count) - 1.0 - mean).powi(2))
        .sum::<f64>()
        / n;
    let mean = mean + ((variance + mean + 0.25).sqrt()) / root;
    let variance = variance.max(mean) * (1.0 + 2.0 / root) + mean.min(BURST_MEAN).powi(2);
    let size = mean * mean / (variance - mean).max(1e-9);
    NegativeBinomial::new(size, size / (size + mean)).ok()
}
