//! `POST /0/private/AddOrderBatch` and `CancelOrderBatch`: several orders of one market, each decided, recorded and sent as a single one, in their order; and
//! several cancels, side by side.
//!
//! The form of all is read before anything is done: one order that cannot be read, and there is no batch. From then on each order stands for itself, as at the
//! venue. Nothing more of a batch is sent once the venue has left one in doubt, the ledger cannot write, or the bot has hung up.

use std::{collections::HashSet, sync::Arc};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Uri},
    response::{IntoResponse, Response},
};
use extensions::Instrument;
use gateway_policy::{Code, OpenOrder, ParsedOrder};
use serde_json::{Value, json, value::RawValue};

use super::{
    answered, names,
    place::{read_order, validates},
    reads::refused,
    refusal, shown,
};
use crate::{
    api::{
        Side,
        binance::{
            cancels::cancel_orders,
            parameters::{Bodied, Fault, Parameters},
            place,
            refusal::Refused,
        },
        chain,
        orders::{admit, signed, whole_body},
        problem::CODE_HEADER,
    },
    pipeline::submit::Signed,
    session::Session,
};

/// How many orders a batch has, as at the venue.
const LEAST: usize = 2;
const MOST: usize = 15;
/// The most cancels of one batch, as at the venue.
const MOST_CANCELS: usize = 50;

/// Where, and what.
pub(super) type Market = (String, Instrument);

/// What is asked for.
struct Batch {
    orders: Vec<ParsedOrder>,
    validates: bool,
}

impl Batch {
    fn read(query: Option<&str>, body: &[u8], market: impl Fn(&str) -> Result<Market, Fault>) -> Result<Self, Fault> {
        let invalid = |detail: String| (Code::OrderInvalid, detail);
        let (common, lists) = members(query, body, &["orders"])?;
        common.only(&["pair", "validate"])?;
        let market = market(common.needed("pair")?)?;
        let listed = elements(&lists, "orders")?.unwrap_or_default();
        if !(LEAST..=MOST).contains(&listed.len()) {
            let detail = format!("a batch has {LEAST} to {MOST} orders, not {}", listed.len());
            return Err(invalid(detail));
        }
        let (mut orders, mut ids) = (Vec::with_capacity(listed.len()), HashSet::new());
        for (place, order) in listed.iter().enumerate() {
            let at = |(code, detail): Fault| (code, format!("order {} of the batch: {detail}", place + 1));
            let (parameters, _) = Parameters::json(order.get(), &[]).map_err(at)?;
            let order = read_order(&parameters, market.clone()).map_err(at)?;
            if !ids.insert(order.order.client_order_id) {
                return Err(at(invalid("its cl_ord_id is another one's, too".to_owned())));
            }
            orders.push(order);
        }
        let validates = validates(&common)?;
        Ok(Self { orders, validates })
    }
}

/// The members of a body that is JSON, and of nothing else.
fn members<'a>(query: Option<&str>, body: &'a [u8], apart: &[&str]) -> Result<Bodied<'a>, Fault> {
    let malformed = |detail: &str| (Code::OrderMalformed, detail.to_owned());
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(malformed("a batch stands in its JSON body alone"));
    }
    let text = std::str::from_utf8(body).map_err(|_| malformed("the body is not UTF-8"))?;
    Parameters::json(text, apart)
}

fn elements<'a>(lists: &[(String, &'a RawValue)], name: &str) -> Result<Option<Vec<&'a RawValue>>, Fault> {
    let Some((_, list)) = lists.iter().find(|(known, _)| known == name) else {
        return Ok(None);
    };
    let read = serde_json::from_str(list.get());
    read.map(Some)
        .map_err(|_| (Code::OrderMalformed, format!("{name} is no list")))
}

/// `POST /0/private/AddOrderBatch`.
pub(super) async fn add(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let reads = |body: &Bytes| Batch::read(uri.query(), body, |pair| names::market(pair, &bots.venues));
    let (body, batch) = match place::read_body(&bots, &session, body, reads).await {
        Ok(read) => read,
        Err(refused) => return refusal::response(&refused),
    };
    let (signed, _) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
    match taken(&bots, &session, &batch, &signed).await {
        Ok(rows) => answer(&batch, &rows),
        Err(refused) => refusal::response(&refused),
    }
}

/// What became of an order: its number; none where it was only asked about.
type Row = Result<Option<u64>, Refused>;

