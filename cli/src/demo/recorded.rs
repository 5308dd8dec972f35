//! Further bots that replay a recorded order stream: one per agent of the file, with limits that cover what it did.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use extensions::{
    AgentId, Counterparty, Decimal, Region, Timestamp,
    limits::LimitsDocument,
    mandate::{Conduct, OnHalt, OnUnansweredWarning, Scoring},
};
use fixtures_venue::{
    Symbol,
    streams::{self, Row},
};

use super::report::Replayed;
use super::scenario::{Bot, Fate, Sender, Step, address_of, names};

/// The most orders of a file that are replayed; later ones are left out, and the report says so.
const MOST_ORDERS: usize = 20_000;
/// The most agents: each costs a certificate.
const MOST_AGENTS: usize = 64;
/// The most counterparties: each is a venue of the gateway.
const MOST_COUNTERPARTIES: usize = 8;
/// Recorded fills lie where the market was; between two rows of one moment it may have moved this far.
const COLLAR_BPS: u16 = 2_000;

/// A recorded stream made into bots and orders.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    /// One bot an agent.
    pub(super) bots: Vec<Bot>,
    /// Their orders, oldest first.
    pub(super) steps: Vec<Step>,
    /// The markets they trade.
    pub(super) symbols: Vec<Symbol>,
    /// The counterparties they name.
    pub(super) counterparties: Vec<Counterparty>,
    /// Rows left out: no price or no quantity, or above the bounds.
    pub(super) left_out: usize,
    /// By how many whole weeks they were moved.
    pub(super) weeks: i64,
}

impl Recorded {
    /// What was made of `file`, for the report.
    pub(super) fn summary(&self, file: PathBuf) -> Replayed {
        Replayed {
            bots: self.bots.len(),
            file,
            left_out: self.left_out,
            orders: self.steps.len(),
            weeks: self.weeks,
        }
    }
}

/// Reads `file` and moves its rows by whole weeks to begin at `after` or later.
///
/// # Errors
/// When the file cannot be read or holds nothing that can be traded.
pub(super) fn read(file: &Path, after: Timestamp) -> anyhow::Result<Recorded> {
    let rows: Vec<Row> = streams::Reader::open(file)
        .and_then(Iterator::collect)
        .with_context(|| format!("{} is no order stream", file.display()))?;
    let all = rows.len();
    let first = rows.iter().map(|row| row.at).min().context("the file holds no order")?;
    let weeks = streams::weeks_to_reach(first, after);
    let finest = Decimal::new(1, 8).unwrap_or_default();
    let usable = rows
        .into_iter()
        .filter(|row| row.price.is_positive())
        .filter_map(|row| row.in_steps(finest));
    let mut rows: Vec<Row> = usable.map(|row| streams::shift_by(row, weeks)).collect();
    rows.sort_by_key(|row| row.at);
    rows.truncate(MOST_ORDERS);
    let agents: BTreeSet<AgentId> = rows.iter().map(|row| row.agent).collect();
    let agents: BTreeSet<AgentId> = agents.into_iter().take(MOST_AGENTS).collect();
    rows.retain(|row| agents.contains(&row.agent));
    let counterparties: BTreeSet<Counterparty> = rows.iter().map(|row| row.counterparty).collect();
    if rows.is_empty() {
        bail!("{} holds no order with a price and a quantity", file.display());
    }
    if counterparties.len() > MOST_COUNTERPARTIES {
        bail!(
            "{} names {} counterparties; the demonstration's gateway has a venue for at most {MOST_COUNTERPARTIES}",
            file.display(),
            counterparties.len()
        );
    }
    let symbols = streams::price_paths(&rows);
    let symbols = symbols
        .into_iter()
        .map(|(name, (currency, path))| Symbol::fed(name, currency, path))
        .collect();
    let end = rows.last().map_or(after, |row| row.at);
    Ok(Recorded {
        bots: agents.iter().map(|agent| bot(*agent, &rows, end)).collect(),
        left_out: all - rows.len(),
        steps: rows.into_iter().map(replayed).collect(),
        symbols,
        counterparties: counterparties.into_iter().collect(),
        weeks,
    })
}

fn replayed(row: Row) -> Step {
    Step {
        from: address_of(&row.region),
        sender: Sender::Bot,
        row,
    }
}

