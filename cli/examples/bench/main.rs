//! Figures of the whole product, each beside its peer in the same run: `cargo xtask bench NAME`, as `docs/performance.md` lists them.
//!
//! One process makes the load, the house runs in another, the peer in a third; processor time is read for each. The peers are stock programs
//! with configurations made here, on loopback, in temporary folders.

mod disk;
mod halt;
mod handshakes;
mod house;
mod issue;
mod load;
mod memory;
mod nginx;
mod ocsp;
mod options;
mod pages;
mod path;
mod peer_house;
mod plain;
mod process;
mod request;
mod rounds;
mod sidecar;
mod start;
mod status;

use options::Options;

const USAGE: &str = "\
Usage: cargo xtask bench NAME [name=value ...]

  path        an order's whole path beside nginx: rate, latency, CPU (P1, P7, P8, P13)
              rounds=4 seconds=1.5 only=TEXT
  halt        a bot with 1,000 sessions is halted by its score (K2, K5): halts=10 sessions=1000
  start       a house with a million entries starts (S2): entries=1000000 rounds=5
  memory      10,000 agents with baselines and 1,000 sessions (S1): agents=10000 sessions=1000
  pages       the console's pages with 10,000 agents and applications and a million orders: agents=10000 orders=1000000 rounds=60
  issue       first certificates beside cfssl serve (P10): rounds=4 certificates=240
  ocsp        OCSP replies beside openssl ocsp (P11): rounds=5 seconds=2
  sidecar     the sidecar beside the same connection made directly: rounds=5 seconds=1.5
  handshakes  handshakes with client certificate beside nginx (P9): rounds=5 seconds=2

All take wait=FILE: what is measured begins when that file exists.
";

fn main() -> anyhow::Result<()> {
    // The command itself, as a process of its own.
    if std::env::args().nth(2).is_some_and(|word| word == "--agent") {
        std::process::exit(mandatum::commands::main().into());
    }
    let mut words = std::env::args().skip(1);
    let name = words.next().unwrap_or_default();
    let options = Options::read(words)?;
    if matches!(name.as_str(), "house" | "reopen") {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.enable_all().worker_threads(2).build()?;
        return match name.as_str() {
            "house" => runtime.block_on(house::run(plan(&options)?)),
            _ => runtime.block_on(start::reopen(&options)),
        };
    }
    // The load is one thread: a generator that is spread over the cores takes them from what it measures.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match name.as_str() {
            "path" => path::run(&options).await,
            "halt" => halt::run(&options).await,
            "start" => start::run(&options).await,
            "memory" => memory::run(&options).await,
            "pages" => pages::run(&options).await,
            "issue" => issue::run(&options).await,
            "ocsp" => ocsp::run(&options).await,
            "sidecar" => sidecar::run(&options).await,
            "handshakes" => handshakes::run(&options).await,
            _ => {
                print!("{USAGE}");
                anyhow::ensure!(matches!(name.as_str(), "" | "help" | "--help"), "no bench {name:?}");
                Ok(())
            }
        }
    })
}

fn plan(options: &Options) -> anyhow::Result<house::Plan> {
    let webhook = options.number("webhook", 0)?;
    Ok(house::Plan {
        folder: options.text("folder").map(Into::into),
        bots: options.number("bots", 0)?,
        signing: options.number("signing", 0)?,
        enforced: options.number("enforced", 0)?,
        crowd: options.number("crowd", 0)?,
        orders: options.number("orders", 0)?,
        applicants: (options.number("applicants", 0)?, options.number("tokens", 0)?),
        webhook: (webhook > 0).then_some(u16::try_from(webhook)?),
    })
}
