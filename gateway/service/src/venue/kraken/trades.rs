//! Executions: of one order, by the ids that the order lists; of the account, from the venue's history, which has the newest first.

use extensions::{Decimal, Instrument};

use super::{reply, venue::Kraken};
use crate::venue::{
    Doubt, ExecutionFill, ExecutionId, OrderReport, Trade, VenueOrderId, reach::settings::LONGEST_LIST_REPLY,
};

/// The most ids of one question, and the rows of one page of the history: the venue's own bounds.
const IDS_PAGE: usize = 20;
const HISTORY_PAGE: u64 = 50;
/// The most pages of the history that are read for one answer.
const MOST_PAGES: usize = 8;

impl Kraken {
    /// Every execution of one order after the given one, oldest first.
    pub(super) async fn list_trades(
        &self,
        instrument: Instrument,
        order: &VenueOrderId,
        after: Option<ExecutionId>,
    ) -> Result<Vec<Trade>, Doubt> {
        self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let asked = format!("txid={order}&trades=true");
        let answer = self
            .question("/0/private/QueryOrders", &asked, LONGEST_LIST_REPLY)
            .await?;
        let ids = reply::read_trade_ids(answer.status, &answer.body, order.as_str())?;
        answer.believed();
        let (ids, _) = ids.ok_or(Doubt::Contradiction("txid"))?;
        let mut trades = Vec::with_capacity(ids.len());
        for part in ids.chunks(IDS_PAGE) {
            let asked = format!("txid={}", part.join("%2C"));
            let answer = self
                .question("/0/private/QueryTrades", &asked, LONGEST_LIST_REPLY)
                .await?;
            let read = reply::read_trades(answer.status, &answer.body, &self.settings().symbols)?;
            if read.len() != part.len() || read.iter().any(|trade| !part.contains(&trade.execution_id.to_string())) {
                return Err(Doubt::Contradiction("trades"));
            }
            answer.believed();
            trades.extend(read);
        }
        let foreign = |trade: &Trade| trade.venue_order_id != *order || trade.instrument != instrument;
        if trades.iter().any(foreign) {
            return Err(Doubt::Contradiction("ordertxid"));
        }
        trades.sort_by_key(|trade| (trade.at, trade.execution_id));
        match after {
            None => Ok(trades),
            Some(after) => {
                let at = trades.iter().position(|trade| trade.execution_id == after);
                let at = at.ok_or(Doubt::Contradiction("trades"))?;
                Ok(trades.split_off(at + 1))
            }
        }
    }

    /// The account's executions in one market after the given one, or the newest; oldest first. The venue's history holds all markets, so a page
    /// without one of ours leads to the next newer one.
    pub(super) async fn list_all_trades(
        &self,
        instrument: Instrument,
        after: Option<ExecutionId>,
    ) -> Result<Vec<Trade>, Doubt> {
        self.symbol(instrument).ok_or(Doubt::NotListed)?;
        let Some(after) = after else {
            return Ok(of(instrument, self.history(None, 0).await?.trades));
        };
        let first = self.history(Some(after), 0).await?;
        // The oldest rows stand on the last page.
        let mut offset = first.count.saturating_sub(HISTORY_PAGE);
        for _ in 0..MOST_PAGES {
            let page = match offset {
                0 => first.clone(),
                _ => self.history(Some(after), offset).await?,
            };
            // A trade that came meanwhile has moved the pages: what is left out here would never be read.
            if page.count != first.count {
                return Err(Doubt::Contradiction("count"));
            }
            let found = of(instrument, page.trades);
            if !found.is_empty() || offset == 0 {
                return Ok(found);
            }
            offset = offset.saturating_sub(HISTORY_PAGE);
        }
        Err(Doubt::TooLong)
    }

    async fn history(&self, after: Option<ExecutionId>, offset: u64) -> Result<reply::History, Doubt> {
        let start = after.map_or(String::new(), |after| format!("&start={after}"));
        let asked = format!("ofs={offset}{start}");
        let answer = self
            .question("/0/private/TradesHistory", &asked, LONGEST_LIST_REPLY)
            .await?;
        let history = reply::read_history(answer.status, &answer.body, &self.settings().symbols)?;
        answer.believed();
        let left = history.count.saturating_sub(offset).min(HISTORY_PAGE);
        match u64::try_from(history.rows) == Ok(left) {
            true => Ok(history),
            false => Err(Doubt::Contradiction("count")),
        }
    }

    /// A report with its fills, where something traded; without what traded when they cannot be read, so that the watch reads them.
    pub(super) async fn with_fills(&self, report: OrderReport) -> OrderReport {
        if report.executed.is_zero() {
            return report;
        }
        let listed = self.list_trades(report.instrument, &report.venue_order_id, None).await;
        let trades = listed.unwrap_or_default();
        let sum = trades
            .iter()
            .try_fold(Decimal::ZERO, |sum, trade| sum.checked_add(trade.quantity));
        if sum != Some(report.executed) {
            return super::venue::taken(report);
        }
        let fill = |trade: &Trade| ExecutionFill {
            execution_id: trade.execution_id,
            quantity: trade.quantity,
            price: trade.price,
        };
        let fills = trades.iter().map(fill).collect();
        OrderReport { fills, ..report }
    }
}

fn of(instrument: Instrument, trades: Vec<Trade>) -> Vec<Trade> {
    let own = trades.into_iter().filter(|trade| trade.instrument == instrument);
    own.collect()
}
