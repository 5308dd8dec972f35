//! `DELETE /api/v3/order` and `/openOrders`: nothing refuses a cancel that names its order.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use gateway_policy::{CancelState, Code, OpenOrder};
use serde_json::Value;

use super::{named, order::plain_symbol, parameters::Parameters, reads::listed, refusal::Refused, shown};
use crate::{
    api::{
        Side, chain,
        orders::{cancel_on_task, whole_body},
    },
    session::Session,
};

/// The parameters of a cancel. Clients send them in the query or in a form.
pub(in crate::api) async fn cancel_parameters(bots: &Side, uri: &Uri, body: Body) -> Result<Parameters, Refused> {
    let body = whole_body(&bots.gateway, body).await;
    let body = body.map_err(|_| Refused::of(Code::OrderMalformed))?;
    Parameters::read(uri.query(), &body).map_err(|(code, detail)| Refused::of(code).because(&detail))
}

/// `DELETE /api/v3/order`. Only what names the order is looked at.
pub(super) async fn cancel_one(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let cancelled = async {
        let parameters = cancel_parameters(&bots, &uri, body).await?;
        let (id, number) = (parameters.text("origClientOrderId"), parameters.text("orderId"));
        cancel_named(&bots, &session, id, number, None).await
    };
    match cancelled.await {
        Ok(cancelled) => Json(cancelled).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// Cancels the order that an id or a number names, in one market where one is named.
pub(super) async fn cancel_named(
    bots: &Arc<Side>,
    session: &Arc<Session>,
    id: Option<&str>,
    number: Option<&str>,
    symbol: Option<&str>,
) -> Result<Value, Refused> {
    let target = cancel_order(bots, session, id, number, symbol).await?;
    Ok(cancelled(session, &target))
}

/// The same, and which order it was.
pub(in crate::api) async fn cancel_order(
    bots: &Arc<Side>,
    session: &Arc<Session>,
    id: Option<&str>,
    number: Option<&str>,
    symbol: Option<&str>,
) -> Result<OpenOrder, Refused> {
    let target = open_order(bots, session, id, number, symbol).await?;
    match cancel_on_task(bots, session, target.clone()).await.state {
        CancelState::Cancelled => Ok(target),
        CancelState::NotOpen => Err(Refused::not_cancelled()),
        CancelState::CouldNot { .. } => Err(Refused::in_doubt()),
    }
}

/// The open order that an id or a number names, in one market where one is named.
pub(in crate::api) async fn open_order(
    bots: &Side,
    session: &Session,
    id: Option<&str>,
    number: Option<&str>,
    symbol: Option<&str>,
) -> Result<OpenOrder, Refused> {
    let Some(id) = named(bots, session, id, number).await? else {
        return Err(Refused::not_cancelled());
    };
    let target = {
        let inner = session.slot.lock();
        let targets = inner.state.cancel_targets(Some(&id));
        targets.first().map(|open| (*open).clone())
    };
    let fits = |open: &OpenOrder| symbol.is_none_or(|symbol| plain_symbol(open.order.instrument.as_str()) == symbol);
    target.filter(fits).ok_or_else(Refused::not_cancelled)
}

/// A cancelled order with what it has executed by now: fills may have come while the cancel was on its way.
pub(super) fn cancelled(session: &Session, open: &OpenOrder) -> Value {
    let inner = session.slot.lock();
    let executed = inner
        .endings
        .of(&open.order.client_order_id)
        .map(|story| story.executed);
    let mut open = open.clone();
    open.filled = executed.unwrap_or(open.filled);
    let (open, traded) = chain::open(&inner, &open);
    shown::cancelled(&open, &traded)
}

/// `DELETE /api/v3/openOrders`: all of a market, or all.
pub(super) async fn cancel_all(
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
    match cancel_orders(&bots, &session, targets).await {
        Ok(ended) => {
            let all: Vec<Value> = ended.iter().map(|open| cancelled(&session, open)).collect();
            Json(all).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

/// Cancels several side by side; those that were open. Success is never claimed for all when it holds for some.
pub(in crate::api) async fn cancel_orders(
    bots: &Arc<Side>,
    session: &Arc<Session>,
    targets: Vec<OpenOrder>,
) -> Result<Vec<OpenOrder>, Refused> {
    let started: Vec<_> = targets
        .into_iter()
        .map(|open| (open.clone(), cancel_on_task(bots, session, open)))
        .collect();
    let (mut all, mut unsure) = (Vec::new(), false);
    for (open, ended) in started {
        match ended.await.state {
            CancelState::Cancelled => all.push(open),
            CancelState::NotOpen => {}
            CancelState::CouldNot { .. } => unsure = true,
        }
    }
    if unsure { Err(Refused::in_doubt()) } else { Ok(all) }
}
