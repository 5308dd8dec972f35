//! `POST /api/v3/order`: an order in the venue's words, through the one gate.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
};
use gateway_policy::Code;

use super::{order, parameters::Parameters, refusal::Refused, shown};
use crate::{
    api::{
        Side,
        orders::{admit, no_order, problem, signed, whole_body},
    },
    pipeline::{
        endings::{OrderStatus, OrderStory},
        submit::{Submitted, submit},
    },
    session::Session,
};

/// `POST /api/v3/order`.
pub(super) async fn place(
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
        _ => Json(shown::placed(story)).into_response(),
    }
}
