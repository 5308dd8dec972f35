//! Answers parsed as hostile: pure functions over bytes that hold only what can be true.
//!
//! Each function takes what was asked. A value that contradicts it, or the rest of the same answer, makes the whole
//! answer a [`Doubt`]; no member is taken from an answer that lies in another.

mod lists;
mod market;
mod orders;
mod rights;
mod trades;

use serde::Deserialize;

use crate::venue::{Doubt, Refused};

pub use lists::read_list;
pub use market::{read_market, read_rules};
pub use orders::{CancelReply, read_cancel, read_numbered, read_order, read_orders, read_queried};
pub use rights::read_rights;
pub use trades::{read_price, read_prices, read_trades};

/// "Cancel rejected": the venue found no open order of that id.
pub(super) const CANCEL_REJECTED: i64 = -2011;
/// "Order does not exist."
pub(super) const NO_SUCH_ORDER: i64 = -2013;
/// "New order rejected", with a text that says why.
const NEW_ORDER_REJECTED: i64 = -2010;
/// The codes by which the venue says that it does not know whether it acted: unknown, disconnected, unexpected
/// response, time-out, and shutting down.
const UNSURE: [i64; 5] = [-1000, -1001, -1006, -1007, -1016];

#[derive(Deserialize)]
struct ErrorBody<'a> {
    code: i64,
    #[serde(borrow)]
    msg: std::borrow::Cow<'a, str>,
}

/// What is left of an answer once errors are sorted out.
enum Body<'a> {
    /// HTTP 200.
    Good(&'a [u8]),
    /// A documented refusal.
    Refused(Refused),
    /// Neither.
    Doubt(Doubt),
}

fn sorted(status: u16, body: &[u8]) -> Body<'_> {
    if status == 200 {
        return Body::Good(body);
    }
    let error = serde_json::from_slice::<ErrorBody<'_>>(body).ok();
    let code = error.as_ref().map_or(0, |error| error.code);
    match (status, error) {
        (500..=599, _) => Body::Doubt(Doubt::VenueUnsure { status, code }),
        (400..=499, Some(error)) if UNSURE.contains(&error.code) => Body::Doubt(Doubt::VenueUnsure { status, code }),
        (400..=499, Some(error)) if error.code < 0 => Body::Refused(Refused::new(error.code, &error.msg)),
        _ => Body::Doubt(Doubt::Unreadable { status }),
    }
}

/// A duplicate client id means that the order *is* there: ids are unique per permit and sent once.
fn names_duplicate(refused: &Refused) -> bool {
    refused.code == NEW_ORDER_REJECTED && refused.text.to_ascii_lowercase().contains("duplicate")
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Doubt> {
    serde_json::from_slice(body).map_err(|_| Doubt::Unreadable { status: 200 })
}

/// Feeds arbitrary bytes to every reader; none may panic.
pub fn fuzz_reply(data: &[u8]) {
    use crate::venue::{
        OrderKey, VenueClientId,
        binance::{list, order},
    };
    let (status, body) = match data {
        [0, rest @ ..] => (200, rest),
        [1, rest @ ..] => (400, rest),
        [2, rest @ ..] => (503, rest),
        _ => (200, data),
    };
    let (Ok(instrument), Some(client_id)) = (extensions::Instrument::new("BTC_EUR"), VenueClientId::new("m-1")) else {
        return;
    };
    let key = OrderKey { client_id, instrument };
    let order = order::VenueOrder {
        client_id,
        instrument,
        side: order::Side::Buy,
        kind: order::Kind::Market,
        quantity: extensions::Decimal::from(1),
    };
    let symbols = [(instrument, "BTCEUR".to_owned())].into();
    let _ = read_order(status, body, &order, "BTCEUR");
    let stop = order::VenueOrder {
        client_id: VenueClientId::new("m-2").unwrap_or(client_id),
        kind: order::Kind::StopMarket {
            stop_price: extensions::Decimal::from(1),
        },
        ..order
    };
    let limit = order::VenueOrder {
        kind: order::Kind::Limit {
            price: extensions::Decimal::from(1),
            time_in_force: order::TimeInForce::GoodTillCancelled,
        },
        ..order
    };
    if let Some(list) = list::VenueList::new([limit, stop]) {
        let _ = read_list(status, body, &list, "BTCEUR");
    }
    let _ = read_cancel(status, body, &key, "BTCEUR");
    let _ = read_queried(status, body, &key, "BTCEUR");
    let _ = read_numbered(status, body, 7, instrument, "BTCEUR");
    let _ = read_orders(status, body, &symbols, None);
    let _ = read_trades(status, body, instrument, "BTCEUR", None);
    let _ = read_rights(status, body);
    let _ = read_price(status, body, "BTCEUR");
    let _ = read_prices(status, body);
    let _ = read_market(status, &body.to_vec().into());
    let _ = read_rules(status, body, &symbols);
}
