//! `POST /api/v3/order`: an order in the venue's words, through the one gate; and `/order/test`, which only says what that gate would say.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
};
use gateway_policy::{Code, FailedCheck, ParsedOrder};
use serde_json::{Value, json};

use super::{
    order,
    parameters::{Fault, Parameters},
    refusal::Refused,
    shown,
};
use crate::{
    api::{
        Side,
        orders::{admit, no_order, problem, signed, whole_body},
    },
    pipeline::{
        endings::{OrderStatus, OrderStory},
        rehearse::rehearse,
        submit::{Signed, Submitted, submit},
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
    let placed = async {
        let (body, order) = read_order(&bots, &session, &uri, body).await?;
        let (signed, _) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
        submitted(&bots, &session, &order, &signed).await
    };
    match placed.await {
        Ok(placed) => Json(placed).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// `POST /api/v3/order/test`: `{}` when the order would be permitted now, and otherwise every check that it would fail. It uses up no id and is no order,
/// but it counts as a message.
pub(super) async fn test(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let tested = async {
        let (body, order) = read_order(&bots, &session, &uri, body).await?;
        let (signed, _) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
        rehearsed(&bots, &session, &order, &signed).await
    };
    match tested.await {
        Ok(()) => Json(json!({})).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// What the gate would say of an order now.
pub(in crate::api) async fn rehearsed(
    bots: &Side,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
) -> Result<(), Refused> {
    let checks = rehearse(&bots.gateway, session, order, signed.proof).await;
    let checks = checks.map_err(|_| Refused::of(Code::LedgerUnavailable))?;
    match checks.first() {
        Some(first) => Err(Refused::of(first.code).with("checks", checks.iter().map(told).collect())),
        // Permitted, and not sent: what is halted without its record yet.
        None if !session.slot.gate_open() => Err(Refused::of(Code::Withheld)),
        None => Ok(()),
    }
}

/// A failed check for the bot. What is said of ids is left out: some clients look for words of the venue in all of an answer.
fn told(check: &FailedCheck) -> Value {
    match check.code {
        Code::Duplicate | Code::DuplicateSuspected => json!({"code": check.code.as_str(), "limit": check.limit}),
        code => json!({"code": code.as_str(), "limit": check.limit, "observed": check.observed}),
    }
}

async fn read_order(bots: &Side, session: &Session, uri: &Uri, body: Body) -> Result<(Bytes, ParsedOrder), Refused> {
    read(bots, session, uri, body, |parameters| {
        order::read(parameters, &bots.venues)
    })
    .await
}

/// Admits a message that may carry an order and reads it. What is none is counted as `POST /v1/orders` counts it; only the words are the venue's.
pub(in crate::api) async fn read<T>(
    bots: &Side,
    session: &Session,
    uri: &Uri,
    body: Body,
    reads: impl FnOnce(&Parameters) -> Result<T, Fault>,
) -> Result<(Bytes, T), Refused> {
    read_body(bots, session, body, |body| {
        Parameters::read(uri.query(), body).and_then(|parameters| reads(&parameters))
    })
    .await
}

/// The same for a body that is no form.
pub(in crate::api) async fn read_body<T>(
    bots: &Side,
    session: &Session,
    body: Body,
    reads: impl FnOnce(&Bytes) -> Result<T, Fault>,
) -> Result<(Bytes, T), Refused> {
    let gateway = &bots.gateway;
    if admit(gateway, &session.slot).is_err() {
        return Err(Refused::of(Code::RateMessages));
    }
    let unread = |code: Code, detail: String| {
        drop(no_order(gateway, &session.slot, problem(code, detail.clone())));
        Refused::of(code).because(&detail)
    };
    let body = whole_body(gateway, body).await.map_err(|refused| {
        if refused.code() == Code::BodyTooLarge.as_str() {
            unread(Code::BodyTooLarge, String::new())
        } else {
            unread(Code::OrderMalformed, "the body did not end in time".to_owned())
        }
    })?;
    match reads(&body) {
        Ok(read) => Ok((body, read)),
        Err((code, detail)) => Err(unread(code, detail)),
    }
}

/// Submits an order as any other, and what the venue's shape has for its end.
pub(super) async fn submitted(
    bots: &Side,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
) -> Result<Value, Refused> {
    let story = taken(bots, session, order, signed).await?;
    Ok(shown::placed(&story))
}

/// Submits an order as any other; its story when the venue has it, or had it.
pub(in crate::api) async fn taken(
    bots: &Side,
    session: &Arc<Session>,
    order: &ParsedOrder,
    signed: &Signed,
) -> Result<OrderStory, Refused> {
    ended(submit(&bots.gateway, &bots.venues, session, order, signed).await)
}

/// The story of an order that the venue has, or had.
pub(in crate::api) fn ended(submitted: Submitted) -> Result<OrderStory, Refused> {
    match submitted {
        Submitted::Forwarded(story, _) | Submitted::Repeated(story) => there(story),
        Submitted::Refused(checks, _) | Submitted::Halted(checks, ..) => Err(first_of(&checks)),
        Submitted::Unavailable(_) => Err(Refused::of(Code::LedgerUnavailable)),
    }
}

fn first_of(checks: &[FailedCheck]) -> Refused {
    Refused::of(checks.first().map_or(Code::StatusUnknown, |check| check.code))
}

pub(super) fn there(story: OrderStory) -> Result<OrderStory, Refused> {
    match story.status {
        OrderStatus::Refused => Err(first_of(&story.checks)),
        OrderStatus::Rejected => Err(Refused::of(Code::VenueRejected)),
        OrderStatus::Withheld => Err(Refused::of(Code::Withheld)),
        OrderStatus::Permitted | OrderStatus::InDoubt => Err(Refused::in_doubt()),
        _ => Ok(story),
    }
}
