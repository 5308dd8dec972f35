//! `GROUP_EXPOSURE`: what all agents of the owner, and all agents, have at stake in the order's unit, with this order, against the limits that
//! officers set for the group; both hold. A missing or old price, and what cannot be told, refuse; verified reductions are free of it
//! (orders.md §2, row 10; RTS 6 Art. 15(5)).

use revocation_core::ExposureLimits;

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, GroupExposure},
    state::value_of,
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let limits = context.facts.house.exposures();
    if limits.is_empty() || context.reduction {
        return None;
    }
    let told = context.facts.exposure.unwrap_or_default();
    let mandate = context.facts.mandate;
    let owner = mandate.and_then(|mandate| Some((mandate, limits.of_owner(&mandate.document.owner)?)));
    let of_owner = owner.and_then(|(mandate, limits)| {
        let whose = || format!("all agents of {} together", mandate.document.owner);
        of_group(context, limits, told.owner.unwrap_or_default(), whose)
    });
    of_owner.or_else(|| {
        let whose = || "all agents together".to_owned();
        of_group(context, limits.of_all()?, told.all.unwrap_or_default(), whose)
    })
}

fn of_group(
    context: &Context<'_>,
    limits: &ExposureLimits,
    told: GroupExposure,
    whose: impl Fn() -> String,
) -> Option<FailedCheck> {
    let unit = context.order.currency;
    let Some(limit) = limits.of(&unit) else {
        return refuse(
            format!("none: the limits of {} do not name {unit}", whose()),
            format!("an order in {unit}"),
        );
    };
    let longest = i64::from(context.facts.reference_max_age_ms).saturating_mul(1_000);
    let aged = |at| context.now.micros_since(at).abs();
    let fresh = told.priced_at.is_none_or(|at| aged(at) <= longest);
    let price = context.highest_price();
    let value = price.and_then(|price| value_of(context.order.quantity, price));
    let after = told
        .amount
        .zip(value)
        .and_then(|(before, value)| before.checked_add(value));
    let observed = match (told.amount, told.priced_at, told.instrument, after) {
        (Some(_), _, _, Some(after)) if fresh && after <= limit => return None,
        (Some(_), Some(at), Some(instrument), _) if !fresh => {
            format!(
                "what is held of {instrument} is valued at a price {} ms old",
                aged(at) / 1_000
            )
        }
        (Some(before), _, _, Some(after)) => format!("{unit} {after}: {before} at stake, and this order"),
        (None, None, Some(instrument), _) => format!("what is held of {instrument} cannot be valued: nobody quotes it"),
        _ => "what is at stake cannot be told: a position, an open order or a price of the group is unknown".to_owned(),
    };
    refuse(format!("{unit} {limit} at stake for {}", whose()), observed)
}

fn refuse(limit: String, observed: String) -> Option<FailedCheck> {
    fail(
        Code::GroupExposure,
        limit,
        observed,
        "send less, or wait until agents of the group cancel or reduce; officers set the limit (exposure set)",
    )
}
