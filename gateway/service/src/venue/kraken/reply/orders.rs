//! Answers about orders.

use std::{borrow::Cow, collections::BTreeMap};

use extensions::{Decimal, Instrument};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Body, UNKNOWN_ORDER, good, parsed, rows::Rows, sorted};
use crate::venue::{
    Doubt, OpenOrders, OrderKey, OrderLife, OrderReport, Refused, VenueClientId, VenueOrderId,
    amount::Amount,
    answer::MOST_FOREIGN,
    binance::VenueOrder,
    kraken::{names, order},
};

/// What the answer to a new order says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::venue::kraken) enum Added {
    /// It was taken, under this id.
    Taken(VenueOrderId),
    /// It was not.
    Refused(Refused),
    /// Not known.
    Unknown(Doubt),
}

#[derive(Deserialize)]
struct OrderBody<'a> {
    #[serde(borrow)]
    cl_ord_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    descr: Description<'a>,
    vol: Amount,
    vol_exec: Amount,
}

#[derive(Deserialize)]
struct Description<'a> {
    #[serde(borrow)]
    pair: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    side: Cow<'a, str>,
    #[serde(borrow)]
    ordertype: Cow<'a, str>,
}

/// A row with what says which way it goes, for the comparison with what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::venue::kraken) struct Row {
    pub(in crate::venue::kraken) report: OrderReport,
    side: String,
    kind: String,
}

impl Row {
    /// The report, when it is of the order that was sent.
    pub(in crate::venue::kraken) fn of(self, sent: &VenueOrder) -> Result<OrderReport, Doubt> {
        let (side, kind) = order::words(sent);
        let differs = |what| Err(Doubt::Contradiction(what));
        if self.report.client_id != Some(sent.client_id) {
            return differs("cl_ord_id");
        }
        if self.report.quantity != sent.quantity {
            return differs("vol");
        }
        if self.side != side {
            return differs("type");
        }
        if self.kind != kind {
            return differs("ordertype");
        }
        Ok(self.report)
    }
}

impl OrderBody<'_> {
    /// The row, once its members agree with one another.
    fn row(&self, id: &str, instrument: Instrument, symbol: &str) -> Result<Row, Doubt> {
        let differs = |what| Err(Doubt::Contradiction(what));
        if !names::is_named(&self.descr.pair, symbol) {
            return differs("pair");
        }
        let (quantity, executed) = (self.vol.0, self.vol_exec.0);
        if !quantity.is_positive() {
            return differs("vol");
        }
        if executed > quantity {
            return differs("vol_exec");
        }
        let whole = executed == quantity;
        let (life, possible) = match &*self.status {
            "pending" => (OrderLife::Open, executed.is_zero()),
            "open" => (OrderLife::Open, !whole),
            "closed" if whole => (OrderLife::Filled, true),
            // Ended by itself, for want of somebody to trade with.
            "closed" | "expired" => (OrderLife::Expired, !whole),
            "canceled" => (OrderLife::Cancelled, !whole),
            _ => return differs("status"),
        };
        if !possible {
            return differs("status");
        }
        let report = OrderReport {
            client_id: self.cl_ord_id.as_deref().and_then(names::from_venue),
            venue_order_id: VenueOrderId::new(id).ok_or(Doubt::Contradiction("txid"))?,
            instrument,
            life,
            quantity,
            executed,
            fills: Vec::new(),
        };
        Ok(Row {
            report,
            side: self.descr.side.chars().take(8).collect(),
            kind: self.descr.ordertype.chars().take(32).collect(),
        })
    }
}

