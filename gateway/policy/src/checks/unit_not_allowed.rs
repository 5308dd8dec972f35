//! `UNIT_NOT_ALLOWED`: a unit without a cap permits nothing, there is no conversion, and the order's unit must be the one its
//! instrument is quoted in: the cap of a cheap unit must not open the door to a dear one (orders.md §2, row 6).

use super::{Context, fail, listed};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let (limits, unit) = (context.facts.limits?, context.order.currency);
    let units =
        |caps: &[(extensions::Currency, extensions::Decimal)]| listed(caps.iter().map(|(unit, _)| unit.as_str()));
    if limits.per_order(&unit).is_none() {
        let change = match limits.nearest_currency(unit.as_str()) {
            Some(nearest) => format!("did you mean {nearest}? Otherwise apply for a mandate with a cap in {unit}"),
            None => format!("apply for a mandate with a cap for one order in {unit}; amounts are never converted"),
        };
        let limit = format!("caps for one order in {}", units(limits.per_order_all()));
        return fail(
            Code::UnitNotAllowed,
            limit,
            format!("{unit}, for which there is none"),
            change,
        );
    }
    if limits.per_day(&unit).is_none() {
        return fail(
            Code::UnitNotAllowed,
            format!("caps for a day in {}", units(limits.per_day_all())),
            format!("{unit}, for which there is none"),
            format!("apply for a mandate with a cap for a day in {unit}; amounts are never converted"),
        );
    }
    let quoted = context.facts.reference?.currency;
    if quoted == unit {
        return None;
    }
    fail(
        Code::UnitNotAllowed,
        format!("{} is quoted in {quoted}", context.order.instrument),
        unit.as_str(),
        format!("write currency {quoted}, and the prices in it"),
    )
}
