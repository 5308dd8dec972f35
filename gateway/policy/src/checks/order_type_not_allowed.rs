//! `ORDER_TYPE_NOT_ALLOWED`: the types of the certificate (orders.md §2, row 5).

use extensions::limits::OrderType;

use super::{Context, fail, listed};
use crate::{codes::Code, events::FailedCheck, order::OrderKind};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let (limits, kind) = (context.facts.limits?, context.order.kind);
    let wanted = match kind {
        OrderKind::Limit => OrderType::Limit,
        OrderKind::Market => OrderType::Market,
        OrderKind::StopLimit => OrderType::StopLimit,
        OrderKind::StopMarket => OrderType::StopMarket,
    };
    if limits.order_type(wanted) {
        return None;
    }
    let listed = listed(limits.order_types().iter().map(OrderType::as_str));
    fail(
        Code::OrderTypeNotAllowed,
        listed.clone(),
        kind.as_str(),
        format!(
            "send one of: {listed}; or apply for a mandate that allows {}",
            kind.as_str()
        ),
    )
}
