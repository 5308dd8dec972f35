//! Guarantees 1 and 3 under kill -9: a gateway under load is killed at a random moment and started again, many times, while the
//! venue outlives it and counts (ARCHITECTURE §5).
//!
//! The gateway is a child process (this test binary again) on real files, with the real adapter over HTTP to a paper venue in
//! the parent. Kills: 100, 500 under `MANDATUM_SOAK`, or what `MANDATUM_KILLS` says.
//!
//! Negative control, run beside it: `a_ledger_that_lost_its_end_is_seen` puts an older copy of the ledger back before the judge
//! looks, and the judge has to object. Forwarding before the record does not compile: `Venue::forward` takes
//! `Recorded<Permit>` alone.

mod world;

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use extensions::{Clock, Counterparty, StreamId, Timestamp};
use fixtures_venue::{Account, Symbol};
use gateway_policy::{AgentEvent, DecisionKind, OpenMark, Order, Proof, VenueOrderId};
use gateway_service::{
    gateway::{Gateway, Settings, Venues},
    pipeline::{
        follow,
        prices::PriceFeed,
        submit::{Signed, Submitted, submit},
        watch::Watch,
    },
    session::Session,
    venue::{
        Venue,
        binance::{Binance, Credential, Settings as VenueSettings},
    },
};
use ledger::{CheckpointKey, CheckpointKeyAuthorised, Config, Ledger};
use tokio_util::sync::CancellationToken;
use world::{World, agent, noon};

const AGENT: &str = "mm-1";
const CHILD: &str = "MANDATUM_KILL_CHILD";
const VENUE: &str = "MANDATUM_KILL_VENUE";
const ROUND: &str = "MANDATUM_KILL_ROUND";

/// The system clock: the child signs requests to the venue, which judges their time.
struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        Timestamp::from_micros(i64::try_from(since.as_micros()).expect("fits"))
    }
}

fn kills() -> u64 {
    std::env::var("MANDATUM_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(if std::env::var_os("MANDATUM_SOAK").is_some() {
            500
        } else {
            100
        })
}

fn market(id: &str, sell: bool) -> String {
    let side = if sell { "sell" } else { "buy" };
    format!(
        r#"{{"client_order_id":"{id}","instrument":"BTC_EUR","side":"{side}","type":"market","quantity":"0.1","currency":"EUR","counterparty":"{}"}}"#,
        world::EXCHANGE
    )
}

/// The child: opens the ledger, trades as fast as it can, prints each answered order, until it is killed.
#[test]
fn gateway_child() {
    let (Ok(directory), Ok(venue)) = (std::env::var(CHILD), std::env::var(VENUE)) else {
        return;
    };
    let round: u64 = std::env::var(ROUND).expect("round").parse().expect("number");
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(trade(Path::new(&directory), &venue, round));
}

async fn start(directory: &Path, venue: &str) -> (Arc<Gateway>, Arc<Venues>, Arc<Session>) {
    let clock: Arc<dyn Clock> = Arc::new(System);
    let real: Arc<dyn Clock> = world::TestClock::at(noon());
    let ledger = Ledger::open(Config::new(directory.join("ledger"), clock.clone()))
        .await
        .expect("opens after a kill");
    let key = CheckpointKey::ephemeral("test", "gw-1");
    let authorised = CheckpointKeyAuthorised::sign("test", &key, noon(), &world::ledger_root()).expect("authorised");
    let writer = ledger.writer(key, Some(authorised)).await.expect("writer");
    let exchange = Counterparty::new(world::EXCHANGE).expect("name");
    let mut settings = Settings::new("gw-1".parse().expect("id"));
    settings.messages_per_second = 1_000_000;
    let gateway = Arc::new(Gateway::new(settings, ledger, writer, clock.clone(), real, &[exchange]));
    let btc = "BTC_EUR".parse().expect("instrument");
    let venue_settings = VenueSettings::new(venue.parse().expect("uri"), [btc]);
    let credential = Credential::new("key", "secret").expect("credential");
    let venue: Arc<dyn Venue> = Arc::new(Binance::new(venue_settings, credential, clock.clone()).expect("venue"));
    let venues: Arc<Venues> = Arc::new([(exchange, venue.clone())].into_iter().collect());
    let feed = Arc::new(PriceFeed {
        counterparty: exchange,
        prices: gateway.prices[&exchange].clone(),
        venue: venue.clone(),
        instruments: vec![(btc, "EUR".parse().expect("unit"))],
        clock,
        every: Duration::from_millis(200),
    });
    feed.refresh().await;
    let stop = CancellationToken::new();
    let next = follow::catch_up(&gateway, 0).await.expect("folds after a kill");
    tokio::spawn(follow::run(gateway.clone(), venues.clone(), next, stop.clone()));
    tokio::spawn(feed.run(stop.clone()));
    let (every, delay) = (Duration::from_millis(100), Duration::from_millis(400));
    let watch = Watch::new(gateway.clone(), venues.clone(), exchange, venue, every, delay);
    tokio::spawn(watch.run(stop));
    let read = |name: &str| std::fs::read(directory.join(name)).expect("certificate");
    let (leaf, issuing, root) = (read("leaf"), read("issuing"), read("root"));
    let inspected = world::inspected();
    inspected.check_at(&[&leaf, &issuing, &root], noon()).expect("profile");
    let certificate = inspected.of(&leaf).expect("inspected");
    let session = Session::open(&gateway, certificate, "127.0.0.1:1".parse().expect("address"));
    (gateway, venues, Arc::new(session))
}

