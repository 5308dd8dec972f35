//! Size: the logarithm of the notional, measured from its currency's median, against ranks below p95 and a tail model above.

use super::{Driver, Reading, percent};
use crate::{
    baseline::{BaselineContent, SizeKnot},
    logarithm::ln_decimal,
    observation::Observation,
    settings::BILLION,
};

pub(super) fn read(baseline: &BaselineContent, observation: &Observation) -> Reading {
    let Some(logarithm) = observation.notional.and_then(ln_decimal) else {
        return Reading::of(Driver::Nothing, BILLION, 0);
    };
    let sizes = &baseline.sizes;
    let Ok(at) = sizes
        .currencies
        .binary_search_by(|known| known.currency.cmp(&observation.currency))
    else {
        return Reading::of(Driver::Currency, baseline.instruments.unseen_ppb, 0);
    };
    let above = logarithm - sizes.currencies[at].median;
    Reading::of(Driver::Notional, p_value(&sizes.knots, above), above)
}

/// The share of baseline orders at least as large as the largest knot that is not above `size`: never below the true share.
pub(crate) fn p_value(knots: &[SizeKnot], size: i64) -> u32 {
    let above = knots.partition_point(|knot| knot.size <= size);
    above.checked_sub(1).map_or(BILLION, |last| knots[last].p)
}

pub(super) fn reason(baseline: &BaselineContent, reading: &Reading, observation: &Observation) -> String {
    let currency = observation.currency;
    let Some(notional) = observation.notional else {
        return "size: the order has no notional to judge".to_owned();
    };
    match baseline
        .sizes
        .currencies
        .iter()
        .find(|known| known.currency == currency)
    {
        None => format!("size: {notional} {currency}; the baseline has no order in {currency}"),
        Some(known) => format!(
            "size: {notional} {currency}; baseline p50 is {}, p99 is {}; {} of orders are expected to be as large",
            known.p50,
            known.p99,
            percent(reading.p)
        ),
    }
}
