//! `mandatum demo`: the whole product on one machine in a minute. A house is founded, five bots trade through the gateway over mTLS
//! under a stepped clock, two of them are stopped, a third is warned; what happened is read from the ledger and held against the venue.
//!
//! Nothing of the outcome is written anywhere here: [`scenario`] says what the bots do, the scorer says who is stopped.

mod audit;
mod house;
mod play;
mod progress;
mod receiver;
mod recorded;
mod report;
mod scenario;
mod trader;
mod watch;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use extensions::AgentId;

pub use audit::AgentAudit;
pub use report::{BotReport, Replayed, Report, Stopped};
pub use scenario::{DEFAULT_SEED, Fate, TRADING_DAYS};

use crate::clock::SystemClock;
use audit::Audit;
use house::{House, Markets};
use play::{Player, Stage};
use progress::Progress;
use recorded::Recorded;
use scenario::Scenario;
use trader::Trader;

/// How long the house must have been silent before its ledger is read, and how long that is waited for.
const SILENCE: Duration = Duration::from_millis(600);
const SILENCE_WITHIN: Duration = Duration::from_secs(15);

/// What a demonstration is asked to be.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Keep everything in this folder; a temporary one otherwise, removed at the end.
    #[arg(skip)]
    pub dir: Option<PathBuf>,
    /// Replay a recorded order stream (CSV, gzip or plain) with further bots, after the demonstration's own.
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
    /// The seed of everything that is simulated.
    #[arg(long, default_value_t = DEFAULT_SEED)]
    pub seed: u64,
    /// Keep everything running after the report, until Ctrl-C.
    #[arg(long)]
    pub hold: bool,
    /// Days that are traded.
    #[arg(long, default_value_t = TRADING_DAYS, value_parser = clap::value_parser!(u32).range(1..=7), hide = true)]
    pub days: u32,
    /// Let every mandate only observe scores: nobody is stopped, and the demonstration fails, as it has to.
    #[arg(long, hide = true)]
    pub observe: bool,
    /// No progress.
    #[arg(skip)]
    pub quiet: bool,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            dir: None,
            orders: None,
            seed: DEFAULT_SEED,
            hold: false,
            days: TRADING_DAYS,
            observe: false,
            quiet: false,
        }
    }
}

/// Runs a demonstration. The report names what does not hold; it is for the caller to fail then.
///
/// # Errors
/// When something cannot be made, started or asked at all.
pub async fn run(args: &Args) -> anyhow::Result<Report> {
    let temporary = args.dir.is_none();
    let directory = match &args.dir {
        Some(directory) => directory.clone(),
        None => std::env::temp_dir().join(format!("mandatum-demo-{}", uuid::Uuid::now_v7())),
    };
    let outcome = perform(args, &directory).await;
    if temporary && !args.hold {
        let _ = std::fs::remove_dir_all(&directory);
    }
    outcome
}

/// A stop-watch for the parts of a run.
struct Parts {
    last: Instant,
    seconds: Vec<(String, f64)>,
}

