//! `sidecar`: what the sidecar adds to a request beside the same connection made directly, and what it holds.
//!
//! The sidecar is the command itself in a process of its own. Direct and through it, one kept connection each, interleaved; an order, and a
//! read that no disk takes part in.

use std::{net::SocketAddr, path::Path, process::Command, time::Duration};

use anyhow::Context;
use tokio::{
    io::AsyncWriteExt as _,
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    house::Plan,
    load::{self, Outcome, Target, answer, collected, connect},
    options::Options,
    peer_house::PeerHouse,
    plain,
    process::{self, Owned},
    request::Orders,
    rounds::{kept, median},
};

/// The longest wait for the sidecar to listen.
const STARTING: Duration = Duration::from_secs(10);
/// Connections of the round that is made for its memory alone.
const MANY: usize = 32;

/// p50 and p99 in microseconds, direct and through the sidecar.
struct Round {
    direct: (f64, f64),
    through: (f64, f64),
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (rounds, time) = (options.number("rounds", 5)?, options.seconds("seconds", 1.5)?);
    let house = PeerHouse::start(&Plan {
        bots: 1,
        signing: 1,
        ..Plan::default()
    })?;
    println!("{}", process::machine(&house.folder()?));
    options.begin()?;
    for (kind, signed) in [("", false), ("signing-", true)] {
        let target = house.target(kind)?;
        let (child, address) = start(&house, kind)?;
        listening(address).await?;
        let (_, idle) = process::resident(child.pid())?;
        let name = if signed {
            "an order that the sidecar signs"
        } else {
            "an order"
        };
        let mut orders = Vec::new();
        let mut reads = Vec::new();
        for _ in 0..rounds {
            house.settle()?;
            let direct = load::open(&target, 1, signed).await?.drive(time).await?;
            let through = through(address, 1, time).await?;
            orders.push(round(&direct, &through));
            let direct = ping(&target, time).await?;
            let through = plain::drive(address, vec![pinged(address)], time).await?;
            reads.push(round(&direct, &through));
        }
        print(name, orders);
        print("a read without a disk (GET /api/v3/ping)", reads);
        through(address, MANY, time).await?;
        let (most, now) = process::resident(child.pid())?;
        println!(
            "  resident: {:.1} MB at the start, {:.1} MB after {MANY} connections at once, {:.1} MB at most",
            mb(idle),
            mb(now),
            mb(most)
        );
    }
    house.stop()?;
    Ok(())
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// The command, with the bot's own papers.
fn start(house: &PeerHouse, kind: &str) -> anyhow::Result<(Owned, SocketAddr)> {
    let chain = house.list(&format!("{kind}certificates"))?;
    let folder = Path::new(chain.first().context("a bot")?)
        .parent()
        .context("its folder")?;
    let address = SocketAddr::from(([127, 0, 0, 1], process::free_port()?));
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([
            "sidecar",
            "--agent",
            "bench",
            "--log",
            "text",
            "--enrolment",
            "https://localhost:1",
        ])
        .arg("--folder")
        .arg(folder)
        .args(["--listen", &address.to_string()])
        .args(["--gateway", house.said("gateway")?])
        .args(["--roots", house.said("roots")?]);
    Ok((Owned::start(&mut command)?, address))
}

async fn listening(address: SocketAddr) -> anyhow::Result<()> {
    let end = Instant::now() + STARTING;
    while TcpStream::connect(address).await.is_err() {
        anyhow::ensure!(Instant::now() < end, "the sidecar does not listen");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn through(address: SocketAddr, connections: usize, time: Duration) -> anyhow::Result<Outcome> {
    let orders = (0..connections).map(|_| Orders::new(&format!("https://localhost:{}", address.port()), None));
    let makers = orders
        .map(|orders| {
            let mut orders = orders?;
            Ok(move || orders.fresh().map(<[u8]>::to_vec).unwrap_or_default())
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let outcome = plain::drive(address, makers, time).await?;
    outcome.demand("the sidecar")?;
    Ok(outcome)
}

fn pinged(host: impl std::fmt::Display) -> impl FnMut() -> Vec<u8> + Send + 'static {
    let request = format!("GET /api/v3/ping HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes();
    move || request.clone()
}

/// The same read over mTLS.
async fn ping(target: &Target, time: Duration) -> anyhow::Result<Outcome> {
    let connector = target.connectors()?.remove(0);
    let mut stream = connect(&connector, target.address).await?;
    let mut make = pinged(target.origin.trim_start_matches("https://"));
    let start = std::time::Instant::now();
    let looped = tokio::spawn(async move {
        let (mut held, mut outcome) = (Vec::with_capacity(8_192), Outcome::default());
        while start.elapsed() < time {
            let sent = std::time::Instant::now();
            stream.write_all(&make()).await?;
            stream.flush().await?;
            let answer = answer(&mut stream, &mut held).await?;
            outcome.note(sent, answer.status, &held[..answer.length]);
            held.drain(..answer.length);
        }
        Ok(outcome)
    });
    collected(vec![looped], start, time).await
}

fn round(direct: &Outcome, through: &Outcome) -> Round {
    let of = |outcome: &Outcome| (outcome.quantile(0.5), outcome.quantile(0.99));
    Round {
        direct: of(direct),
        through: of(through),
    }
}

fn print(what: &str, rounds: Vec<Round>) {
    let all = rounds.len();
    let rounds = kept(rounds, |round| round.direct.0);
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    println!("{what} ({} of {all} rounds kept)", rounds.len());
    println!(
        "  direct p50 {:.0} µs, p99 {:.0} µs; through the sidecar p50 {:.0} µs, p99 {:.0} µs; added {:.0} µs at p50, {:.0} µs at p99",
        of(&|round| round.direct.0),
        of(&|round| round.direct.1),
        of(&|round| round.through.0),
        of(&|round| round.through.1),
        of(&|round| round.through.0 - round.direct.0),
        of(&|round| round.through.1 - round.direct.1),
    );
}
