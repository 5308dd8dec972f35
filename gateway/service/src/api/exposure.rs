//! What the limits above an agent leave it, for the bot: those of its owner's agents together, and those of all.

use extensions::{Decimal, Timestamp};
use gateway_policy::{Exposure, GroupExposure};
use revocation_core::{ExposureLimits, HouseState};
use serde::Serialize;

use crate::{
    gateway::Gateway,
    pipeline::{exposures::at_stake, slot::Inner},
    session::Session,
};

/// One limit: what the group has at stake of it and what is left. What cannot be told is absent, and refuses.
#[derive(Debug, Serialize)]
pub(super) struct Left {
    scope: &'static str,
    unit: extensions::Currency,
    limit: Decimal,
    used: Option<Decimal>,
    left: Option<Decimal>,
}

/// Every limit of the agent's groups; none where they have none.
pub(super) fn left(gateway: &Gateway, session: &Session, inner: &Inner, house: &HouseState) -> Vec<Left> {
    let limits = house.exposures();
    let owner = session.owner(gateway);
    let of_owner = owner.as_ref().and_then(|owner| limits.of_owner(owner));
    let mut rows = Vec::new();
    let mut add = |scope, limits: &ExposureLimits, of: fn(Exposure) -> Option<GroupExposure>| {
        for (unit, limit) in limits.rows() {
            let told = at_stake(gateway, session, inner, house, unit).and_then(of);
            let used = told.and_then(|told| fresh(gateway, told));
            let left = used.and_then(|used| limit.checked_sub(used));
            rows.push(Left {
                scope,
                unit: *unit,
                limit,
                used,
                left: left.map(|left| left.max(Decimal::ZERO)),
            });
        }
    };
    if let Some(limits) = of_owner {
        add("owner", limits, |told| told.owner);
    }
    if let Some(limits) = limits.of_all() {
        add("all", limits, |told| told.all);
    }
    rows
}

/// The sum, unless a price in it is older than an order may rest on.
fn fresh(gateway: &Gateway, told: GroupExposure) -> Option<Decimal> {
    let age = |at: Timestamp| u128::from(gateway.clock.now().micros_since(at).unsigned_abs());
    let longest = gateway.settings.reference_max_age.as_micros();
    told.amount
        .filter(|_| told.priced_at.is_none_or(|at| age(at) <= longest))
}
