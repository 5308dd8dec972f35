//! What a bot may ask about itself: open orders, those of late, one by its id, what it holds.

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State, http::Uri, response::Response};
use gateway_policy::{Code, OpenOrder};
use serde_json::{Map, Value, json};

use super::{PAGE, answered, names, shown};
use crate::{
    api::{
        Side,
        binance::{
            account::held, admit_question, cancels::cancel_parameters, parameters::Parameters, reads::told,
            refusal::Refused,
        },
        chain,
    },
    pipeline::endings::{OrderStatus, OrderStory, REMEMBERED_ORDERS},
    session::Session,
    venue::kraken::asset_of,
};

/// The furthest that a page may begin.
pub(super) const FURTHEST: u64 = REMEMBERED_ORDERS as u64;

/// The parameters of a question; they stand in the form.
pub(super) async fn asked(bots: &Side, uri: &Uri, body: Body, known: &[&str]) -> Result<Parameters, Refused> {
    let parameters = cancel_parameters(bots, uri, body).await?;
    parameters.only(known).map_err(refused)?;
    Ok(parameters)
}

pub(super) fn refused((code, detail): (Code, String)) -> Refused {
    Refused::of(code).because(&detail)
}

/// `POST /0/private/OpenOrders`.
pub(super) async fn open(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let listed = async {
        let parameters = asked(&bots, &uri, body, &["trades", "cl_ord_id"]).await?;
        let id = parameters.text("cl_ord_id");
        let inner = session.slot.lock();
        let show = |open: &OpenOrder| {
            let (open, traded) = chain::open(&inner, open);
            (names::id('O', open.number), shown::open(&open, &traded))
        };
        let fits = |open: &&OpenOrder| id.is_none_or(|id| chain::own_id(&open.order.client_order_id) == id);
        let open = inner.state.open_orders().iter().filter(|open| open.may_rest());
        let open: Map<String, Value> = open.filter(fits).map(show).collect();
        Ok(json!({ "open": open }))
    };
    answered(listed.await)
}

/// `POST /0/private/ClosedOrders`: a page of the orders of late that were permitted and have ended, newest first. `start` and `end` go by the decision. An answer
/// that would leave out older ones that were asked for is refused instead.
pub(super) async fn closed(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let listed = async {
        let parameters = asked(&bots, &uri, body, &["trades", "cl_ord_id", "start", "end", "ofs"]).await?;
        let number = |name| parameters.number(name).map_err(refused);
        let (since, until, first) = (number("start")?, number("end")?, number("ofs")?.unwrap_or(0));
        let first = usize::try_from(first.min(FURTHEST)).unwrap_or(usize::MAX);
        let id = parameters.text("cl_ord_id");
        let at = |story: &OrderStory| u64::try_from(story.decided_at.seconds()).unwrap_or(0);
        let inner = session.slot.lock();
        if let (Some(_), Some((oldest, _)), Some(since)) =
            (inner.endings.forgotten(), inner.endings.all().next(), since)
            && since <= at(oldest)
        {
            let detail = format!("the latest {REMEMBERED_ORDERS} orders are listed; ask for an older one by its txid");
            return Err(Refused::of(Code::OrderInvalid).because(&detail));
        }
        let lasts = chain::lasts(&inner);
        let fits = |story: &OrderStory| {
            let over = [
                OrderStatus::Filled,
                OrderStatus::Cancelled,
                OrderStatus::Expired,
                OrderStatus::Rejected,
                OrderStatus::Withheld,
            ];
            over.contains(&story.status)
                && chain::is_shown(&lasts, story)
                && id.is_none_or(|id| chain::own_id(&story.order.client_order_id) == id)
                && since.is_none_or(|since| at(story) >= since)
                && until.is_none_or(|until| at(story) <= until)
        };
        let all = || inner.endings.all().rev().filter(|(story, _)| fits(story));
        let page = all().skip(first).take(PAGE);
        let page: Map<String, Value> = page
            .map(|(story, traded)| {
                let (story, traded) = chain::story(&inner, story, traded);
                (names::id('O', story.number), shown::story(&story, &traded))
            })
            .collect();
        Ok(json!({ "closed": page, "count": all().count() }))
    };
    answered(listed.await)
}

/// `POST /0/private/QueryOrders`: those of the list that there are.
pub(super) async fn query(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let found = async {
        let parameters = asked(&bots, &uri, body, &["txid", "trades"]).await?;
        let ids: Vec<&str> = parameters.needed("txid").map_err(refused)?.split(',').collect();
        if ids.len() > PAGE {
            return Err(refused((
                Code::OrderInvalid,
                format!("txid names more than {PAGE} orders"),
            )));
        }
        let mut found = Map::new();
        for id in ids {
            admit_question(&session)?;
            let Some(number) = names::number('O', id) else {
                continue;
            };
            let told = told(&bots, &session, None, Some(&number.to_string())).await?;
            if let Some((story, traded)) =
                told.filter(|(story, _)| chain::first(&story.order.client_order_id, story.number) == number)
            {
                found.insert(id.to_owned(), shown::story(&story, &traded));
            }
        }
        Ok(Value::Object(found))
    };
    answered(found.await)
}

/// `POST /0/private/Balance`: what the gateway's own books say that this bot holds, as at Binance's `account`.
pub(super) async fn balance(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let shown = asked(&bots, &uri, body, &[]).await.map(|_| {
        let held = held(&bots, &session).into_iter();
        let shown = held.map(|one| (asset_of(&one.asset), one.total.to_string().into()));
        Value::Object(shown.collect())
    });
    answered(shown)
}

/// `POST /0/private/BalanceEx`: the same with what open sell orders may still take.
pub(super) async fn extended_balance(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let shown = asked(&bots, &uri, body, &[]).await.map(|_| {
        let held = held(&bots, &session).into_iter();
        let shown = held.map(|one| {
            let shown = json!({ "balance": one.total.to_string(), "hold_trade": one.locked.to_string() });
            (asset_of(&one.asset), shown)
        });
        Value::Object(shown.collect())
    });
    answered(shown)
}
