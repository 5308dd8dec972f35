//! Answers about lists of two orders.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Body, names_duplicate,
    orders::{OrderBody, accepted},
    parsed, sorted,
};
use crate::venue::{
    Doubt, OrderKey, OrderLife, OrderReport, Outcome, Refused,
    binance::list::{VenueList, word},
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListBody<'a> {
    #[serde(borrow)]
    contingency_type: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    order_reports: Vec<&'a RawValue>,
}

/// The answer to `POST /api/v3/orderList/oco`, for each of the two. What is wrong with one report makes both a doubt: they are one answer.
#[must_use]
pub fn read_list(status: u16, body: &[u8], sent: &VenueList, symbol: &str) -> [Outcome; 2] {
    let both = |outcome: Outcome| [outcome.clone(), outcome];
    let body = match sorted(status, body) {
        Body::Good(body) => body,
        Body::Refused(refused) if names_duplicate(&refused) => {
            return both(Outcome::Unknown(Doubt::Contradiction("clientOrderId")));
        }
        Body::Refused(refused) => return both(Outcome::Rejected(refused)),
        Body::Doubt(doubt) => return both(Outcome::Unknown(doubt)),
    };
    match taken(body, sent, symbol) {
        Ok(reports) => reports.map(|report| match report.life {
            OrderLife::Rejected => Outcome::Rejected(Refused::new(0, "REJECTED")),
            _ => Outcome::Accepted(report),
        }),
        Err(doubt) => both(Outcome::Unknown(doubt)),
    }
}

fn taken(body: &[u8], sent: &VenueList, symbol: &str) -> Result<[OrderReport; 2], Doubt> {
    let list: ListBody<'_> = parsed(body)?;
    if list.contingency_type != "OCO" || list.order_reports.len() != 2 {
        return Err(Doubt::Contradiction("orderReports"));
    }
    let of = |order: &crate::venue::binance::VenueOrder| {
        let mut rows = list
            .order_reports
            .iter()
            .map(|row| parsed::<OrderBody<'_>>(row.get().as_bytes()));
        let row = rows.find(|row| row.as_ref().map_or(true, |row| row.is_named(&order.client_id)));
        let row = row.unwrap_or(Err(Doubt::Contradiction("clientOrderId")))?;
        accepted(&row, order, word(order.kind), symbol)
    };
    let [one, other] = [of(&sent.orders[0])?, of(&sent.orders[1])?];
    // One at most executes.
    if one.executed.is_positive() && other.executed.is_positive() {
        return Err(Doubt::Contradiction("executedQty"));
    }
    if one.venue_order_id == other.venue_order_id {
        return Err(Doubt::Contradiction("orderId"));
    }
    Ok([one, other])
}

/// The report of one order in the answer to a cancel, which is that of its whole list; none where it is no list.
pub(super) fn one_of(body: &[u8], key: &OrderKey, symbol: &str) -> Option<Result<OrderReport, Doubt>> {
    let list = parsed::<ListBody<'_>>(body).ok()?;
    let rows = list
        .order_reports
        .iter()
        .map(|row| parsed::<OrderBody<'_>>(row.get().as_bytes()));
    let mut found = None;
    for row in rows {
        match row.and_then(|row| row.report(key.instrument, symbol)) {
            Ok(report) if report.client_id == Some(key.client_id) && found.is_none() => found = Some(report),
            Ok(report) if report.client_id != Some(key.client_id) => {}
            Ok(_) => return Some(Err(Doubt::Contradiction("clientOrderId"))),
            Err(doubt) => return Some(Err(doubt)),
        }
    }
    Some(found.ok_or(Doubt::Contradiction("clientOrderId")))
}