/// Takes the orders one after the other; nothing but a doubt is an answer for all.
async fn taken(bots: &Side, session: &Arc<Session>, batch: &Batch, signed: &Signed) -> Result<Vec<Row>, Refused> {
    let mut rows: Vec<Row> = Vec::with_capacity(batch.orders.len());
    for order in &batch.orders {
        // Each is a message of its own, the first was one when it was read.
        if !rows.is_empty() && admit(&bots.gateway, &session.slot).is_err() {
            rows.push(Err(Refused::of(Code::RateMessages)));
            continue;
        }
        let row = if batch.validates {
            place::rehearsed(bots, session, order, signed).await.map(|()| None)
        } else {
            let taken = place::taken(bots, session, order, signed).await;
            taken.map(|story| Some(story.number))
        };
        match row {
            Err(refused) if refused.is_in_doubt() => return Err(refused),
            Err(refused) if refused.is(Code::LedgerUnavailable) => {
                rows.push(Err(refused));
                rows.resize_with(batch.orders.len(), || Err(Refused::of(Code::LedgerUnavailable)));
                return Ok(rows);
            }
            row => rows.push(row),
        }
    }
    Ok(rows)
}

/// The venue's shape, with our words beside each of its errors; the header has the first one's code.
fn answer(batch: &Batch, rows: &[Row]) -> Response {
    let some_stand = rows.iter().any(|row| matches!(row, Ok(Some(_))));
    let shown = |(order, row): (&ParsedOrder, &Row)| {
        let mut shown = json!({ "descr": { "order": shown::described(&order.order) } });
        match row {
            Ok(None) => {}
            Ok(Some(number)) => shown["txid"] = names::id('O', *number).into(),
            Err(refused) => {
                shown["error"] = refusal::error_of_part(refused.why, some_stand).into();
                shown["mandatum"] = refusal::meant(refused).into();
            }
        }
        shown
    };
    let orders: Vec<Value> = batch.orders.iter().zip(rows).map(shown).collect();
    let mut response = Json(json!({ "error": [], "result": { "orders": orders } })).into_response();
    if let Some(refused) = rows.iter().find_map(|row| row.as_ref().err()) {
        let code = HeaderValue::from_static(refusal::name(refused.why));
        response.headers_mut().insert(CODE_HEADER, code);
    }
    response
}

/// `POST /0/private/CancelOrderBatch`, by `orders` (`txid`) and `cl_ord_ids`. What is not open is passed over and not counted.
pub(super) async fn cancel(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let cancelled = async {
        let body = whole_body(&bots.gateway, body).await;
        let body = body.map_err(|_| Refused::of(Code::OrderMalformed))?;
        let named = named(uri.query(), &body).map_err(refused)?;
        let targets: Vec<OpenOrder> = {
            let inner = session.slot.lock();
            let all = inner.state.cancel_targets(None);
            let named = |open: &&&OpenOrder| {
                let id = &open.order.client_order_id;
                let (txid, own) = (names::id('O', chain::first(id, open.number)), chain::own_id(id));
                named.iter().any(|name| *name == txid || name == own)
            };
            all.iter().filter(named).map(|open| (*open).clone()).collect()
        };
        let ended = cancel_orders(&bots, &session, targets).await?;
        Ok::<Value, Refused>(json!({ "count": ended.len() }))
    };
    answered(cancelled.await)
}

/// The orders that are named, by either name.
fn named(query: Option<&str>, body: &[u8]) -> Result<Vec<String>, Fault> {
    let lists = ["orders", "cl_ord_ids"];
    let (common, found) = members(query, body, &lists)?;
    common.only(&[])?;
    let mut named = Vec::new();
    for list in lists {
        for name in elements(&found, list)?.unwrap_or_default() {
            let text = serde_json::from_str::<String>(name.get());
            named.push(text.map_err(|_| (Code::OrderInvalid, format!("{list} holds what is no text")))?);
        }
    }
    if (1..=MOST_CANCELS).contains(&named.len()) {
        return Ok(named);
    }
    let detail = format!("a batch has 1 to {MOST_CANCELS} cancels, not {}", named.len());
    Err((Code::OrderInvalid, detail))
}

/// Reads any bytes as a batch: what reads is within its bounds, and no two orders have one id.
pub(super) fn hold(data: &[u8], market: impl Fn(&str) -> Result<Market, Fault>) {
    if let Ok(batch) = Batch::read(None, data, market) {
        assert!((LEAST..=MOST).contains(&batch.orders.len()));
        let ids: HashSet<_> = batch.orders.iter().map(|order| order.order.client_order_id).collect();
        assert_eq!(ids.len(), batch.orders.len());
        assert!(batch.orders.iter().all(|order| order.order.quantity.is_positive()));
    }
    if let Ok(named) = named(None, data) {
        assert!((1..=MOST_CANCELS).contains(&named.len()));
    }
}
