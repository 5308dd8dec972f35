//! `suggest`: the smallest mandate that covers a history, with each number explained.

use std::path::PathBuf;

use ::ledger::CommittedEntry;
use anomaly::{Observation, ObservationsImported};
use clap::Args;
use extensions::{AgentId, Decimal, Timestamp, canonical, limits::OrderType};
use gateway_policy::{AgentEvent, DecisionKind, OrderDecided, OrderKind, Proof, Side};
use serde_json::json;

use super::{
    House,
    observations::read_history,
    record,
    report::{Exit, Failure, Report},
    since, unknown_agent,
};
use crate::{
    past::{Past, Visiting},
    suggest::{Seen, Suggestion, suggest},
};

/// The most orders that are read of one bot.
const MOST_ORDERS: usize = 1 << 20;
/// The most headroom, percent.
const MOST_HEADROOM: i64 = 1_000;

/// The smallest limits that cover a bot's history plus a stated headroom, each number with its reason.
///
/// From the record (--agent): the history that was imported, and the orders that were permitted. From a file (--orders): all its rows.
/// What comes out is the table [limits] of a mandate, to be read and narrowed by a person before it is submitted: a history shows
/// what a bot did, not what it ought to do. Amounts, rates and the collar get the headroom; names and hours get none.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum suggest --orders history.csv.gz --only bot-1 --headroom 30 > limits.toml\n  mandatum --dir house suggest --agent bot-1 --since 2026-11-01\n  mandatum --dir house whatif --agent bot-1 --limits limits.toml    what they would have stopped"
)]
#[group(id = "from", required = true, args = ["agent", "orders"])]
pub(super) struct Suggest {
    #[command(flatten)]
    source: record::Source,
    /// A bot with a history in the record.
    #[arg(long, value_name = "ID")]
    agent: Option<AgentId>,
    /// A file of orders in the import format: FILE.csv or FILE.csv.gz.
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    orders: Option<PathBuf>,
    /// With --orders: only the rows of this name in the file.
    #[arg(long, value_name = "NAME", requires = "orders")]
    only: Option<String>,
    /// Percent above the highest that was seen.
    #[arg(long, default_value_t = 20, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=MOST_HEADROOM))]
    headroom: u32,
    /// From this day or moment on: 2026-11-01 or 2026-11-01T08:00:00Z.
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Timestamp>,
}

pub(super) async fn run(house: &House, command: Suggest) -> anyhow::Result<Report> {
    let mut orders = match (command.orders, command.agent) {
        (Some(file), _) => of_file(&file, command.only.as_deref())?,
        (None, Some(agent)) => of_record(house, command.source, agent).await?,
        (None, None) => anyhow::bail!("name a history: --agent ID or --orders FILE"),
    };
    let from = command.since.unwrap_or(Timestamp::EPOCH);
    orders.retain(|seen| seen.at >= from);
    let suggestion = suggest(&orders, command.headroom).map_err(|fault| Failure::new(Exit::Refused, fault))?;
    shown(&suggestion, orders.len(), command.headroom)
}

fn of_file(file: &std::path::Path, only: Option<&str>) -> anyhow::Result<Vec<Seen>> {
    let history = read_history(file, only)?;
    Ok(history.rows.iter().map(observed).collect())
}

async fn of_record(house: &House, source: record::Source, agent: AgentId) -> anyhow::Result<Vec<Seen>> {
    let mut orders = Vec::new();
    let mut visit = |_: &Past, entry: &CommittedEntry, event: &AgentEvent| {
        match event {
            AgentEvent::Decided(decided) if decided.decision == DecisionKind::Permit => {
                orders.push(permitted(decided, entry.at));
            }
            AgentEvent::Other if &*entry.kind == "observations.imported" => {
                let batch: ObservationsImported =
                    canonical::from_slice(entry.body()).map_err(|error| error.to_string())?;
                orders.extend(batch.rows.iter().map(observed));
            }
            _ => {}
        }
        if orders.len() > MOST_ORDERS {
            return Err(format!(
                "{agent} has more than {MOST_ORDERS} orders: suggest from a file of a shorter time"
            ));
        }
        Ok(())
    };
    let mut visiting = Visiting::new(agent, &mut visit);
    record::read(house, source, "entries read", &mut visiting).await?;
    if !visiting.into_past().knows(&agent) {
        return Err(unknown_agent(&agent));
    }
    Ok(orders)
}

fn observed(row: &Observation) -> Seen {
    Seen {
        at: row.at,
        counterparty: row.counterparty,
        currency: row.currency,
        instrument: row.instrument,
        kind: None,
        notional: row.notional,
        proven: false,
        region: row.region,
        worse_bps: None,
    }
}

fn permitted(decided: &OrderDecided, at: Timestamp) -> Seen {
    Seen {
        kind: Some(match decided.order.kind {
            OrderKind::Limit => OrderType::Limit,
            OrderKind::Market => OrderType::Market,
            OrderKind::StopLimit => OrderType::StopLimit,
            OrderKind::StopMarket => OrderType::StopMarket,
        }),
        proven: decided.proof == Proof::Valid,
        worse_bps: worse_bps(decided),
        ..observed(&decided.observation(at))
    }
}

/// How far a limit price lies from the reference (a stop order's from its stop price) on the worse side, in basis points, rounded up.
fn worse_bps(decided: &OrderDecided) -> Option<u64> {
    let price = decided.order.price?;
    let anchor = decided
        .order
        .stop_price
        .or(decided.reference.map(|reference| reference.price))?;
    let worse = match decided.order.side {
        Side::Buy => price.checked_sub(anchor)?,
        Side::Sell => anchor.checked_sub(price)?,
    };
    if !worse.is_positive() {
        return Some(0);
    }
    (1..=10_000).find(|bps| {
        let allowed = Decimal::new(i128::from(*bps), 4).and_then(|part| anchor.checked_mul(part));
        allowed.is_some_and(|allowed| worse <= allowed)
    })
}

fn shown(suggestion: &Suggestion, orders: usize, headroom: u32) -> anyhow::Result<Report> {
    let document = serde_json::to_value(&suggestion.limits)?;
    let mut lines = vec![
        format!(
            "# The smallest limits that cover {orders} orders, with {headroom} % of headroom. Narrow them before you submit them."
        ),
        "[limits]".to_owned(),
    ];
    for (member, reason) in &suggestion.reasons {
        let one = std::collections::BTreeMap::from([(*member, &document[*member])]);
        lines.push(format!("# {reason}"));
        lines.push(toml::to_string(&one)?.trim_end().to_owned());
    }
    let reasons: serde_json::Map<String, serde_json::Value> = suggestion
        .reasons
        .iter()
        .map(|(member, reason)| ((*member).to_owned(), json!(reason)))
        .collect();
    Ok(Report::new(
        lines.join("\n"),
        json!({ "headroom_percent": headroom, "limits": document, "orders": orders, "reasons": reasons }),
    ))
}
