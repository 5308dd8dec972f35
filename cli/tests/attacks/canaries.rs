//! Secrets through a whole run: none of them is in a log, an error, the store, an export or what the venue was sent.

use std::path::Path;

use mandatum::{bot::Bot, officer};
use serde_json::json;

use crate::house::{House, Setup, VENUE_SECRET, house, logged, order, origin};

/// A text of a person's, which stands sealed beside the record.
const TEXTS: [&str; 3] = [
    "canary-of-the-reasoning-3141592653",
    "canary-of-the-refused-1414213562",
    "canary-of-the-reason-1618033988",
];

/// The private halves in a PEM file, line by line.
fn key_lines(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let private = path.extension().is_some_and(|end| end == "key") || path.ends_with("key.pem");
        if private {
            let text = std::fs::read_to_string(&path).unwrap();
            lines.extend(text.lines().filter(|line| line.len() == 64).map(str::to_owned));
        }
    }
    lines
}

/// Every octet below a folder.
fn octets(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            all.extend(octets(&path));
        } else {
            // A connection that is still closing takes its files with it.
            all.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    all
}

fn found(secrets: &[String], text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let held = secrets.iter().filter(|secret| text.contains(secret.as_str()));
    held.cloned().collect()
}

fn secrets(house: &House) -> Vec<String> {
    let mut secrets = house.tokens.clone();
    secrets.push(VENUE_SECRET.to_owned());
    secrets.extend(TEXTS.map(str::to_owned));
    for folder in ["bot", "keys", "officers/ada", "officers/grace", "roots"] {
        let lines = key_lines(&house.folder.path().join(folder));
        assert!(!lines.is_empty(), "no key in {folder}");
        secrets.extend(lines);
    }
    secrets
}

/// Control: one of them, logged on purpose, is found.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_an_error_or_a_dump() {
    let mut house = house(Setup::default()).await;
    let secrets = secrets(&house);
    let mut bot = Bot::open(
        &house.folder.path().join("bot"),
        origin(house.running.addresses.gateway),
        &house.roots(),
    );
    let bot = bot.as_mut().unwrap();
    let mut told = String::new();
    for (id, quantity, text) in [
        ("c-1", "0.01", TEXTS[0]),
        ("c-2", "5", TEXTS[1]),
        ("c-3", "no", TEXTS[1]),
    ] {
        let mut reasoned = order(id);
        reasoned["quantity"] = json!(quantity);
        reasoned["reasoning"] = json!(text);
        told += &bot.send(&reasoned).await.unwrap().json().unwrap().to_string();
    }
    let again = house.folder.path().join("again");
    let to = origin(house.running.addresses.officers);
    let used = officer::enrol(&again, to, &house.roots(), &house.tokens[0], "ada").await;
    told += &format!("{:?}", used.unwrap_err());
    let reason = json!({ "reason": TEXTS[2] });
    told += &house
        .ada
        .post("/v1/agents/mm-1/revoke", &reason)
        .await
        .unwrap()
        .to_string();
    let wrong = json!({ "reason": TEXTS[2], "revocation_reason": "no such reason" });
    told += &format!(
        "{:?}",
        house.ada.post("/v1/agents/mm-1/revoke", &wrong).await.unwrap_err()
    );
    told += &format!("{:?}", house.config);
    assert_eq!(found(&secrets, told.as_bytes()), [""; 0], "answers and errors");

    let venue = house.venue.received();
    assert_eq!(
        found(&secrets, format!("{venue:?}").as_bytes()),
        [""; 0],
        "what the venue got"
    );
    house.running.stop().await.unwrap();
    let ledger = &house.config.paths.ledger;
    assert_eq!(found(&secrets, &octets(ledger)), [""; 0], "the store");
    let mut export = Vec::new();
    ledger::export::export_directory(ledger, false, &mut export)
        .await
        .unwrap();
    assert_eq!(found(&secrets, &export), [""; 0], "an export");
    let mut export = Vec::new();
    ledger::export::export_directory(ledger, true, &mut export)
        .await
        .unwrap();
    assert_eq!(
        found(&secrets, &export).len(),
        TEXTS.len(),
        "control: asked for with its texts"
    );

    let log = logged().lock().unwrap().clone();
    assert!(!log.is_empty(), "something was logged");
    assert_eq!(found(&secrets, &log), [""; 0], "the log");
    tracing::info!("control: {}", secrets[0]);
    let log = logged().lock().unwrap().clone();
    assert_eq!(found(&secrets, &log), [secrets[0].clone()], "control");
}
