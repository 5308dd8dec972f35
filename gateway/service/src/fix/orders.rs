//! From a NewOrderSingle (D) or OrderCancelReplaceRequest (G) to an order: put into the text of `POST /v1/orders` and read by its reader, so that both
//! ways mean the same by the same terms. A field that would change the order and has no such term is refused, never dropped.

use gateway_policy::{Code, Order, ParsedOrder};
use serde_json::{Map, Value};

use super::{
    codec::{Message, read_time},
    tags::{
        ACCOUNT, CL_ORD_ID, CURRENCY, EX_DESTINATION, HANDL_INST, HEADER, ORD_TYPE, ORDER_ID, ORDER_QTY,
        ORIG_CL_ORD_ID, PRICE, SECURITY_EXCHANGE, SIDE, STOP_PX, SYMBOL, TEXT, TIME_IN_FORCE, TRANSACT_TIME,
    },
};
use crate::{
    api::binance::order::{market, plain_symbol},
    gateway::Venues,
};

/// What an order may carry beside its header.
const KNOWN: [u32; 15] = [
    ACCOUNT,
    CL_ORD_ID,
    CURRENCY,
    HANDL_INST,
    ORDER_QTY,
    ORD_TYPE,
    PRICE,
    SIDE,
    SYMBOL,
    TEXT,
    TIME_IN_FORCE,
    TRANSACT_TIME,
    STOP_PX,
    EX_DESTINATION,
    SECURITY_EXCHANGE,
];

/// A code and what to change.
pub(super) type Fault = (Code, String);

fn invalid(detail: impl Into<String>) -> Fault {
    (Code::OrderInvalid, detail.into())
}

/// The order of a message, of the agent `agent`. A replacement also names the order that it replaces.
pub(super) fn read(message: &Message, agent: &str, venues: &Venues) -> Result<ParsedOrder, Fault> {
    only(message)?;
    let needed = |tag: u32, name: &str| {
        message
            .text(tag)
            .ok_or_else(|| invalid(format!("{name} ({tag}) is missing")))
    };
    if message.text(ACCOUNT).is_some_and(|account| account != agent) {
        return Err(invalid("Account (1) is another than the agent's; leave it out"));
    }
    if message.text(HANDL_INST).is_some_and(|how| how != "1") {
        return Err(invalid("HandlInst (21) has to be 1: no person stands between"));
    }
    if read_time(needed(TRANSACT_TIME, "TransactTime")?).is_none() {
        return Err(invalid("TransactTime (60) is no UTCTimestamp"));
    }
    let (counterparty, instrument) = place(message, needed(SYMBOL, "Symbol")?, venues)?;
    let kind = word(needed(ORD_TYPE, "OrdType")?, KINDS, "OrdType (40)")?;
    let side = word(needed(SIDE, "Side")?, SIDES, "Side (54)")?;
    let mut terms = Map::new();
    let mut put = |name: &str, value: &str| terms.insert(name.to_owned(), Value::String(value.to_owned()));
    put("client_order_id", needed(CL_ORD_ID, "ClOrdID")?);
    let own = instrument.rsplit(['_', '-']).next().unwrap_or_default();
    put("currency", message.text(CURRENCY).unwrap_or(own));
    put("counterparty", &counterparty);
    put("instrument", &instrument);
    put("quantity", needed(ORDER_QTY, "OrderQty")?);
    put("side", side);
    put("type", kind);
    for (tag, name) in [(PRICE, "price"), (STOP_PX, "stop_price"), (TEXT, "reasoning")] {
        if let Some(value) = message.text(tag) {
            put(name, value);
        }
    }
    match message.text(TIME_IN_FORCE) {
        Some(time) => {
            put("time_in_force", word(time, TIMES, "TimeInForce (59)")?);
        }
        // Where the standard would read a day order, nothing is assumed.
        None if matches!(kind, "limit" | "stop_limit") => {
            return Err(invalid(
                "TimeInForce (59) is missing, which would be a day order, and none is held: write 1, 3 or 4",
            ));
        }
        None => {}
    }
    let body = Value::Object(terms).to_string();
    Order::from_json(body.as_bytes()).map_err(|faults| {
        let code = faults.iter().map(gateway_policy::OrderFault::code).min();
        let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
        (code.unwrap_or(Code::OrderInvalid), text.join("; "))
    })
}

/// The order with a smaller quantity: what is left of it.
pub(super) fn with_quantity(order: &ParsedOrder, quantity: extensions::Decimal) -> Option<ParsedOrder> {
    let mut terms = order.order.clone().into_terms();
    terms.quantity = quantity;
    let mut left = ParsedOrder::new(Order::new(terms).ok()?);
    left.reasoning.clone_from(&order.reasoning);
    Some(left)
}

fn only(message: &Message) -> Result<(), Fault> {
    let replacing = message.kind() == super::tags::ORDER_CANCEL_REPLACE_REQUEST;
    let known = |tag: &u32| {
        HEADER.contains(tag) || KNOWN.contains(tag) || (replacing && [ORIG_CL_ORD_ID, ORDER_ID].contains(tag))
    };
    match message.fields().iter().find(|(tag, _)| !known(tag)) {
        Some((tag, _)) => Err(invalid(format!(
            "tag {tag} means nothing for an order here; leave it out"
        ))),
        None => Ok(()),
    }
}

/// Counterparty and instrument: by the symbol alone where it names one market here; else by the venue that the bot names, whatever it may trade.
fn place(message: &Message, symbol: &str, venues: &Venues) -> Result<(String, String), Fault> {
    let (by_exchange, by_destination) = (message.text(SECURITY_EXCHANGE), message.text(EX_DESTINATION));
    if by_exchange.zip(by_destination).is_some_and(|(one, other)| one != other) {
        return Err(invalid(
            "SecurityExchange (207) and ExDestination (100) name two venues",
        ));
    }
    let Some(named) = by_exchange.or(by_destination) else {
        let (counterparty, instrument) = market(symbol, venues)?;
        return Ok((counterparty, instrument.as_str().to_owned()));
    };
    let venue = venues.iter().find(|(name, _)| name.as_str() == named);
    let listed = venue.and_then(|(_, venue)| {
        let mut listed = venue.instruments().into_iter();
        listed.find(|one| plain_symbol(one.as_str()) == plain_symbol(symbol))
    });
    let spelt = || symbol.replace('/', "_");
    Ok((
        named.to_owned(),
        listed.map_or_else(spelt, |one| one.as_str().to_owned()),
    ))
}

type Words = &'static [(&'static str, &'static str)];

const KINDS: Words = &[
    ("1", "market"),
    ("2", "limit"),
    ("3", "stop_market"),
    ("4", "stop_limit"),
];
const SIDES: Words = &[("1", "buy"), ("2", "sell")];
const TIMES: Words = &[("1", "gtc"), ("3", "ioc"), ("4", "fok")];

fn word(text: &str, words: Words, name: &str) -> Result<&'static str, Fault> {
    let found = words.iter().find(|(theirs, _)| *theirs == text);
    found.map(|(_, ours)| *ours).ok_or_else(|| {
        let known: Vec<String> = words
            .iter()
            .map(|(theirs, ours)| format!("{theirs} ({ours})"))
            .collect();
        invalid(format!("{name} is none of {}", known.join(", ")))
    })
}
