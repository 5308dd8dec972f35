//! `handshakes`: what one full handshake with client certificate costs the server, beside nginx (P9). Each connection carries one request: nginx
//! answers a fixed text, the gateway the bot's own limits.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;

use crate::{
    house::Plan,
    load::{Outcome, Target, answer, collected, connect},
    nginx::Nginx,
    options::Options,
    peer_house::PeerHouse,
    process,
    rounds::{kept, median},
};

const CONNECTIONS: usize = 16;

struct Round {
    peer: (f64, f64),
    gateway: (f64, f64),
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (rounds, time) = (options.number("rounds", 5)?, options.seconds("seconds", 2.0)?);
    let peer = tempfile::tempdir()?;
    let house = PeerHouse::start(&Plan {
        bots: 1,
        ..Plan::default()
    })?;
    let nginx = Nginx::start(peer.path(), house.said("venue")?.parse()?)?;
    let target = house.target("")?;
    println!("{}", process::machine(&house.folder()?));
    options.begin()?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        let before = nginx.cpu()?;
        let outcome = load(&nginx.alone, "/", time).await?;
        outcome.demand("nginx")?;
        let peer = (outcome.rate(), outcome.each(nginx.cpu()?.saturating_sub(before)));
        let before = house.cpu()?;
        let outcome = load(&target, "/v1/me", time).await?;
        outcome.demand("the gateway")?;
        let gateway = (outcome.rate(), outcome.each(house.cpu()?.saturating_sub(before)));
        all.push(Round { peer, gateway });
    }
    let rounds = kept(all, |round| round.peer.0);
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    println!(
        "{} rounds kept, {CONNECTIONS} at once, TLS 1.3, P-256 both sides, no resumption",
        rounds.len()
    );
    println!(
        "  nginx   {:.0}/s, CPU {:.0} µs a handshake",
        of(&|r| r.peer.0),
        of(&|r| r.peer.1)
    );
    println!(
        "  gateway {:.0}/s, CPU {:.0} µs a handshake",
        of(&|r| r.gateway.0),
        of(&|r| r.gateway.1)
    );
    println!("P9: {:.2} x cheaper than nginx's", of(&|r| r.peer.1 / r.gateway.1));
    house.stop()?;
    Ok(())
}

async fn load(target: &Target, path: &str, time: Duration) -> anyhow::Result<Outcome> {
    let connectors = target.connectors()?;
    let host = target.origin.trim_start_matches("https://");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let start = Instant::now();
    let end = start + time;
    let running: Vec<_> = (0..CONNECTIONS)
        .map(|place| {
            let connector = connectors[place % connectors.len()].clone();
            let (address, request) = (target.address, request.clone());
            tokio::spawn(async move {
                let mut outcome = Outcome::default();
                while Instant::now() < end {
                    let sent = Instant::now();
                    let mut stream = connect(&connector, address).await?;
                    stream.write_all(request.as_bytes()).await?;
                    stream.flush().await?;
                    let mut held = Vec::with_capacity(4_096);
                    let answer = answer(&mut stream, &mut held).await?;
                    outcome.note(sent, answer.status, &held);
                }
                Ok::<_, anyhow::Error>(outcome)
            })
        })
        .collect();
    collected(running, start, time).await
}
