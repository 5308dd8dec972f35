//! A disk that is full: the house says so, sends nothing it cannot record, and forgets no halt.

use std::{fs, io::Write as _, path::Path};

use ledger::verify::{Options, verify_directory};
use mandatum::{
    bot::Bot,
    client::{Client, Origin},
    serve::{self, Clocks, Roles},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    house::{House, Setup, house, order, origin},
    small_disk::may_mount,
};

/// Enough for the ledger's own 64 MiB ahead of use, and little more.
const SMALL_MIB: u32 = 96;
/// More orders than fit into what is allocated ahead.
const MOST_ORDERS: usize = 30_000;

fn fill(folder: &Path) {
    let mut filler = fs::File::create(folder.join("filler")).unwrap();
    let part = vec![0x5a; 4_096];
    while filler.write_all(&part).is_ok() {}
}

fn bot(house: &House) -> Bot {
    let to = origin(house.running.addresses.gateway);
    Bot::open(&house.folder.path().join("bot"), to, &house.roots()).unwrap()
}

/// Orders until the ledger cannot take one more: how many were answered with a permit. Every further one is refused as unavailable.
async fn until_closed(house: &House, bot: &mut Bot) -> usize {
    let mut permitted = 0;
    for count in 0..MOST_ORDERS {
        let mut resting = order(&format!("full-{count}"));
        resting["price"] = json!("48000");
        resting["time_in_force"] = json!("ioc");
        let reply = bot.send(&resting).await.unwrap();
        if reply.status == 503 {
            assert_eq!(reply.json().unwrap()["code"], "LEDGER_UNAVAILABLE");
            return permitted;
        }
        permitted += usize::from(reply.status == 200);
    }
    panic!("{} still takes orders", house.config.paths.ledger.display());
}

async fn ready(house: &House) -> (u16, String) {
    let to = format!("http://{}", house.running.addresses.operations.unwrap());
    let mut client = Client::new(Origin::parse(&to).unwrap(), &[], None).unwrap();
    let reply = client.send("GET", "/readyz", &[], "").await.unwrap();
    (reply.status.as_u16(), String::from_utf8_lossy(&reply.body).into_owned())
}

/// The disk fills up under a trading house. Orders are answered 503 and reach nobody; a cancel reaches the venue and an officer's
/// revocation is kept in the reserve file; a restart appends both before anything else, marked late, and the bot is revoked. Controls:
/// before the disk is full the same order passes; before the restart the record holds nothing late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_nothing_is_sent_and_no_halt_is_forgotten() {
    if !may_mount() {
        return;
    }
    let mut house = house(Setup {
        disk_mib: Some(SMALL_MIB),
        ..Setup::default()
    })
    .await;
    let mut bot = bot(&house);
    assert_eq!(bot.send(&order("rests")).await.unwrap().status, 200);
    fill(&house.config.paths.ledger);
    let permitted = until_closed(&house, &mut bot).await;
    let sent = house.orders();
    assert_eq!(sent, permitted + 1, "what was answered is what was sent");
    for again in ["after-1", "after-2"] {
        assert_eq!(bot.send(&order(again)).await.unwrap().status, 503);
    }
    assert_eq!(house.orders(), sent, "nothing unrecorded reaches the venue");
    let (status, reasons) = ready(&house).await;
    assert!(status == 503 && reasons.contains("ledger"), "{status} {reasons}");

    let cancelled = bot.call("DELETE", "/v1/orders/rests", "").await.unwrap();
    let at_venue = house
        .venue
        .count(|request| request.method == "DELETE" && request.path == "/api/v3/order");
    assert_eq!(at_venue, 1, "{:?}", cancelled.json());
    let revoked = house
        .ada
        .post("/v1/agents/mm-1/revoke", &json!({ "reason": "full" }))
        .await;
    let said = revoked.unwrap_err().to_string();
    assert!(said.contains("reserve file"), "{said}");

    let House {
        running, config, disk, ..
    } = house;
    // Closing writes views; on a full disk that may fail, and is said.
    let _ = running.stop().await;
    fs::remove_file(config.paths.ledger.join("filler")).unwrap();
    let again = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new());
    let again = again.await.unwrap();
    let entries = again
        .ledger
        .read_range(0, usize::try_from(again.ledger.head().size).unwrap())
        .await;
    let entries = entries.unwrap();
    let late: Vec<String> = entries
        .iter()
        .filter(|entry| entry.late)
        .map(|entry| entry.kind.to_string())
        .collect();
    assert!(late.contains(&"agent.revoked".to_owned()), "{late:?}");
    assert!(late.iter().any(|kind| kind.starts_with("order.cancel")), "{late:?}");
    let first_late = entries.iter().position(|entry| entry.late).unwrap();
    assert_eq!(
        &*entries[first_late - 1].kind,
        "checkpoint_key.authorised",
        "before anything else"
    );
    again.stop().await.unwrap();
    let report = verify_directory(&config.paths.ledger, Options::default())
        .await
        .unwrap();
    assert_eq!(report.late, late.len() as u64);
    drop(disk);
}
