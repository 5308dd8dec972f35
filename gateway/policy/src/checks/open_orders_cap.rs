//! `OPEN_ORDERS_CAP`: no more open orders than the mandate allows, those in doubt included, whichever gateway sent them; verified
//! reductions are free of it, so that a position can always be closed.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let most = usize::from(context.conduct()?.max_open_orders?);
    let open = context.state.may_rest();
    if context.reduction || open < most {
        return None;
    }
    fail(
        Code::OpenOrdersCap,
        format!("{most} open orders"),
        format!("{} with this one", open + 1),
        "cancel an open order, or wait until one fills or its doubt is resolved",
    )
}
