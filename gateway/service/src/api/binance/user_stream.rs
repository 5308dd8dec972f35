//! Binance's user data stream at the bots' listener: the agent's own stream of the ledger in the venue's words, for clients that learn of fills no other way.
//!
//! The key of the stream is a placeholder like all of a bot's keys: the certificate says whose stream it is. Nothing can be placed on it, and no market is
//! told of. Its bounds and its end are those of `/v1/stream`.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, Request, State},
    http::Method,
    response::{IntoResponse, Response},
};
use gateway_policy::{AgentEvent, CloseCause, Code, OrderFilled, OutcomeState};
use ledger::CommittedEntry;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{admit_question, read_query, refusal::Refused, shown};
use crate::{
    api::{
        Side,
        orders::whole_body,
        stream::{self, Dialect, Link, Unfit},
    },
    pipeline::repeat::story,
    session::Session,
};

/// What every bot is given for a key, and the one stream there is.
const LISTEN_KEY: &str = "certificate";

/// `POST`, `PUT` and `DELETE /api/v3/userDataStream`: there is nothing to make, to keep alive or to end.
pub(super) async fn key(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    body: Body,
) -> Response {
    drop(whole_body(&bots.gateway, body).await);
    match admit_question(&session) {
        Ok(()) if method == Method::POST => Json(json!({ "listenKey": LISTEN_KEY })).into_response(),
        Ok(()) => Json(json!({})).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// `GET /stream?streams=KEY`: each message says of which stream it is.
pub(super) async fn combined(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(link): Extension<Link>,
    request: Request,
) -> Response {
    match read_query(request.uri()) {
        Ok(parameters)
            if parameters.only(&["streams"]).is_ok()
                && parameters.text("streams").is_none_or(|named| named == LISTEN_KEY) =>
        {
            opened(&bots, &session, link, request, true)
        }
        Ok(_) => no_such_stream().into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// `GET /ws/KEY`: each message is bare.
pub(super) async fn bare(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    Extension(link): Extension<Link>,
    Path(named): Path<String>,
    request: Request,
) -> Response {
    if named != LISTEN_KEY {
        return no_such_stream().into_response();
    }
    opened(&bots, &session, link, request, false)
}

fn no_such_stream() -> Refused {
    let detail = format!("there is one stream here, {LISTEN_KEY}: ask for prices by the other paths");
    Refused::of(Code::OrderInvalid).because(&detail)
}

fn opened(bots: &Arc<Side>, session: &Arc<Session>, link: Link, request: Request, combined: bool) -> Response {
    match stream::begin(bots, session, link, request, None, Dialect::Venue { combined }) {
        Ok(response) => response,
        Err(Unfit::NoUpgrade(why)) => {
            let detail = format!("this is a WebSocket (RFC 6455): {why}");
            Refused::of(Code::OrderInvalid).because(&detail).into_response()
        }
        Err(Unfit::TooMany(detail)) => Refused::of(Code::RateMessages).because(&detail).into_response(),
    }
}

/// What a client asks on a stream.
#[derive(Deserialize)]
struct Asked {
    id: Option<Value>,
    method: String,
    #[serde(default)]
    params: Vec<String>,
}

/// The answer to a message. Clients subscribe to what they have opened already; there is nothing else to have.
pub(in crate::api) fn answered(session: &Session, text: &str) -> String {
    let fault = |id: Value, why: &str| json!({ "error": { "code": 2, "msg": why }, "id": id });
    let answer = match serde_json::from_str::<Asked>(text) {
        _ if admit_question(session).is_err() => fault(Value::Null, "too many messages; slow down"),
        Ok(asked) => {
            let id = asked.id.filter(|id| id.is_u64() || id.is_string()).unwrap_or_default();
            let all_known = asked.params.iter().all(|name| name == LISTEN_KEY);
            match asked.method.as_str() {
                "SUBSCRIBE" | "UNSUBSCRIBE" if all_known => json!({ "result": null, "id": id }),
                "LIST_SUBSCRIPTIONS" => json!({ "result": [LISTEN_KEY], "id": id }),
                _ => fault(id, "there is one stream here, and no orders on it"),
            }
        }
        Err(_) => fault(Value::Null, "not a message of this stream"),
    };
    answer.to_string()
}

/// The message that tells of an entry of the agent's stream; nothing for what the venue would not tell either.
pub(in crate::api) async fn told(
    bots: &Side,
    session: &Session,
    entry: &CommittedEntry,
    combined: bool,
) -> Option<String> {
    let report = report(bots, session, entry).await?;
    let message = match combined {
        true => json!({ "stream": LISTEN_KEY, "data": report }),
        false => report,
    };
    Some(message.to_string())
}

/// What happened to an order.
struct Happened {
    execution: &'static str,
    status: &'static str,
    at: i64,
    fill: Option<OrderFilled>,
}

async fn report(bots: &Side, session: &Session, entry: &CommittedEntry) -> Option<Value> {
    let happened = |execution, status, fill| Happened {
        execution,
        status,
        at: entry.at.millis(),
        fill,
    };
    let (id, number, mut happened) = match AgentEvent::decode(&entry.kind, entry.body()).ok()? {
        AgentEvent::Filled(fill) => {
            let (id, number) = (fill.client_order_id, fill.order);
            (id, number, happened("TRADE", "PARTIALLY_FILLED", Some(fill)))
        }
        AgentEvent::Outcome(outcome) => {
            let (execution, status) = match outcome.state {
                OutcomeState::Accepted { .. } => ("NEW", "NEW"),
                OutcomeState::Closed { why, .. } => match why {
                    CloseCause::Cancelled => ("CANCELED", "CANCELED"),
                    CloseCause::Expired => ("EXPIRED", "EXPIRED"),
                    // Its last fill said so.
                    CloseCause::Filled => return None,
                },
                // The answer to the order said so, or that nobody knows.
                OutcomeState::InDoubt { .. } | OutcomeState::Rejected { .. } | OutcomeState::Withheld { .. } => {
                    return None;
                }
            };
            (
                outcome.client_order_id,
                outcome.order,
                happened(execution, status, None),
            )
        }
        _ => return None,
    };
    let story = story(&bots.gateway, &session.slot, &id).await;
    let story = story.ok()?.filter(|story| story.number == number)?;
    let traded = session.slot.lock().endings.traded(&id).copied().unwrap_or_default();
    if happened.fill.is_some() && story.executed >= story.order.quantity {
        happened.status = "FILLED";
    }
    Some(worded(&shown::story(&story, &traded), &happened, entry.number))
}

/// The venue's letters. What the gateway does not know: who was in the book first (`m` is false), what was paid where not every fill is known (-1, the
/// venue's own word for it); commissions are left out.
fn worded(order: &Value, happened: &Happened, number: u64) -> Value {
    let new = happened.execution == "NEW";
    let last = happened.fill.as_ref();
    let text = |name: &str| order[name].as_str().unwrap_or("0").to_owned();
    let amount = |of: Option<extensions::Decimal>| of.unwrap_or_default().to_string();
    let paid = order["cummulativeQuoteQty"].as_str().unwrap_or("-1");
    let (executed, paid) = if new {
        ("0".to_owned(), "0")
    } else {
        (text("executedQty"), paid)
    };
    let cancelled = happened.execution == "CANCELED";
    json!({
        "e": "executionReport", "E": happened.at, "T": happened.at, "O": order["time"], "W": order["time"],
        "s": order["symbol"], "i": order["orderId"], "g": -1,
        "c": order["clientOrderId"], "C": if cancelled { text("clientOrderId") } else { String::new() },
        "S": order["side"], "o": order["type"], "f": order["timeInForce"],
        "q": text("origQty"), "p": text("price"), "P": text("stopPrice"), "F": "0", "Q": "0",
        "x": happened.execution, "X": happened.status, "r": "NONE",
        "z": executed, "Z": paid,
        "l": amount(last.map(|fill| fill.quantity)), "L": amount(last.map(|fill| fill.price)),
        "Y": amount(last.and_then(|fill| fill.quantity.checked_mul(fill.price))),
        "t": last.map_or(-1, |_| i64::try_from(number).unwrap_or(-1)),
        "w": new || happened.status == "PARTIALLY_FILLED", "m": false, "M": false, "I": 0, "N": null, "V": "NONE",
    })
}
