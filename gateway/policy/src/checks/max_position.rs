//! `MAX_POSITION`: the confirmed position, every open order of the order's side filled, and this order, against the mandate's cap for the
//! instrument, long or short. An unknown position and an instrument without a cap refuse; verified reductions are free of it.

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck, order::Side};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let caps = context.conduct()?.max_position.as_ref()?;
    if context.reduction {
        return None;
    }
    let order = context.order;
    let (instrument, quantity) = (&order.instrument, order.quantity);
    let word = if order.side == Side::Buy { "long" } else { "short" };
    let before = context.state.worst_position(instrument, order.side);
    let after = before.and_then(|before| before.checked_add(quantity));
    let cap = caps.of(instrument);
    let observed = match (after, before) {
        (Some(after), _) if cap.is_some_and(|cap| after <= cap) => return None,
        (Some(after), Some(before)) if before.is_negative() => {
            format!("{after} {word}: {} the other way, and this order", before.abs())
        }
        (Some(after), Some(before)) => format!("{after} {word}: {before} held or open, and this order"),
        _ => format!("the position in {instrument} is unknown"),
    };
    let limit = cap.map_or_else(
        || format!("none: the mandate has no cap for {instrument}"),
        |cap| format!("{cap} {instrument}, long or short"),
    );
    fail(
        Code::MaxPosition,
        limit,
        observed,
        "send less, cancel open orders of this side, or reduce the position first; an unknown position must be attested (position attest)",
    )
}
