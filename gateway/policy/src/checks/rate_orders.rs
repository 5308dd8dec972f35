//! `RATE_ORDERS`: the certificate's `orderRates`, halved while warned. Only risk-carrying orders count, refused ones included;
//! verified reductions are free of it and cancels never count (orders.md §2, row 8).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let rates = context.facts.limits?.rates();
    if context.reduction {
        return None;
    }
    let halved = if context.warned() { " (halved while warned)" } else { "" };
    for rate in rates {
        let most = if context.warned() {
            (rate.count / 2).max(1)
        } else {
            rate.count
        };
        let before = context.state.orders_within(rate.seconds, context.now);
        if before >= u64::from(most) {
            return fail(
                Code::RateOrders,
                format!("{most} orders in {} s{halved}", rate.seconds),
                format!("{} with this one", before.saturating_add(1)),
                format!(
                    "send fewer than {most} orders in any {} s; refused ones count, cancels do not",
                    rate.seconds
                ),
            );
        }
    }
    if rates.is_empty() {
        return fail(
            Code::RateOrders,
            "none: the certificate names no rate",
            "1",
            "apply for a mandate with a rate",
        );
    }
    None
}
