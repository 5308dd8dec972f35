//! `whatif`: what a proposed baseline, or other limits, would have done to past orders.

mod baseline;
mod limits;

use std::path::PathBuf;

use clap::Args;
use extensions::{AgentId, Digest, Timestamp};
use serde_json::Value;

use super::{House, record, report::Report, since};

/// The most orders that are told one by one.
const MOST_TOLD: usize = 50;

/// What a proposed baseline, or other limits, would have done to the orders that a bot has sent. Nothing is recorded, nothing follows.
///
/// With --limits each order is decided again, by every rule, on the state as it really was: an order that these limits would have
/// permitted and that was refused does not become a position. A bot that never signed its orders is refused throughout by limits
/// that ask for signatures. With --baseline each order is scored under the proposal, its counters warmed by the orders before
/// --since; after a revocation the bot is taken to come back, cleared, on the next UTC day.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --dir house whatif --agent bot-1 --limits mandate.toml --since 2026-11-01\n  mandatum --dir house whatif --agent bot-1 --baseline DIGEST    `baseline show` prints the digest"
)]
#[group(id = "what", required = true, args = ["baseline", "limits"])]
pub(super) struct WhatIf {
    #[command(flatten)]
    source: record::Source,
    /// The bot.
    #[arg(long, value_name = "ID")]
    agent: AgentId,
    /// A proposed baseline of this bot, whatever became of it.
    #[arg(long, value_name = "DIGEST", value_parser = super::digest)]
    baseline: Option<Digest>,
    /// A mandate, its limits alone (TOML or JSON), or a certificate.
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
    /// From this day or moment on: 2026-11-01 or 2026-11-01T08:00:00Z.
    #[arg(long, value_name = "T", value_parser = since)]
    since: Option<Timestamp>,
}

pub(super) async fn run(house: &House, command: WhatIf) -> anyhow::Result<Report> {
    let WhatIf {
        source,
        agent,
        baseline,
        limits,
        since,
    } = command;
    let since = since.unwrap_or(Timestamp::EPOCH);
    match (baseline, limits) {
        (Some(digest), _) => self::baseline::run(house, source, agent, digest, since).await,
        (None, Some(file)) => self::limits::run(house, source, agent, &file, since).await,
        (None, None) => anyhow::bail!("name what to try: --baseline DIGEST or --limits FILE"),
    }
}

/// Rows up to a bound; those beyond are counted.
#[derive(Default)]
struct Told {
    rows: Vec<Value>,
    more: u64,
}

impl Told {
    fn add(&mut self, row: impl FnOnce() -> Value) {
        if self.rows.len() < MOST_TOLD {
            self.rows.push(row());
        } else {
            self.more += 1;
        }
    }

    fn lines(&self, line: impl Fn(&Value) -> String) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("  and {} more", self.more));
        self.rows.iter().map(line).chain(more).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}
