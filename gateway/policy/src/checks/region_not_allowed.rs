//! `REGION_NOT_ALLOWED`: the region comes from the gateway's own table of networks, never from the bot (orders.md §2, row 4).

use super::{Context, fail, listed};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let limits = context.facts.limits?;
    let observed = match &context.facts.region {
        Some(region) if limits.permits_region(region) => return None,
        Some(region) => region.as_str(),
        None => "a network that is in no region of the gateway's table",
    };
    let listed = listed(limits.regions().unwrap_or_default().iter().map(|item| item.as_str()));
    fail(
        Code::RegionNotAllowed,
        listed,
        observed,
        "send from a network of a listed region; a new network must be added to the house's table by its officers",
    )
}
