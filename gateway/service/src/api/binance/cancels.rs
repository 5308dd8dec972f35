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

use super::{named, parameters::Parameters, reads::listed, refusal::Refused, shown};
use crate::{
    api::{
        Side,
        orders::{cancel_on_task, whole_body},
    },
    session::Session,
};

/// The parameters of a cancel. Clients send them in the query or in a form.
async fn cancel_parameters(bots: &Side, uri: &Uri, body: Body) -> Result<Parameters, Refused> {
    let body = whole_body(&bots.gateway, body).await;
    let body = body.map_err(|_| Refused::of(Code::OrderMalformed))?;
    Parameters::read(uri.query(), &body).map_err(|(code, detail)| Refused::of(code).because(&detail))
}

/// `DELETE /api/v3/order`. Nothing refuses a cancel that names its order; only that is looked at.
pub(super) async fn cancel_one(
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
pub(super) fn cancelled(session: &Session, open: &OpenOrder) -> Value {
    let inner = session.slot.lock();
    let id = &open.order.client_order_id;
    let executed = inner.endings.of(id).map(|story| story.executed);
    let traded = inner.endings.traded(id).copied().unwrap_or_default();
    shown::cancelled(open, executed.unwrap_or(open.filled), &traded)
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
