//! Size: the logarithm of the notional, measured from its currency's median. Three bets: one on a single order far in the tail, one
//! on orders that lie higher than they should, one on orders that keep to the lower half.

use super::{Look, percent};
use crate::{
    baseline::{BaselineContent, SizeKnot},
    calibrator::e_value,
    detector::Detector,
    logarithm::ln_decimal,
    observation::Observation,
    record::ComponentRecord,
    settings::BILLION,
};

/// The bet on small orders: this share at or below the median, ppb.
const SMALL_BET: u64 = 900_000_000;

pub(super) fn read(baseline: &BaselineContent, observation: &Observation) -> [Look; 3] {
    let Some(logarithm) = observation.notional.and_then(ln_decimal) else {
        return [Look::NOTHING; 3];
    };
    let sizes = &baseline.sizes;
    let Ok(at) = sizes
        .currencies
        .binary_search_by(|known| known.currency.cmp(&observation.currency))
    else {
        let p = baseline.instruments.unseen_ppb;
        return [
            Look {
                e: e_value(p),
                p,
                observed: 0,
            },
            Look::NOTHING,
            Look::NOTHING,
        ];
    };
    let observed = logarithm - sizes.currencies[at].median;
    let p = p_value(&sizes.knots, observed);
    [
        Look {
            e: e_value(p),
            p,
            observed,
        },
        Look {
            e: raised(p),
            p,
            observed,
        },
        small(sizes.small_ppb, observed),
    ]
}

/// The power calibrator of exponent one half, `e = p^(-1/2) / 2`: gains from orders that are often in the upper tenth.
fn raised(p_ppb: u32) -> u64 {
    (u64::from(BILLION) * 1_000_000_000 / u64::from(p_ppb.max(1))).isqrt() / 2 * 1_000_000 / 1_000_000_000
}

fn small(small_ppb: u32, observed: i64) -> Look {
    let (billion, share) = (u64::from(BILLION), u64::from(small_ppb));
    let (bet, baseline) = if observed <= 0 {
        (SMALL_BET, share)
    } else {
        (billion - SMALL_BET, billion - share)
    };
    let p = if observed <= 0 { small_ppb } else { BILLION };
    Look {
        e: bet * 1_000_000 / baseline.max(1),
        p,
        observed,
    }
}

/// The share of baseline orders at least as large as the largest knot that is not above `size`: never below the true share.
pub(crate) fn p_value(knots: &[SizeKnot], size: i64) -> u32 {
    let above = knots.partition_point(|knot| knot.size <= size);
    above.checked_sub(1).map_or(BILLION, |last| knots[last].p)
}

pub(super) fn reason(baseline: &BaselineContent, record: &ComponentRecord, observation: &Observation) -> String {
    let currency = observation.currency;
    let Some(notional) = observation.notional else {
        return "size: the order has no notional to judge".to_owned();
    };
    let known = baseline
        .sizes
        .currencies
        .iter()
        .find(|known| known.currency == currency);
    match (known, record.driver) {
        (None, _) => format!("size: {notional} {currency}; the baseline has no order in {currency}"),
        (Some(known), Detector::SizeSmall) => format!(
            "size: {notional} {currency}; baseline p50 is {}, and orders keep to the lower half",
            known.p50
        ),
        (Some(known), _) => format!(
            "size: {notional} {currency}; baseline p50 is {}, p99 is {}; {} of orders are expected to be as large",
            known.p50,
            known.p99,
            percent(record.p)
        ),
    }
}
