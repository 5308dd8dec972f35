//! `observed`: after a time of `scoring: observe`, what the score would have stopped, and why.

use ::ledger::CommittedEntry;
use clap::Args;
use extensions::{AgentId, Timestamp};
use gateway_policy::{AgentEvent, OrderDecided, ScoreUse};
use serde_json::{Value, json};

use super::{House, record, report::Report, since, unknown_agent};
use crate::past::{Past, Visiting};

/// The most moments that are told one by one.
const MOST_TOLD: usize = 50;

/// What the score of a bot under `scoring: observe` would have done: each moment it would have warned or revoked, and the reason.
///
/// Read it before you change the mandate to `scoring: enforce`. A row is the first order of a run of such orders; while a score is
/// only observed nothing is reset behind it, so a run can be long. If a row shows what the bot ought to do, propose a baseline
/// from a history that has it, and ask `mandatum whatif --baseline` first.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --dir house observed --agent bot-1\n  mandatum observed audit.txt --agent bot-1 --since 2026-11-01 --json"
)]
pub(super) struct Observed {
    #[command(flatten)]
    source: record::Source,
    /// The bot.
    #[arg(long, value_name = "ID")]
    agent: AgentId,
    /// From this day or moment on: 2026-11-01 or 2026-11-01T08:00:00Z.
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Timestamp>,
}

pub(super) async fn run(house: &House, command: Observed) -> anyhow::Result<Report> {
    let agent = command.agent;
    let from = command.since.unwrap_or(Timestamp::EPOCH);
    let mut told = Told::default();
    let mut visit = |past: &Past, entry: &CommittedEntry, event: &AgentEvent| {
        if let AgentEvent::Decided(decided) = event
            && entry.at >= from
        {
            told.take(past, entry, decided);
        }
        Ok(())
    };
    let mut visiting = Visiting::new(agent, &mut visit);
    record::read(house, command.source, "entries read", &mut visiting).await?;
    if !visiting.into_past().knows(&agent) {
        return Err(unknown_agent(&agent));
    }
    Ok(told.report(&agent))
}

/// What was seen of the scores.
#[derive(Default)]
struct Told {
    enforced: u64,
    observed: u64,
    unscored: u64,
    would_revoke: u64,
    would_warn: u64,
    moments: Vec<Value>,
    more: u64,
    last: Option<ScoreUse>,
}

impl Told {
    fn take(&mut self, past: &Past, entry: &CommittedEntry, decided: &OrderDecided) {
        let last = std::mem::replace(&mut self.last, decided.score_use);
        let (verb, count) = match decided.score_use {
            None => {
                self.unscored += 1;
                return;
            }
            Some(ScoreUse::Enforced) => {
                self.enforced += 1;
                return;
            }
            Some(ScoreUse::Observed) => {
                self.observed += 1;
                return;
            }
            Some(ScoreUse::WouldWarn) => ("warned", &mut self.would_warn),
            Some(ScoreUse::WouldRevoke) => ("revoked", &mut self.would_revoke),
        };
        self.observed += 1;
        *count += 1;
        if last == decided.score_use {
            return;
        }
        if self.moments.len() == MOST_TOLD {
            self.more += 1;
            return;
        }
        let baseline = decided.score.and_then(|score| past.approved(&score.baseline));
        let why = decided
            .score
            .zip(baseline)
            .map(|(score, baseline)| score.summary(baseline, &decided.observation(entry.at)));
        self.moments.push(json!({
            "at": entry.at,
            "number": entry.number,
            "order": decided.order.client_order_id,
            "score": decided.score.map(|score| score.score),
            "why": why,
            "would_have": verb,
        }));
    }

    fn report(self, agent: &AgentId) -> Report {
        let mut lines = vec![format!(
            "{agent}: {} orders under observed scores; {} would have been answered with a warning, {} with a revocation",
            self.observed, self.would_warn, self.would_revoke
        )];
        if self.enforced > 0 {
            lines.push(format!("{} more orders came under enforced scores", self.enforced));
        }
        if self.unscored > 0 {
            lines.push(format!(
                "{} more orders came without a baseline, and have no score",
                self.unscored
            ));
        }
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        lines.extend(self.moments.iter().map(|one| {
            format!(
                "  {} entry {}: would have {}: {}",
                text(&one["at"]),
                one["number"],
                text(&one["would_have"]),
                text(&one["why"])
            )
        }));
        if self.more > 0 {
            lines.push(format!("  and {} more such moments", self.more));
        }
        if self.observed > 0 && self.would_revoke + self.would_warn == 0 {
            lines.push("Enforced, nothing would have been different.".to_owned());
        }
        Report::new(
            lines.join("\n"),
            json!({
                "agent": agent,
                "enforced": self.enforced,
                "moments": self.moments,
                "more_moments": self.more,
                "observed": self.observed,
                "unscored": self.unscored,
                "would_revoke": self.would_revoke,
                "would_warn": self.would_warn,
            }),
        )
    }
}
