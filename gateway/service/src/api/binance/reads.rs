//! What a bot may ask about its orders: one, those that are open, those of late.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use gateway_policy::{AgentEvent, Code, OpenOrder};
use serde_json::Value;

use super::{
    admit_question, named, order,
    parameters::{Parameters, number_in},
    read_query,
    refusal::Refused,
    shown,
};
use crate::{
    api::{Side, chain},
    gateway::Gateway,
    pipeline::{
        endings::{OrderStatus, OrderStory, REMEMBERED_ORDERS},
        repeat::story,
        traded::Traded,
    },
    session::Session,
};

/// The most rows of one answer, and how many there are without a wish; the venue's own bounds.
pub(super) const MOST_ROWS: u64 = 1_000;
pub(super) const USUAL_ROWS: u64 = 500;
/// Entries after an old order's decision in which its fills are looked for.
const FILLS_SCAN: usize = 4_096;

/// `GET /api/v3/order`.
pub(super) async fn one(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
) -> Response {
    let found = async {
        let parameters = read_query(&uri)?;
        let (id, number) = (parameters.text("origClientOrderId"), parameters.text("orderId"));
        let told = told(&bots, &session, id, number).await?;
        Ok::<_, Refused>(told.map(|(story, traded)| shown::story(&story, &traded)))
    };
    match found.await {
        Ok(Some(shown)) => Json(shown).into_response(),
        Ok(None) => Refused::of(Code::OrderNotFound).into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// An order by the bot's id or by its number, with what its fills come to.
pub(in crate::api) async fn told(
    bots: &Side,
    session: &Session,
    id: Option<&str>,
    number: Option<&str>,
) -> Result<Option<(OrderStory, Traded)>, Refused> {
    let Some(id) = named(bots, session, id, number).await? else {
        return Ok(None);
    };
    let unread = |_| Refused::of(Code::LedgerUnavailable);
    let Some(story) = story(&bots.gateway, &session.slot, &id).await.map_err(unread)? else {
        return Ok(None);
    };
    let traded = traded(&bots.gateway, session, &story).await?;
    Ok(Some(chain::story(&session.slot.lock(), &story, &traded)))
}

/// What the fills of an order come to: from memory, or for an old order from the entries after its decision, as far as one page reaches.
async fn traded(gateway: &Gateway, session: &Session, story: &OrderStory) -> Result<Traded, Refused> {
    let young = session
        .slot
        .lock()
        .endings
        .traded(&story.order.client_order_id)
        .copied();
    if let Some(traded) = young {
        return Ok(traded);
    }
    let mut traded = Traded::default();
    if story.executed.is_zero() {
        return Ok(traded);
    }
    admit_question(session)?;
    let stream = session.slot.stream();
    let page = gateway.ledger.read_stream(stream, story.number, FILLS_SCAN).await;
    for entry in page.map_err(|_| Refused::of(Code::LedgerUnavailable))? {
        if let Ok(AgentEvent::Filled(fill)) = AgentEvent::decode(&entry.kind, entry.body())
            && fill.order == story.number
        {
            traded.add(&fill);
        }
    }
    Ok(traded)
}

/// `GET /api/v3/allOrders`: the orders of late in one market that were permitted, whatever became of them. An answer that would leave out older ones
/// that were asked for is refused instead.
pub(super) async fn all(Extension(session): Extension<Arc<Session>>, uri: Uri) -> Response {
    match all_shown(&session, &uri) {
        Ok(shown) => Json(shown).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn all_shown(session: &Session, uri: &Uri) -> Result<Vec<Value>, Refused> {
    let parameters = read_query(uri)?;
    let refused = |(code, detail): (Code, String)| Refused::of(code).because(&detail);
    parameters
        .only(&["symbol", "orderId", "startTime", "endTime", "limit"])
        .map_err(refused)?;
    let symbol = order::plain_symbol(parameters.needed("symbol").map_err(refused)?);
    let number = |name| parameters.number(name).map_err(refused);
    let (from, since, until) = (number("orderId")?, number("startTime")?, number("endTime")?);
    let most = number_in(&parameters, "limit", MOST_ROWS, USUAL_ROWS).map_err(refused)?;
    let inner = session.slot.lock();
    let millis = |story: &OrderStory| u64::try_from(story.decided_at.millis()).unwrap_or(0);
    if let (Some(forgotten), Some((oldest, _))) = (inner.endings.forgotten(), inner.endings.all().next()) {
        let older = from.is_some_and(|from| from <= forgotten) || since.is_some_and(|since| since <= millis(oldest));
        if older {
            let detail = format!(
                "the latest {REMEMBERED_ORDERS} orders are listed, from orderId {} on; ask for an older one by its id",
                oldest.number
            );
            return Err(Refused::of(Code::OrderInvalid).because(&detail));
        }
    }
    let lasts = chain::lasts(&inner);
    let fits = |(story, _): &(&OrderStory, &Traded)| {
        story.status != OrderStatus::Refused
            && chain::is_shown(&lasts, story)
            && order::plain_symbol(story.order.instrument.as_str()) == symbol
            && from.is_none_or(|from| story.number >= from)
            && since.is_none_or(|since| millis(story) >= since)
            && until.is_none_or(|until| millis(story) <= until)
    };
    let show = |(story, traded)| {
        let (story, traded) = chain::story(&inner, story, traded);
        shown::story(&story, &traded)
    };
    let matching = inner.endings.all().filter(fits);
    if from.is_some() || since.is_some() {
        return Ok(matching.take(most).map(show).collect());
    }
    let mut newest: Vec<Value> = matching.rev().take(most).map(show).collect();
    newest.reverse();
    Ok(newest)
}

/// The open orders of a request's market, or all when it names none.
pub(super) fn listed(session: &Session, parameters: &Parameters, cancels: bool) -> Vec<OpenOrder> {
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
        // What only waits for the fills that the venue told of is no longer open there.
        .filter(|open| open.may_rest() && fits(open))
        .cloned()
        .collect()
}

/// `GET /api/v3/openOrders`.
pub(super) async fn open(Extension(session): Extension<Arc<Session>>, uri: Uri) -> Response {
    match read_query(&uri) {
        Ok(parameters) => {
            let orders = listed(&session, &parameters, false);
            let inner = session.slot.lock();
            let show = |open: &OpenOrder| {
                let (open, traded) = chain::open(&inner, open);
                shown::open(&open, &traded)
            };
            let orders: Vec<Value> = orders.iter().map(show).collect();
            Json(orders).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}
