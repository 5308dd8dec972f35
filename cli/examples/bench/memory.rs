//! `memory`: what the process holds with ten thousand agents, their mandates and baselines, and a thousand live sessions (S1).

use tokio::io::AsyncWriteExt as _;

use crate::{
    house::Plan,
    load::{Target, answer, connect},
    options::Options,
    peer_house::PeerHouse,
    process,
};

/// Bots that hold the sessions.
const BOTS: usize = 32;

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (agents, sessions) = (options.number("agents", 10_000)?, options.number("sessions", 1_000)?);
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().join("house");
    let house = PeerHouse::start(&Plan {
        folder: Some(folder.clone()),
        bots: BOTS,
        crowd: agents.saturating_sub(BOTS),
        ..Plan::default()
    })?;
    println!("{}", process::machine(&folder));
    let bots = house.target("")?;
    let entries = house.stop()?;
    // A process of its own: what founding took does not count.
    let house = PeerHouse::reopen(&folder)?;
    let port = house.said("gateway")?.rsplit_once(':').map_or("", |(_, port)| port);
    let target = Target {
        address: ([127, 0, 0, 1], port.parse::<u16>()?).into(),
        origin: house.said("gateway")?.to_owned(),
        ..bots
    };
    house.settle()?;
    let (_, idle) = process::resident(house.pid())?;
    let mut open = Vec::with_capacity(sessions);
    let connectors = target.connectors()?;
    let host = target.origin.trim_start_matches("https://");
    let request = format!("GET /v1/me HTTP/1.1\r\nhost: {host}\r\n\r\n");
    for place in 0..sessions {
        let mut stream = connect(&connectors[place % connectors.len()], target.address).await?;
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let mut held = Vec::new();
        let answer = answer(&mut stream, &mut held).await?;
        anyhow::ensure!(
            answer.status == 200,
            "a session is refused: {}",
            String::from_utf8_lossy(&held)
        );
        open.push(stream);
    }
    house.settle()?;
    let (most, live) = process::resident(house.pid())?;
    println!(
        "{agents} agents with mandate and baseline, {entries} entries: {} MB resident",
        idle >> 20
    );
    println!(
        "S1: with {sessions} live sessions {} MB ({} KB a session), at most {} MB",
        live >> 20,
        (live.saturating_sub(idle) >> 10) / sessions.max(1) as u64,
        most >> 20
    );
    drop(open);
    house.stop()?;
    Ok(())
}
