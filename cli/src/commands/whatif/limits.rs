//! Other limits over past orders: each decided again by every rule.

use std::path::Path;

use ::ledger::CommittedEntry;
use extensions::{AgentId, EffectiveLimits, Timestamp};
use gateway_policy::{
    AgentEvent, AgentState, OrderDecided, Replay,
    whatif::{Compared, DecidedAt, Moved},
};
use serde_json::json;

use super::{
    super::{House, limits::read, record, report::Report, unknown_agent},
    MOST_TOLD,
};
use crate::past::{Past, Visiting};

pub(super) async fn run(
    house: &House,
    source: record::Source,
    agent: AgentId,
    file: &Path,
    since: Timestamp,
) -> anyhow::Result<Report> {
    let effective = EffectiveLimits::of(&read(file, None)?.0);
    let mut compared = Compared::new(MOST_TOLD);
    let mut visit = |past: &Past, entry: &CommittedEntry, event: &AgentEvent| match event {
        AgentEvent::Decided(decided) if entry.at >= since => take(&mut compared, past, entry, decided, &effective),
        _ => Ok(()),
    };
    let mut visiting = Visiting::new(agent, &mut visit);
    record::read(house, source, "entries read", &mut visiting).await?;
    if !visiting.into_past().knows(&agent) {
        return Err(unknown_agent(&agent));
    }
    Ok(report(compared, &agent, file))
}

fn take(
    compared: &mut Compared,
    past: &Past,
    entry: &CommittedEntry,
    decided: &OrderDecided,
    limits: &EffectiveLimits,
) -> Result<(), String> {
    let first;
    let state = match past.state(&decided.agent) {
        Some(state) => state,
        None => {
            first = AgentState::new(decided.agent);
            &first
        }
    };
    let with = Replay {
        limits: Some(limits),
        ..past.facts(decided)?
    };
    let place = DecidedAt {
        number: entry.number,
        epoch: entry.epoch,
        at: entry.at,
    };
    let taken = compared.take(decided, place, state, with);
    taken.map_err(|fault| fault.to_string())
}

fn report(compared: Compared, agent: &AgentId, file: &Path) -> Report {
    let (were, would) = (compared.permitted, compared.would_be_permitted);
    let mut lines = vec![format!(
        "{agent}: {} orders; {were} were permitted, {would} would be under {}",
        compared.orders,
        file.display()
    )];
    let (stopped, let_through) = (&compared.stopped, &compared.let_through);
    for (heading, direction) in [
        ("Permitted then, refused by these limits", stopped),
        ("Refused then, permitted by these limits", let_through),
    ] {
        if direction.count > 0 {
            lines.push(format!("{heading}: {}", direction.count));
            lines.extend(direction.rows.iter().map(line));
            lines.extend((direction.more() > 0).then(|| format!("  and {} more", direction.more())));
        }
    }
    if stopped.count + let_through.count == 0 {
        lines.push("No order would have been decided otherwise.".to_owned());
    }
    Report::new(
        lines.join("\n"),
        json!({
            "agent": agent,
            "by_code": compared.by_code,
            "let_through": let_through.rows,
            "let_through_count": let_through.count,
            "orders": compared.orders,
            "permitted": were,
            "stopped": stopped.rows,
            "stopped_count": stopped.count,
            "would_be_permitted": would,
        }),
    )
}

fn line(moved: &Moved) -> String {
    let check = moved.checks.first();
    let (code, limit, observed) = check.map_or(("?", "?", "?"), |check| {
        (check.code.as_str(), check.limit.as_str(), check.observed.as_str())
    });
    format!(
        "  {} entry {}: {code}, limit {limit}, was {observed}",
        moved.at, moved.number
    )
}
