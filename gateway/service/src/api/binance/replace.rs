//! `POST /api/v3/order/cancelReplace`: a cancel, which nothing refuses, and then a new order like any other. There is no other way to amend: an amend that
//! raises risk is a new order.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
};
use gateway_policy::{Code, ParsedOrder};
use serde_json::{Value, json};

use super::{
    cancels::{cancel_named, open_order},
    order::{self, plain_symbol},
    parameters::{Fault, Parameters},
    place::{read, submitted},
    refusal::Refused,
};
use crate::{
    api::{Side, orders::signed},
    gateway::Venues,
    pipeline::{replacing::Claim, submit::Signed},
    session::Session,
};

/// What is about the order to cancel; all else is the new one's.
const OF_CANCEL: [&str; 3] = ["cancelReplaceMode", "cancelOrderId", "cancelOrigClientOrderId"];

/// What is asked for.
struct Replacement {
    /// Without the cancel there is no new order.
    stops: bool,
    id: Option<String>,
    number: Option<String>,
    symbol: String,
    order: ParsedOrder,
}

impl Replacement {
    fn read(parameters: &Parameters, venues: &Venues) -> Result<Self, Fault> {
        let stops = match parameters.needed("cancelReplaceMode")? {
            "STOP_ON_FAILURE" => true,
            "ALLOW_FAILURE" => false,
            _ => {
                let detail = "cancelReplaceMode is neither STOP_ON_FAILURE nor ALLOW_FAILURE";
                return Err((Code::OrderInvalid, detail.to_owned()));
            }
        };
        let owned = |name| parameters.text(name).map(str::to_owned);
        let (id, number) = (owned("cancelOrigClientOrderId"), owned("cancelOrderId"));
        if id.is_none() && number.is_none() {
            let detail = "cancelOrderId or cancelOrigClientOrderId is missing";
            return Err((Code::OrderInvalid, detail.to_owned()));
        }
        Ok(Self {
            stops,
            id,
            number,
            symbol: plain_symbol(parameters.needed("symbol")?),
            order: order::read(&parameters.without(&OF_CANCEL), venues)?,
        })
    }
}

/// `POST /api/v3/order/cancelReplace`. What cannot be read changes nothing, neither half.
pub(super) async fn replace(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let asked = read(&bots, &session, &uri, body, |parameters| {
        Replacement::read(parameters, &bots.venues)
    });
    let (body, asked) = match asked.await {
        Ok(asked) => asked,
        Err(refused) => return refused.into_response(),
    };
    let (signed, _) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
    // A bot that hangs up between the halves loses neither.
    let halves = tokio::spawn(async move { both(&bots, &session, &asked, &signed).await });
    match halves.await {
        Ok((cancel, new)) => answer(cancel, new),
        Err(_) => Refused::in_doubt().into_response(),
    }
}

type Half = Result<Value, Refused>;

async fn both(bots: &Arc<Side>, session: &Arc<Session>, asked: &Replacement, signed: &Signed) -> (Half, Option<Half>) {
    let (id, number) = (asked.id.as_deref(), asked.number.as_deref());
    // Two of them of one order would each find it cancelled, and order twice.
    let named = open_order(bots, session, id, number, Some(&asked.symbol)).await;
    let claim = named.map(|open| Claim::of(&session.slot, open.number));
    let (_claim, cancel) = match claim {
        Ok(Some(claim)) => {
            let cancel = cancel_named(bots, session, id, number, Some(&asked.symbol)).await;
            (Some(claim), cancel)
        }
        Ok(None) => (None, Err(Refused::in_doubt())),
        Err(refused) => (None, Err(refused)),
    };
    if cancel.is_err() && asked.stops {
        return (cancel, None);
    }
    let new = submitted(bots, session, &asked.order, signed).await;
    (cancel, Some(new))
}

/// The venue's shape for what became of the halves. Where nobody knows of one, that is what is said first.
fn answer(cancel: Half, new: Option<Half>) -> Response {
    let result = |half: &Half| if half.is_ok() { "SUCCESS" } else { "FAILURE" };
    let shown = |half: &Half| match half {
        Ok(shown) => shown.clone(),
        Err(refused) => refused.shown(),
    };
    let data = json!({
        "cancelResult": result(&cancel), "newOrderResult": new.as_ref().map_or("NOT_ATTEMPTED", result),
        "cancelResponse": shown(&cancel), "newOrderResponse": new.as_ref().map(shown),
    });
    let unsure = |half: &Half| half.as_ref().is_err_and(Refused::is_in_doubt);
    if unsure(&cancel) || new.as_ref().is_some_and(unsure) {
        return Refused::in_doubt().with("data", data).into_response();
    }
    match (cancel.is_ok(), new.is_some_and(|new| new.is_ok())) {
        (true, true) => Json(data).into_response(),
        (false, false) => Refused::not_replaced().with("data", data).into_response(),
        _ => Refused::half_replaced().with("data", data).into_response(),
    }
}
