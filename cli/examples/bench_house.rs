//! The house of the benches alone, for a load tool of one's own. Prints where it listens and each bot's files, then runs until its input
//! ends; `docs/performance.md` has the benches that bring their own load.
//!
//! `cargo run --release -p mandatum --example bench_house -- [BOTS]`

#[path = "bench/house/mod.rs"]
mod house;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let bots = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    house::run(house::Plan {
        bots,
        ..house::Plan::default()
    })
    .await
}
