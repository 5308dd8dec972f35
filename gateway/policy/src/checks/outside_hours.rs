//! `OUTSIDE_HOURS`: UTC windows of the certificate, by the decision clock; verified reductions are free of it (orders.md §2, row 4).

use super::{Context, fail, listed};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let limits = context.facts.limits?;
    if context.reduction || limits.within_hours(context.now) {
        return None;
    }
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let minute = context.now.minute_of_day();
    let day = DAYS
        .get(usize::from(context.now.weekday()))
        .copied()
        .unwrap_or_default();
    let windows: Vec<String> = limits.hours().windows().iter().map(ToString::to_string).collect();
    fail(
        Code::OutsideHours,
        format!("UTC {}", listed(windows.iter().map(String::as_str))),
        format!("{day} {:02}:{:02} UTC", minute / 60, minute % 60),
        "send it inside the hours (they are UTC, without daylight saving); reductions and cancels work at any time",
    )
}
