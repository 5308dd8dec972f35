//! `DUPLICATE`: an id names one order, for ever (orders.md §2, row 2).
//!
//! The gateway answers the same body from its record and never asks for a second decision. Should it ask, the order is refused
//! all the same: no order reaches a venue twice (guarantee 3).

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, Known},
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let id = &context.order.client_order_id;
    let (in_state, number) = context.state.known(id, &context.facts.order.body);
    let known = if in_state == Known::New {
        context.facts.known
    } else {
        in_state
    };
    let entry = number.map_or_else(String::new, |number| format!(", entry {number}"));
    match known {
        Known::New => None,
        Known::OtherBody => fail(
            Code::Duplicate,
            "one order per client_order_id, for ever",
            format!("{id} was used for another order{entry}"),
            "use a fresh client_order_id for each new order; ids of refused orders are used up too",
        ),
        Known::SameBody => fail(
            Code::Duplicate,
            "one order per client_order_id, for ever",
            format!("{id} is decided already{entry}"),
            format!("ask for its outcome: GET /v1/orders/{id}"),
        ),
    }
}
