//! `OPEN_ORDERS_MAX`: no more open orders than the state follows; those in doubt count (orders.md §2, row 10). Nothing is free
//! of it: the bound is the gateway's memory, and a cancel makes room.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck, state::MOST_OPEN_ORDERS};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let open = context.state.open_orders().len();
    if open < MOST_OPEN_ORDERS {
        return None;
    }
    fail(
        Code::OpenOrdersMax,
        format!("{MOST_OPEN_ORDERS} open orders"),
        format!("{} with this one", open + 1),
        "cancel an open order, or wait until one fills or its doubt is resolved",
    )
}
