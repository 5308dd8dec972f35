//! `AmendOrder`, whose order keeps its names, and `EditOrder`, whose order gets new ones: both a cancel and a new order ([`crate::api::amend`]).

use std::sync::Arc;

use axum::{Extension, body::Body, extract::State, http::Uri, response::Response};
use extensions::Decimal;
use gateway_policy::{Code, OpenOrder};
use serde_json::{Value, json};

use super::{answered, names, place::validates, shown};
use crate::{
    api::{
        Side,
        amend::{Amended, Changes, amend, renamed},
        binance::{
            cancels::open_order,
            order::decimal,
            parameters::{Fault, Parameters},
            place,
            refusal::Refused,
        },
        chain,
    },
    gateway::Venues,
    session::Session,
};

/// What an amend names and changes.
const AMENDS: [&str; 6] = ["txid", "cl_ord_id", "pair", "order_qty", "limit_price", "trigger_price"];
const EDITS: [&str; 6] = ["txid", "pair", "volume", "price", "price2", "validate"];

/// What is asked for.
struct Asked {
    txid: Option<String>,
    id: Option<String>,
    pair: Option<String>,
    numbers: [(&'static str, Option<Decimal>); 3],
}

impl Asked {
    fn read(parameters: &Parameters, numbers: [&'static str; 3]) -> Result<Self, Fault> {
        let owned = |name| parameters.text(name).map(str::to_owned);
        let number = |name: &'static str| {
            let read = parameters.text(name).map(decimal);
            // Relative prices (`+1%`) are no decimals either: to what they are relative is the venue's to say.
            let fault = || {
                (
                    Code::OrderInvalid,
                    format!("{name} is no decimal that can be held exactly"),
                )
            };
            read.map(|read| read.ok_or_else(fault))
                .transpose()
                .map(|read| (name, read))
        };
        let [quantity, first, second] = numbers;
        let asked = Self {
            txid: owned("txid"),
            id: owned("cl_ord_id"),
            pair: owned("pair"),
            numbers: [number(quantity)?, number(first)?, number(second)?],
        };
        if asked.txid.is_some() == asked.id.is_some() {
            return Err((
                Code::OrderInvalid,
                "an order is named by txid or by cl_ord_id, one of them".to_owned(),
            ));
        }
        Ok(asked)
    }

    /// The open order that is meant.
    async fn open(&self, bots: &Side, session: &Session, venues: &Venues) -> Result<OpenOrder, Refused> {
        let number = self.txid.as_deref().and_then(|txid| names::number('O', txid));
        let number = number.map(|number| number.to_string());
        let open = open_order(bots, session, self.id.as_deref(), number.as_deref(), None).await?;
        let named = match &self.pair {
            Some(pair) => names::market(pair, venues).is_ok_and(|(_, instrument)| instrument == open.order.instrument),
            None => true,
        };
        named.then_some(open).ok_or_else(Refused::not_cancelled)
    }
}

/// `POST /0/private/AmendOrder`: the order keeps `txid` and `cl_ord_id`, and loses its place in the queue.
pub(super) async fn amend_order(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let amended = async {
        let reads = |parameters: &Parameters| {
            parameters.only(&AMENDS)?;
            Asked::read(parameters, ["order_qty", "limit_price", "trigger_price"])
        };
        let (_, asked) = place::read(&bots, &session, &uri, body, reads).await?;
        let open = asked.open(&bots, &session, &bots.venues).await?;
        let first = chain::first(&open.order.client_order_id, open.number);
        let [(_, quantity), (_, price), (_, stop_price)] = asked.numbers;
        let changes = Changes {
            quantity,
            price,
            stop_price,
        };
        let number = match amend(&bots, &session, open, changes, chain::next).await? {
            Amended::Same(open) => open.number,
            Amended::Done(story) => story.number,
            Amended::Half(refused) => return Err(refused.after_cancel()),
        };
        // What comes of it is asked for by the order's own id.
        Ok::<Value, Refused>(json!({ "amend_id": names::id('T', number), "txid": names::id('O', first) }))
    };
    answered(amended.await)
}

/// `POST /0/private/EditOrder`: the new order has a `txid` of its own.
pub(super) async fn edit(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
    body: Body,
) -> Response {
    let edited = async {
        let reads = |parameters: &Parameters| {
            parameters.only(&EDITS)?;
            if validates(parameters)? {
                let detail = "an edit is not tried out; ask AddOrder with validate what the new order would be told";
                return Err((Code::OrderInvalid, detail.to_owned()));
            }
            parameters.needed("txid")?;
            parameters.needed("pair")?;
            Asked::read(parameters, ["volume", "price", "price2"])
        };
        let (_, asked) = place::read(&bots, &session, &uri, body, reads).await?;
        let open = asked.open(&bots, &session, &bots.venues).await?;
        let old = chain::first(&open.order.client_order_id, open.number);
        // A stop's `price` is where it waits, `price2` its limit.
        let [(_, quantity), (_, first), (_, second)] = asked.numbers;
        let (price, stop_price) = match open.order.kind.has_stop_price() {
            true => (second, first),
            false if second.is_some_and(|price| !price.is_zero()) => {
                let detail = "price2 has no meaning for this order";
                return Err(Refused::of(Code::OrderInvalid).because(detail));
            }
            false => (first, None),
        };
        let changes = Changes {
            quantity,
            price,
            stop_price,
        };
        let story = match amend(&bots, &session, open, changes, renamed).await? {
            Amended::Same(_) => return Err(Refused::of(Code::OrderInvalid).because("it changes nothing of the order")),
            Amended::Done(story) => story,
            Amended::Half(refused) => return Err(refused.after_cancel()),
        };
        let terms = &story.order;
        let mut shown = json!({
            "status": "ok", "txid": names::id('O', story.number), "originaltxid": names::id('O', old), "orders_cancelled": 1,
            "volume": terms.quantity.to_string(), "descr": { "order": shown::described(terms) },
        });
        let prices = match terms.kind.has_stop_price() {
            true => [("price", terms.stop_price), ("price2", terms.price)],
            false => [("price", terms.price), ("price2", None)],
        };
        for (name, price) in prices {
            if let Some(price) = price {
                shown[name] = price.to_string().into();
            }
        }
        Ok::<Value, Refused>(shown)
    };
    answered(edited.await)
}

/// Reads any form as an amend: one name, and no number that is not exact.
pub(super) fn hold(parameters: &Parameters) {
    for numbers in [
        ["order_qty", "limit_price", "trigger_price"],
        ["volume", "price", "price2"],
    ] {
        if let Ok(asked) = Asked::read(parameters, numbers) {
            assert!(asked.txid.is_some() != asked.id.is_some());
            for (name, number) in asked.numbers {
                assert_eq!(number.is_some(), parameters.text(name).is_some());
            }
        }
    }
}
