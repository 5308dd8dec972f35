//! `webhook`: who is told, by two officers' signatures; what was given up, and trying again.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use revocation_core::webhooks::WebhookFormat;
use serde_json::{Value, json};

use super::{House, proposal, report::Report};
use crate::founding;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Every subscription the record knows, with the count of its dead letters.
    List,
    /// Propose a subscription, new or changed; it runs once two officers have signed it.
    Set(Set),
    /// Propose the end of a subscription.
    Remove {
        /// The subscription.
        name: String,
    },
    /// The messages of one subscription that were given up.
    Dead {
        /// The subscription, as `list` has it.
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

/// What a subscription is, or becomes.
#[derive(Debug, Args)]
pub(super) struct Set {
    /// Its name.
    name: String,
    /// Where to: https, or http into a network that `status.webhook_networks` names.
    #[arg(long)]
    url: String,
    /// What its receiver reads: `cloud_events`, `pagerduty` or `slack`.
    #[arg(long, default_value = "cloud_events", value_parser = format)]
    format: WebhookFormat,
    /// Kinds to tell of, as agent.revoked or agent.*; the usual ones of the format when none is given.
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// The file of `PagerDuty`'s routing key or `Slack`'s path. The house makes the secret of `cloud_events`, and shows it once, here.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Of `cloud_events`: make another secret.
    #[arg(long, conflicts_with = "secret_file")]
    new_secret: bool,
}

fn format(text: &str) -> Result<WebhookFormat, String> {
    serde_json::from_value(json!(text)).map_err(|_| "expected cloud_events, pagerduty or slack".to_owned())
}

impl Set {
    fn asked(self) -> anyhow::Result<Value> {
        let mut asked = json!({
            "format": self.format,
            "kinds": self.kinds,
            "new_secret": self.new_secret,
            "url": self.url,
            "webhook": self.name,
        });
        if let Some(file) = &self.secret_file {
            asked["secret"] = json!(founding::read_private(file)?.trim());
        }
        Ok(asked)
    }
}

/// A proposal, with the secret that nobody is shown again.
fn proposed(answer: Value) -> Report {
    let secret = answer["secret"].as_str().map(str::to_owned);
    let mut report = proposal::proposed(answer);
    if let Some(secret) = secret {
        let text = format!("The receiver's secret, shown this once: {secret}\n\n{}", report.text);
        report.text = text;
    }
    report
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::List => Ok(Report::of_json(officer.list("/v1/webhooks", "webhooks").await?)),
        Command::Set(set) => Ok(proposed(officer.post("/v1/webhooks", &set.asked()?).await?)),
        Command::Remove { name } => {
            let path = format!("/v1/webhooks/{name}/remove");
            Ok(proposal::proposed(officer.post(&path, &json!({})).await?))
        }
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