impl Parts {
    fn end(&mut self, part: &str) {
        self.seconds.push((part.to_owned(), self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}

async fn perform(args: &Args, directory: &Path) -> anyhow::Result<Report> {
    let progress = Progress::new(args.quiet);
    let mut parts = Parts {
        last: Instant::now(),
        seconds: Vec::new(),
    };
    let mut scenario = Scenario::of(args.seed, args.days, !args.observe);
    let recorded = match &args.orders {
        Some(file) => {
            let after = scenario.start.plus_seconds(i64::from(args.days) * 86_400);
            Some(recorded::read(file, after)?)
        }
        None => None,
    };
    let replayed = recorded
        .as_ref()
        .zip(args.orders.as_ref())
        .map(|(recorded, file)| Replayed {
            file: file.clone(),
            bots: recorded.bots.len(),
            orders: recorded.steps.len(),
            left_out: recorded.left_out,
            weeks: recorded.weeks,
        });
    let Recorded {
        bots,
        steps,
        symbols,
        counterparties,
        ..
    } = recorded.unwrap_or_default();
    let markets = Markets::new(args.seed, symbols, &counterparties)?;
    scenario.bots.extend(bots);
    scenario.steps.extend(steps);
    let (house, mut officers) = House::open(directory, &scenario, markets).await?;
    progress.say(&format!(
        "house founded in {}, {} officers enrolled, every role running",
        directory.display(),
        officers.len()
    ));
    let (origin, gateway) = house.gateway()?;
    let mut players = BTreeMap::new();
    for bot in &scenario.bots {
        let identity = house
            .admit(bot, &mut officers, &progress)
            .await
            .with_context(|| format!("admitting {}", bot.agent))?;
        let roots = house.roots.clone();
        let trader = Trader::new(
            identity,
            origin.clone(),
            roots,
            Arc::new(SystemClock),
            bot.limits.order_proof,
        );
        players.insert(bot.agent, Player::new(bot.clone(), trader));
    }
    parts.end("founding, officers, bots");
    let stage = Stage {
        clock: house.clock.clone(),
        instance: house.running.instance.as_ref().context("the gateway")?,
        gateway,
        host: "localhost".to_owned(),
        roots: house.roots.clone(),
        status: house.config.status.public_url(),
        issuer: house.running.published.agent_issuing.to_vec(),
    };
    progress.expect(scenario.steps.len());
    stage
        .play(&scenario.steps, &mut players, &house.receiver, &progress)
        .await?;
    progress.done();
    parts.end("trading");
    let mut report = Report {
        seed: args.seed,
        directory: directory.to_owned(),
        replayed,
        ..Report::default()
    };
    let mut standings = BTreeMap::new();
    for agent in players.keys() {
        standings.insert(*agent, house.standing(agent, &mut officers).await?);
    }
    silence(&house).await;
    if args.hold {
        tell_how(&house, &scenario)?;
        tokio::signal::ctrl_c().await?;
    }
    conclude(house, players, standings, &mut report).await?;
    parts.end("reading and verifying");
    report.seconds = parts.seconds;
    report.faults = report.judge();
    Ok(report)
}

/// Waits until nothing is appended any more: outcomes, deliveries.
async fn silence(house: &House) {
    let begun = Instant::now();
    let mut size = house.running.ledger.head().size;
    while begun.elapsed() < SILENCE_WITHIN {
        tokio::time::sleep(SILENCE).await;
        let now = house.running.ledger.head().size;
        if now == size {
            return;
        }
        size = now;
    }
}

/// Reads the ledger, stops the house, verifies the ledger offline, and holds the venue's log against it.
async fn conclude(
    house: House,
    players: BTreeMap<AgentId, Player>,
    mut standings: BTreeMap<AgentId, String>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let mut audit = Audit::of(&house.running.ledger).await?;
    let root = house.running.ledger.root_key();
    report.webhooks = house.receiver.counts();
    let House {
        running,
        config,
        directory,
        venue,
        ..
    } = house;
    running.stop().await?;
    drop(venue);
    audit.hold_against(taken(&directory.join("venue.jsonl"))?);
    report.take(&audit);
    let options = ledger::verify::Options {
        ledger_root: Some(root),
        head_file: Some(config.paths.head.clone()),
        fold: None,
    };
    match ledger::verify::verify_directory(&config.paths.ledger, options).await {
        Ok(verified) => report.verified = Some(format!("verified offline: {verified}")),
        Err(fault) => report.tampered = Some(fault.to_string()),
    }
    for (agent, player) in players {
        report.foreign_region = report.foreign_region.take().or_else(|| player.foreign.clone());
        report.bots.push(BotReport {
            agent,
            fate: player.bot.fate,
            default: player.bot.conduct.on_unanswered_warning,
            standing: standings.remove(&agent).unwrap_or_default(),
            audit: audit.agents.get(&agent).cloned().unwrap_or_default(),
            stopped: player.stopped,
            unsent: player.unsent,
            reduced: player.reduced,
        });
    }
    report.files = kept(&directory, &report.bots);
    Ok(())
}

/// The client ids of the orders that the venue took, from its own log.
fn taken(log: &Path) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    let mut taken = Vec::new();
    for line in text.lines() {
        let received: serde_json::Value = serde_json::from_str(line).context("a line of the venue's log")?;
        let order = received["method"] == "POST" && received["path"] == "/api/v3/order" && received["status"] == 200;
        if order {
            let parameters = received["parameters"].as_str().unwrap_or_default();
            let id = parameters
                .split('&')
                .find_map(|pair| pair.strip_prefix("newClientOrderId="));
            taken.push(id.unwrap_or_default().to_owned());
        }
    }
    Ok(taken)
}

/// The files that a reader will look for, as far as they are there.
fn kept(directory: &Path, bots: &[BotReport]) -> Vec<String> {
    let mut files = [
        "ca/root.pem",
        "ca/issuing.pem",
        "ca/house.pem",
        "crl.der",
        "ledger",
        "venue.jsonl",
    ]
    .map(str::to_owned)
    .to_vec();
    files.extend(bots.iter().map(|bot| format!("agents/{}/certificate.pem", bot.agent)));
    files.retain(|file| directory.join(file).exists());
    files
}

/// Addresses and examples for whoever looks around while it is held.
fn tell_how(house: &House, scenario: &Scenario) -> anyhow::Result<()> {
    let (origin, _) = house.gateway()?;
    let directory = house.directory.display();
    let status = house.config.status.public_url();
    let bot = scenario
        .bots
        .iter()
        .find(|bot| bot.fate == Fate::Unharmed)
        .context("a bot that goes on")?;
    eprintln!(
        "\nHeld until Ctrl-C.\n  bots       {0}\n  status     {status}\n  addresses  {2:?}\n\n\
         curl --cacert {directory}/ca/house.pem --cert {directory}/agents/{1}/chain.pem --key {directory}/agents/{1}/key.pem \\\n  \
         --interface 127.0.1.1 {0}/v1/me\ncurl -s {status}/agents.crl | openssl crl -inform DER -noout -text\n",
        origin.url(),
        bot.agent,
        house.running.addresses,
    );
    Ok(())
}
