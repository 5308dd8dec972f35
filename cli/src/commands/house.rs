//! `init`, `serve`, `demo`.

use std::{fmt::Write as _, sync::Arc};

use ::ledger::LedgerError;
use anyhow::{Context, bail};
use clap::Args;
use extensions::{
    OfficerId,
    oids::{Environment, OidArc},
};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    House,
    report::{Exit, Failure, Report},
};
use crate::{
    clock::SystemClock,
    config, founding, logs,
    serve::{self, Clocks, Role, Roles},
};

/// Found a house.
///
/// Writes DIR/mandatum.toml when there is none (edit it and run again with --use-config to found what it says), makes both roots
/// with their issuing CAs, the listeners' certificates and the ledger, and prints one-time tokens for the first officers.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Init {
    /// The first officers, at least two: ada,grace.
    #[arg(long, value_delimiter = ',', required_unless_present = "use_config")]
    officers: Vec<OfficerId>,
    /// Found what DIR/mandatum.toml says.
    #[arg(long, conflicts_with_all = ["officers", "trust_domain", "production", "only_config"])]
    use_config: bool,
    /// An FQDN in your control; part of every bot's name.
    #[arg(long, default_value = "bots.example.com")]
    trust_domain: String,
    /// The ledger's name.
    #[arg(long, default_value = "mandatum")]
    ledger: String,
    /// Your private enterprise number, from IANA; 32473, for documentation, is refused in production. Fixed by init.
    #[arg(long, conflicts_with = "use_config", value_name = "NUMBER")]
    pen: Option<u64>,
    /// Write the configuration and stop, to be edited and founded with --use-config.
    #[arg(long)]
    only_config: bool,
    /// Write the configuration for production and stop: it needs your PEN and a passphrase before it can be founded.
    #[arg(long)]
    production: bool,
}

/// Writes the configuration of a new house; a report when that is all that was asked for.
fn configure(house: &House, command: &Init) -> anyhow::Result<Option<Report>> {
    if house.file.exists() {
        bail!(
            "{} exists already: found what it says with `mandatum init --use-config`, or choose another --dir",
            house.file.display()
        );
    }
    let pen = command.pen.map(OidArc::new).transpose();
    let pen = pen.map_err(|error| Failure::new(Exit::Usage, format!("--pen: {error}")))?;
    std::fs::create_dir_all(&house.dir).with_context(|| format!("cannot make {}", house.dir.display()))?;
    let environment = if command.production {
        Environment::Production
    } else {
        Environment::Sandbox
    };
    let text = config::template(
        &command.ledger,
        &command.trust_domain,
        environment,
        &command.officers,
        pen,
    );
    std::fs::write(&house.file, text).with_context(|| format!("cannot write {}", house.file.display()))?;
    if !command.production && !command.only_config {
        return Ok(None);
    }
    let set = if command.production {
        "Set paths.passphrase_file and paths.root_passphrase_file, and house.pen if you named no --pen,"
    } else {
        "Set what you need"
    };
    let text = format!(
        "Wrote {}. {set} in it, then run `mandatum init --use-config`.",
        house.file.display()
    );
    Ok(Some(Report::new(text, json!({ "config": house.file }))))
}

pub(super) async fn init(house: &House, command: Init) -> anyhow::Result<Report> {
    if !command.use_config
        && let Some(written) = configure(house, &command)?
    {
        return Ok(written);
    }
    let config = house.config()?;
    let founded = founding::found(&config, Arc::new(SystemClock)).await?;
    founded.ledger.close().await?;
    let mut text = founded.transcript.clone();
    let roots = std::path::absolute(&config.paths.roots).unwrap_or_else(|_| config.paths.roots.clone());
    let _ = writeln!(
        text,
        "\nBoth roots' keys are in {}.\nTake that folder offline now: two removable disks, two places, nothing left here. No server ever loads it.\n",
        roots.display()
    );
    text.push_str("One-time tokens of the first officers (shown once, kept nowhere)\n");
    for token in &founded.tokens {
        let _ = writeln!(
            text,
            "  {}  {}  use before {}",
            token.officer, token.token, token.use_before
        );
    }
    let _ = writeln!(
        text,
        "\nNext\n  mandatum --dir {0} serve\n  mandatum --dir {0} officer enrol {1} --token TOKEN     (a certificate, for the command line)\n  {2}/join#TOKEN     (a passkey, in the browser)",
        house.dir.display(),
        founded.tokens.first().map_or("ID", |token| token.officer.as_str()),
        config.console.origin_at(config.console.officers.port())
    );
    let tokens = founded
        .tokens
        .iter()
        .map(|token| json!({ "officer": token.officer, "token": token.token, "use_before": token.use_before }));
    let json = json!({
        "config": house.file,
        "ledger": config.house.ledger,
        "roots": roots,
        "tokens": tokens.collect::<Vec<_>>(),
        "transcript": founded.transcript,
    });
    Ok(Report::new(text, json))
}

/// Run the house until interrupted (SIGINT, SIGTERM).
#[derive(Debug, Args)]
pub(super) struct Serve {
    /// One role alone; needs a store that several processes share.
    #[arg(long)]
    role: Option<Role>,
}

pub(super) async fn serve(house: &House, command: Serve) -> anyhow::Result<Report> {
    let config = house.config()?;
    logs::start(&config.logs);
    let stop = CancellationToken::new();
    let roles = command.role.map_or(Roles::All, Roles::Only);
    let running = serve::run(&config, roles, Clocks::system(), stop.clone()).await;
    let running = running.map_err(|error| match error.downcast_ref() {
        Some(LedgerError::InUse(_)) => Failure::new(Exit::Unavailable, format!("{error:#}")).into(),
        _ => error,
    })?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let a = running.addresses;
    let shown = |address: Option<std::net::SocketAddr>| address.map_or_else(|| "-".to_owned(), |a| a.to_string());
    eprintln!(
        "serving: bots {} · officers {} · enrolment {} · status {} · operations {}",
        shown(a.gateway),
        shown(a.officers),
        shown(a.enrolment),
        shown(a.status),
        shown(a.operations)
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = stop.cancelled() => {}
    }
    running.stop().await?;
    Ok(Report::new("", json!({ "stopped": true })))
}

/// `demo`: in the folder that `--dir` names, or a temporary one.
pub(super) async fn demo(house: &House, args: crate::demo::Args) -> anyhow::Result<Report> {
    let dir = (house.dir.as_os_str() != ".").then(|| house.dir.clone());
    let args = crate::demo::Args { dir, ..args };
    let report = crate::demo::run(&args).await?;
    let json = serde_json::to_value(&report)?;
    if report.faults.is_empty() {
        return Ok(Report::new(report.to_string(), json));
    }
    if !house.json {
        eprintln!("{report}");
    }
    let failure = Failure::new(
        Exit::Failed,
        format!("the demonstration does not hold: {}", report.faults.join("; ")),
    );
    Err(Failure {
        answer: Some(json),
        ..failure
    }
    .into())
}
