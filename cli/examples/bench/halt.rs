//! `halt`: a bot with a thousand live sessions runs away until its score halts it; when the last session has ended, and when the world can see it
//! (K2, K5). Everything is timed from the moment the decisive order was *sent*, so the figures hold the way to the gateway and its decision too.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context;
use extensions::{Serial, certificate::Certificate};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

use crate::{
    house::Plan,
    load::{Target, answer, connect},
    options::Options,
    peer_house::PeerHouse,
    plain, process,
    request::Orders,
    rounds::median,
    status,
};

/// What is not there after this long counts as missing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at OCSP and CRL.
const AGAIN: Duration = Duration::from_millis(2);
/// The most orders until the score has to have halted the bot.
const MOST_ORDERS: usize = 20_000;
/// The code of the order that the score halts the bot at.
const HALTED: &str = "ANOMALY_REVOKED";
/// Handshakes under way at once.
const HANDSHAKES: usize = 16;

/// What was seen of one halt, in milliseconds.
#[derive(Debug, Clone, Copy)]
struct Seen {
    orders: usize,
    answered: f64,
    first_closed: f64,
    last_closed: f64,
    ocsp: f64,
    crl: f64,
    webhook: f64,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (halts, sessions) = (options.number("halts", 10)?, options.number("sessions", 1_000)?);
    let hooks = Hooks::open()?;
    let house = PeerHouse::start(&Plan {
        enforced: halts,
        webhook: Some(hooks.address.port()),
        ..Plan::default()
    })?;
    println!("{}", process::machine(&house.folder()?));
    println!("{halts} halts by score, each of a bot with {sessions} sessions");
    options.begin()?;
    let target = house.target("enforced-")?;
    let issuer = mandatum::pem::certificates(house.said("issuer")?.as_ref())?;
    let status: SocketAddr = house.said("status")?.parse()?;
    let mut all = Vec::new();
    for (place, agent) in house.list("enforced-agents")?.into_iter().enumerate() {
        let bot = Target {
            identities: vec![target.identities[place].clone()],
            ..target.of_first(0)
        };
        let leaf = bot.identities[0].chain.first().context("a certificate")?;
        let leaf = Certificate::read(leaf).map_err(|fault| anyhow::anyhow!("{fault}"))?;
        let watched = Watched {
            issuer: issuer[0].to_vec(),
            serial: leaf.serial(),
            status,
        };
        let seen = halt(&bot, agent, sessions, watched, &hooks).await?;
        println!(
            "  {agent}: order {}, answered after {:.1} ms, sessions ended {:.1} to {:.1} ms",
            seen.orders, seen.answered, seen.first_closed, seen.last_closed
        );
        all.push(seen);
    }
    print("K2: last of the sessions ended", &all, |seen| seen.last_closed);
    print("    first of the sessions ended", &all, |seen| seen.first_closed);
    print("    the decisive order answered", &all, |seen| seen.answered);
    print("K5: OCSP says revoked", &all, |seen| seen.ocsp);
    print("K5: CRL lists it", &all, |seen| seen.crl);
    print("K5: webhook's first attempt", &all, |seen| seen.webhook);
    let entries = house.stop()?;
    println!("{entries} entries in the ledger at the end");
    Ok(())
}

fn print(what: &str, all: &[Seen], of: impl Fn(&Seen) -> f64) {
    let worst = all.iter().map(&of).fold(f64::NAN, f64::max);
    println!(
        "{what}: median {:.1} ms, worst of {} {worst:.1} ms",
        median(all.iter().map(&of)),
        all.len()
    );
}

struct Watched {
    issuer: Vec<u8>,
    serial: Serial,
    status: SocketAddr,
}

async fn halt(bot: &Target, agent: &str, sessions: usize, watched: Watched, hooks: &Hooks) -> anyhow::Result<Seen> {
    let open = open(bot, sessions).await?;
    let watched = Arc::new(watched);
    let ocsp = tokio::spawn(revoked_in_ocsp(watched.clone()));
    let crl = tokio::spawn(listed_in_crl(watched));
    let (sent, answered, orders) = run_away(bot).await?;
    let since = |at: Instant| at.saturating_duration_since(sent).as_secs_f64() * 1e3;
    let mut ended = Vec::with_capacity(sessions);
    for session in open {
        let ended_at = tokio::time::timeout(PATIENCE, session).await;
        ended.push(since(ended_at.context("a session is still open")??));
    }
    ended.sort_by(f64::total_cmp);
    Ok(Seen {
        orders,
        answered: since(answered),
        first_closed: ended.first().copied().unwrap_or(f64::NAN),
        last_closed: ended.last().copied().unwrap_or(f64::NAN),
        ocsp: since(ocsp.await??),
        crl: since(crl.await??),
        webhook: since(hooks.first(agent).await?),
    })
}

