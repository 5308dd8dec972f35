//! `GET /api/v3/account`: what the gateway's own books say that this bot holds, in the venue's shape.
//!
//! The venue's account is the house's, and what lies in it is nobody's answer here. A position is what confirmed fills and attestations say; an asset whose
//! position is not known has no balance. Money paid and received is in no book: what stands for a unit of prices is what the mandate lets the bot still
//! trade in it today, since stock bots (freqtrade) place nothing without a balance, and no order beyond that would pass.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use extensions::{Decimal, Instrument};
use gateway_policy::{AgentState, Side as Way};
use serde_json::{Value, json};

use super::{read_query, shown::assets};
use crate::{
    api::{Side, standing},
    session::Session,
};

/// `GET /api/v3/account`.
pub(super) async fn account(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
) -> Response {
    if let Err(refused) = read_query(&uri) {
        return refused.into_response();
    }
    let gateway = &bots.gateway;
    let house = gateway.house.load();
    let owner = session.owner(gateway);
    let now = gateway.clock.now();
    let balances: Vec<Value> = held(&bots, &session).into_iter().map(shown).collect();
    let inner = session.slot.lock();
    let certificate = inner
        .state
        .standing()
        .certificate_mode(&session.certificate.serial(), session.certificate.leaf().not_after());
    let own = inner.state.standing_at(now);
    drop(inner);
    let trades = session.slot.gate_open() && standing::may_open(&own, certificate, &house.state, owner.as_ref());
    Json(json!({
        "accountType": "SPOT", "balances": balances, "canDeposit": false, "canTrade": trades, "canWithdraw": false,
        "makerCommission": 0, "takerCommission": 0, "buyerCommission": 0, "sellerCommission": 0,
        "permissions": ["SPOT"], "updateTime": gateway.real_clock.now().millis(),
    }))
    .into_response()
}

fn shown(held: Held) -> Value {
    json!({"asset": held.asset, "free": held.free.to_string(), "locked": held.locked.to_string()})
}

/// What the books say of one asset, or the mandate of a unit of prices.
pub(in crate::api) struct Held {
    pub(in crate::api) asset: String,
    /// All of it, what open sell orders may still take, and the rest.
    pub(in crate::api) total: Decimal,
    pub(in crate::api) locked: Decimal,
    pub(in crate::api) free: Decimal,
}

impl Held {
    fn of(asset: &str, total: Decimal, locked: Decimal, free: Decimal) -> Self {
        Self {
            asset: asset.to_owned(),
            total,
            locked,
            free,
        }
    }
}

/// What this bot holds of the assets that its certificate or its books name, and what is left of the day in each unit that its certificate caps.
pub(in crate::api) fn held(bots: &Side, session: &Session) -> Vec<Held> {
    let Some(limits) = session.limits.as_ref() else {
        return Vec::new();
    };
    let listed = bots.venues.values().flat_map(|venue| venue.instruments());
    let listed = listed.filter(|one| limits.permits_instrument(one));
    let now = bots.gateway.clock.now();
    let inner = session.slot.lock();
    let assets = balances(&inner.state, listed);
    let units = limits.per_day_all().iter().filter_map(|(unit, limit)| {
        let left = limit.checked_sub(inner.state.day_notional(unit, now)?)?;
        Some((unit.to_string(), left.max(Decimal::ZERO)))
    });
    // An asset that is traded stays what is held of it, known or not.
    let units = units.filter(|(unit, _)| !assets.contains_key(unit.as_str()));
    let units: Vec<Held> = units
        .map(|(unit, left)| Held::of(&unit, left, Decimal::ZERO, left))
        .collect();
    let known = assets.iter().filter_map(|(asset, held)| {
        let (total, locked) = (*held)?;
        Some(Held::of(asset, total, locked, total.checked_sub(locked)?))
    });
    known.chain(units).collect()
}

/// Total and locked of each asset that is the base of a listed instrument or of one that the books know. `None`: not known.
fn balances(
    state: &AgentState,
    listed: impl Iterator<Item = Instrument>,
) -> BTreeMap<String, Option<(Decimal, Decimal)>> {
    let mut instruments: Vec<Instrument> = listed.collect();
    instruments.extend(state.positions().iter().map(|position| position.instrument));
    instruments.extend(state.open_orders().iter().map(|open| open.order.instrument));
    instruments.sort_unstable();
    instruments.dedup();
    let mut assets_held = BTreeMap::new();
    for instrument in &instruments {
        let held = assets_held
            .entry(assets(instrument.as_str()).0.to_owned())
            .or_insert(Some((Decimal::ZERO, Decimal::ZERO)));
        let position = state.position(instrument).zip(offered(state, instrument));
        *held = held.zip(position).and_then(|((total, locked), (position, offered))| {
            Some((total.checked_add(position)?, locked.checked_add(offered)?))
        });
    }
    assets_held
}

/// What open sell orders may still take of an instrument's position.
fn offered(state: &AgentState, instrument: &Instrument) -> Option<Decimal> {
    let sells = state
        .open_orders()
        .iter()
        .filter(|open| open.order.instrument == *instrument && open.side() == Way::Sell);
    sells
        .map(|open| open.remaining)
        .try_fold(Decimal::ZERO, Decimal::checked_add)
}
