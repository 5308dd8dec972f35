//! `ceremony`: what needs the roots' keys after the founding.

use std::{path::PathBuf, sync::Arc};

use ::ledger::LedgerError;
use ca_service::ceremony::CeremonyError;
use clap::{Args, Subcommand};
use serde_json::json;

use super::{
    House,
    report::{Exit, Failure, Report},
};
use crate::{clock::SystemClock, founding};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Rekey(Rekey),
}

/// New issuing CAs under both roots, before the present ones end.
///
/// Stop the server, bring the roots' keys from their disk, run this, take them away again, start the server: it issues under the new
/// CAs. What the earlier ones issued stays valid until it ends, and each has a CRL of its own. Interrupted and run again, it goes on.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Rekey {
    /// Where both roots' keys are; the folder of the configuration when absent.
    #[arg(long, value_name = "DIR")]
    roots: Option<PathBuf>,
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let Command::Rekey(command) = command;
    let config = house.config()?;
    let roots = command.roots.unwrap_or_else(|| config.paths.roots.clone());
    let transcript = founding::rekey(&config, &roots, Arc::new(SystemClock)).await;
    let transcript = transcript.map_err(|error| match error.downcast_ref() {
        Some(CeremonyError::Ledger(LedgerError::InUse(_))) => {
            Failure::new(Exit::Unavailable, format!("{error:#}")).into()
        }
        _ => error,
    })?;
    let text = format!(
        "{transcript}\nTake the roots' keys away again now: {}. Then start the server.",
        roots.display()
    );
    Ok(Report::new(text, json!({ "roots": roots, "transcript": transcript })))
}
