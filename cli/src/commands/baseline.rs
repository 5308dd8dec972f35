//! `baseline`: propose, show, approve.

use clap::Subcommand;
use extensions::AgentId;
use serde_json::json;

use super::{House, report::Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Fit a baseline from the history imported and observed. It has no force until officers sign it.
    Propose {
        /// The bot.
        agent: AgentId,
    },
    /// What is proposed and what is in force, in words.
    Show {
        /// The bot.
        agent: AgentId,
    },
    /// Sign the newest proposal; one that replaces another needs two officers.
    Approve {
        /// The bot.
        agent: AgentId,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::Propose { agent } => {
            let path = format!("/v1/agents/{agent}/baselines");
            let answer = officer.post(&path, &json!({})).await?;
            let text = format!(
                "{}\n\nProposed as version {}; {} officer(s) must sign it: mandatum baseline approve {agent}",
                answer["in_words"].as_str().unwrap_or_default(),
                answer["version"],
                answer["officers_needed"]
            );
            Ok(Report::new(text, answer))
        }
        Command::Show { agent } => Ok(Report::of_json(
            officer.get(&format!("/v1/agents/{agent}/baselines")).await?,
        )),
        Command::Approve { agent } => Ok(Report::of_json(officer.approve_baseline(agent.as_str()).await?)),
    }
}
