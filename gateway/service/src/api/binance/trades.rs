//! `GET /api/v3/myTrades`: the fills of this bot, each under the number of its entry in the bot's stream, so that `fromId` goes on exactly where the
//! last answer ended.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::State,
    http::Uri,
    response::{IntoResponse, Response},
};
use gateway_policy::{AgentEvent, Code, OrderFilled};
use ledger::{CommittedEntry, LedgerError};
use serde_json::Value;

use super::{
    admit_question, order,
    parameters::{Fault, Parameters, number_in},
    read_query,
    reads::{MOST_ROWS, USUAL_ROWS},
    refusal::Refused,
    shown,
};
use crate::{
    api::{Side, chain},
    gateway::Gateway,
    session::Session,
};

/// Entries that are read at a time, and the most pages of one answer.
const PAGE: usize = 4_096;
const MOST_PAGES: usize = 16;
/// How far the times of entries may step back with the clock: an answer by time begins that much earlier.
const CLOCK_STEP_MS: u64 = 60_000;

/// A fill and the number of its entry.
pub(in crate::api) type Fill = (u64, OrderFilled);

/// What is asked for.
#[derive(Default)]
pub(in crate::api) struct Wanted {
    /// Without separators; of every market without one.
    pub(in crate::api) symbol: Option<String>,
    pub(in crate::api) order: Option<u64>,
    pub(in crate::api) from: Option<u64>,
    pub(in crate::api) since: Option<u64>,
    pub(in crate::api) until: Option<u64>,
    pub(in crate::api) most: usize,
}

/// `GET /api/v3/myTrades`.
pub(super) async fn mine(
    State(bots): State<Arc<Side>>,
    Extension(session): Extension<Arc<Session>>,
    uri: Uri,
) -> Response {
    let listed = async {
        admit_question(&session)?;
        let parameters = read_query(&uri)?;
        let wanted = Wanted::read(&parameters).map_err(|(code, detail)| Refused::of(code).because(&detail))?;
        let fills = found(&bots.gateway, &session, &wanted).await?;
        Ok::<Vec<Value>, Refused>(
            fills
                .iter()
                .map(|(number, fill)| shown::trade(*number, &chain::fill(fill)))
                .collect(),
        )
    };
    match listed.await {
        Ok(trades) => Json(trades).into_response(),
        Err(refused) => refused.into_response(),
    }
}

impl Wanted {
    fn read(parameters: &Parameters) -> Result<Self, Fault> {
        parameters.only(&["symbol", "orderId", "fromId", "startTime", "endTime", "limit"])?;
        let wanted = Self {
            symbol: Some(order::plain_symbol(parameters.needed("symbol")?)),
            order: parameters.number("orderId")?,
            from: parameters.number("fromId")?,
            since: parameters.number("startTime")?,
            until: parameters.number("endTime")?,
            most: number_in(parameters, "limit", MOST_ROWS, USUAL_ROWS)?,
        };
        if wanted.from.is_some() && (wanted.since.is_some() || wanted.until.is_some()) {
            let detail = "fromId goes with neither startTime nor endTime";
            return Err((Code::OrderInvalid, detail.to_owned()));
        }
        Ok(wanted)
    }

    fn fits(&self, fill: &OrderFilled) -> bool {
        let at = u64::try_from(fill.executed_at.millis()).unwrap_or(0);
        let own = || order::plain_symbol(fill.instrument.as_str());
        self.symbol.as_ref().is_none_or(|symbol| *symbol == own())
            && self
                .order
                .is_none_or(|order| chain::first(&fill.client_order_id, fill.order) == order)
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at <= until)
    }

    /// The fill in an entry, when it is one that is asked for.
    fn found(&self, entry: &CommittedEntry) -> Option<Fill> {
        if *entry.kind != *OrderFilled::KIND {
            return None;
        }
        match AgentEvent::decode(&entry.kind, entry.body()) {
            Ok(AgentEvent::Filled(fill)) if self.fits(&fill) => Some((entry.number, fill)),
            _ => None,
        }
    }
}

