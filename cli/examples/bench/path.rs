//! `path`: the whole path of an order beside nginx, round by round (P1, P7, P8, P13).

use std::time::{Duration, Instant};

use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
    },
};

use crate::{
    disk,
    house::Plan,
    load::{self, Outcome, Target, quantile},
    nginx::Nginx,
    options::Options,
    peer_house::PeerHouse,
    process,
    rounds::{kept, median},
};

/// Agents of the cases with many of them: one may have 256 open orders, all together 256 here.
const MANY: usize = 32;
/// Pages of one commit before it was measured: what one order's entry, checkpoint and head row take.
const COMMIT_BYTES: u64 = 5 * 4_096;
/// How long fdatasync is timed in each round.
const SYNC_TIME: Duration = Duration::from_millis(300);

/// One side of one round.
#[derive(Debug, Clone, Copy, Default)]
struct Side {
    rate: f64,
    p50: f64,
    p99: f64,
    /// Microseconds of the server's processor time per request.
    cpu: f64,
    entries: f64,
    commits: f64,
    /// Bytes written to disk per commit.
    bytes: f64,
}

/// What is measured of the gateway.
struct Case {
    name: &'static str,
    connections: usize,
    agents: usize,
    signed: bool,
}

const CASES: [Case; 5] = [
    Case {
        name: "c=1, one agent",
        connections: 1,
        agents: 1,
        signed: false,
    },
    Case {
        name: "c=32, one agent",
        connections: 32,
        agents: 1,
        signed: false,
    },
    Case {
        name: "c=32, 32 agents",
        connections: 32,
        agents: MANY,
        signed: false,
    },
    Case {
        name: "c=256, 32 agents",
        connections: 256,
        agents: MANY,
        signed: false,
    },
    Case {
        name: "c=32, one agent, signed",
        connections: 32,
        agents: 1,
        signed: true,
    },
];

struct Round {
    peer: Side,
    gateway: Side,
    /// p50 and p99 of one fdatasync, microseconds.
    sync: (f64, f64),
}

struct Stage {
    house: PeerHouse,
    nginx: Nginx,
    plain: Target,
    signing: Target,
    time: Duration,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (rounds, time) = (options.number("rounds", 4)?, options.seconds("seconds", 1.5)?);
    let peer = tempfile::tempdir()?;
    let house = PeerHouse::start(&Plan {
        bots: MANY,
        signing: 1,
        ..Plan::default()
    })?;
    let nginx = Nginx::start(peer.path(), house.said("venue")?.parse()?)?;
    let mut stage = Stage {
        plain: house.target("")?,
        signing: house.target("signing-")?,
        house,
        nginx,
        time,
    };
    println!("{}", process::machine(&stage.house.folder()?));
    println!(
        "{rounds} interleaved rounds of {time:?}; the score is computed and recorded against an approved baseline, and observed"
    );
    let chosen = options.text("only").unwrap_or_default().to_owned();
    let cases: Vec<&Case> = CASES.iter().filter(|case| case.name.contains(&chosen)).collect();
    options.begin()?;
    stage.warm().await?;
    let mut measured: Vec<Vec<Round>> = cases.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (case, rounds) in cases.iter().zip(&mut measured) {
            rounds.push(stage.round(case).await?);
        }
    }
    let mut unsigned = f64::NAN;
    for (case, rounds) in cases.iter().zip(measured) {
        let count = rounds.len();
        let rounds = kept(rounds, |round| round.peer.rate);
        print(case, &rounds, count);
        let cpu = median(rounds.iter().map(|round| round.gateway.cpu));
        if case.signed {
            let bare = bare_verification()?;
            println!(
                "  P13: {:.1} µs of CPU added per order, a bare P-256 verification takes {bare:.1}: {:.2} x",
                cpu - unsigned,
                (cpu - unsigned) / bare
            );
        } else if case.connections == 32 && case.agents == 1 {
            unsigned = cpu;
        }
    }
    let entries = stage.house.stop()?;
    println!("{entries} entries in the ledger at the end");
    Ok(())
}

impl Stage {
    async fn warm(&mut self) -> anyhow::Result<()> {
        let time = Duration::from_millis(300);
        load::open(&self.nginx.proxy, 32, false).await?.drive(time).await?;
        load::open(&self.plain, 32, false).await?.drive(time).await?;
        self.house.settle()
    }