/// Limits that cover what the agent did: names as seen, the largest order and the fullest day with a half of room, rates of the
/// densest second and minute doubled. The score is recorded without effect: there is no baseline.
fn bot(agent: AgentId, rows: &[Row], end: Timestamp) -> Bot {
    let own: Vec<&Row> = rows.iter().filter(|row| row.agent == agent).collect();
    let regions: BTreeSet<Region> = own.iter().map(|row| row.region).collect();
    let instruments: BTreeSet<_> = own.iter().map(|row| row.instrument).collect();
    let counterparties: BTreeSet<_> = own.iter().map(|row| row.counterparty).collect();
    let mut largest: BTreeMap<_, Decimal> = BTreeMap::new();
    let mut days: BTreeMap<_, BTreeMap<i64, Decimal>> = BTreeMap::new();
    for row in &own {
        let Some(notional) = row.quantity.checked_mul(row.price) else {
            continue;
        };
        let most = largest.entry(row.currency).or_default();
        *most = (*most).max(notional);
        let day = days.entry(row.currency).or_default().entry(row.at.day()).or_default();
        *day = day.checked_add(notional).unwrap_or(*day);
    }
    let fullest = days
        .iter()
        .map(|(unit, days)| (*unit, days.values().copied().max().unwrap_or_default()));
    Bot {
        agent,
        fate: Fate::Replays,
        limits: LimitsDocument {
            counterparties: names(counterparties),
            hours: vec!["always".to_owned()],
            instruments: names(instruments),
            order_proof: false,
            order_rates: vec![format!("{}/1s", 2 * densest(&own, 1)), format!("{}/1m", 2 * densest(&own, 60))],
            order_types: vec!["limit".to_owned()],
            per_day: fullest.map(|(unit, most)| roomy(unit, most)).collect(),
            per_order: largest.iter().map(|(unit, most)| roomy(*unit, *most)).collect(),
            price_collar_bps: COLLAR_BPS,
            regions: names(regions),
        },
        conduct: Conduct {
            cancel_after_disconnect_s: None,
            max_day_loss: None,
            max_executions: None,
            max_open_orders: None,
            max_position: None,
            on_halt: OnHalt::CancelAll,
            on_unanswered_warning: OnUnansweredWarning::Freeze,
            probation_hours: None,
            repeat_window_ms: 0,
            scoring: Scoring::ObserveUntil(end.plus_seconds(86_400)),
            self_trade: None,
        },
        purpose: "Replays a recorded order stream.".to_owned(),
        rationale: "Covers what the stream holds, with room for a moving market; scored without effect, for want of a baseline.".to_owned(),
        history: Vec::new(),
    }
}

/// An amount with a half of room, in whole units of money, at least 1.
fn roomy(unit: extensions::Currency, amount: Decimal) -> String {
    let (whole, _) = fixtures_venue::exact::steps(amount, Decimal::from(1)).unwrap_or((0, true));
    format!("{unit} {}", (whole + 1) * 3 / 2 + 1)
}

/// The most orders within `seconds`; rows are sorted by time.
fn densest(rows: &[&Row], seconds: i64) -> usize {
    let mut oldest = 0;
    let mut most = 1;
    for (at, row) in rows.iter().enumerate() {
        while row.at.micros_since(rows[oldest].at) >= seconds * 1_000_000 {
            oldest += 1;
        }
        most = most.max(at - oldest + 1);
    }
    most
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use extensions::limits::Authority;

    use super::*;

    /// Two agents, one order without a price: what is left is covered by limits that can stand in a certificate.
    #[test]
    fn a_stream_becomes_bots_with_limits_that_cover_it() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{}", streams::HEADER).unwrap();
        for row in [
            "bot.A,2025-10-17T22:24:14.487Z,BNB_USD,buy,13.86,1081.0,USD,hyperliquid,eu-west-1,0",
            "bot.A,2025-10-17T22:24:14.987Z,BNB_USD,sell,13.86,1080.0,USD,hyperliquid,eu-west-1,0",
            "bot.B,2025-10-18T22:24:14.487Z,BTC_USD,sell,17.990000000000002,100000,USD,hyperliquid,eu-west-1,0",
            "bot.B,2025-10-18T22:24:15.487Z,BTC_USD,sell,0,100000,USD,hyperliquid,eu-west-1,0",
        ] {
            writeln!(file, "{row}").unwrap();
        }
        let after = Timestamp::parse("2026-03-04T00:00:00Z").unwrap();
        let recorded = read(file.path(), after).unwrap();
        assert_eq!(
            (recorded.bots.len(), recorded.steps.len(), recorded.left_out),
            (2, 3, 1)
        );
        assert!(recorded.steps[0].row.at >= after);
        assert_eq!(
            recorded.steps[0].row.at.hour_of_week(),
            Timestamp::parse("2025-10-17T22:24:14Z").unwrap().hour_of_week()
        );
        let limits = &recorded.bots[0].limits;
        assert_eq!(limits.order_rates, ["4/1s", "4/1m"]);
        assert_eq!(limits.per_order, ["USD 22475"]);
        for bot in &recorded.bots {
            Authority::try_from(bot.limits.clone()).unwrap();
        }
    }
}
