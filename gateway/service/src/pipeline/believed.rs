//! What is believed of a venue's word about an order of ours. The adapter has held an answer to its question and to itself; here it is held to
//! what was permitted and to what is on record: a venue that says otherwise is asked again, and moves nothing.

use extensions::Decimal;
use gateway_policy::{OpenOrder, Side};

use crate::venue::{Doubt, OrderReport, Trade};

/// Whether a report can be of this order: the same instrument and quantity, and no less executed than was seen before.
///
/// # Errors
/// Names the member that cannot be true.
pub(super) fn report(order: &OpenOrder, report: &OrderReport) -> Result<(), Doubt> {
    if report.instrument != order.order.instrument {
        return Err(Doubt::Contradiction("symbol"));
    }
    if report.quantity != order.order.quantity {
        return Err(Doubt::Contradiction("origQty"));
    }
    if report.executed < order.filled {
        return Err(Doubt::Contradiction("executedQty"));
    }
    Ok(())
}

/// Whether executions can be of this order, after others of it that come to `before`: its side, a price no worse than its limit, and no more than
/// was ordered. What they come to together.
///
/// # Errors
/// Names the member that cannot be true; then none of them is believed.
pub(super) fn trades(order: &OpenOrder, before: Decimal, trades: &[Trade]) -> Result<Decimal, Doubt> {
    let terms = &order.order;
    let mut sum = before;
    for trade in trades {
        if trade.instrument != terms.instrument {
            return Err(Doubt::Contradiction("symbol"));
        }
        if trade.bought != (terms.side == Side::Buy) {
            return Err(Doubt::Contradiction("isBuyer"));
        }
        let worse = |limit: Decimal| match terms.side {
            Side::Buy => trade.price > limit,
            Side::Sell => trade.price < limit,
        };
        if terms.price.is_some_and(worse) {
            return Err(Doubt::Contradiction("price"));
        }
        sum = sum.checked_add(trade.quantity).ok_or(Doubt::Contradiction("qty"))?;
        if sum > terms.quantity {
            return Err(Doubt::Contradiction("qty"));
        }
    }
    Ok(sum)
}
