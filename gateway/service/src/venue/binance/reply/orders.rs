//! Answers about orders.

use std::collections::{BTreeMap, BTreeSet};

use extensions::{Decimal, Instrument};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, CANCEL_REJECTED, NO_SUCH_ORDER, lists::one_of, names_duplicate, parsed, sorted};
use crate::venue::{
    Doubt, ExecutionFill, ExecutionId, OpenOrders, OrderKey, OrderLife, OrderReport, Outcome, Refused, VenueClientId,
    VenueOrderId,
    amount::Amount,
    answer::{MOST_FILLS, MOST_FOREIGN},
    binance::order::{Kind, Side, TimeInForce, VenueOrder},
};

/// What an answer to a cancel says by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelReply {
    /// The order is final.
    Closed(OrderReport),
    /// The venue refused (`-2011` most of all: not open any more, or never there): ask for the order's state.
    Refused(Refused),
    /// Not known.
    Unknown(Doubt),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderBody<'a> {
    #[serde(borrow)]
    symbol: std::borrow::Cow<'a, str>,
    order_id: u64,
    #[serde(borrow)]
    client_order_id: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    orig_client_order_id: Option<std::borrow::Cow<'a, str>>,
    orig_qty: Amount,
    executed_qty: Amount,
    price: Option<Amount>,
    #[serde(borrow)]
    status: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    side: std::borrow::Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: std::borrow::Cow<'a, str>,
    fills: Option<Vec<FillBody>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FillBody {
    price: Amount,
    qty: Amount,
    trade_id: u64,
}

/// The answer to `POST /api/v3/order`.
#[must_use]
pub fn read_order(status: u16, body: &[u8], sent: &VenueOrder, symbol: &str) -> Outcome {
    let body = match sorted(status, body) {
        Body::Good(body) => body,
        Body::Refused(refused) if names_duplicate(&refused) => {
            return Outcome::Unknown(Doubt::Contradiction("newClientOrderId"));
        }
        Body::Refused(refused) => return Outcome::Rejected(refused),
        Body::Doubt(doubt) => return Outcome::Unknown(doubt),
    };
    let read = parsed::<OrderBody<'_>>(body);
    match read.and_then(|body| accepted(&body, sent, sent.kind.as_str(), symbol)) {
        Ok(report) if report.life == OrderLife::Rejected => Outcome::Rejected(Refused::new(0, "REJECTED")),
        Ok(report) => Outcome::Accepted(report),
        Err(doubt) => Outcome::Unknown(doubt),
    }
}

/// The report of an order that was sent as a `kind`, once it agrees with what was sent.
pub(super) fn accepted(
    body: &OrderBody<'_>,
    sent: &VenueOrder,
    kind: &str,
    symbol: &str,
) -> Result<OrderReport, Doubt> {
    let differs = |what| Err(Doubt::Contradiction(what));
    if body.client_order_id != sent.client_id.as_str() {
        return differs("clientOrderId");
    }
    if body.side != sent.side.as_str() {
        return differs("side");
    }
    if body.kind != kind {
        return differs("type");
    }
    if body.orig_qty.0 != sent.quantity {
        return differs("origQty");
    }
    if let (Some(said), Some(asked)) = (body.price.as_ref(), sent.kind.limit())
        && said.0 != asked
    {
        return differs("price");
    }
    let report = body.report(sent.instrument, symbol)?;
    for fill in &report.fills {
        let worse = |limit: Decimal| match sent.side {
            Side::Buy => fill.price > limit,
            Side::Sell => fill.price < limit,
        };
        if sent.kind.limit().is_some_and(worse) {
            return differs("fills.price");
        }
    }
    let partial = report.executed.is_positive() && report.executed < report.quantity;
    if partial && sent.kind.time_in_force() == Some(TimeInForce::FillOrKill) {
        return differs("executedQty");
    }
    let waits = matches!(sent.kind, Kind::StopLimit { .. } | Kind::StopMarket { .. });
    let at_once = sent.kind.time_in_force() != Some(TimeInForce::GoodTillCancelled) && !waits;
    if (at_once && report.life == OrderLife::Open) || report.life == OrderLife::Cancelled {
        return differs("status");
    }
    Ok(report)
}

