//! `POST /api/v3/orderList/oco`, and the older `order/oco`: a limit order that only rests and a stop, of which one at most executes. Each is an order like any
//! other at the gate and in the record, and both count in every limit; they are sent as one list.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse, Response},
};
use gateway_policy::{Code, OpenOrder, ParsedOrder, Side as Way};
use serde_json::{Value, json};

use super::{
    cancels::{cancel_orders, cancel_parameters, cancelled},
    order::{Terms, market, plain_symbol, read_terms},
    parameters::{Fault, Parameters},
    place::{ended, read},
    read_query,
    refusal::Refused,
    shown,
};
use crate::{
    api::{Side, orders::signed},
    gateway::Venues,
    pipeline::{
        endings::OrderStory,
        pair::{Paired, submit_pair},
    },
    session::Session,
};

/// What a list may carry beside its two orders: the client's name of the list says nothing, it has the number of its first order.
const COMMON: [&str; 5] = ["symbol", "side", "quantity", "listClientOrderId", "newOrderRespType"];
const OF_LEG: [&str; 5] = ["Type", "ClientOrderId", "Price", "StopPrice", "TimeInForce"];
const OLDER: [&str; 6] = [
    "price",
    "stopPrice",
    "stopLimitPrice",
    "stopLimitTimeInForce",
    "limitClientOrderId",
    "stopClientOrderId",
];

fn invalid(detail: &str) -> Fault {
    (Code::OrderInvalid, detail.to_owned())
}

/// One of the two, as the parameters name it.
struct Leg {
    kind: &'static str,
    names: [String; 4],
}

impl Leg {
    /// `above…` or `below…`.
    fn read(parameters: &Parameters, leg: &str) -> Result<Self, Fault> {
        let name = |name: &str| format!("{leg}{name}");
        let kind = match parameters.needed(&name("Type"))? {
            "LIMIT_MAKER" => "limit",
            "STOP_LOSS" => "stop_market",
            "STOP_LOSS_LIMIT" => "stop_limit",
            _ => return Err(invalid("a list has a LIMIT_MAKER and a STOP_LOSS or STOP_LOSS_LIMIT")),
        };
        Ok(Self {
            kind,
            names: ["ClientOrderId", "Price", "StopPrice", "TimeInForce"].map(name),
        })
    }

    fn order(&self, parameters: &Parameters, market: &(String, extensions::Instrument)) -> Result<ParsedOrder, Fault> {
        let [id, price, stop_price, time] = &self.names;
        let time_in_force = parameters.text(time);
        if self.kind == "limit" && time_in_force.is_some() {
            return Err(invalid("a LIMIT_MAKER has no time in force"));
        }
        read_terms(&Terms {
            market: market.clone(),
            side: parameters.needed("side")?,
            kind: self.kind,
            id: parameters.text(id),
            time_in_force,
            numbers: [
                ("quantity", "quantity", parameters.text("quantity")),
                ("price", "price", parameters.text(price)),
                ("stop_price", "stopPrice", parameters.text(stop_price)),
            ],
        })
    }
}

/// The two orders: the one that rests, and the one that waits.
fn read_list(parameters: &Parameters, venues: &Venues, older: bool) -> Result<[ParsedOrder; 2], Fault> {
    let market = market(parameters.needed("symbol")?, venues)?;
    let legs = if older {
        parameters.only(&[&COMMON[..], &OLDER[..]].concat())?;
        let limited = parameters.text("stopLimitPrice").is_some();
        let names = |names: [&str; 4]| names.map(str::to_owned);
        [
            Leg {
                kind: "limit",
                names: names(["limitClientOrderId", "price", "", ""]),
            },
            Leg {
                kind: if limited { "stop_limit" } else { "stop_market" },
                names: names([
                    "stopClientOrderId",
                    "stopLimitPrice",
                    "stopPrice",
                    "stopLimitTimeInForce",
                ]),
            },
        ]
    } else {
        let legs = ["above", "below"].map(|leg| OF_LEG.map(|name| format!("{leg}{name}")));
        let legs: Vec<&str> = legs.iter().flatten().map(String::as_str).collect();
        parameters.only(&[&COMMON[..], &legs].concat())?;
        let (above, below) = (Leg::read(parameters, "above")?, Leg::read(parameters, "below")?);
        // A seller's limit lies above the market and his stop below, a buyer's the other way round.
        let sells = parameters.needed("side")?.eq_ignore_ascii_case(Way::Sell.as_str());
        if sells { [above, below] } else { [below, above] }
    };
    if legs[0].kind != "limit" || legs[1].kind == "limit" {
        let detail = "a seller's LIMIT_MAKER is above and his stop below, a buyer's the other way round";
        return Err(invalid(detail));
    }
    let [rests, waits] = [legs[0].order(parameters, &market)?, legs[1].order(parameters, &market)?];
    if rests.order.client_order_id == waits.order.client_order_id {
        return Err(invalid("the two orders have one id"));
    }
    Ok([rests, waits])
}

