//! `SELF_TRADE`: where the mandate says so, no order that would trade with one of the agent's own open orders at the same venue. Nothing is
//! free of it, reductions included: a trade with oneself reduces nothing.
//!
//! It looks at this agent alone: the orders of its owner's other agents are in other streams, which a decision does not read. A stop waits
//! outside the book, and where it will trade is not known before it fires: stops are left to the venue's own prevention.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let _refuse = context.conduct()?.self_trade?;
    let open = context.state.would_trade_with(context.order)?;
    let (id, own) = (&open.order.client_order_id, &open.order);
    let at = own
        .price
        .map_or_else(|| "the market".to_owned(), |price| price.to_string());
    fail(
        Code::SelfTrade,
        "no trade with one of the agent's own open orders",
        format!("{id}: {} {} at {at}", own.side.as_str(), open.remaining),
        format!("cancel {id} first and wait for its end, or set a price that does not reach it"),
    )
}