async fn trade(directory: &Path, venue: &str, round: u64) {
    let (gateway, venues, session) = start(directory, venue).await;
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8_u64 {
        let (gateway, venues, session) = (gateway.clone(), venues.clone(), session.clone());
        senders.spawn(async move {
            for place in 0..100_000_u64 {
                let id = format!("r{round}-s{sender}-{place}");
                let order = Order::from_json(market(&id, place % 2 == 1).as_bytes()).expect("order");
                let signed = Signed {
                    proof: Proof::NotRequired,
                    evidence: None,
                };
                match submit(&gateway, &venues, &session, &order, &signed).await {
                    Submitted::Forwarded(..) => println!("answered {id}"),
                    other => println!("other {id} {other:?}"),
                }
            }
        });
    }
    while senders.join_next().await.is_some() {}
}

fn child(directory: &Path, venue: &str, round: u64) -> Child {
    Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "gateway_child", "--nocapture", "--test-threads", "1"])
        .env(CHILD, directory)
        .env(VENUE, venue)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("child")
}

/// Runs one child until `answers` orders were answered, plus a few hundred microseconds that differ by round; kills it.
fn one_life(directory: &Path, venue: &str, round: u64, answered: &mut HashSet<String>) {
    let mut child = child(directory, venue, round);
    let lines = BufReader::new(child.stdout.take().expect("stdout"));
    let enough = usize::try_from(round % 37 + 1).expect("small");
    let before = answered.len();
    let mut seen_others = Vec::new();
    for line in lines.lines().map_while(Result::ok) {
        match line.split_once(' ') {
            Some(("answered", id)) => drop(answered.insert(id.to_owned())),
            Some(("other", rest)) => seen_others.push(rest.to_owned()),
            _ => {}
        }
        if answered.len() - before == enough {
            std::thread::sleep(Duration::from_micros(round * 97 % 3_000));
            child.kill().expect("killed");
        }
    }
    let output = child.wait_with_output().expect("ended");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        answered.len() - before >= enough,
        "round {round}: the gateway did not come up again: {seen_others:?} {said}"
    );
}