/// Idle sessions, each watched for its end.
async fn open(bot: &Target, count: usize) -> anyhow::Result<Vec<JoinHandle<Instant>>> {
    let connector = bot.connectors()?.swap_remove(0);
    let mut watched = Vec::with_capacity(count);
    while watched.len() < count {
        let group = HANDSHAKES.min(count - watched.len());
        let shaking: Vec<_> = (0..group)
            .map(|_| {
                let (connector, address) = (connector.clone(), bot.address);
                tokio::spawn(async move { connect(&connector, address).await })
            })
            .collect();
        for one in shaking {
            let mut stream = one.await?.context("a session is not opened")?;
            watched.push(tokio::spawn(async move {
                let mut buffer = [0; 256];
                while matches!(stream.read(&mut buffer).await, Ok(read) if read > 0) {}
                Instant::now()
            }));
        }
    }
    Ok(watched)
}

/// Sends one order after another until the bot is halted: when the decisive one was sent, when it was answered, and how many there were.
async fn run_away(bot: &Target) -> anyhow::Result<(Instant, Instant, usize)> {
    let connector = bot.connectors()?.swap_remove(0);
    let mut stream = connect(&connector, bot.address).await?;
    let mut orders = Orders::new(&bot.origin, None)?;
    let mut held = Vec::new();
    for order in 1..=MOST_ORDERS {
        let sent = Instant::now();
        stream.write_all(orders.fresh()?).await?;
        stream.flush().await?;
        let answer = answer(&mut stream, &mut held).await?;
        let text = String::from_utf8_lossy(&held[..answer.length]);
        if answer.status != 200 && text.contains(HALTED) {
            return Ok((sent, Instant::now(), order));
        }
        held.clear();
    }
    anyhow::bail!("{MOST_ORDERS} orders and no halt")
}

async fn revoked_in_ocsp(watched: Arc<Watched>) -> anyhow::Result<Instant> {
    let request = status::ocsp_request(&watched.issuer, watched.serial.octets(), None)?;
    let request = plain::post(watched.status, "/ocsp", status::OCSP_REQUEST, &request);
    until(watched.status, request, status::says_revoked).await
}

async fn listed_in_crl(watched: Arc<Watched>) -> anyhow::Result<Instant> {
    let serial = watched.serial;
    let request = status::crl_request(watched.status);
    until(watched.status, request, move |reply| status::lists(reply, &serial)).await
}

async fn until(address: SocketAddr, request: Vec<u8>, is: impl Fn(&[u8]) -> bool) -> anyhow::Result<Instant> {
    let mut stream = TcpStream::connect(address).await?;
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE * 2 {
        match plain::exchange(&mut stream, &request).await {
            Ok((_, body)) if is(&body) => return Ok(Instant::now()),
            Ok(_) => {}
            Err(_) => stream = TcpStream::connect(address).await?,
        }
        tokio::time::sleep(AGAIN).await;
    }
    anyhow::bail!("the status listener never said so")
}

/// A webhook receiver on a thread of its own, which notes when each message was there.
struct Hooks {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<(Instant, String)>>>,
}

impl Hooks {
    fn open() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let messages: Arc<Mutex<Vec<(Instant, String)>>> = Arc::default();
        let kept = messages.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = kept.clone();
                std::thread::spawn(move || receive(stream, &kept));
            }
        });
        Ok(Self { address, messages })
    }

    async fn first(&self, agent: &str) -> anyhow::Result<Instant> {
        let subject = format!("\"agent/{agent}\"");
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            {
                let kept = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
                let told = |text: &str| text.contains(&subject) && text.contains("agent.revoked");
                if let Some((at, _)) = kept.iter().find(|(_, text)| told(text)) {
                    return Ok(*at);
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
        anyhow::bail!("no webhook told of {agent}")
    }
}

fn receive(mut stream: std::net::TcpStream, kept: &Mutex<Vec<(Instant, String)>>) {
    use std::io::{Read as _, Write as _};
    let mut held = Vec::new();
    let mut buffer = [0; 4_096];
    while let Ok(read) = stream.read(&mut buffer) {
        if read == 0 {
            return;
        }
        held.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&held).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        let length = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let length = length.filter_map(|(_, value)| value.parse::<usize>().ok()).next();
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        let at = Instant::now();
        kept.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((at, text.clone()));
        held.clear();
        if stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").is_err() {
            return;
        }
    }
}
