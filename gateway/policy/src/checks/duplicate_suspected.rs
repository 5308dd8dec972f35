//! `DUPLICATE_SUSPECTED`: the same order under a fresh id while the first is unanswered or in doubt (orders.md §2, repeats).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let window = context.conduct()?.repeat_window_ms;
    if window == 0 {
        return None;
    }
    let earliest = context.now.plus_millis(-i64::from(window));
    let id = &context.order.client_order_id;
    let first = context.state.open_orders().iter().rev().find(|open| {
        open.unanswered()
            && open.permitted_at >= earliest
            && open.order.client_order_id != *id
            && open.same_terms(context.order)
    })?;
    let first = &first.order.client_order_id;
    fail(
        Code::DuplicateSuspected,
        format!("no repeat within {window} ms while the first is unanswered"),
        format!("the same order as {first}, which the venue has not answered"),
        format!(
            "retry under the same client_order_id {first}; for a second order of the same terms wait for its answer"
        ),
    )
}
