//! `STATE_REDUCE_ONLY`: verified reductions and cancels only (orders.md §4).

use revocation_core::{Standing, standing::Mode};

use super::{Context, fail, reducible_text};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let only_reductions = context.standing == Standing::ReduceOnly
        || context.house == Mode::ReduceOnly
        || context.certificate == Mode::ReduceOnly;
    if context.reduction || !only_reductions {
        return None;
    }
    let order = context.order;
    fail(
        Code::StateReduceOnly,
        format!("reductions only: {}", reducible_text(context)),
        format!("{} {}", order.side.as_str(), order.quantity),
        "send orders that reduce the confirmed position, no larger than what is left of it, or cancels",
    )
}