/// The answer to `AddOrder`.
pub(in crate::venue::kraken) fn read_added(status: u16, body: &[u8], sent: &VenueOrder) -> Added {
    #[derive(Deserialize)]
    struct Taken<'a> {
        #[serde(borrow)]
        txid: Vec<Cow<'a, str>>,
        #[serde(borrow)]
        descr: Told<'a>,
    }
    #[derive(Deserialize)]
    struct Told<'a> {
        #[serde(borrow)]
        order: Cow<'a, str>,
    }
    let body = match sorted(status, body) {
        Body::Good(body) => body,
        // Ids are used once: the order is there, or the venue is wrong about it.
        Body::Refused(refused) if refused.text.to_ascii_lowercase().contains("duplicate") => {
            return Added::Unknown(Doubt::Contradiction("cl_ord_id"));
        }
        Body::Refused(refused) => return Added::Refused(refused),
        Body::Doubt(doubt) => return Added::Unknown(doubt),
    };
    let taken: Taken<'_> = match parsed(body) {
        Ok(taken) => taken,
        Err(doubt) => return Added::Unknown(doubt),
    };
    let (side, _) = order::words(sent);
    let id = match &taken.txid[..] {
        [id] => VenueOrderId::new(id),
        _ => None,
    };
    match id {
        Some(id) if taken.descr.order.split(' ').next() == Some(side) => Added::Taken(id),
        Some(_) => Added::Unknown(Doubt::Contradiction("descr")),
        None => Added::Unknown(Doubt::Contradiction("txid")),
    }
}

/// The answer to `CancelOrder`: `Ok(Some)` when the venue refused.
pub(in crate::venue::kraken) fn read_cancel(status: u16, body: &[u8]) -> Result<Option<Refused>, Doubt> {
    #[derive(Deserialize)]
    struct Cancelled {
        count: u64,
    }
    match sorted(status, body) {
        Body::Good(body) => match parsed::<Cancelled>(body)?.count {
            0 => Ok(Some(Refused::new(0, "nothing was cancelled"))),
            1 => Ok(None),
            _ => Err(Doubt::Contradiction("count")),
        },
        Body::Refused(refused) => Ok(Some(refused)),
        Body::Doubt(doubt) => Err(doubt),
    }
}

/// The answer to `OpenOrders` about one of our ids; `Ok(None)` when it is not among the open ones.
pub(in crate::venue::kraken) fn read_named(
    status: u16,
    body: &[u8],
    key: &OrderKey,
    symbol: &str,
) -> Result<Option<OrderReport>, Doubt> {
    #[derive(Deserialize)]
    struct Open<'a> {
        #[serde(borrow)]
        open: Rows<'a>,
    }
    let open: Open<'_> = parsed(good(status, body)?)?;
    one(&open.open, key, symbol, false)
}

/// The answer to `ClosedOrders` about one of our ids.
pub(in crate::venue::kraken) fn read_closed(
    status: u16,
    body: &[u8],
    key: &OrderKey,
    symbol: &str,
) -> Result<Option<OrderReport>, Doubt> {
    #[derive(Deserialize)]
    struct Closed<'a> {
        #[serde(borrow)]
        closed: Rows<'a>,
    }
    let closed: Closed<'_> = parsed(good(status, body)?)?;
    one(&closed.closed, key, symbol, true)
}

/// The one row of an answer that was asked for by id: a row of another id says that the venue did not look for ours.
fn one(rows: &Rows<'_>, key: &OrderKey, symbol: &str, ended: bool) -> Result<Option<OrderReport>, Doubt> {
    let (id, row) = match &rows.0[..] {
        [] => return Ok(None),
        [one] => one,
        _ => return Err(Doubt::Contradiction("cl_ord_id")),
    };
    let report = parsed::<OrderBody<'_>>(row.get())?
        .row(id, key.instrument, symbol)?
        .report;
    if report.client_id != Some(key.client_id) {
        return Err(Doubt::Contradiction("cl_ord_id"));
    }
    if report.life.is_final() != ended {
        return Err(Doubt::Contradiction("status"));
    }
    Ok(Some(report))
}

/// The answer to `QueryOrders` about one of the venue's ids, whoever placed it; `Ok(None)` when the venue knows none.
pub(in crate::venue::kraken) fn read_queried(
    status: u16,
    body: &[u8],
    id: &str,
    instrument: Instrument,
    symbol: &str,
) -> Result<Option<Row>, Doubt> {
    match queried(status, body, id)? {
        Some(row) => parsed::<OrderBody<'_>>(row.get())?
            .row(id, instrument, symbol)
            .map(Some),
        None => Ok(None),
    }
}

