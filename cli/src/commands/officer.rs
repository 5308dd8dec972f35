//! `officer`: enrol, invite, remove, list.

use clap::Subcommand;
use extensions::OfficerId;
use serde_json::json;

use super::{House, proposal, report::Report};
use crate::officer;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make your key here (mode 0600) and have it certified with a one-time token.
    ///
    /// Example: mandatum --dir house officer enrol ada --token 5f3c… --name 'Ada L.'
    Enrol {
        /// The officer.
        #[arg(value_name = "ID")]
        id: OfficerId,
        /// The one-time token, as handed over in person.
        #[arg(long, env = "MANDATUM_TOKEN", hide_env_values = true)]
        token: String,
        /// The person's name; sealed in the record, erasable. The id when absent.
        #[arg(long)]
        name: Option<String>,
    },
    /// Propose a further officer, or other roles; two officers sign it with `proposal sign`.
    Invite {
        /// The officer.
        #[arg(value_name = "ID")]
        id: OfficerId,
        /// administrator, approver, auditor, operator, responder.
        #[arg(long, value_delimiter = ',', required = true)]
        roles: Vec<String>,
    },
    /// Remove an officer from office: their key opens nothing from then on.
    Remove {
        /// The officer.
        #[arg(value_name = "ID")]
        id: OfficerId,
        /// Why; recorded.
        #[arg(long)]
        reason: String,
    },
    /// Who you are to the server: your roles and your key.
    Whoami,
    /// Everybody in office, with their roles.
    List,
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    match command {
        Command::Enrol { id, token, name } => {
            let config = house.config()?;
            let origin = house.origin(&config.console.names, config.console.officers)?;
            let folder = house.folder("officers", id.as_str());
            let roots = House::roots(&config)?;
            let name = name.unwrap_or_else(|| id.to_string());
            officer::enrol(&folder, origin, &roots, &token, &name).await?;
            let text = format!("{id} is enrolled; key and certificate are in {}", folder.display());
            Ok(Report::new(text, json!({ "folder": folder, "officer": id })))
        }
        Command::Invite { id, roles } => {
            let body = json!({ "officer": id, "roles": roles });
            let answer = house.officer()?.post("/v1/officers", &body).await?;
            let token = answer["token"].as_str().unwrap_or("?").to_owned();
            let mut report = proposal::proposed(answer);
            report.text.push_str(&format!(
                "\n\nOne-time token of {id}, good once two have signed:\n  {token}"
            ));
            Ok(report)
        }
        Command::Remove { id, reason } => {
            let path = format!("/v1/officers/{id}/remove");
            let body = json!({ "reason": reason });
            Ok(Report::of_json(house.officer()?.post(&path, &body).await?))
        }
        Command::Whoami => Ok(Report::of_json(house.officer()?.get("/v1/whoami").await?)),
        Command::List => Ok(Report::of_json(
            house.officer()?.list("/v1/officers", "officers").await?,
        )),
    }
}
