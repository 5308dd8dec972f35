//! Other limits over past orders: each decided again by every rule.

use std::{collections::BTreeMap, path::Path};

use ::ledger::CommittedEntry;
use extensions::{AgentId, EffectiveLimits, Timestamp};
use gateway_policy::{AgentEvent, AgentState, DecisionKind, FailedCheck, OrderDecided, Replay, decide_again};
use serde_json::{Value, json};

use super::{
    super::{House, limits::read, record, report::Report, unknown_agent},
    Told, text,
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
    let mut tried = Tried::default();
    let mut visit = |past: &Past, entry: &CommittedEntry, event: &AgentEvent| match event {
        AgentEvent::Decided(decided) if entry.at >= since => tried.take(past, entry, decided, &effective),
        _ => Ok(()),
    };
    let mut visiting = Visiting::new(agent, &mut visit);
    record::read(house, source, "entries read", &mut visiting).await?;
    if !visiting.into_past().knows(&agent) {
        return Err(unknown_agent(&agent));
    }
    Ok(tried.report(&agent, file))
}

/// What came out.
#[derive(Default)]
struct Tried {
    orders: u64,
    permitted: [u64; 2],
    by_code: BTreeMap<&'static str, u64>,
    stopped: Told,
    let_through: Told,
    stopped_count: u64,
    let_through_count: u64,
}

impl Tried {
    fn take(
        &mut self,
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
        let again = decide_again(decided, entry.at, entry.epoch, state, with).map_err(|fault| fault.to_string())?;
        let again = again.decided();
        let permits = |one: &OrderDecided| one.decision == DecisionKind::Permit;
        self.orders += 1;
        self.permitted[0] += u64::from(permits(decided));
        self.permitted[1] += u64::from(permits(again));
        for check in &again.checks {
            *self.by_code.entry(check.code.as_str()).or_default() += 1;
        }
        match (permits(decided), permits(again)) {
            (true, false) => {
                self.stopped_count += 1;
                self.stopped.add(|| row(entry, again, &again.checks));
            }
            (false, true) => {
                self.let_through_count += 1;
                self.let_through.add(|| row(entry, again, &decided.checks));
            }
            _ => {}
        }
        Ok(())
    }

    fn report(self, agent: &AgentId, file: &Path) -> Report {
        let [were, would] = self.permitted;
        let mut lines = vec![format!(
            "{agent}: {} orders; {were} were permitted, {would} would be under {}",
            self.orders,
            file.display()
        )];
        let line = |one: &Value| {
            let check = &one["checks"][0];
            format!(
                "  {} entry {}: {}, limit {}, was {}",
                text(&one["at"]),
                one["number"],
                text(&check["code"]),
                text(&check["limit"]),
                text(&check["observed"])
            )
        };
        if self.stopped_count > 0 {
            lines.push(format!(
                "Permitted then, refused by these limits: {}",
                self.stopped_count
            ));
            lines.extend(self.stopped.lines(line));
        }
        if self.let_through_count > 0 {
            lines.push(format!(
                "Refused then, permitted by these limits: {}",
                self.let_through_count
            ));
            lines.extend(self.let_through.lines(line));
        }
        if self.stopped_count + self.let_through_count == 0 {
            lines.push("No order would have been decided otherwise.".to_owned());
        }
        Report::new(
            lines.join("\n"),
            json!({
                "agent": agent,
                "by_code": self.by_code,
                "let_through": self.let_through.rows,
                "let_through_count": self.let_through_count,
                "orders": self.orders,
                "permitted": were,
                "stopped": self.stopped.rows,
                "stopped_count": self.stopped_count,
                "would_be_permitted": would,
            }),
        )
    }
}

fn row(entry: &CommittedEntry, again: &OrderDecided, checks: &[FailedCheck]) -> Value {
    json!({
        "at": entry.at,
        "checks": checks,
        "notional": again.notional,
        "number": entry.number,
        "order": again.order.client_order_id,
    })
}