impl OrderBody<'_> {
    pub(super) fn is_named(&self, id: &VenueClientId) -> bool {
        self.client_order_id == id.as_str()
    }

    /// The report, once the order's own members agree with one another.
    pub(super) fn report(&self, instrument: Instrument, symbol: &str) -> Result<OrderReport, Doubt> {
        let differs = |what| Err(Doubt::Contradiction(what));
        if self.symbol != symbol {
            return differs("symbol");
        }
        let (quantity, executed) = (self.orig_qty.0, self.executed_qty.0);
        if !quantity.is_positive() {
            return differs("origQty");
        }
        if executed > quantity {
            return differs("executedQty");
        }
        let (none, whole) = (executed.is_zero(), executed == quantity);
        let (life, possible) = match &*self.status {
            "NEW" | "PENDING_NEW" => (OrderLife::Open, none),
            "PARTIALLY_FILLED" => (OrderLife::Open, !none && !whole),
            "PENDING_CANCEL" => (OrderLife::Open, !whole),
            "FILLED" => (OrderLife::Filled, whole),
            "CANCELED" => (OrderLife::Cancelled, !whole),
            "EXPIRED" | "EXPIRED_IN_MATCH" => (OrderLife::Expired, !whole),
            "REJECTED" => (OrderLife::Rejected, none),
            _ => return differs("status"),
        };
        if !possible {
            return differs("status");
        }
        let client_id = self.orig_client_order_id.as_ref().unwrap_or(&self.client_order_id);
        Ok(OrderReport {
            client_id: VenueClientId::new(client_id),
            venue_order_id: venue_id(self.order_id)?,
            instrument,
            life,
            quantity,
            executed,
            fills: self.fills(executed)?,
        })
    }

    fn fills(&self, executed: Decimal) -> Result<Vec<ExecutionFill>, Doubt> {
        let differs = Doubt::Contradiction("fills");
        let listed = self.fills.as_deref().unwrap_or(&[]);
        if listed.len() > MOST_FILLS {
            return Err(differs);
        }
        let (mut sum, mut seen, mut fills) = (Decimal::ZERO, BTreeSet::new(), Vec::with_capacity(listed.len()));
        for fill in listed {
            if !fill.qty.0.is_positive() || !fill.price.0.is_positive() || !seen.insert(fill.trade_id) {
                return Err(differs);
            }
            sum = sum.checked_add(fill.qty.0).ok_or(differs)?;
            fills.push(ExecutionFill {
                execution_id: ExecutionId::new(&fill.trade_id.to_string()).ok_or(differs)?,
                quantity: fill.qty.0,
                price: fill.price.0,
            });
        }
        if !fills.is_empty() && sum != executed {
            return Err(differs);
        }
        Ok(fills)
    }
}

fn venue_id(number: u64) -> Result<VenueOrderId, Doubt> {
    VenueOrderId::new(&number.to_string()).ok_or(Doubt::Contradiction("orderId"))
}

/// The answer to `DELETE /api/v3/order`.
#[must_use]
pub fn read_cancel(status: u16, body: &[u8], key: &OrderKey, symbol: &str) -> CancelReply {
    match sorted(status, body) {
        Body::Good(body) => match one_of(body, key, symbol).unwrap_or_else(|| named(body, key, symbol)) {
            Ok(report) if report.life.is_final() => CancelReply::Closed(report),
            Ok(_) => CancelReply::Unknown(Doubt::Contradiction("status")),
            Err(doubt) => CancelReply::Unknown(doubt),
        },
        Body::Refused(refused) => CancelReply::Refused(refused),
        Body::Doubt(doubt) => CancelReply::Unknown(doubt),
    }
}

/// The answer to `GET /api/v3/order`; `Ok(None)` when the venue knows no such order.
///
/// # Errors
/// When the answer does not settle the question.
pub fn read_queried(status: u16, body: &[u8], key: &OrderKey, symbol: &str) -> Result<Option<OrderReport>, Doubt> {
    match sorted(status, body) {
        Body::Good(body) => named(body, key, symbol).map(Some),
        Body::Refused(Refused {
            code: NO_SUCH_ORDER | CANCEL_REJECTED,
            ..
        }) => Ok(None),
        Body::Refused(Refused { code, .. }) => Err(Doubt::Refused { code }),
        Body::Doubt(doubt) => Err(doubt),
    }
}