/// `POST /api/v3/orderList/oco` and `/order/oco`.
pub(super) async fn place(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let older = uri.path().ends_with("/order/oco");
    let placed = async {
        let reads = |parameters: &Parameters| read_list(parameters, &bots.venues, older);
        let (body, pair) = read(&bots, &session, &uri, body, reads).await?;
        let (signed, _) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
        let (side, of) = (bots.clone(), session.clone());
        // A bot that hangs up between the two loses neither.
        let task = tokio::spawn(async move { submit_pair(&side.gateway, &side.venues, &of, pair, &signed).await });
        match task.await {
            Ok(Paired::Both(stories)) => told(&stories),
            Ok(Paired::Neither(submitted)) => Err(ended(*submitted).err().unwrap_or_else(Refused::in_doubt)),
            Ok(Paired::Other(code)) => Err(Refused::of(code)),
            Err(_) => Err(Refused::in_doubt()),
        }
    };
    match placed.await {
        Ok(list) => Json(list).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// What became of both. A doubt about one is the answer for both: the venue has the list or has it not.
fn told(stories: &[OrderStory; 2]) -> Result<Value, Refused> {
    let ends = stories.each_ref().map(|story| super::place::there(story.clone()));
    if ends.iter().any(|end| end.as_ref().is_err_and(Refused::is_in_doubt)) {
        return Err(Refused::in_doubt());
    }
    // One of them may be withheld for what the other was refused for.
    let (withheld, refused): (Vec<Refused>, Vec<Refused>) = ends
        .into_iter()
        .filter_map(Result::err)
        .partition(|refused| refused.is(Code::Withheld));
    if let Some(refused) = refused.into_iter().chain(withheld).next() {
        return Err(refused);
    }
    let reports: Vec<Value> = stories.iter().map(shown::placed).collect();
    Ok(list(stories[0].number, "EXEC_STARTED", &reports))
}

/// A list in the venue's shape.
fn list(number: u64, state: &str, reports: &[Value]) -> Value {
    let named = |row: &Value| json!({"symbol": row["symbol"], "orderId": row["orderId"], "clientOrderId": row["clientOrderId"]});
    let over = state == "ALL_DONE";
    json!({
        "orderListId": number, "contingencyType": "OCO", "listStatusType": state,
        "listOrderStatus": if over { "ALL_DONE" } else { "EXECUTING" }, "listClientOrderId": format!("list-{number}"),
        "symbol": reports.first().map(|row| row["symbol"].clone()), "transactionTime": reports.first().map(|row| row["transactTime"].clone()),
        "orders": reports.iter().map(named).collect::<Vec<_>>(), "orderReports": reports,
    })
}

/// The number that names a list, in a request about one.
fn number(parameters: &Parameters) -> Result<u64, Refused> {
    let refused = |(code, detail): Fault| Refused::of(code).because(&detail);
    let named = |text: &str| text.strip_prefix("list-").and_then(|text| text.parse().ok());
    let by_id = parameters
        .text("listClientOrderId")
        .or(parameters.text("origClientOrderId"))
        .and_then(named);
    let number = parameters.number("orderListId").map_err(refused)?.or(by_id);
    number.ok_or_else(|| Refused::of(Code::OrderInvalid).because("orderListId is missing"))
}

/// `GET /api/v3/orderList`: a list of late.
pub(super) async fn one(Extension(session): Extension<Arc<Session>>, uri: Uri) -> Response {
    let found = || {
        let number = number(&read_query(&uri)?)?;
        let inner = session.slot.lock();
        let of = inner.endings.all().filter(|(story, _)| story.list == Some(number));
        let reports: Vec<Value> = of.map(|(story, traded)| shown::story(story, traded)).collect();
        let over = !inner
            .state
            .open_orders()
            .iter()
            .any(|open| open.list == Some(number) && open.may_rest());
        if reports.len() != 2 {
            return Err(Refused::of(Code::OrderNotFound));
        }
        Ok(list(number, if over { "ALL_DONE" } else { "EXEC_STARTED" }, &reports))
    };
    match found() {
        Ok(list) => Json(list).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// `GET /api/v3/openOrderList`.
pub(super) async fn open(Extension(session): Extension<Arc<Session>>, uri: Uri) -> Response {
    if let Err(refused) = read_query(&uri) {
        return refused.into_response();
    }
    let inner = session.slot.lock();
    let open = || inner.state.open_orders().iter().filter(|open| open.may_rest());
    let mut numbers: Vec<u64> = open().filter_map(|open| open.list).collect();
    numbers.dedup();
    let shown = |number: &u64| {
        let of = inner.endings.all().filter(|(story, _)| story.list == Some(*number));
        let reports: Vec<Value> = of.map(|(story, traded)| shown::story(story, traded)).collect();
        list(*number, "EXEC_STARTED", &reports)
    };
    Json(numbers.iter().map(shown).collect::<Vec<_>>()).into_response()
}

/// `DELETE /api/v3/orderList`: both orders of it.
pub(super) async fn cancel(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let cancelled = async {
        let parameters = cancel_parameters(&bots, &uri, body).await?;
        let number = number(&parameters)?;
        let symbol = parameters.text("symbol").map(plain_symbol);
        let of_list = |open: &&OpenOrder| {
            let own = plain_symbol(open.order.instrument.as_str());
            open.list == Some(number) && symbol.as_ref().is_none_or(|symbol| *symbol == own)
        };
        let targets: Vec<OpenOrder> = {
            let inner = session.slot.lock();
            inner
                .state
                .cancel_targets(None)
                .into_iter()
                .filter(of_list)
                .cloned()
                .collect()
        };
        if targets.is_empty() {
            return Err(Refused::not_cancelled());
        }
        let ended = cancel_orders(&bots, &session, targets).await?;
        let reports: Vec<Value> = ended.iter().map(|open| cancelled(&session, open)).collect();
        Ok(list(number, "ALL_DONE", &reports))
    };
    match cancelled.await {
        Ok(list) => Json(list).into_response(),
        Err(refused) => refused.into_response(),
    }
}
