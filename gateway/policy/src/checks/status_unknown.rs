//! `STATUS_UNKNOWN`: standing is folded from the ledger; a view older than its lease tells nothing (orders.md §2, row 1).

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, View},
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let observed = if context.facts.view == View::Stale {
        "a view older than its lease"
    } else if context.state.faulty() {
        "a stream that no gateway of this house could have written"
    } else {
        return None;
    };
    fail(
        Code::StatusUnknown,
        "a view of the ledger inside its lease",
        observed,
        "nothing in the order: send it again in a few seconds, under the same client_order_id",
    )
}
