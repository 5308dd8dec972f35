//! What a bot may read: its orders, fills, positions, and what it may still do.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Json,
    extract::{
        Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    response::{IntoResponse, Response},
};
use extensions::{ClientOrderId, Currency, Decimal, limits::LimitsDocument};
use gateway_policy::{AgentEvent, Code, OrderFilled};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Side, exposure, orders::problem, standing};
use crate::{
    pipeline::{endings::OrderStory, repeat::story, unread::QUESTIONS_PER_SECOND},
    session::Session,
};

/// Entries that one call of `GET /v1/fills` reads at most.
const FILLS_SCAN: usize = 4_096;

/// The answer to a query that holds something else than it may.
fn unread_query(rejection: &QueryRejection) -> Response {
    problem(Code::OrderInvalid, format!("the query: {}", rejection.body_text())).into_response()
}

/// The query of `GET /v1/orders`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrdersQuery {
    status: Option<String>,
}

/// `GET /v1/orders?status=open`.
pub(super) async fn orders(
    Extension(session): Extension<Arc<Session>>,
    query: Result<Query<OrdersQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return unread_query(&rejection),
    };
    if query.status.as_deref().is_some_and(|status| status != "open") {
        let detail = "only status=open is listed; ask for an ended order by its id: GET /v1/orders/{client_order_id}";
        return problem(Code::OrderInvalid, detail).into_response();
    }
    let inner = session.slot.lock();
    let stories: Vec<Value> = inner
        .state
        .open_orders()
        .iter()
        .map(|open| match inner.endings.of(&open.order.client_order_id) {
            Some(story) => json!(story),
            None => json!({ "order": open.order, "status": open.mark, "number": open.number, "decided_at": open.permitted_at, "executed": open.filled }),
        })
        .collect();
    Json(json!({ "orders": stories })).into_response()
}

/// `GET /v1/orders/{client_order_id}`.
pub(super) async fn order(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    // A path that is not UTF-8 names nothing.
    let id = id.map_or_else(|_| String::new(), |Path(id)| id);
    let found = match ClientOrderId::new(&id) {
        Ok(id) => story(&bots.gateway, &session.slot, &id).await,
        Err(_) => Ok(None),
    };
    match found {
        Ok(Some(story)) => read(story),
        Ok(None) => problem(Code::OrderNotFound, format!("this agent has no order {id:?}")).into_response(),
        Err(error) => problem(Code::LedgerUnavailable, error.to_string())
            .retry_after_s(1)
            .into_response(),
    }
}

/// A read answers 200 with the story, refused or not; only orders themselves are answered with their refusal.
fn read(story: OrderStory) -> Response {
    Json(story).into_response()
}

/// The query of `GET /v1/fills`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FillsQuery {
    /// The number in the agent's stream after which to list.
    since: Option<u64>,
}

/// One fill with its number in the agent's stream.
#[derive(Debug, Serialize)]
struct Fill {
    number: u64,
    #[serde(flatten)]
    fill: OrderFilled,
}

/// `GET /v1/fills?since=NUMBER`: fills after an entry number, and the number to ask from next.
pub(super) async fn fills(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    query: Result<Query<FillsQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return unread_query(&rejection),
    };
    if !session.slot.admits_question(Instant::now()) {
        let detail = format!("more than {QUESTIONS_PER_SECOND} questions in a second; slow down");
        return problem(Code::RateMessages, detail).retry_after_s(1).into_response();
    }
    let from = query.since.map_or(0, |since| since.saturating_add(1));
    let page = match bots
        .gateway
        .ledger
        .read_stream(session.slot.stream(), from, FILLS_SCAN)
        .await
    {
        Ok(page) => page,
        Err(error) => {
            return problem(Code::LedgerUnavailable, error.to_string())
                .retry_after_s(1)
                .into_response();
        }
    };
    let fills: Vec<Fill> = page
        .iter()
        .filter_map(|entry| match AgentEvent::decode(&entry.kind, entry.body()) {
            Ok(AgentEvent::Filled(fill)) => Some(Fill {
                number: entry.number,
                fill,
            }),
            _ => None,
        })
        .collect();
    let next = page.last().map_or(query.since, |entry| Some(entry.number));
    Json(json!({ "fills": fills, "since": next, "more": page.len() == FILLS_SCAN })).into_response()
}

/// `GET /v1/positions`.
pub(super) async fn positions(Extension(session): Extension<Arc<Session>>) -> Response {
    let inner = session.slot.lock();
    Json(json!({ "positions": inner.state.positions() })).into_response()
}

/// What is left of one unit's day.
#[derive(Debug, Serialize)]
struct Day {
    unit: Currency,
    limit: Decimal,
    used: Option<Decimal>,
    left: Option<Decimal>,
}

/// `GET /v1/me`: limits, what is left of them today, standing, baseline, certificate.
pub(super) async fn me(State(bots): State<Arc<Side>>, Extension(session): Extension<Arc<Session>>) -> Response {
    let now = bots.gateway.clock.now();
    let inner = session.slot.lock();
    let state = &inner.state;
    let used = |unit: &Currency| state.day_notional(unit, now);
    let days: Vec<Day> = session
        .limits
        .iter()
        .flat_map(|limits| limits.per_day_all())
        .map(|(unit, limit)| {
            let used = used(unit);
            Day {
                unit: *unit,
                limit: *limit,
                used,
                left: used.and_then(|used| limit.checked_sub(used)),
            }
        })
        .collect();
    let rates: Vec<Value> = session.limits.iter().flat_map(|limits| limits.rates()).map(|rate| {
        json!({ "limit": rate.count, "seconds": rate.seconds, "used": state.orders_within(rate.seconds, now) })
    }).collect();
    let house = bots.gateway.house.load();
    let document = session.mandate(&bots.gateway).map(|mandate| &mandate.document);
    let owner = document.map(|document| document.owner);
    let baseline = inner.baseline.as_ref().map(|baseline| {
        json!({ "digest": baseline.digest(), "version": baseline.content().version, "mode": baseline.mode() })
    });
    Json(json!({
        "agent": session.slot.agent,
        "baseline": baseline,
        "bounds": document.map(|document| state.bounds_left(&document.conduct, now)),
        "certificate": {
            "fingerprint": session.certificate.fingerprint(),
            "not_after": session.certificate.leaf().not_after(),
            "serial": session.certificate.serial(),
            "standing": state
                .standing()
                .certificate_mode(&session.certificate.serial(), session.certificate.leaf().not_after()),
        },
        "day": days,
        "declared": document.map(|d| json!({ "model": d.declared_model, "code_digest": d.declared_code_digest })),
        "exposure": exposure::left(&bots.gateway, &session, &inner, &house.state),
        "gateway": bots.gateway.settings.id,
        "limits": session.limits.as_ref().map(LimitsDocument::from),
        "mandate": document.map(|d| json!({ "id": d.mandate, "expires": d.expires, "conduct": d.conduct })),
        "now": now,
        "open_orders": state.open_orders().len(),
        "owner": owner,
        "rates": rates,
        "region": house.state.region_of(session.address.ip()),
        "probation": state.standing().probation(now).map(|one| json!({"mandate": one.mandate, "until": one.until})),
        "standing": standing::told(&state.standing_at(now), &house.state, owner.as_ref()),
    }))
    .into_response()
}
