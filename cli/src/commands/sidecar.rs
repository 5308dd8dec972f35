//! `sidecar`: the small process beside a bot that cannot do mTLS.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, ValueEnum};
use extensions::AgentId;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{House, report::Report};
use crate::{
    client::Origin,
    config::{Config, LogFormat, LogLevel, Logs},
    logs, pem,
    sidecar::{Settings, start},
};

const SET_UP: &str = "\
WHERE THE HOUSE RUNS ON THIS MACHINE
  mandatum --dir house sidecar --agent bot-1                     key and certificate in house/agents/bot-1

ON THE BOT'S OWN MACHINE: house.pem comes from your operator, by a way you trust
  mandatum sidecar --agent bot-1 --folder bot-1 --roots house.pem \\
           --gateway https://mandatum.example:8443 --enrolment https://mandatum.example:8445 --token T
  The token is needed once, for the first certificate. The key is made here and stays here.

POINT THE BOT AT IT: only the base URL changes, key and secret are placeholders
  ccxt        \"urls\": {\"api\": {\"public\": \"http://127.0.0.1:8787/api/v3\", \"private\": \"http://127.0.0.1:8787/api/v3\"}}
  requests    requests.post(\"http://127.0.0.1:8787/v1/orders\", json=order)
  curl        curl http://127.0.0.1:8787/sidecar/healthz

WHAT IT ANSWERS ITSELF, besides the gateway's own codes
  503 GATEWAY_UNREACHABLE   the gateway is away; nothing was sent: send the same again after Retry-After
  503 NOT_ENROLLED          no certificate yet
  504 IN_DOUBT              sent, and no answer came: ask for the order by its id before anything else
  403 AGENT_REVOKED, CERT_REVOKED, CERT_EXPIRED, CERTIFICATE_REFUSED    stop; a person has to act
  403 HOST_REFUSED, BROWSER_REFUSED                                     not a program that addressed this machine

Whoever can open a connection on this machine's loopback trades as the bot: run one bot a machine, a container or a network namespace.";

/// For a bot that cannot do mTLS: plain HTTP on loopback in, TLS 1.3 with the bot's certificate out.
///
/// Holds the bot's key, enrols, renews at half of each certificate's life without dropping a request, keeps connections to the gateway, and
/// signs orders where the mandate asks for it and the bot did not (recorded as `signed_by: sidecar`). It decides nothing: the gateway is
/// the gate. Runs until interrupted; logs go to standard error.
#[derive(Debug, Args)]
#[command(after_long_help = SET_UP)]
pub(super) struct Sidecar {
    /// The bot.
    #[arg(long, value_name = "ID")]
    agent: AgentId,
    /// Where bots find it; loopback only.
    #[arg(long, default_value = "127.0.0.1:8787", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where the bot's key and certificate lie, or are made; DIR/agents/ID when absent.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// The gateway, when DIR has no configuration that says it: https://host:port.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// The enrolment listener, likewise.
    #[arg(long, value_name = "URL")]
    enrolment: Option<String>,
    /// The house root, by which both are pinned, likewise.
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// The one-time token, for the first certificate.
    #[arg(long, env = "MANDATUM_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How logs are written.
    #[arg(long, value_enum, default_value_t = Lines::Json)]
    log: Lines,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lines {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text,
}

/// How the allocator is told to hold no more than is used; it reads this at its start alone.
const FRUGAL: [(&str, &str); 2] = [("MIMALLOC_ARENA_EAGER_COMMIT", "0"), ("MIMALLOC_PURGE_DELAY", "0")];

/// Starts this program anew, in the same process, with an allocator that gives memory back: 14 MB instead of 19. What is set already stays, and
/// where it cannot be done the sidecar runs as it is.
pub(super) fn be_frugal() {
    use std::os::unix::process::CommandExt as _;
    if FRUGAL.iter().all(|(name, _)| std::env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let unset = FRUGAL.into_iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let error = std::process::Command::new(program)
        .args(std::env::args_os().skip(1))
        .envs(unset)
        .exec();
    tracing::debug!(%error, "the sidecar goes on with the allocator's usual settings");
}

pub(super) async fn run(house: &House, command: Sidecar) -> anyhow::Result<Report> {
    let format = match command.log {
        Lines::Json => LogFormat::Json,
        Lines::Text => LogFormat::Text,
    };
    logs::start(&Logs {
        level: LogLevel::Info,
        format,
    });
    let stop = CancellationToken::new();
    let running = start(settings(house, command)?, stop.clone()).await?;
    eprintln!("{}", running.started);
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(Report::new("", json!({ "stopped": true })))
}

/// What the command line says; the rest from the house's configuration, which is read only when something is missing.
fn settings(house: &House, command: Sidecar) -> anyhow::Result<Settings> {
    let mut read: Option<Config> = None;
    let mut config = || -> anyhow::Result<Config> {
        if read.is_none() {
            read = Some(house.config()?);
        }
        Ok(read.clone().expect("just read"))
    };
    let gateway = match command.gateway.or_else(|| house.server.clone()) {
        Some(url) => Origin::parse(&url)?,
        None => house.origin(&config()?.gateway.names, config()?.gateway.listen)?,
    };
    let enrolment = match &command.enrolment {
        Some(url) => Origin::parse(url)?,
        None => {
            let config = config()?;
            let host = config.console.names.first().map_or("localhost", String::as_str);
            Origin::parse(&format!("https://{host}:{}", config.console.enrolment.port()))?
        }
    };
    let roots = match &command.roots {
        Some(file) => pem::certificates(file)?,
        None => House::roots(&config()?)?,
    };
    let folder = command
        .folder
        .unwrap_or_else(|| house.folder("agents", command.agent.as_str()));
    Ok(Settings {
        agent: command.agent,
        folder,
        listen: command.listen,
        gateway,
        enrolment,
        roots,
        token: command.token,
    })
}
