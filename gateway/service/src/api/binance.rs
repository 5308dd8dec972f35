//! Binance's spot REST interface at the bots' listener: a stock client trades through the same gate as `POST /v1/orders`.
//!
//! Key, signature, timestamp and receive window of the bot are placeholders and read by nobody: the certificate says who asks, and the
//! venue's credential is the gateway's. What is not listed in [`routes`] is refused in the venue's own shape.

mod order;
mod parameters;
mod refusal;
mod shown;

use std::sync::Arc;

use axum::{
    Extension, Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use extensions::ClientOrderId;
use gateway_policy::{AgentEvent, CancelState, Code, OpenOrder};
use serde_json::{Value, json};

use self::{parameters::Parameters, refusal::Refused};
use super::{
    Side,
    orders::{admit, cancel_on_task, no_order, problem, signed, whole_body},
};
use crate::{
    pipeline::{
        endings::{OrderStatus, OrderStory},
        repeat::story,
        submit::{Submitted, submit},
    },
    session::Session,
};

/// The venue's paths that are answered; every other one below `/api`, `/sapi` and `/wapi` is refused.
pub(super) fn routes() -> Router<Arc<Side>> {
    Router::new()
        .route("/api/v3/ping", get(async || Json(json!({}))))
        .route("/api/v3/time", get(time))
        .route("/api/v3/exchangeInfo", get(markets))
        .route("/api/v3/order", post(place).get(one).delete(cancel_one))
        .route("/api/v3/openOrders", get(open).delete(cancel_all))
        .route("/api/{*path}", any(unknown))
        .route("/sapi/{*path}", any(unknown))
        .route("/wapi/{*path}", any(unknown))
        .method_not_allowed_fallback(unknown)
}

/// The body is read and dropped, within its bounds: over HTTP/2 an answer before its end looks like a broken stream to some clients.
async fn unknown(State(bots): State<Arc<Side>>, body: Body) -> Response {
    drop(whole_body(&bots.gateway, body).await);
    Refused::of(Code::PathUnknown).into_response()
}

async fn time(State(bots): State<Arc<Side>>) -> Response {
    Json(json!({ "serverTime": bots.gateway.real_clock.now().millis() })).into_response()
}

/// `GET /api/v3/exchangeInfo`: the markets that a symbol names here.
async fn markets(State(bots): State<Arc<Side>>) -> Response {
    let instruments = bots.venues.values().flat_map(|venue| venue.instruments());
    let symbols: Vec<Value> = instruments.map(|one| shown::market(&one)).collect();
    let now = bots.gateway.real_clock.now().millis();
    Json(json!({"exchangeFilters": [], "rateLimits": [], "serverTime": now, "symbols": symbols, "timezone": "UTC"}))
        .into_response()
}

/// `POST /api/v3/order`.
async fn place(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let gateway = &bots.gateway;
    if admit(gateway, &session.slot).is_err() {
        return Refused::of(Code::RateMessages).into_response();
    }
    // Counted as `POST /v1/orders` counts it; only the words are the venue's.
    let unread = |code: Code, detail: String| {
        drop(no_order(gateway, &session.slot, problem(code, detail.clone())));
        Refused::of(code).because(&detail).into_response()
    };
    let body = match whole_body(gateway, body).await {
        Ok(body) => body,
        Err(refused) if refused.code() == Code::BodyTooLarge.as_str() => {
            return unread(Code::BodyTooLarge, String::new());
        }
        Err(_) => return unread(Code::OrderMalformed, "the body did not end in time".to_owned()),
    };
    let parsed = Parameters::read(uri.query(), &body).and_then(|parameters| order::read(&parameters, &bots.venues));
    let order = match parsed {
        Ok(order) => order,
        Err((code, detail)) => return unread(code, detail),
    };
    let (signed, _) = signed(gateway, &session, &method, &uri, &headers, &body);
    match submit(gateway, &bots.venues, &session, &order, &signed).await {
        Submitted::Forwarded(story, _) | Submitted::Repeated(story) => placed(&story),
        Submitted::Refused(checks, _) | Submitted::Halted(checks, ..) => {
            Refused::of(checks.first().map_or(Code::StatusUnknown, |check| check.code)).into_response()
        }
        Submitted::Unavailable(_) => Refused::of(Code::LedgerUnavailable).into_response(),
    }
}

fn placed(story: &OrderStory) -> Response {
    match story.status {
        OrderStatus::Refused => {
            Refused::of(story.checks.first().map_or(Code::StatusUnknown, |check| check.code)).into_response()
        }
        OrderStatus::Rejected => Refused::of(Code::VenueRejected).into_response(),
        OrderStatus::Withheld => Refused::of(Code::Withheld).into_response(),
        OrderStatus::Permitted | OrderStatus::InDoubt => Refused::in_doubt().into_response(),
        _ => Json(shown::story(story)).into_response(),
    }
}

/// Which order a request is about: the bot's id, or the number that its answers carry as `orderId`.
async fn named(bots: &Side, session: &Session, parameters: &Parameters) -> Result<Option<ClientOrderId>, Refused> {
    if let Some(id) = parameters.text("origClientOrderId") {
        return Ok(ClientOrderId::new(id).ok());
    }
    let Some(number) = parameters.text("orderId").and_then(|text| text.parse::<u64>().ok()) else {
        return Ok(None);
    };
    {
        let inner = session.slot.lock();
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

fn read_query(uri: &Uri, body: &[u8]) -> Result<Parameters, Refused> {
    Parameters::read(uri.query(), body).map_err(|(code, detail)| Refused::of(code).because(&detail))
}

/// `GET /api/v3/order`.
async fn one(State(bots): State<Arc<Side>>, Extension(session): Extension<Arc<Session>>, uri: Uri) -> Response {
    let found = async {
        let parameters = read_query(&uri, b"")?;
        let Some(id) = named(&bots, &session, &parameters).await? else {
            return Ok(None);
        };
        let story = story(&bots.gateway, &session.slot, &id).await;
        story.map_err(|_| Refused::of(Code::LedgerUnavailable))
    };
    match found.await {
        Ok(Some(story)) => Json(shown::story(&story)).into_response(),
        Ok(None) => Refused::of(Code::OrderNotFound).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// The open orders of a request's market, or all when it names none.
fn listed(session: &Session, parameters: &Parameters, cancels: bool) -> Vec<OpenOrder> {
    let symbol = parameters.text("symbol").map(order::plain_symbol);
    let fits = |open: &OpenOrder| {
        let own = order::plain_symbol(open.order.instrument.as_str());
        symbol.as_ref().is_none_or(|symbol| *symbol == own)
    };
    let inner = session.slot.lock();
    if cancels {
        let targets = inner.state.cancel_targets(None);
        return targets.into_iter().filter(|open| fits(open)).cloned().collect();
    }
    inner
        .state
        .open_orders()
        .iter()
        .filter(|open| fits(open))
        .cloned()
        .collect()
}

/// `GET /api/v3/openOrders`.
async fn open(Extension(session): Extension<Arc<Session>>, uri: Uri) -> Response {
    match read_query(&uri, b"") {
        Ok(parameters) => {
            let orders: Vec<Value> = listed(&session, &parameters, false).iter().map(shown::open).collect();
            Json(orders).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// The parameters of a cancel. Clients send them in the query or in a form.
async fn cancel_parameters(bots: &Side, uri: &Uri, body: Body) -> Result<Parameters, Refused> {
    let body = whole_body(&bots.gateway, body).await;
    let body = body.map_err(|_| Refused::of(Code::OrderMalformed))?;
    read_query(uri, &body)
}

/// `DELETE /api/v3/order`. Nothing refuses a cancel that names its order; only that is looked at.
async fn cancel_one(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let id = match cancel_parameters(&bots, &uri, body).await {
        Ok(parameters) => named(&bots, &session, &parameters).await,
        Err(refused) => return refused.into_response(),
    };
    let id = match id {
        Ok(Some(id)) => id,
        Ok(None) => return Refused::not_cancelled().into_response(),
        Err(refused) => return refused.into_response(),
    };
    let target = {
        let inner = session.slot.lock();
        inner
            .state
            .cancel_targets(Some(&id))
            .first()
            .map(|open| (*open).clone())
    };
    let Some(target) = target else {
        return Refused::not_cancelled().into_response();
    };
    match cancel_on_task(&bots, &session, target.clone()).await.state {
        CancelState::Cancelled => Json(cancelled(&session, &target)).into_response(),
        CancelState::NotOpen => Refused::not_cancelled().into_response(),
        CancelState::CouldNot { .. } => Refused::in_doubt().into_response(),
    }
}

/// A cancelled order with what it has executed by now: fills may have come while the cancel was on its way.
fn cancelled(session: &Session, open: &OpenOrder) -> Value {
    let executed = session
        .slot
        .lock()
        .endings
        .of(&open.order.client_order_id)
        .map(|story| story.executed);
    shown::cancelled(open, executed.unwrap_or(open.filled))
}

/// `DELETE /api/v3/openOrders`: all of a market, or all.
async fn cancel_all(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let targets = match cancel_parameters(&bots, &uri, body).await {
        Ok(parameters) => listed(&session, &parameters, true),
        Err(refused) => return refused.into_response(),
    };
    if targets.is_empty() {
        return Refused::not_cancelled().into_response();
    }
    let started: Vec<_> = targets
        .into_iter()
        .map(|open| (open.clone(), cancel_on_task(&bots, &session, open)))
        .collect();
    let (mut all, mut unsure) = (Vec::new(), false);
    for (open, ended) in started {
        match ended.await.state {
            CancelState::Cancelled => all.push(cancelled(&session, &open)),
            CancelState::NotOpen => {}
            CancelState::CouldNot { .. } => unsure = true,
        }
    }
    // Success is never claimed for all when it holds for some.
    if unsure {
        return Refused::in_doubt().into_response();
    }
    Json(all).into_response()
}
