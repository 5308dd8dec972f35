//! `warning`: open warnings by event, and one act that holds all bots of one.

use clap::Subcommand;
use extensions::AgentId;
use serde_json::{Value, json};

use super::{House, report::Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Open warnings. Bots that were warned within five minutes of one another are one event: more often the market than the bots.
    List,
    /// Let each of these warned bots only reduce, until an officer resumes it: no deadline passes meanwhile, and nothing is revoked.
    #[command(
        after_help = "Example:\n  mandatum --officer joan warning hold bot-1 bot-2 --reason 'the market moves'\nOne bot is answered with `mandatum agent answer`."
    )]
    Hold {
        /// The bots, as `list` showed them to you.
        #[arg(required = true, value_name = "BOT")]
        agents: Vec<AgentId>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::List => {
            let listed = officer.get("/v1/warnings").await?;
            Ok(Report::new(words(&listed), listed))
        }
        Command::Hold { agents, reason } => {
            let body = json!({ "agents": agents, "reason": reason });
            let held = officer.post("/v1/warnings/hold", &body).await?;
            let count = held["held"].as_array().map_or(0, Vec::len);
            let text = format!(
                "{count} bots may only reduce now, until each is resumed: mandatum agent resume BOT --reason '...'"
            );
            Ok(Report::new(text, held))
        }
    }
}

fn words(listed: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut lines = Vec::new();
    for event in listed["events"].as_array().into_iter().flatten() {
        let warnings = event["warnings"].as_array().cloned().unwrap_or_default();
        lines.push(format!(
            "since {}: {} bots, first deadline {}",
            text(&event["began"]),
            warnings.len(),
            text(&event["first_deadline"])
        ));
        lines.extend(warnings.iter().map(|one| {
            format!(
                "  {} unanswered at {} becomes {}",
                text(&one["agent"]),
                text(&one["deadline"]),
                text(&one["default"])
            )
        }));
        let bots: Vec<String> = warnings.iter().map(|one| text(&one["agent"])).collect();
        lines.push(format!(
            "  To hold them: mandatum warning hold {} --reason '...'",
            bots.join(" ")
        ));
    }
    if lines.is_empty() {
        return "no warning is open".to_owned();
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control: without an event there is no command.
    #[test]
    fn an_event_ends_with_the_act_that_holds_it() {
        let warned = |agent: &str| json!({ "agent": agent, "deadline": "2026-11-02T10:05:00Z", "default": "revoke" });
        let listed = json!({ "events": [{
            "began": "2026-11-02T10:00:00Z",
            "first_deadline": "2026-11-02T10:05:00Z",
            "warnings": [warned("bot-1"), warned("bot-2")],
        }] });
        let said = words(&listed);
        assert!(
            said.contains("2 bots") && said.ends_with("hold bot-1 bot-2 --reason '...'"),
            "{said}"
        );
        assert_eq!(words(&json!({ "events": [] })), "no warning is open");
    }
}