/// The ids of the trades of an order, from `QueryOrders` with `trades`; and how much the venue says that they come to.
pub(in crate::venue::kraken) fn read_trade_ids(
    status: u16,
    body: &[u8],
    id: &str,
) -> Result<Option<(Vec<String>, Decimal)>, Doubt> {
    #[derive(Deserialize)]
    struct Traded {
        #[serde(default)]
        trades: Vec<String>,
        vol_exec: Amount,
    }
    let Some(row) = queried(status, body, id)? else {
        return Ok(None);
    };
    let traded: Traded = parsed(row.get())?;
    let fits = |id: &String| id.len() <= 40 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if traded.trades.len() > crate::venue::answer::MOST_FILLS || !traded.trades.iter().all(fits) {
        return Err(Doubt::Contradiction("trades"));
    }
    Ok(Some((traded.trades, traded.vol_exec.0)))
}

fn queried<'a>(status: u16, body: &'a [u8], id: &str) -> Result<Option<&'a RawValue>, Doubt> {
    let rows: Rows<'a> = match sorted(status, body) {
        Body::Good(body) => parsed(body)?,
        Body::Refused(refused) if UNKNOWN_ORDER.contains(&refused.text.as_str()) => return Ok(None),
        Body::Refused(refused) => return Err(Doubt::Refused { code: refused.code }),
        Body::Doubt(doubt) => return Err(doubt),
    };
    match &rows.0[..] {
        [] => Ok(None),
        [(named, row)] if *named == id => Ok(Some(row)),
        _ => Err(Doubt::Contradiction("txid")),
    }
}

/// The answer to `OpenOrders`. A row under an id of ours has to be true, or nothing is believed; rows of others are shown as far as they can be read.
pub(in crate::venue::kraken) fn read_open(
    status: u16,
    body: &[u8],
    symbols: &BTreeMap<Instrument, String>,
    only: Option<Instrument>,
) -> Result<OpenOrders, Doubt> {
    #[derive(Deserialize)]
    struct Open<'a> {
        #[serde(borrow)]
        open: Rows<'a>,
    }
    let rows: Open<'_> = parsed(good(status, body)?)?;
    let mut open = OpenOrders::default();
    for (id, row) in &rows.open.0 {
        let report = listed(id, row.get(), symbols);
        if is_ours(row.get()) {
            let report = report?;
            if only.is_none_or(|only| only == report.instrument) {
                open.ours.push(report);
            }
            continue;
        }
        match report {
            // The venue lists every market; one that was not asked for is not missing.
            Ok(report) if only.is_some_and(|only| only != report.instrument) => {}
            Ok(report) if open.foreign.len() < MOST_FOREIGN => open.foreign.push(report),
            _ => open.unread += 1,
        }
    }
    Ok(open)
}

fn is_ours(row: &str) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        cl_ord_id: Option<Cow<'a, str>>,
    }
    let named = serde_json::from_str::<Named<'_>>(row).ok();
    let id: Option<VenueClientId> = named.and_then(|named| names::from_venue(named.cl_ord_id.as_deref()?));
    id.is_some_and(|id| gateway_policy::VenueOrderId::parse(id.as_str()).is_some())
}

/// One row. An order in a market that is not configured is reported under the venue's own name.
fn listed(id: &str, row: &str, symbols: &BTreeMap<Instrument, String>) -> Result<OrderReport, Doubt> {
    let row: OrderBody<'_> = parsed(row)?;
    let known = symbols
        .iter()
        .find(|(_, symbol)| names::is_named(&row.descr.pair, symbol));
    let report = match known {
        Some((instrument, symbol)) => row.row(id, *instrument, symbol)?,
        None => {
            let own = Instrument::new(&row.descr.pair).map_err(|_| Doubt::Contradiction("pair"))?;
            row.row(id, own, &row.descr.pair)?
        }
    };
    match report.report.life.is_final() {
        true => Err(Doubt::Contradiction("status")),
        false => Ok(report.report),
    }
}
