//! `mandatum demo`: the whole product on one machine in a minute. A house is founded, five bots trade through the gateway over mTLS
//! under a stepped clock, two of them are stopped, a third is warned; what happened is read from the ledger and held against the venue.
//!
//! Nothing of the outcome is written anywhere here: `scenario` says what the bots do, the scorer says who is stopped.

mod audit;
mod conclude;
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
    time::Instant,
};

use anyhow::Context;

pub use audit::AgentAudit;
pub use report::{BotReport, Replayed, Report, Stopped};
pub use scenario::{DEFAULT_SEED, Fate, TRADING_DAYS};

use crate::{clock::SystemClock, officer::Officer};
use house::{House, Markets};
use play::{Player, Stage};
use progress::Progress;
use recorded::Recorded;
use scenario::{Bot, Scenario};
use trader::Trader;

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
            recorded::read(file, after)?
        }
        None => Recorded::default(),
    };
    let mut report = Report {
        directory: directory.to_owned(),
        kept: args.dir.is_some(),
        replayed: args.orders.clone().map(|file| recorded.summary(file)),
        seed: args.seed,
        ..Report::default()
    };
    let markets = Markets::new(args.seed, &recorded)?;
    scenario.bots.extend(recorded.bots);
    scenario.steps.extend(recorded.steps);
    let (house, mut officers) = House::open(directory, &scenario, markets).await?;
    progress.say(&format!(
        "house founded in {}, {} officers enrolled, every role running",
        directory.display(),
        officers.len()
    ));
    let mut players = BTreeMap::new();
    for bot in &scenario.bots {
        let player = admit(&house, bot, &mut officers, &progress).await;
        players.insert(bot.agent, player.with_context(|| format!("admitting {}", bot.agent))?);
    }
    parts.end("founding, officers, bots");
    progress.expect(scenario.steps.len());
    let stage = stage(&house)?;
    stage
        .play(&scenario.steps, &mut players, &house.receiver, &progress)
        .await?;
    progress.done();
    parts.end("trading");
    conclude::examine(&house, &mut officers, players, &mut report).await?;
    if args.hold {
        conclude::hold(&house, &scenario, &mut officers, &mut report).await?;
        parts.last = Instant::now();
    }
    conclude::stop_and_verify(house, &mut report).await?;
    parts.end("reading and verifying");
    report.seconds = parts.seconds;
    report.faults = report.judge();
    Ok(report)
}

async fn admit(house: &House, bot: &Bot, officers: &mut [Officer], progress: &Progress) -> anyhow::Result<Player> {
    let identity = house.admit(bot, officers, progress).await?;
    let (origin, _) = house.gateway()?;
    let trader = Trader::new(identity, origin, house.roots.clone(), Arc::new(SystemClock));
    Ok(Player::new(bot.clone(), trader))
}

fn stage(house: &House) -> anyhow::Result<Stage<'_>> {
    Ok(Stage {
        clock: house.clock.clone(),
        instance: house.running.instance.as_ref().context("the gateway")?,
        gateway: house.gateway()?.1,
        host: "localhost".to_owned(),
        roots: house.roots.clone(),
        status: house.config.status.public_url(),
        issuer: house.running.published.agent_issuing.to_vec(),
    })
}