    async fn round(&mut self, case: &Case) -> anyhow::Result<Round> {
        let sync = if case.connections == 1 {
            disk::fdatasync(&self.house.folder()?, COMMIT_BYTES, SYNC_TIME)?
        } else {
            Vec::new()
        };
        let peer = self.peer(case).await?;
        let gateway = self.gateway(case).await?;
        Ok(Round {
            peer,
            gateway,
            sync: (quantile(&sync, 0.5), quantile(&sync, 0.99)),
        })
    }

    async fn peer(&self, case: &Case) -> anyhow::Result<Side> {
        let ready = load::open(&self.nginx.proxy, case.connections, false).await?;
        let before = self.nginx.cpu()?;
        let outcome = ready.drive(self.time).await?;
        let cpu = self.nginx.cpu()?.saturating_sub(before);
        outcome.demand("nginx")?;
        Ok(side(&outcome, cpu))
    }

    /// What the load leaves behind to be written counts too: the round ends when the house is idle again.
    async fn gateway(&mut self, case: &Case) -> anyhow::Result<Side> {
        let target = if case.signed { &self.signing } else { &self.plain };
        let target = target.of_first(case.agents);
        let ready = load::open(&target, case.connections, case.signed).await?;
        self.house.settle()?;
        let (before, figures) = (self.house.cpu()?, self.house.figures()?);
        let written = process::written(self.house.pid())?;
        let outcome = ready.drive(self.time).await?;
        self.house.settle()?;
        let cpu = self.house.cpu()?.saturating_sub(before);
        let (entries, commits) = self.house.figures()?;
        let written = process::written(self.house.pid())?.saturating_sub(written);
        outcome.demand("the gateway")?;
        let orders = (outcome.answered.max(1)) as f64;
        Ok(Side {
            entries: (entries - figures.0) as f64 / orders,
            commits: (commits - figures.1) as f64 / orders,
            bytes: written as f64 / (commits - figures.1).max(1) as f64,
            ..side(&outcome, cpu)
        })
    }
}

fn side(outcome: &Outcome, cpu: Duration) -> Side {
    Side {
        rate: outcome.rate(),
        p50: outcome.quantile(0.5),
        p99: outcome.quantile(0.99),
        cpu: outcome.each(cpu),
        ..Side::default()
    }
}

fn print(case: &Case, rounds: &[Round], all: usize) {
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    println!("{} ({} of {all} rounds kept)", case.name, rounds.len());
    for (name, side) in [
        ("nginx  ", (|round: &Round| round.peer) as fn(&Round) -> Side),
        ("gateway", |round| round.gateway),
    ] {
        println!(
            "  {name} {:>6.0}/s, p50 {:.0} µs, p99 {:.0} µs, CPU {:.1} µs a request",
            of(&|round| side(round).rate),
            of(&|round| side(round).p50),
            of(&|round| side(round).p99),
            of(&|round| side(round).cpu),
        );
    }
    println!(
        "  an order: {:.2} entries, {:.3} commits (one fsync each), {:.0} bytes written a commit",
        of(&|round| round.gateway.entries),
        of(&|round| round.gateway.commits),
        of(&|round| round.gateway.bytes),
    );
    println!(
        "  P1: {:.3} of nginx",
        of(&|round| round.gateway.rate / round.peer.rate)
    );
    if case.connections == 1 {
        let sync = of(&|round| round.sync.0);
        println!(
            "  fdatasync p50 {sync:.0} µs, p99 {:.0} µs ({COMMIT_BYTES} bytes)",
            of(&|round| round.sync.1)
        );
        println!(
            "  P7: {:.0} µs added at p50, less one fdatasync",
            of(&|round| round.gateway.p50 - round.peer.p50 - round.sync.0)
        );
        println!(
            "  P8: {:.0} µs added at p99, less one fdatasync's p99",
            of(&|round| round.gateway.p99 - round.peer.p99 - round.sync.1)
        );
    }
}

/// Microseconds of one verification of a P-256 signature over a message of an order's length, the best of five tries.
fn bare_verification() -> anyhow::Result<f64> {
    const TIMES: u32 = 2_000;
    let refused = |_| anyhow::anyhow!("P-256 does not work here");
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(refused)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random);
    let key = key.map_err(|error| anyhow::anyhow!("{error}"))?;
    let message = [b'x'; 400];
    let signature = key.sign(&random, &message).map_err(refused)?;
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref());
    let mut best = f64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        for _ in 0..TIMES {
            public
                .verify(std::hint::black_box(&message), signature.as_ref())
                .map_err(refused)?;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e6 / f64::from(TIMES));
    }
    Ok(best)
}
