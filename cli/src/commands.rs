//! Every command of `mandatum`, with help that teaches.
//!
//! Exit codes: 0 done, 1 failed, 2 not understood (command line or configuration), 3 refused, 4 unavailable, 5 does not verify.

mod agent;
mod application;
mod baseline;
mod ceremony;
mod doctor;
mod evaluate;
mod export;
mod house;
mod incident;
mod ledger;
mod limits;
mod observations;
mod observed;
mod officer;
mod order;
mod paper_venue;
mod position;
mod progress;
mod proposal;
mod receipt;
mod record;
mod replay;
pub mod report;
mod settings;
mod sidecar;
mod suggest;
mod warning;
mod webhook;
mod whatif;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use rustls::pki_types::CertificateDer;

use crate::{
    client::Origin,
    config::{Config, ConfigError, FILE_NAME},
    officer::Officer,
};
use report::{Exit, Failure, Report};

pub use observations::{History, MOST_NAMED, RejectedRow, read_history, read_observations, send_observations};

const EXAMPLES: &str = "\
FIRST STEPS
  export MANDATUM_DIR=house                     or --dir house with each command
  mandatum init --officers ada,grace,joan       found a sandbox house; prints a one-time token for each
    Who applies never approves, and two approve where house.two_officers_above names no amount for the currency:
    hence three officers. Add a venue to house/mandatum.toml: `mandatum paper-venue --help` shows one for a start.
  mandatum serve &                              run it
  mandatum officer enrol ada --token T          make ada's key and certificate; grace and joan likewise
  mandatum --officer ada agent register bot-1 --owner desk --model m-1 --purpose 'market making'
  mandatum --officer ada application submit mandate.toml      `application submit --help` shows the file
  mandatum --officer grace application show m-1               in plain words; ends with the command that signs it:
  mandatum --officer grace application approve m-1 --document DIGEST
  mandatum --officer joan application approve m-1 --document DIGEST
  mandatum --officer ada agent token bot-1 --mandate m-1
  mandatum agent enrol bot-1 --token T          make the bot's key and certificate
  mandatum order send --agent bot-1 --id 1 --side buy --quantity 0.01 --price 49000 BTC_EUR
  mandatum verify                               check the whole record

EXIT CODES
  0 done · 1 failed · 2 command line or configuration not understood · 3 refused · 4 unavailable · 5 does not verify

Each key of the configuration can be overridden: MANDATUM__GATEWAY__LISTEN=127.0.0.1:9443.";

