//! `REPEAT_EXECUTION`: once as many orders have traded as the mandate allows, only verified reductions, until an officer resumes the agent; no
//! timer does (RTS 6 Art. 15(3)). The order that meets it also makes the agent reduce-only, so that everyone sees why.
//!
//! Open orders go on trading: the count may pass the bound by as many as were open when it was reached.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let most = u64::from(context.conduct()?.max_executions?);
    let traded = context.state.executed();
    if context.reduction || traded < most {
        return None;
    }
    fail(
        Code::RepeatExecution,
        format!("{most} orders that traded"),
        format!("{traded} since an officer last resumed the agent"),
        "reduce or cancel, and ask an officer to look at the bot and resume it; no waiting changes it",
    )
}