async fn found(gateway: &Gateway, session: &Session, wanted: &Wanted) -> Result<Vec<Fill>, Refused> {
    let unread = |_| Refused::of(Code::LedgerUnavailable);
    let begin = match (wanted.from, wanted.order, wanted.since) {
        (Some(from), ..) => Some(from),
        // The fills of an order stand behind its decision.
        (None, Some(order), _) => Some(order),
        (None, None, Some(since)) => Some(
            first_since(gateway, session, since.saturating_sub(CLOCK_STEP_MS))
                .await
                .map_err(unread)?,
        ),
        (None, None, None) => None,
    };
    match begin {
        Some(begin) => onward(gateway, session, wanted, begin).await,
        None => Ok(newest(gateway, session, wanted, 0).await?.0),
    }
}

/// The oldest that fit, from an entry on. What lies further on than is read is never left out unsaid.
async fn onward(gateway: &Gateway, session: &Session, wanted: &Wanted, begin: u64) -> Result<Vec<Fill>, Refused> {
    let (mut rows, mut next) = (Vec::new(), begin);
    for _ in 0..MOST_PAGES {
        let page = gateway.ledger.read_stream(session.slot.stream(), next, PAGE).await;
        let page = page.map_err(|_| Refused::of(Code::LedgerUnavailable))?;
        for entry in &page {
            rows.extend(wanted.found(entry));
            if rows.len() == wanted.most {
                return Ok(rows);
            }
        }
        match page.last() {
            Some(last) if page.len() == PAGE => next = last.number.saturating_add(1),
            _ => return Ok(rows),
        }
    }
    let most = MOST_PAGES * PAGE;
    let detail = format!("more than {most} entries lie between; ask with a smaller limit, or from {next} on (fromId)");
    Err(Refused::of(Code::OrderInvalid).because(&detail))
}

/// The newest that fit and are not before a time. What lies further back than is read is never left out unsaid.
pub(in crate::api) async fn newest_since(
    gateway: &Gateway,
    session: &Session,
    wanted: &Wanted,
) -> Result<Vec<Fill>, Refused> {
    let since = wanted.since.unwrap_or(0).saturating_sub(CLOCK_STEP_MS);
    let oldest = first_since(gateway, session, since).await;
    let oldest = oldest.map_err(|_| Refused::of(Code::LedgerUnavailable))?;
    let (rows, whole) = newest(gateway, session, wanted, oldest).await?;
    if whole || wanted.since.is_none() {
        return Ok(rows);
    }
    let detail = format!(
        "more than {} entries lie since start; ask from a later one",
        MOST_PAGES * PAGE
    );
    Err(Refused::of(Code::OrderInvalid).because(&detail))
}

/// The newest that fit from an entry on, as far back as is read, and whether that is all that was asked for.
async fn newest(
    gateway: &Gateway,
    session: &Session,
    wanted: &Wanted,
    oldest: u64,
) -> Result<(Vec<Fill>, bool), Refused> {
    let mut whole = false;
    let (mut rows, mut end) = (Vec::new(), gateway.ledger.stream_next(session.slot.stream()));
    for _ in 0..MOST_PAGES {
        let begin = end.saturating_sub(PAGE as u64);
        let page = gateway.ledger.read_stream(session.slot.stream(), begin, PAGE).await;
        let page = page.map_err(|_| Refused::of(Code::LedgerUnavailable))?;
        let before = page.iter().rev().filter(|entry| entry.number < end);
        for entry in before {
            rows.extend(wanted.found(entry));
            if rows.len() == wanted.most {
                break;
            }
        }
        if rows.len() == wanted.most || begin <= oldest {
            whole = true;
            break;
        }
        end = begin;
    }
    rows.reverse();
    Ok((rows, whole))
}

/// The number of the first entry at or after a time, by halves.
async fn first_since(gateway: &Gateway, session: &Session, since_ms: u64) -> Result<u64, LedgerError> {
    let stream = session.slot.stream();
    let (mut low, mut high) = (0, gateway.ledger.stream_next(stream));
    while low < high {
        let middle = low + (high - low) / 2;
        let entry = gateway.ledger.read_stream(stream, middle, 1).await?;
        let at = entry.first().map_or(0, |entry| entry.at.millis());
        if u64::try_from(at).unwrap_or(0) < since_ms {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
