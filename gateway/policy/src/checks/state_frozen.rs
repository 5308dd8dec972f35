//! `STATE_FROZEN`: cancels and reads only (orders.md §4).

use revocation_core::{Standing, standing::Mode};

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let observed = if context.standing == Standing::Frozen {
        "the agent is frozen"
    } else if context.house == Mode::Frozen {
        "the owner's agents, or all, are frozen"
    } else if context.certificate == Mode::Frozen {
        "this certificate is frozen"
    } else {
        return None;
    };
    fail(
        Code::StateFrozen,
        "cancels and reads only",
        observed,
        "cancel what must not stay open and wait: an officer resumes what is frozen",
    )
}