/// Mandatum: a trading bot's mandate in its certificate, every order held to it, every step on record.
#[derive(Debug, Parser)]
#[command(name = "mandatum", version, after_long_help = EXAMPLES, after_help = "`mandatum --help` shows the first steps and the exit codes.")]
pub struct Cli {
    /// The house's folder; its configuration is DIR/mandatum.toml.
    #[arg(long, global = true, default_value = ".", env = "MANDATUM_DIR", value_name = "DIR")]
    dir: PathBuf,
    /// Another configuration file.
    #[arg(long, global = true, env = "MANDATUM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Who acts: the officer whose key lies in DIR/officers/ID.
    #[arg(long, global = true, env = "MANDATUM_OFFICER", value_name = "ID")]
    officer: Option<String>,
    /// The server, when it is not where the configuration says: https://host:port.
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// Print one JSON object.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value lives for the whole process")]
enum Command {
    /// Found a house: both roots, issuing CAs, the ledger, tokens for the first officers.
    Init(house::Init),
    /// Run the house: all four roles in one process, until interrupted.
    Serve(house::Serve),
    /// Officers: enrol, invite, remove, list.
    #[command(subcommand)]
    Officer(officer::Command),
    /// Bots: register, enrol, look, freeze, resume, revoke, reinstate.
    #[command(subcommand)]
    Agent(agent::Command),
    /// Mandates: submit, read in plain words, approve, reject.
    #[command(subcommand)]
    Application(application::Command),
    /// What two officers decide together: read and sign.
    #[command(subcommand)]
    Proposal(proposal::Command),
    /// Halts: look, acknowledge, review.
    #[command(subcommand)]
    Incident(incident::Command),
    /// Open warnings by event, and one act that holds all bots of one.
    #[command(subcommand)]
    Warning(warning::Command),
    /// What stands for the whole house.
    #[command(subcommand)]
    House(settings::HouseCommand),
    /// Source networks and their regions.
    #[command(subcommand)]
    Regions(settings::Regions),
    /// Amounts above which a mandate takes two officers.
    #[command(subcommand)]
    Thresholds(settings::Thresholds),
    /// What all bots of an owner, and all bots, may have at stake together.
    #[command(subcommand)]
    Exposure(settings::Exposure),
    /// Webhooks: dead letters, trying again, a sign of life.
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Orders of a bot, sent with its own certificate.
    #[command(subcommand)]
    Order(order::Command),
    Sidecar(sidecar::Sidecar),
    Doctor(doctor::Doctor),
    /// A bot's history, to learn a baseline from.
    #[command(subcommand)]
    Observations(observations::Command),
    /// What is normal for a bot: propose, read, approve.
    #[command(subcommand)]
    Baseline(baseline::Command),
    /// Positions opened elsewhere.
    #[command(subcommand)]
    Position(position::Command),
    /// A small honest exchange on loopback that speaks a real venue's API.
    PaperVenue(paper_venue::PaperVenue),
    /// What a certificate permits, and how two differ.
    #[command(subcommand)]
    Limits(limits::Command),
    /// Check the whole record offline; names the first entry that does not hold.
    Verify(ledger::Verify),
    /// Take every recorded decision again and compute every score again; names the first that differs.
    Replay(replay::Replay),
    /// What a proposed baseline, or other limits, would have done to past orders.
    Whatif(whatif::WhatIf),
    /// The smallest mandate that covers a history, with each number explained.
    Suggest(suggest::Suggest),
    /// What scores that are only observed would have stopped, and why.
    Observed(observed::Observed),
    /// Write the whole record to one file, for an auditor.
    Export(export::Export),
    /// With the roots' keys from their disk: new issuing CAs. Refuses beside a running server.
    #[command(subcommand)]
    Ceremony(ceremony::Command),
    /// One entry with its proof: get it, check it.
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// Believe the store as it is, after the head file's disk was lost. Refuses beside a running server.
    AdoptHead(ledger::AdoptHead),
    /// Make the views again from the record. Refuses beside a running server.
    Rebuild,
    /// Destroy the keys of a person's texts; every proof still verifies.
    Erase(ledger::Erase),
    Evaluate(evaluate::Evaluate),
    /// The whole story in one command: five bots trade over mTLS; one runs away, one's key is stolen, one drifts.
    Demo(crate::demo::Args),
}

/// What every command is told.
pub struct House {
    /// The house's folder.
    pub dir: PathBuf,
    file: PathBuf,
    officer: Option<String>,
    server: Option<String>,
    json: bool,
}

impl House {
    /// The configuration.
    ///
    /// # Errors
    /// When it is missing or not understood.
    pub fn config(&self) -> anyhow::Result<Config> {
        Config::load(&self.file).map_err(|error| Failure::new(Exit::Usage, error.to_string()).into())
    }

    /// What a server of ours is pinned by.
    fn roots(config: &Config) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        crate::pem::certificates(&config.paths.certificates.join("house.pem"))
    }

    fn origin(&self, names: &[String], address: std::net::SocketAddr) -> anyhow::Result<Origin> {
        let own = || {
            let host = names.first().map_or("localhost", String::as_str);
            format!("https://{host}:{}", address.port())
        };
        Origin::parse(&self.server.clone().unwrap_or_else(own))
    }

    fn folder(&self, kind: &str, id: &str) -> PathBuf {
        self.dir.join(kind).join(id)
    }

    /// The officer who acts.
    fn officer(&self) -> anyhow::Result<Officer> {
        let id = self.officer.as_deref().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                "this is an officer's act: name the officer with --officer ID (or MANDATUM_OFFICER)",
            )
        })?;
        extensions::OfficerId::new(id)?;
        let config = self.config()?;
        let origin = self.origin(&config.console.names, config.console.officers)?;
        Officer::open(&self.folder("officers", id), origin, &Self::roots(&config)?)
    }
}

/// A bot that acts.
#[derive(Debug, Args)]
pub(crate) struct WhichAgent {
    /// The bot, whose key and certificate lie in DIR/agents/ID.
    #[arg(long, value_name = "ID")]
    agent: extensions::AgentId,
}

/// Runs the program on the process's arguments; gives the exit code.
#[must_use]
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args().any(|argument| argument == "--json") => {
            return report::finish(Err(Failure::new(Exit::Usage, error.to_string()).into()), true);
        }
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage.code()
            } else {
                Exit::Done.code()
            };
        }
    };
    let json = cli.json;
    if matches!(cli.command, Command::Sidecar(_)) {
        sidecar::be_frugal();
    }
    let outcome = runtime(&cli.command)
        .enable_all()
        .build()
        .context("no runtime")
        .and_then(|runtime| runtime.block_on(run(cli)));
    report::finish(outcome, json)
}