/// A house of one agent on files in a folder, and a venue that outlives every gateway.
fn found(runtime: &tokio::runtime::Runtime, directory: &Path) -> fixtures_venue::Handle {
    runtime.block_on(async {
        let world = World::new(0).await;
        let leaf = world.agent(AGENT).await;
        let [issuing, root] = world.issuers();
        for (name, bytes) in [("leaf", leaf), ("issuing", issuing), ("root", root)] {
            std::fs::write(directory.join(name), bytes).expect("written");
        }
        world.ledger.close().await.expect("closed");
        copy(world.directory.path(), &directory.join("ledger"));
        let symbol = Symbol::walking("BTC_EUR".parse().expect("instrument"), "100".parse().expect("price"), 7);
        let rich = "1000000000".parse().expect("amount");
        let account = Account {
            name: "house".to_owned(),
            api_key: "key".to_owned(),
            secret: "secret".to_owned(),
            balances: [("BTC".to_owned(), rich), ("EUR".to_owned(), rich)]
                .into_iter()
                .collect(),
        };
        let config = fixtures_venue::Config::new(vec![symbol.expect("symbol")], vec![account], Arc::new(System));
        fixtures_venue::serve(config).await.expect("venue")
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("folder");
    for entry in std::fs::read_dir(from).expect("folder") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("runtime")
}

fn sends(venue: &fixtures_venue::Handle) -> Vec<String> {
    let orders = |received: &&fixtures_venue::Received| received.method == "POST" && received.path == "/api/v3/order";
    let id = |received: &fixtures_venue::Received| received.parameter("newClientOrderId").map(str::to_owned);
    venue.received().iter().filter(orders).filter_map(id).collect()
}

#[test]
fn a_killed_gateway_loses_no_answer_and_sends_nothing_twice() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().expect("folder"));
    let venue = found(&runtime, directory.path());
    let mut answered = HashSet::new();
    for round in 0..kills() {
        one_life(directory.path(), &venue.url(), round, &mut answered);
    }
    let sent = sends(&venue);
    println!(
        "soak: {} kills: {} orders answered, {} sends at the venue",
        kills(),
        answered.len(),
        sent.len()
    );
    runtime
        .block_on(judge(directory.path(), &venue.url(), &answered, &sent))
        .expect("holds");
}

#[test]
fn a_ledger_that_lost_its_end_is_seen() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().expect("folder"));
    let venue = found(&runtime, directory.path());
    let mut answered = HashSet::new();
    one_life(directory.path(), &venue.url(), 1, &mut answered);
    let (ledger, older) = (directory.path().join("ledger"), directory.path().join("older"));
    copy(&ledger, &older);
    one_life(directory.path(), &venue.url(), 2, &mut answered);
    std::fs::remove_dir_all(&ledger).expect("removed");
    copy(&older, &ledger);
    let judged = runtime.block_on(judge(directory.path(), &venue.url(), &answered, &sends(&venue)));
    assert!(
        judged
            .expect_err("the judge objects")
            .starts_with("answered and not recorded")
    );
}

/// The last life is not killed: every answer is recorded, every send has its permit, none came twice, no doubt stays.
async fn judge(directory: &Path, venue: &str, answered: &HashSet<String>, sent: &[String]) -> Result<(), String> {
    let (gateway, _venues, session) = start(directory, venue).await;
    let (permits, recorded) = permits_of(&gateway).await;
    let lost: Vec<_> = answered.difference(&recorded).collect();
    if !lost.is_empty() {
        return Err(format!("answered and not recorded: {lost:?}"));
    }
    let unknown: Vec<_> = sent.iter().filter(|id| !permits.contains(*id)).collect();
    if !unknown.is_empty() {
        return Err(format!("sent without a permit: {unknown:?}"));
    }
    if sent.iter().collect::<HashSet<_>>().len() != sent.len() {
        return Err("sent twice".to_owned());
    }
    for _ in 0..600 {
        let open: Vec<_> = session
            .slot
            .lock()
            .state
            .open_orders()
            .iter()
            .map(|open| open.mark)
            .collect();
        if open
            .iter()
            .all(|mark| *mark != OpenMark::InDoubt && *mark != OpenMark::Unanswered)
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("doubts are left after the venue's longest delay".to_owned())
}

/// The venue ids of every permit, and the bots' ids of them.
async fn permits_of(gateway: &Gateway) -> (HashSet<String>, HashSet<String>) {
    let stream = StreamId::agent(&agent(AGENT));
    let (mut permits, mut recorded, mut next) = (HashSet::new(), HashSet::new(), 0);
    loop {
        let page = gateway.ledger.read_stream(&stream, next, 4_096).await.expect("read");
        for entry in &page {
            if let Ok(AgentEvent::Decided(decided)) = AgentEvent::decode(&entry.kind, entry.body())
                && decided.decision == DecisionKind::Permit
            {
                recorded.insert(decided.order.client_order_id.to_string());
                permits.insert(VenueOrderId::new(&decided.agent, entry.number).to_string());
            }
        }
        next += page.len() as u64;
        if page.is_empty() {
            return (permits, recorded);
        }
    }
}
