//! Answers parsed as hostile: pure functions over bytes that hold only what can be true.
//!
//! Every answer is `{"error":[…],"result":…}` with HTTP 200, whatever became of the question. A value that contradicts what was asked, or the rest of the same
//! answer, makes the whole answer a [`Doubt`].

mod market;
mod orders;
mod rows;
mod trades;

use std::borrow::Cow;

use extensions::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::venue::{Doubt, Refused};

pub(super) use market::{read_market, read_price, read_prices, read_rules};
pub(super) use orders::{
    Added, Row, read_added, read_cancel, read_closed, read_named, read_open, read_queried, read_trade_ids,
};
pub(super) use trades::{History, read_history, read_trades};

/// The venue knows no open order, or no order, of that id.
const UNKNOWN_ORDER: [&str; 2] = ["EOrder:Unknown order", "EOrder:Invalid order"];
/// The key lacks the right.
const DENIED: &str = "EGeneral:Permission denied";
/// The nonce is not above the last one.
const NONCE: &str = "EAPI:Invalid nonce";
/// The most errors of one answer that are looked at.
const MOST_ERRORS: usize = 16;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    error: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// What is left of an answer once errors are sorted out.
enum Body<'a> {
    /// Without an error.
    Good(&'a str),
    /// A refusal: the question did nothing.
    Refused(Refused),
    /// Neither.
    Doubt(Doubt),
}

fn sorted(status: u16, body: &[u8]) -> Body<'_> {
    if (500..=599).contains(&status) {
        return Body::Doubt(Doubt::VenueUnsure { status, code: 0 });
    }
    let envelope = serde_json::from_slice::<Envelope<'_>>(body).ok();
    let Some(envelope) = envelope.filter(|envelope| status == 200 && envelope.error.len() <= MOST_ERRORS) else {
        return Body::Doubt(Doubt::Unreadable { status });
    };
    // What begins with W is a warning beside a result.
    let mut errors = envelope.error.iter().filter(|error| !error.starts_with('W'));
    match (errors.next(), envelope.result) {
        (None, Some(result)) => Body::Good(result.get()),
        (None, None) => Body::Doubt(Doubt::Unreadable { status }),
        (Some(_), Some(result)) if result.get() != "null" => Body::Doubt(Doubt::Contradiction("error")),
        (Some(error), _) if refuses(error) && envelope.error.len() == 1 => Body::Refused(Refused::new(0, error)),
        (Some(_), _) => Body::Doubt(Doubt::VenueUnsure { status, code: 0 }),
    }
}

/// Whether an error says that nothing was done. What the venue's services say of themselves leaves that open.
fn refuses(error: &str) -> bool {
    let known = ["EGeneral:", "EAPI:", "EQuery:", "EOrder:", "ETrade:", "EFunding:"];
    let unsure = ["Internal error", "Timeout", "Deadline"];
    known.iter().any(|start| error.starts_with(start)) && !unsure.iter().any(|word| error.contains(word))
}

fn good(status: u16, body: &[u8]) -> Result<&str, Doubt> {
    match sorted(status, body) {
        Body::Good(body) => Ok(body),
        Body::Refused(refused) => Err(Doubt::Refused { code: refused.code }),
        Body::Doubt(doubt) => Err(doubt),
    }
}

fn parsed<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, Doubt> {
    serde_json::from_str(body).map_err(|_| Doubt::Unreadable { status: 200 })
}

/// The answer to `CancelAllOrdersAfter`: it counts, and ends when it was asked to, to a second.
pub(super) fn read_armed(status: u16, body: &[u8], seconds: u64) -> Result<(), Doubt> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Armed<'a> {
        #[serde(borrow)]
        current_time: Cow<'a, str>,
        #[serde(borrow)]
        trigger_time: Cow<'a, str>,
    }
    let armed: Armed<'_> = parsed(good(status, body)?)?;
    let read = |text: &str| Timestamp::parse(text).map_err(|_| Doubt::Contradiction("triggerTime"));
    let counts = read(&armed.trigger_time)?.micros_since(read(&armed.current_time)?);
    let asked = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    match counts.abs_diff(asked) <= 1_000_000 {
        true => Ok(()),
        false => Err(Doubt::Contradiction("triggerTime")),
    }
}

/// What an answer says of how we ask, apart from what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Manners {
    /// Nothing.
    Good,
    /// The nonce was too low.
    Nonce,
    /// Too much was asked.
    TooMuch,
    /// So much that the venue answers nothing for a while.
    LockedOut,
}

pub(super) fn manners(status: u16, body: &[u8]) -> Manners {
    match sorted(status, body) {
        Body::Refused(refused) => match refused.text.as_str() {
            NONCE => Manners::Nonce,
            "EAPI:Rate limit exceeded" | "EGeneral:Too many requests" => Manners::TooMuch,
            "EGeneral:Temporary lockout" => Manners::LockedOut,
            _ => Manners::Good,
        },
        _ => Manners::Good,
    }
}

/// The rights of the key that asked.
pub(super) fn read_rights(status: u16, body: &[u8]) -> Result<Vec<String>, Doubt> {
    #[derive(Deserialize)]
    struct Key {
        permissions: Vec<String>,
    }
    let key: Key = parsed(good(status, body)?)?;
    let lower = key.permissions.into_iter().map(|right| right.to_ascii_lowercase());
    Ok(lower.collect())
}

/// Whether the question was refused for want of a right.
pub(super) fn is_denied(status: u16, body: &[u8]) -> Result<bool, Doubt> {
    match sorted(status, body) {
        Body::Good(_) => Ok(false),
        Body::Refused(refused) if refused.text == DENIED => Ok(true),
        Body::Refused(refused) => Err(Doubt::Refused { code: refused.code }),
        Body::Doubt(doubt) => Err(doubt),
    }
}

/// Feeds arbitrary bytes to every reader; none may panic.
pub fn fuzz_kraken_reply(data: &[u8]) {
    use crate::venue::{OrderKey, VenueClientId, binance};
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
    let order = binance::VenueOrder {
        client_id,
        instrument,
        side: binance::Side::Buy,
        kind: binance::Kind::Market,
        quantity: extensions::Decimal::from(1),
    };
    let symbols = [(instrument, "XBTEUR".to_owned())].into();
    let _ = manners(status, body);
    let _ = read_rights(status, body);
    let _ = is_denied(status, body);
    let _ = read_added(status, body, &order);
    let _ = read_cancel(status, body);
    let _ = read_named(status, body, &key, "XBTEUR");
    let _ = read_closed(status, body, &key, "XBTEUR");
    let _ = read_queried(status, body, "O00000-00000-000001", instrument, "XBTEUR");
    let _ = read_trade_ids(status, body, "O00000-00000-000001");
    let _ = read_open(status, body, &symbols, None);
    let _ = read_trades(status, body, &symbols);
    let _ = read_history(status, body, &symbols);
    let _ = read_price(status, body, "XBTEUR");
    let _ = read_prices(status, body, &symbols);
    let _ = read_rules(status, body, &symbols);
    let _ = read_market(status, body, instrument, "XBTEUR");
}
