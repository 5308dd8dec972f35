//! `incident`: from a halt to its review.

use clap::{Subcommand, ValueEnum};
use extensions::IncidentId;
use serde_json::json;

use super::{
    House, proposal,
    report::{Exit, Failure, Report},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// All incidents: who was stopped, by what, since when, and how far their review is.
    List,
    /// One incident.
    Show {
        /// The incident.
        incident: IncidentId,
    },
    /// Say that you are on it.
    Acknowledge {
        /// The incident.
        incident: IncidentId,
    },
    /// Propose what its review found: two officers sign it with `proposal sign`.
    Review {
        /// The incident.
        incident: IncidentId,
        /// Whether the stop was right.
        #[arg(long)]
        finding: Finding,
        /// What led to it, in words; sealed beside the record.
        #[arg(long)]
        root_cause: String,
        /// What it cost, whom and what it touched; sealed too.
        #[arg(long)]
        impact: String,
        /// What will be done otherwise; sealed too.
        #[arg(long)]
        lessons: String,
    },
}

/// What a review finds.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Finding {
    /// The bot had left its mandate or its baseline.
    Confirmed,
    /// It had not.
    FalseAlarm,
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    let mut officer = house.officer()?;
    match command {
        Command::List => {
            let listed = officer.list("/v1/incidents", "incidents").await?;
            Ok(Report::of_json(listed))
        }
        Command::Show { incident } => {
            let listed = officer.list("/v1/incidents", "incidents").await?;
            let mut all = listed["incidents"].as_array().into_iter().flatten();
            let found = all.find(|one| one["incident"] == json!(incident)).cloned();
            let missing = || {
                Failure::new(
                    Exit::Refused,
                    format!("there is no incident {incident}: mandatum incident list"),
                )
            };
            Ok(Report::of_json(found.ok_or_else(missing)?))
        }
        Command::Acknowledge { incident } => {
            let path = format!("/v1/incidents/{incident}/acknowledge");
            Ok(Report::of_json(officer.post(&path, &json!({})).await?))
        }
        Command::Review {
            incident,
            finding,
            root_cause,
            impact,
            lessons,
        } => {
            let finding = match finding {
                Finding::Confirmed => "confirmed",
                Finding::FalseAlarm => "false_alarm",
            };
            let body = json!({ "finding": finding, "impact": impact, "lessons": lessons, "root_cause": root_cause });
            let path = format!("/v1/incidents/{incident}/review");
            Ok(proposal::proposed(officer.post(&path, &body).await?))
        }
    }
}
