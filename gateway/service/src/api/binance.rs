//! Binance's spot REST interface at the bots' listener: a stock client trades through the same gate as `POST /v1/orders`.
//!
//! Key, signature, timestamp and receive window of the bot are placeholders and read by nobody: the certificate says who asks, and the
//! venue's credential is the gateway's. What is not listed in [`routes`] is refused in the venue's own shape.

pub(super) mod account;
mod amend;
pub(super) mod cancels;
mod list;
pub(super) mod market;
pub(crate) mod order;
pub(super) mod parameters;
pub(super) mod place;
pub(super) mod reads;
pub(super) mod refusal;
mod replace;
mod shown;
pub(super) mod trades;
pub(super) mod user_stream;

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
    routing::{any, get, post, put},
};
use extensions::ClientOrderId;
use gateway_policy::{AgentEvent, Code};
use serde_json::json;

pub(super) use self::market::Rules;
use self::{parameters::Parameters, refusal::Refused};
use super::{Side, chain, orders::whole_body};
use crate::{
    pipeline::unread::QUESTIONS_PER_SECOND,
    session::Session,
    venue::market::{MarketQuestion, Words},
};

/// Where the venue's interfaces begin: spot, and those of which nothing is answered (margin, transfers, withdrawals, futures, options).
const PREFIXES: [&str; 7] = ["api", "sapi", "wapi", "fapi", "dapi", "eapi", "papi"];

/// What to do instead of a list whose later orders nobody has decided on when they are placed.
const LISTS: &str =
    "of lists only orderList/oco is passed on; send an order that follows on another when that one has executed";

/// The venue's paths that are answered; every other one below its prefixes is refused.
pub(super) fn routes() -> Router<Arc<Side>> {
    let routes = PREFIXES.iter().fold(Router::new(), |routes, prefix| {
        routes
            .route(&format!("/{prefix}"), any(unknown))
            .route(&format!("/{prefix}/{{*path}}"), any(unknown))
    });
    let routes = MarketQuestion::paths(Words::Binance).fold(routes, |routes, path| {
        routes.route(&format!("/api/v3/{path}"), get(market::ask))
    });
    let lists = ["oto", "otoco", "opo", "opoco"].map(|kind| format!("orderList/{kind}"));
    let routes = lists.iter().fold(routes, |routes, path| {
        routes.route(&format!("/api/v3/{path}"), any(no_list))
    });
    routes
        .route("/api/v3/ping", get(async || Json(json!({}))))
        .route("/api/v3/time", get(time))
        .route("/api/v3/exchangeInfo", get(market::markets))
        .route(
            "/api/v3/order",
            post(place::place).get(reads::one).delete(cancels::cancel_one),
        )
        .route("/api/v3/order/test", post(place::test))
        .route("/api/v3/order/cancelReplace", post(replace::replace))
        .route("/api/v3/order/amend/keepPriority", put(amend::keep_priority))
        .route("/api/v3/orderList/oco", post(list::place))
        .route("/api/v3/order/oco", post(list::place))
        .route("/api/v3/orderList", get(list::one).delete(list::cancel))
        .route("/api/v3/openOrderList", get(list::open))
        .route("/api/v3/openOrders", get(reads::open).delete(cancels::cancel_all))
        .route("/api/v3/allOrders", get(reads::all))
        .route("/api/v3/account", get(account::account))
        .route("/api/v3/myTrades", get(trades::mine))
        .route(
            "/api/v3/userDataStream",
            post(user_stream::key).put(user_stream::key).delete(user_stream::key),
        )
        .route("/stream", get(user_stream::combined))
        .route("/ws/{key}", get(user_stream::bare))
        .method_not_allowed_fallback(unknown)
}

/// The body is read and dropped, within its bounds: over HTTP/2 an answer before its end looks like a broken stream to some clients.
async fn unknown(State(bots): State<Arc<Side>>, body: Body) -> Response {
    drop(whole_body(&bots.gateway, body).await);
    Refused::of(Code::PathUnknown).into_response()
}

async fn no_list(State(bots): State<Arc<Side>>, body: Body) -> Response {
    drop(whole_body(&bots.gateway, body).await);
    Refused::of(Code::PathUnknown).because(LISTS).into_response()
}

async fn time(State(bots): State<Arc<Side>>) -> Response {
    Json(json!({ "serverTime": bots.gateway.real_clock.now().millis() })).into_response()
}

/// Which order a request is about: the bot's id, or the number that its answers carry as `orderId`; of one that was amended in place, the latest.
async fn named(
    bots: &Side,
    session: &Session,
    id: Option<&str>,
    number: Option<&str>,
) -> Result<Option<ClientOrderId>, Refused> {
    if let Some(id) = id {
        let latest = chain::latest(&session.slot.lock(), |_, own| own == id);
        return Ok(latest.or_else(|| ClientOrderId::new(id).ok()));
    }
    let Some(number) = number.and_then(|text| text.parse::<u64>().ok()) else {
        return Ok(None);
    };
    {
        let inner = session.slot.lock();
        if let Some(latest) = chain::latest(&inner, |first, _| first == number) {
            return Ok(Some(latest));
        }
        if let Some(open) = inner.state.open_orders().iter().find(|open| open.number == number) {
            return Ok(Some(open.order.client_order_id));
        }
    }
    let read = bots.gateway.ledger.read_stream(session.slot.stream(), number, 1).await;
    let page = read.map_err(|_| Refused::of(Code::LedgerUnavailable))?;
    let entry = page.first().filter(|entry| entry.number == number);
    Ok(
        entry.and_then(|entry| match AgentEvent::decode(&entry.kind, entry.body()) {
            Ok(AgentEvent::Decided(decided)) => Some(decided.order.client_order_id),
            _ => None,
        }),
    )
}

/// The parameters of a request that reads.
pub(super) fn read_query(uri: &Uri) -> Result<Parameters, Refused> {
    Parameters::read(uri.query(), b"").map_err(|(code, detail)| Refused::of(code).because(&detail))
}

/// Bounds what one bot asks of the ledger and the venue; its orders and cancels have bounds of their own.
pub(super) fn admit_question(session: &Session) -> Result<(), Refused> {
    let admitted = session.slot.admits_question(Instant::now());
    let detail = format!("more than {QUESTIONS_PER_SECOND} questions in a second; slow down");
    admitted
        .then_some(())
        .ok_or_else(|| Refused::of(Code::RateMessages).because(&detail))
}
