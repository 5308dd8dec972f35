//! `DAY_NOTIONAL`: what filled today and what open orders may still fill, with this order, against the cap for a UTC day; verified
//! reductions are free of it (orders.md §2, row 10).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck, state::value_of};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let unit = context.order.currency;
    let cap = context.facts.limits?.per_day(&unit)?;
    if context.reduction {
        return None;
    }
    let before = context.state.day_notional(&unit, context.now);
    let value = value_of(context.order.quantity, context.highest_price()?);
    let after = before.zip(value).and_then(|(before, value)| before.checked_add(value));
    let observed = match (after, before) {
        (Some(after), _) if after <= cap => return None,
        (Some(after), Some(before)) => format!("{unit} {after}: {before} filled or open, and this order"),
        _ => "more than can be told exactly".to_owned(),
    };
    fail(
        Code::DayNotional,
        format!("{unit} {cap} a UTC day"),
        observed,
        "send less, cancel open orders to free their reservations, or wait for the next UTC day",
    )
}
