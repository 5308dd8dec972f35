//! `STATUS_UNKNOWN`: standing is folded from the ledger; a view older than its lease tells nothing (orders.md §2, row 1).

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, View},
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    // The refusal is recorded and has used the id: the same one again would only tell it again.
    let (observed, change) = if context.facts.view == View::Stale {
        (
            "a view older than its lease",
            "nothing in the order: send it again in a few seconds, under a fresh client_order_id (this one is used)",
        )
    } else if context.state.faulty() {
        (
            "a stream that no gateway of this house could have written",
            "nothing in the order, and sending it again does not help: tell the operators",
        )
    } else {
        return None;
    };
    fail(
        Code::StatusUnknown,
        "a view of the ledger inside its lease",
        observed,
        change,
    )
}