/// The runtime a command needs: the sidecar lives beside a bot for months, on one thread with one helper that resolves names.
fn runtime(command: &Command) -> tokio::runtime::Builder {
    if matches!(command, Command::Sidecar(_)) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.max_blocking_threads(1);
        return runtime;
    }
    tokio::runtime::Builder::new_multi_thread()
}

/// Runs one parsed command.
///
/// # Errors
/// As the command ends; [`Failure`] carries the exit code.
pub async fn run(cli: Cli) -> anyhow::Result<Report> {
    let file = cli.config.clone().unwrap_or_else(|| cli.dir.join(FILE_NAME));
    let context = House {
        dir: cli.dir,
        file,
        officer: cli.officer,
        server: cli.server,
        json: cli.json,
    };
    match cli.command {
        Command::Init(command) => house::init(&context, command).await,
        Command::Serve(command) => house::serve(&context, command).await,
        Command::Officer(command) => officer::run(&context, command).await,
        Command::Agent(command) => agent::run(&context, command).await,
        Command::Application(command) => application::run(&context, command).await,
        Command::Proposal(command) => proposal::run(&context, command).await,
        Command::Incident(command) => incident::run(&context, command).await,
        Command::Warning(command) => warning::run(&context, command).await,
        Command::House(command) => settings::house(&context, command).await,
        Command::Regions(command) => settings::regions(&context, command).await,
        Command::Thresholds(command) => settings::thresholds(&context, command).await,
        Command::Exposure(command) => settings::exposure(&context, command).await,
        Command::Webhook(command) => webhook::run(&context, command).await,
        Command::Order(command) => order::run(&context, command).await,
        Command::Doctor(command) => doctor::run(&context, command).await,
        Command::Sidecar(command) => sidecar::run(&context, command).await,
        Command::Observations(command) => observations::run(&context, command).await,
        Command::Baseline(command) => baseline::run(&context, command).await,
        Command::Position(command) => position::run(&context, command).await,
        Command::PaperVenue(command) => paper_venue::run(&context, command).await,
        Command::Limits(command) => limits::run(&context, command),
        Command::Verify(command) => ledger::verify(&context, command).await,
        Command::Replay(command) => replay::run(&context, command).await,
        Command::Whatif(command) => whatif::run(&context, command).await,
        Command::Suggest(command) => suggest::run(&context, command).await,
        Command::Observed(command) => observed::run(&context, command).await,
        Command::Export(command) => export::export(&context, command).await,
        Command::Ceremony(command) => ceremony::run(&context, command).await,
        Command::Receipt(command) => receipt::run(&context, command).await,
        Command::AdoptHead(command) => ledger::adopt_head(&context, command).await,
        Command::Rebuild => ledger::rebuild(&context).await,
        Command::Erase(command) => ledger::erase(&context, command).await,
        Command::Evaluate(command) => tokio::task::spawn_blocking(move || evaluate::run(&command)).await?,
        Command::Demo(command) => house::demo(&context, command).await,
    }
}

/// A digest on the command line.
fn digest(text: &str) -> Result<extensions::Digest, String> {
    extensions::Digest::parse(text).ok_or_else(|| "a digest is 64 lower-case hexadecimal characters".to_owned())
}

/// A day or a moment on the command line.
fn since(text: &str) -> Result<extensions::Timestamp, String> {
    let moment = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    extensions::Timestamp::parse(&moment)
        .map_err(|_| "a day such as 2026-11-01, or a moment such as 2026-11-01T08:00:00Z".to_owned())
}

fn unknown_agent(agent: &extensions::AgentId) -> anyhow::Error {
    Failure::new(
        Exit::Refused,
        format!("{agent} has no entry in this record: `mandatum agent list` shows who has"),
    )
    .into()
}

/// Reads a document of TOML or JSON by what it looks like.
fn document(path: &Path) -> anyhow::Result<serde_json::Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let named = || format!("{} is neither JSON nor TOML", path.display());
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(&text).with_context(named);
    }
    toml::from_str(&text).with_context(named)
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_help_names_every_exit_code() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        for code in [
            "0 done",
            "1 failed",
            "2 ",
            "3 refused",
            "4 unavailable",
            "5 does not verify",
        ] {
            assert!(help.contains(code), "{code}");
        }
    }

    #[tokio::test]
    async fn a_missing_house_is_a_usage_failure_that_says_what_next() {
        let cli = Cli::try_parse_from(["mandatum", "--dir", "/nonexistent", "serve"]).unwrap();
        let error = run(cli).await.unwrap_err();
        let failure = error.downcast_ref::<Failure>().unwrap();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("mandatum init"), "{failure}");
    }
}
