//! What the views read in a body: the id of an order, the serial of a certificate; everything else is skipped.

use std::borrow::Cow;

use extensions::Serial;
use serde::Deserialize;

use crate::append::CommittedEntry;

#[derive(Deserialize)]
struct Decided<'a> {
    #[serde(borrow, default)]
    client_order_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    order: Option<Order<'a>>,
}

#[derive(Deserialize)]
struct Order<'a> {
    #[serde(borrow, default)]
    client_order_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Certificate<'a> {
    #[serde(borrow, default)]
    serial: Option<Cow<'a, str>>,
}

/// The bot's id of a decided order.
pub(super) fn client_order_id(entry: &CommittedEntry) -> Option<Cow<'_, str>> {
    if entry.kind.as_ref() != "order.decided" {
        return None;
    }
    let facts: Decided<'_> = serde_json::from_slice(entry.body()).ok()?;
    let inner = facts.order.and_then(|order| order.client_order_id);
    facts.client_order_id.or(inner)
}

/// The serial of an entry about a certificate.
pub(super) fn serial(entry: &CommittedEntry) -> Option<Serial> {
    if !entry.kind.starts_with("certificate.") {
        return None;
    }
    let facts: Certificate<'_> = serde_json::from_slice(entry.body()).ok()?;
    Serial::parse(&facts.serial?)
}
