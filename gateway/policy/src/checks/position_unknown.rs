//! `POSITION_UNKNOWN`: an order that says `reduce_only` must fit in the confirmed opposite position. Positions opened elsewhere
//! count only once attested (orders.md §2, exemptions).

use super::{Context, fail, reducible_text};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    if !context.order.reduce_only || context.reduction {
        return None;
    }
    let order = context.order;
    fail(
        Code::PositionUnknown,
        reducible_text(context),
        format!("{} {}", order.side.as_str(), order.quantity),
        "send no more than the confirmed position leaves; a position opened elsewhere must be attested (position attest), or \
         leave reduce_only out",
    )
}
