//! Guarantee 9: orders and halts need the ledger, the venue and nobody else.
//!
//! Control tried: `Running::stop_role` that ends the gateway too, and both tests go red.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use extensions::{AgentId, Clock};
use fixtures_venue::streams;
use mandatum::{
    bot::Bot,
    clock::SystemClock,
    commands::{read_observations, send_observations},
    officer::Officer,
    serve::Role,
};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use crate::house::{House, Setup, house, order, origin};

/// A receiver that takes every connection and never says a word; how many it took.
async fn black_hole() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    (port, taken)
}

fn bot(house: &House) -> Bot {
    let to = origin(house.running.addresses.gateway);
    Bot::open(&house.folder.path().join("bot"), to, &house.roots()).unwrap()
}

/// Ends `ca`, `revocation` and `console`; nobody answers at their addresses any more.
async fn left_alone(house: &mut House) {
    for role in [Role::Ca, Role::Revocation, Role::Console] {
        house.running.stop_role(role).await;
    }
    let addresses = house.running.addresses;
    for address in [addresses.officers, addresses.enrolment, addresses.status] {
        let gone = async { while TcpStream::connect(address.unwrap()).await.is_ok() {} };
        tokio::time::timeout(crate::house::LONG, gone).await.unwrap();
    }
}

/// Learns from two weeks and has the baseline approved.
pub(crate) async fn learned(house: &mut House) {
    let bots = streams::demo_bots();
    let profile = bots.into_iter().find(|bot| bot.agent.as_str() == "mm-1").unwrap();
    let from = SystemClock.now().plus_seconds(-15 * 86_400);
    let mut rows: Vec<_> = profile.healthy(1, from, 14).collect();
    rows.retain(|row| row.instrument.as_str() == "BTC_EUR");
    let mut csv = Vec::new();
    streams::write_rows(&mut csv, &rows).unwrap();
    let file = house.folder.path().join("history.csv");
    std::fs::write(&file, csv).unwrap();
    let (rows, source) = read_observations(&file, None).unwrap();
    let agent = AgentId::new("mm-1").unwrap();
    send_observations(&mut house.ada, agent, &rows, source, &mut |_| {})
        .await
        .unwrap();
    house.ada.post("/v1/agents/mm-1/baselines", &json!({})).await.unwrap();
    let folder = house.folder.path().join("officers/grace");
    let mut grace = Officer::open(&folder, origin(house.running.addresses.officers), &house.roots()).unwrap();
    let signed = grace.approve_baseline("mm-1").await.unwrap();
    assert_eq!(signed["accepted"], json!(true), "{signed}");
}

/// The receiver is a black hole, then the other three roles are gone: orders pass as before. Control: the ledger is cut, and none does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_pass_without_the_other_roles() {
    let (port, taken) = black_hole().await;
    let mut house = house(Setup {
        webhook: Some(port),
        ..Setup::default()
    })
    .await;
    let mut bot = bot(&house);
    let pass = async |house: &House, bot: &mut Bot, from: usize| {
        for count in from..from + 50 {
            let reply = bot.send(&order(&format!("o-{count}"))).await.unwrap();
            assert_eq!(reply.status, 200, "{count}: {:?}", reply.json());
        }
        assert_eq!(house.orders(), from + 50, "each reached the venue");
    };
    pass(&house, &mut bot, 0).await;
    assert!(
        taken.load(Ordering::SeqCst) > 0,
        "control: webhooks are called, and hang"
    );
    left_alone(&mut house).await;
    pass(&house, &mut bot, 50).await;
    house.running.ledger.close().await.unwrap();
    let cut = bot.send(&order("cut")).await.unwrap();
    assert_eq!(cut.status, 503, "{:?}", cut.json());
    assert_eq!(house.orders(), 100, "control: without the ledger nothing passes");
}

/// A runaway is halted, its orders cancelled and its connection closed with nobody there but the gateway. Control: before it runs away the
/// same bot passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halt_halts_without_the_other_roles() {
    let (port, _) = black_hole().await;
    let mut house = house(Setup {
        enforce: true,
        webhook: Some(port),
        ..Setup::default()
    })
    .await;
    learned(&mut house).await;
    let mut bot = bot(&house);
    left_alone(&mut house).await;
    let usual = bot.send(&order("usual")).await.unwrap();
    assert_eq!(usual.status, 200, "{:?}", usual.json());
    let mut told = String::new();
    for count in 0..300 {
        let mut large = order(&format!("run-{count}"));
        large["quantity"] = json!("0.4");
        let Ok(reply) = bot.send(&large).await else { break };
        told = reply.json().unwrap().to_string();
        if told.contains("ANOMALY_REVOKED") {
            break;
        }
    }
    assert!(told.contains("ANOMALY_REVOKED"), "{told}");
    let sent = house.orders();
    let slot = house.running.gateway().unwrap().slot(&AgentId::new("mm-1").unwrap());
    let cancelled = async {
        while !slot.lock().state.open_orders().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::house::LONG, cancelled).await.unwrap();
    let again = bot.send(&order("again")).await;
    assert!(again.is_err() || again.unwrap().status == 403, "closed, or refused");
    assert_eq!(house.orders(), sent, "nothing is sent after the halt");
    house.running.stop().await.unwrap();
}
