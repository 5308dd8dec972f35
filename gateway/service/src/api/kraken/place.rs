//! `POST /0/private/AddOrder`: an order in the venue's words, through the one gate. With `validate` it is what that gate would say, and no order.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use extensions::Instrument;
use gateway_policy::{Code, ParsedOrder};
use serde_json::{Value, json};

use super::{answered, names, shown};
use crate::{
    api::{
        Side,
        binance::{
            order::{Terms, read_terms},
            parameters::{Fault, Parameters},
            place,
            refusal::Refused,
        },
        orders::signed,
    },
    gateway::Venues,
    session::Session,
};

/// What an order may carry.
pub(super) const KNOWN: [&str; 9] = [
    "type",
    "ordertype",
    "volume",
    "price",
    "price2",
    "timeinforce",
    "cl_ord_id",
    // As the gateway orders anyway.
    "oflags",
    "leverage",
];

/// `POST /0/private/AddOrder`.
pub(super) async fn add(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let added = async {
        let reads = |parameters: &Parameters| read(parameters, &bots.venues);
        let (body, (order, validates)) = place::read(&bots, &session, &uri, body, reads).await?;
        let (signed, _) = signed(&bots.gateway, &session, &method, &uri, &headers, &body);
        let description = json!({ "order": shown::described(&order.order) });
        if validates {
            place::rehearsed(&bots, &session, &order, &signed).await?;
            return Ok(json!({ "descr": description }));
        }
        let story = place::taken(&bots, &session, &order, &signed).await?;
        Ok::<Value, Refused>(json!({ "descr": description, "txid": [names::id('O', story.number)] }))
    };
    answered(added.await)
}

/// The order, and whether it is only asked about.
fn read(parameters: &Parameters, venues: &Venues) -> Result<(ParsedOrder, bool), Fault> {
    let about = ["pair", "validate"];
    parameters.only(&[&about[..], &KNOWN[..]].concat())?;
    let market = names::market(parameters.needed("pair")?, venues)?;
    let order = read_order(&parameters.without(&about), market)?;
    Ok((order, validates(parameters)?))
}

/// Whether what is asked is only what the gate would say.
pub(super) fn validates(parameters: &Parameters) -> Result<bool, Fault> {
    match parameters.text("validate").map(str::to_ascii_lowercase).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err((Code::OrderInvalid, "validate is neither true nor false".to_owned())),
    }
}

/// The order in a market that is named elsewhere.
pub(super) fn read_order(parameters: &Parameters, market: (String, Instrument)) -> Result<ParsedOrder, Fault> {
    let invalid = |detail: &str| (Code::OrderInvalid, detail.to_owned());
    parameters.only(&KNOWN)?;
    let fixed = |name: &str, values: &[&str]| parameters.text(name).is_none_or(|text| values.contains(&text));
    if !fixed("oflags", &["fciq"]) || !fixed("leverage", &["none"]) {
        return Err(invalid(
            "oflags may be fciq, leverage none; neither changes an order here",
        ));
    }
    let needed = |name| parameters.needed(name);
    // A stop's `price` is where it waits, `price2` its limit.
    let (kind, price, stop_price, usual) = match needed("ordertype")? {
        "limit" => ("limit", Some("price"), None, Some("gtc")),
        "market" => ("market", None, None, None),
        "stop-loss" => ("stop_market", None, Some("price"), None),
        "stop-loss-limit" => ("stop_limit", Some("price2"), Some("price"), Some("gtc")),
        _ => {
            return Err(invalid(
                "ordertype is none of limit, market, stop-loss, stop-loss-limit",
            ));
        }
    };
    for name in ["price", "price2"] {
        let meant = [price, stop_price].contains(&Some(name));
        if !meant
            && parameters
                .text(name)
                .is_some_and(|text| text.bytes().any(|b| !b"0.".contains(&b)))
        {
            return Err((Code::OrderInvalid, format!("{name} has no meaning for this ordertype")));
        }
    }
    let number = |ours, theirs: Option<&'static str>| {
        let theirs = theirs.unwrap_or_default();
        (ours, theirs, parameters.text(theirs))
    };
    read_terms(&Terms {
        market,
        side: needed("type")?,
        kind,
        id: parameters.text("cl_ord_id"),
        time_in_force: parameters.text("timeinforce").or(usual),
        numbers: [
            number("quantity", Some("volume")),
            number("price", price),
            number("stop_price", stop_price),
        ],
    })
}