/// The answer to `GET /api/v3/order` about the venue's own number, whoever placed the order.
///
/// # Errors
/// When the answer does not settle the question.
pub fn read_numbered(
    status: u16,
    body: &[u8],
    number: u64,
    instrument: Instrument,
    symbol: &str,
) -> Result<Option<OrderReport>, Doubt> {
    let body: OrderBody<'_> = match sorted(status, body) {
        Body::Good(body) => parsed(body)?,
        Body::Refused(Refused {
            code: NO_SUCH_ORDER | CANCEL_REJECTED,
            ..
        }) => return Ok(None),
        Body::Refused(Refused { code, .. }) => return Err(Doubt::Refused { code }),
        Body::Doubt(doubt) => return Err(doubt),
    };
    if body.order_id != number {
        return Err(Doubt::Contradiction("orderId"));
    }
    body.report(instrument, symbol).map(Some)
}

fn named(body: &[u8], key: &OrderKey, symbol: &str) -> Result<OrderReport, Doubt> {
    let report = parsed::<OrderBody<'_>>(body)?.report(key.instrument, symbol)?;
    if report.client_id != Some(key.client_id) {
        return Err(Doubt::Contradiction("clientOrderId"));
    }
    Ok(report)
}

/// The answer to `GET /api/v3/openOrders`. A row under an id of ours has to be true, or nothing is believed. Rows of others, whose ids are not of
/// our making, are shown as far as they can be read and are counted otherwise: whatever they hold, they hide nothing of ours.
///
/// # Errors
/// When a row of ours cannot be true, or the answer is no list.
pub fn read_orders(
    status: u16,
    body: &[u8],
    symbols: &BTreeMap<Instrument, String>,
    only: Option<Instrument>,
) -> Result<OpenOrders, Doubt> {
    let body = match sorted(status, body) {
        Body::Good(body) => body,
        Body::Refused(Refused { code, .. }) => return Err(Doubt::Refused { code }),
        Body::Doubt(doubt) => return Err(doubt),
    };
    let rows: Vec<&RawValue> = parsed(body)?;
    let (mut seen, mut open) = (BTreeSet::new(), OpenOrders::default());
    for row in rows {
        let report = listed(row.get(), symbols, only);
        if is_ours(row.get()) {
            let report = report?;
            if !seen.insert(report.venue_order_id) {
                return Err(Doubt::Contradiction("orderId"));
            }
            open.ours.push(report);
        } else {
            match report {
                Ok(report) if open.foreign.len() < MOST_FOREIGN => open.foreign.push(report),
                _ => open.unread += 1,
            }
        }
    }
    Ok(open)
}

/// Whether the row names an order as only our permits do.
fn is_ours(row: &str) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Named<'a> {
        #[serde(borrow)]
        client_order_id: Option<std::borrow::Cow<'a, str>>,
        #[serde(borrow)]
        orig_client_order_id: Option<std::borrow::Cow<'a, str>>,
    }
    let named = serde_json::from_str::<Named<'_>>(row);
    named.is_ok_and(|named| {
        let ids = [named.client_order_id, named.orig_client_order_id];
        ids.into_iter()
            .flatten()
            .any(|id| gateway_policy::VenueOrderId::parse(&id).is_some())
    })
}

/// One row. An order in a symbol that is not configured is reported under the venue's own symbol, so that reconciliation sees it.
fn listed(row: &str, symbols: &BTreeMap<Instrument, String>, only: Option<Instrument>) -> Result<OrderReport, Doubt> {
    let row: OrderBody<'_> = parsed(row.as_bytes())?;
    let known = symbols.iter().find(|(_, symbol)| ***symbol == *row.symbol);
    let instrument = known
        .map(|(instrument, _)| *instrument)
        .or_else(|| Instrument::new(&row.symbol).ok())
        .ok_or(Doubt::Contradiction("symbol"))?;
    if only.is_some_and(|only| only != instrument) {
        return Err(Doubt::Contradiction("symbol"));
    }
    let report = row.report(instrument, &row.symbol)?;
    match report.life.is_final() {
        true => Err(Doubt::Contradiction("status")),
        false => Ok(report),
    }
}
