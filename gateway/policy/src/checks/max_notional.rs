//! `MAX_NOTIONAL`: quantity times the highest of order, stop and reference price, against the cap for one order, halved while
//! warned; verified reductions are free of it (orders.md §2, row 6; the 2022 Nordic flash crash).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let unit = context.order.currency;
    let full = context.facts.limits?.per_order(&unit)?;
    if context.reduction {
        return None;
    }
    let cap = if context.warned() {
        full.half().unwrap_or_default()
    } else {
        full
    };
    let price = context.highest_price()?;
    let observed = match context.notional {
        Some(notional) if notional <= cap => return None,
        Some(notional) => format!("{unit} {notional} ({} at {price})", context.order.quantity),
        None => format!(
            "{} at {price}: more digits than can be told exactly",
            context.order.quantity
        ),
    };
    let halved = if context.warned() { " (halved while warned)" } else { "" };
    fail(
        Code::MaxNotional,
        format!("{unit} {cap} for one order{halved}"),
        observed,
        "send a smaller quantity (it counts units of the instrument, not money), or split the order",
    )
}
