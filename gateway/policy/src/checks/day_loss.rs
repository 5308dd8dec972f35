//! `DAY_LOSS`: once the realised loss of the UTC day has reached the mandate's cap in any unit, or cannot be told, only verified reductions
//! are permitted until the next day.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let caps = context.conduct()?.max_day_loss.as_ref()?;
    if context.reduction {
        return None;
    }
    let unit = context.order.currency;
    if caps.of(&unit).is_none() {
        return refuse(
            format!("none: the mandate has no cap for a loss in {unit}"),
            format!("an order in {unit}"),
        );
    }
    let loss = |unit| context.state.day_loss(unit, context.now);
    let (unit, cap) = caps
        .rows()
        .iter()
        .find(|(unit, cap)| loss(unit).is_none_or(|loss| loss >= *cap))?;
    let observed = loss(unit).map_or_else(
        || "a loss that cannot be told: what was closed today has no known cost".to_owned(),
        |loss| format!("{unit} {loss} lost today"),
    );
    refuse(format!("{unit} {cap} lost in a UTC day"), observed)
}

fn refuse(limit: String, observed: String) -> Option<FailedCheck> {
    fail(
        Code::DayLoss,
        limit,
        observed,
        "send orders that reduce the confirmed position, or cancels; the count begins anew at 00:00 UTC",
    )
}
