//! `doctor` beside a real house: nothing to say of a healthy one, and each check fails where its own cause is.

use std::{os::unix::fs::PermissionsExt as _, path::PathBuf, sync::Arc};

use extensions::Clock as _;
use mandatum::{
    clock::{SteppedClock, SystemClock},
    doctor::{Finding, bot, house as of_house},
};
use serde_json::json;

use crate::house::{House, Setup, house, origin};

fn patient(house: &House) -> bot::Patient {
    bot::Patient {
        folder: house.folder.path().join("bot"),
        gateway: origin(house.running.addresses.gateway),
        roots: house.roots(),
        clock: Arc::new(SystemClock),
    }
}

fn failed(found: &[Finding]) -> Vec<&'static str> {
    for finding in found {
        assert_eq!(
            finding.ok,
            finding.fix.is_none(),
            "a fix exactly where it fails: {finding:?}"
        );
    }
    found.iter().filter(|one| !one.ok).map(|one| one.check).collect()
}

/// The bot's folder once more, with files replaced.
fn folder(house: &House, name: &str, files: &[(&str, PathBuf)]) -> PathBuf {
    let folder = house.folder.path().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["key.pem", "chain.pem"] {
        std::fs::copy(house.bot_file(file), folder.join(file)).unwrap();
    }
    for (file, from) in files {
        std::fs::copy(from, folder.join(file)).unwrap();
    }
    folder
}

/// Control, built in: the healthy bot, of which every check is good. ALPN and region are judged on both sides beside their code.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trouble_of_a_bot_has_its_check() {
    let mut house = house(Setup::default()).await;
    let well = bot::examine(&patient(&house)).await;
    assert_eq!((failed(&well).len(), well.len()), (0, 10), "{well:?}");
    let with = |folder| bot::Patient {
        folder,
        ..patient(&house)
    };
    let wide = folder(&house, "wide", &[]);
    std::fs::set_permissions(wide.join("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(failed(&bot::examine(&with(wide)).await).contains(&"key"));
    let leaf = folder(&house, "leaf", &[("chain.pem", house.bot_file("certificate.pem"))]);
    assert_eq!(failed(&bot::examine(&with(leaf)).await), ["chain"]);
    let officers = house.folder.path().join("officers/ada");
    let another = folder(
        &house,
        "another",
        &[
            ("key.pem", officers.join("key.pem")),
            ("chain.pem", officers.join("certificate.pem")),
        ],
    );
    assert!(failed(&bot::examine(&with(another)).await).contains(&"purpose"));
    let later = SystemClock.now().plus_seconds(70_000);
    let late = bot::Patient {
        clock: Arc::new(SteppedClock::starting_at(later)),
        ..patient(&house)
    };
    assert_eq!(failed(&bot::examine(&late).await), ["expiry", "clock"]);
    let away = bot::Patient {
        gateway: mandatum::client::Origin::parse("https://localhost:1").unwrap(),
        ..patient(&house)
    };
    assert_eq!(failed(&bot::examine(&away).await), ["gateway"]);
    let reason = json!({ "reason": "a test" });
    house.ada.post("/v1/agents/mm-1/freeze", &reason).await.unwrap();
    let frozen = async || failed(&bot::examine(&patient(&house)).await) == ["standing"];
    let told = async {
        while !frozen().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::house::LONG, told).await.expect("frozen");
    house.running.stop().await.unwrap();
}

/// Control, built in: the healthy house, of which every check is good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_trouble_of_a_house_has_its_check() {
    let house = house(Setup::default()).await;
    let mut config = house.config.clone();
    let addresses = house.running.addresses;
    config.gateway.listen = addresses.gateway.unwrap();
    config.console.officers = addresses.officers.unwrap();
    config.console.enrolment = addresses.enrolment.unwrap();
    config.status.listen = addresses.status.unwrap();
    config.operations.listen = addresses.operations.unwrap();
    let well = of_house::examine(&config).await;
    assert_eq!((failed(&well).len(), well.len()), (0, 6), "{well:?}");
    assert_eq!(failed(&[of_house::unreadable("no such file")]), ["config"]);

    let empty = house.folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let mut other = config.clone();
    other.paths.ledger.clone_from(&empty);
    assert_eq!(failed(&of_house::examine(&other).await), ["ledger"]);
    let mut other = config.clone();
    other.paths.keys = empty;
    assert_eq!(failed(&of_house::examine(&other).await), ["keys"]);
    let key = std::fs::read_dir(&config.paths.keys)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    assert_eq!(failed(&of_house::examine(&config).await), ["keys"]);
    mode(0o600);
    let mut other = config.clone();
    for venue in other.venues.values_mut() {
        venue.url = "http://127.0.0.1:1".to_owned();
    }
    assert_eq!(failed(&of_house::examine(&other).await), ["venue"]);
    house.running.stop().await.unwrap();
    assert_eq!(failed(&of_house::examine(&config).await), ["listeners"]);
}
