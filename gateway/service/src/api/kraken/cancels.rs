//! `CancelOrder` and `CancelAll`: nothing refuses a cancel that names its order.

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State, http::Uri, response::Response};
use gateway_policy::OpenOrder;
use serde_json::{Value, json};

use super::{answered, names};
use crate::{
    api::{
        Side,
        binance::{
            cancels::{cancel_order, cancel_orders, cancel_parameters},
            refusal::Refused,
        },
        orders::whole_body,
    },
    session::Session,
};

/// `POST /0/private/CancelOrder`, by `txid` or `cl_ord_id`. Only what names the order is looked at.
pub(super) async fn one(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let cancelled = async {
        let parameters = cancel_parameters(&bots, &uri, body).await?;
        let number = parameters.text("txid").and_then(|id| names::number('O', id));
        let number = number.map(|number| number.to_string());
        cancel_order(&bots, &session, parameters.text("cl_ord_id"), number.as_deref(), None).await?;
        Ok::<Value, Refused>(json!({ "count": 1 }))
    };
    answered(cancelled.await)
}

/// `POST /0/private/CancelAll`.
pub(super) async fn all(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    body: Body,
) -> Response {
    drop(whole_body(&bots.gateway, body).await);
    let targets: Vec<OpenOrder> = {
        let inner = session.slot.lock();
        inner.state.cancel_targets(None).into_iter().cloned().collect()
    };
    let ended = cancel_orders(&bots, &session, targets).await;
    answered(ended.map(|ended| json!({ "count": ended.len() })))
}
