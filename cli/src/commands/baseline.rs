//! `baseline`: propose, show, approve.

use clap::Subcommand;
use extensions::{AgentId, Digest};
use serde_json::{Value, json};

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
    /// Sign the proposal that `show` showed you; one that replaces another needs two officers.
    Approve {
        /// The bot.
        agent: AgentId,
        /// The digest that `show` prints: of the proposal you have read.
        #[arg(long, value_name = "DIGEST", value_parser = super::digest)]
        document: Digest,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::Propose { agent } => {
            let path = format!("/v1/agents/{agent}/baselines");
            let answer = officer.post(&path, &json!({})).await?;
            let text = format!(
                "{}\n\nProposed as version {}; {} officer(s) must sign it: mandatum baseline approve {agent} --document {}",
                answer["in_words"].as_str().unwrap_or_default(),
                answer["version"],
                answer["officers_needed"],
                answer["document_digest"].as_str().unwrap_or("?"),
            );
            Ok(Report::new(text, answer))
        }
        Command::Show { agent } => {
            let shown = officer.get(&format!("/v1/agents/{agent}/baselines")).await?;
            Ok(Report::new(words(&shown), shown))
        }
        Command::Approve { agent, document } => Ok(Report::of_json(
            officer.approve_baseline_seen(agent.as_str(), &document).await?,
        )),
    }
}

/// Each proposal in words, then what it takes to sign it.
fn words(shown: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let agent = text(&shown["agent"]);
    let mut words = match shown["in_force"]["version"].as_u64() {
        Some(version) => format!("{agent}: version {version} is in force\n"),
        None => format!("{agent}: no baseline is in force\n"),
    };
    for one in shown["proposed"].as_array().into_iter().flatten() {
        let open = one["proposal"].is_object() && one["proposal"]["accepted"].is_null();
        words.push_str(&format!(
            "\nversion {}, proposed {}\n{}\ndocument {}\n",
            one["version"],
            text(&one["at"]),
            text(&one["in_words"]),
            text(&one["digest"])
        ));
        if open {
            let digest = text(&one["digest"]);
            words.push_str(&format!(
                "To sign exactly this: mandatum baseline approve {agent} --document {digest}\n"
            ));
        }
    }
    words
}
