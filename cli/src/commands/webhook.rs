//! `webhook`: who is told, what was given up, and trying again.

use clap::Subcommand;
use serde_json::json;

use super::{House, report::Report};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Every subscription the record knows, with the count of its dead letters.
    List,
    /// The messages of one subscription that were given up.
    Dead {
        /// The subscription, as `[webhooks.NAME]` of the configuration has it.
        name: String,
    },
    /// Try a dead letter again, with a fresh budget of attempts; or all of them.
    Replay {
        /// The subscription.
        name: String,
        /// The position of the entry it tells of, as `dead` shows it.
        #[arg(required_unless_present = "all")]
        position: Option<u64>,
        /// Every dead letter.
        #[arg(long, conflicts_with = "position")]
        all: bool,
    },
    /// Send a sign of life now. Whether it was taken stands in the record: `delivery.attempted` of this subscription.
    Test {
        /// The subscription.
        name: String,
    },
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::List => Ok(Report::of_json(officer.list("/v1/webhooks", "webhooks").await?)),
        Command::Dead { name } => {
            let path = format!("/v1/webhooks/{name}/dead");
            Ok(Report::of_json(officer.list(&path, "dead").await?))
        }
        Command::Replay { name, position, all: _ } => {
            let positions = match position {
                Some(position) => vec![position],
                None => {
                    let dead = officer.list(&format!("/v1/webhooks/{name}/dead"), "dead").await?;
                    let rows = dead["dead"].as_array().into_iter().flatten();
                    rows.filter_map(|row| row["position"].as_u64()).collect()
                }
            };
            let path = format!("/v1/webhooks/{name}/replay");
            for position in &positions {
                officer.post(&path, &json!({ "position": position })).await?;
            }
            let text = format!("{} message(s) to {name} are tried again", positions.len());
            Ok(Report::new(text, json!({ "replayed": positions, "webhook": name })))
        }
        Command::Test { name } => {
            let path = format!("/v1/webhooks/{name}/test");
            Ok(Report::of_json(officer.post(&path, &json!({})).await?))
        }
    }
}
