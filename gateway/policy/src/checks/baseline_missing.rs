//! `BASELINE_MISSING`: with scoring enforced, no baseline means no permit; verified reductions are free of the score.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    if context.reduction || context.facts.baseline.is_some() || !context.enforced() {
        return None;
    }
    fail(
        Code::BaselineMissing,
        "an approved baseline",
        "none that can be read",
        "have a baseline proposed and approved, or a mandate that observes until a date; reductions and cancels work meanwhile",
    )
}
