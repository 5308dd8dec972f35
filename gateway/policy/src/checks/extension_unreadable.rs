//! `EXTENSION_UNREADABLE`: a certificate that says nothing readable permits nothing (orders.md §1.1).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    if context.facts.limits.is_some() {
        return None;
    }
    fail(
        Code::ExtensionUnreadable,
        "a readable authority extension",
        "none",
        "use a certificate issued by this house's agent CA; ask its operators to issue a new one",
    )
}
