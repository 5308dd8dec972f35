//! `start`: how long a house with a million entries takes until every role listens (S2), and what it holds in memory then.

use std::time::{Duration, Instant};

use anyhow::Context;
use mandatum::{
    config::Config,
    serve::{self, Clocks, Roles},
};
use tokio_util::sync::CancellationToken;

use crate::{
    house::{Plan, venue},
    load,
    options::Options,
    peer_house::PeerHouse,
    process,
    rounds::median,
};

/// Bots whose orders fill the ledger.
const BOTS: usize = 32;
const CONNECTIONS: usize = 256;

/// Fills a ledger by orders, as a day of trading would, and starts on it several times.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (wanted, rounds) = (
        options.number("entries", 1_000_000)? as u64,
        options.number("rounds", 5)?,
    );
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().join("house");
    let mut house = PeerHouse::start(&Plan {
        folder: Some(folder.clone()),
        bots: BOTS,
        ..Plan::default()
    })?;
    println!("{}", process::machine(&folder));
    let (target, begun) = (house.target("")?, Instant::now());
    while house.figures()?.0 < wanted {
        let ready = load::open(&target, CONNECTIONS, false).await?;
        ready.drive(Duration::from_secs(2)).await?.demand("the gateway")?;
    }
    house.settle()?;
    let entries = house.stop()?;
    println!("{entries} entries made in {:.0} s", begun.elapsed().as_secs_f64());
    options.begin()?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        let house = PeerHouse::reopen(&folder)?;
        let took = begun.elapsed().as_secs_f64();
        let (most, now) = process::resident(house.pid())?;
        let cpu = house.cpu()?.as_secs_f64();
        println!(
            "  {took:.2} s, CPU {cpu:.2} s, resident {} MB, at most {} MB",
            now >> 20,
            most >> 20
        );
        times.push(took);
        house.stop()?;
    }
    println!(
        "S2: {entries} entries, every role listens after {:.2} s (median of {rounds})",
        median(times)
    );
    Ok(())
}

/// The process that is timed: opens the house in `folder`, says so, and runs until its input ends.
pub(crate) async fn reopen(options: &Options) -> anyhow::Result<()> {
    let file = std::path::Path::new(options.text("folder").context("folder=")?).join("mandatum.toml");
    // The venue of the house that was here went with its process.
    let text = std::fs::read_to_string(&file)?;
    let port = venue::start()?;
    let moved = |line: &str| match line.strip_prefix("url = \"http://127.0.0.1:") {
        Some(_) => format!("url = \"http://127.0.0.1:{port}\""),
        None => line.to_owned(),
    };
    let text: Vec<String> = text.lines().map(moved).collect();
    std::fs::write(&file, text.join("\n"))?;
    let config = Config::load(&file)?;
    let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new()).await?;
    let address = running.addresses.gateway.context("a gateway")?;
    println!("gateway https://localhost:{}\nready", address.port());
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
    let entries = running.ledger.head().size;
    running.stop().await?;
    println!("entries {entries}");
    Ok(())
}
