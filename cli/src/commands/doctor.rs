//! `doctor`: what is wrong, in one line and one fix each.

use std::{fmt::Write as _, path::PathBuf, sync::Arc};

use clap::Args;
use extensions::AgentId;
use serde_json::json;

use super::{
    House,
    report::{Exit, Failure, Report},
};
use crate::{
    client::Origin,
    clock::SystemClock,
    doctor::{Finding, bot, house as of_house},
    pem,
};

/// Look for what keeps a house, or with --bot a bot, from trading; one line and one fix each. Ends with 1 when a check fails.
///
/// The house: configuration, keys, disk, ledger, listeners, venues.
/// A bot: key, chain, extended key usage, expiry, disk, gateway, ALPN, clock, region and standing as the gateway sees them.
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  mandatum --dir house doctor\n  mandatum --dir house doctor --bot bot-1\n  mandatum doctor --bot bot-1 --folder bot-1 --gateway https://mandatum.example:8443 --roots house.pem"
)]
pub(super) struct Doctor {
    /// The bot; without it the house is examined.
    #[arg(long, value_name = "ID")]
    bot: Option<AgentId>,
    /// The bot's key and certificate; DIR/agents/ID when absent.
    #[arg(long, value_name = "FOLDER", requires = "bot")]
    folder: Option<PathBuf>,
    /// The gateway, when DIR has no configuration that says it.
    #[arg(long, value_name = "URL", requires = "bot")]
    gateway: Option<String>,
    /// The house root, likewise.
    #[arg(long, value_name = "FILE", requires = "bot")]
    roots: Option<PathBuf>,
}

pub(super) async fn run(house: &House, command: Doctor) -> anyhow::Result<Report> {
    let found = match command.bot {
        Some(agent) => bot::examine(&patient(house, command, &agent)?).await,
        None => match house.config() {
            Ok(config) => of_house::examine(&config).await,
            Err(error) => vec![of_house::unreadable(&format!("{error:#}"))],
        },
    };
    let failed = found.iter().filter(|finding| !finding.ok).count();
    let (text, json) = (told(&found), json!({ "findings": found, "ok": failed == 0 }));
    if failed == 0 {
        return Ok(Report::new(text, json));
    }
    Err(Failure {
        answer: Some(json),
        ..Failure::new(Exit::Failed, format!("{failed} of {} checks fail\n{text}", found.len()))
    }
    .into())
}

fn patient(house: &House, command: Doctor, agent: &AgentId) -> anyhow::Result<bot::Patient> {
    let gateway = match command.gateway.or_else(|| house.server.clone()) {
        Some(url) => Origin::parse(&url)?,
        None => {
            let config = house.config()?;
            house.origin(&config.gateway.names, config.gateway.listen)?
        }
    };
    let roots = match command.roots {
        Some(file) => pem::certificates(&file)?,
        None => House::roots(&house.config()?)?,
    };
    Ok(bot::Patient {
        folder: command.folder.unwrap_or_else(|| house.folder("agents", agent.as_str())),
        gateway,
        roots,
        clock: Arc::new(SystemClock),
    })
}

fn told(found: &[Finding]) -> String {
    let mut text = String::new();
    for finding in found {
        let mark = if finding.ok { "ok  " } else { "FAIL" };
        let _ = writeln!(text, "{mark} {:<9} {}", finding.check, finding.says);
        if let Some(fix) = &finding.fix {
            let _ = writeln!(text, "       {:<9} do: {fix}", "");
        }
    }
    text
}
