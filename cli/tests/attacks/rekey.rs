//! New issuing CAs under the roots: what the earlier ones issued stays valid and has its status, and what is issued from then on is theirs.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use extensions::Clock as _;
use mandatum::{
    bot,
    client::{Client, Origin},
    clock::SystemClock,
    founding,
    officer::Officer,
    pem,
    serve::{self, Clocks, Roles, Running},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    house::{House, LONG, Setup, closing_post, configured, house, order, origin, spoken},
    judges::{asked, pem as as_pem, present},
    listeners::{Set, dial, presented},
    renewals::{serial, trades},
};

/// So short that it may be renewed at once, and longer than anything here takes.
const SHORT_SECONDS: i64 = 240;

/// Stops the house, re-keys both issuing CAs, takes the roots away and starts it again.
async fn rekeyed(house: House) -> House {
    let House {
        disk,
        folder,
        venue,
        config,
        running,
        tokens,
        ..
    } = house;
    let beside = founding::rekey(&config, &config.paths.roots, Arc::new(SystemClock)).await;
    let said = format!("{:#}", beside.unwrap_err());
    assert!(said.contains("stop it first"), "control, beside the server: {said}");
    running.stop().await.unwrap();
    founding::rekey(&config, &config.paths.roots, Arc::new(SystemClock))
        .await
        .unwrap();
    std::fs::remove_dir_all(&config.paths.roots).unwrap();
    let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new());
    let running = running.await.unwrap();
    let roots = pem::certificates(&config.paths.certificates.join("house.pem")).unwrap();
    let own = folder.path().join("officers/ada");
    let ada = Officer::open(&own, origin(running.addresses.officers), &roots).unwrap();
    House {
        disk,
        folder,
        venue,
        config,
        running,
        ada,
        tokens,
    }
}

async fn plain(address: Option<std::net::SocketAddr>, path: &str) -> Vec<u8> {
    let to = Origin::parse(&format!("http://{}", address.unwrap())).unwrap();
    let mut client = Client::new(to, &[], None).unwrap();
    client.send("GET", path, &[], "").await.unwrap().body.to_vec()
}

/// The list at an address, once it holds `wanted` certificates.
async fn list(running: &Running, path: &str, wanted: usize) -> Vec<u8> {
    let listed = async {
        loop {
            let der = plain(running.addresses.status, path).await;
            if revocation_core::crl::listed_serials(&der).map(|listed| listed.len()) == Some(wanted) {
                return der;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, listed).await.expect(path)
}

/// OpenSSL's word on a leaf, its issuer and a list.
fn verdict(at: &Path, leaf: &str, issuer: &str, list: &str) -> (bool, String) {
    let arguments = [
        "verify",
        "-x509_strict",
        "-CAfile",
        "root.pem",
        "-untrusted",
        issuer,
        "-crl_check",
        "-CRLfile",
        list,
        leaf,
    ];
    asked(at, "openssl", &arguments)
}

fn ocsp(at: &Path, leaf: &str, issuer: &str, url: &str) -> String {
    let arguments = [
        "ocsp",
        "-issuer",
        issuer,
        "-cert",
        leaf,
        "-CAfile",
        "bundle.pem",
        "-url",
        url,
    ];
    asked(at, "openssl", &arguments).1
}

/// A bot of the first CA trades on after the second has come; its renewal is the second's, and both trade. The first certificate's
/// revocation is on the first CA's list and nobody else's, and OpenSSL says so of both by CRL and OCSP. Negative controls inside: each
/// certificate with the other's list or issuer is refused or unknown; give `AgentVerifier` the newest CA alone, and a bot that sends its
/// leaf alone is shut out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_issued_before_stays_valid_and_has_its_status() {
    let short = Setup {
        bot_life_seconds: Some(SHORT_SECONDS),
        ..Setup::default()
    };
    let mut house = rekeyed(house(short).await).await;
    let old = house.folder.path().join("bot");
    assert!(trades(&house, &old, "first").await, "of the first CA");
    let alone = ca_keys::tls::certified_key(vec![house.chain()[0].clone()], house.bot_key());
    let stream = house.dial(Some(alone)).await.unwrap();
    let (said, _) = spoken(stream, &closing_post(&order("alone").to_string(), ""), LONG).await;
    assert!(said.starts_with("HTTP/1.1 200"), "a leaf of the first CA alone: {said}");
    let new = house.folder.path().join("new");
    std::fs::create_dir(&new).unwrap();
    for file in ["key.pem", "chain.pem"] {
        std::fs::copy(old.join(file), new.join(file)).unwrap();
    }
    let to = origin(house.running.addresses.enrolment);
    bot::renew(&new, to, &house.roots()).await.unwrap();
    assert!(trades(&house, &new, "second").await, "of the second CA");
    assert!(trades(&house, &old, "third").await, "both");

    let (before, after) = (
        list(&house.running, "/agents.crl", 0).await,
        list(&house.running, "/agents-2.crl", 0).await,
    );
    assert_ne!(before, after);
    let revoke = format!("/v1/certificates/{}/revoke", serial(&old));
    house.ada.post(&revoke, &json!({ "reason": "a test" })).await.unwrap();
    let first = list(&house.running, "/agents.crl", 1).await;
    assert!(!trades(&house, &old, "fourth").await);
    assert!(trades(&house, &new, "fifth").await);
    let second = list(&house.running, "/agents-2.crl", 0).await;
    figures(&house).await;
    judged(&house, &old, &new, &first, &second);
    house.running.stop().await.unwrap();
}

fn judged(house: &House, old: &Path, new: &Path, first: &[u8], second: &[u8]) {
    if !present("openssl", &["version"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (at, ca) = (folder.path(), &house.config.paths.certificates);
    let mut bundle = String::new();
    for (from, to) in [
        (ca.join("root.pem"), "root.pem"),
        (ca.join("issuing-1.pem"), "issuing-1.pem"),
        (ca.join("issuing.pem"), "issuing-2.pem"),
        (old.join("certificate.pem"), "old.pem"),
        (new.join("certificate.pem"), "new.pem"),
    ] {
        let text = std::fs::read_to_string(from).unwrap();
        std::fs::write(at.join(to), &text).unwrap();
        if to != "old.pem" && to != "new.pem" {
            bundle.push_str(&text);
        }
    }
    std::fs::write(at.join("bundle.pem"), bundle).unwrap();
    std::fs::write(at.join("1.crl"), as_pem("X509 CRL", first)).unwrap();
    std::fs::write(at.join("2.crl"), as_pem("X509 CRL", second)).unwrap();
    let (fine, said) = verdict(at, "old.pem", "issuing-1.pem", "1.crl");
    assert!(!fine && said.contains("error 23 at 0"), "{said}");
    let (fine, said) = verdict(at, "new.pem", "issuing-2.pem", "2.crl");
    assert!(fine, "{said}");
    for (leaf, issuer, list) in [
        ("old.pem", "issuing-1.pem", "2.crl"),
        ("new.pem", "issuing-2.pem", "1.crl"),
    ] {
        let (fine, said) = verdict(at, leaf, issuer, list);
        assert!(
            !fine && said.contains("error 3 at 0"),
            "control, the other's list: {said}"
        );
    }
    let url = format!("http://{}/ocsp", house.running.addresses.status.unwrap());
    for (leaf, issuer, status) in [
        ("old.pem", "issuing-1.pem", "revoked"),
        ("new.pem", "issuing-2.pem", "good"),
    ] {
        let said = ocsp(at, leaf, issuer, &url);
        assert!(
            said.contains("Response verify OK") && said.contains(&format!("{leaf}: {status}")),
            "{leaf} under {issuer}: {said}"
        );
    }
    for (leaf, issuer) in [("old.pem", "issuing-2.pem"), ("new.pem", "issuing-1.pem")] {
        let said = ocsp(at, leaf, issuer, &url);
        assert!(
            said.contains(&format!("{leaf}: unknown")),
            "control, the other's issuer: {said}"
        );
    }
}

/// Each certificate of the house's own has its figure.
async fn figures(house: &House) {
    let text = plain(house.running.addresses.operations, "/metrics").await;
    let text = String::from_utf8(text).unwrap();
    for name in [
        "gateway",
        "console",
        "enrolment",
        "agent_root",
        "house_root",
        "agent_issuing_1",
        "agent_issuing_2",
        "house_issuing_1",
        "house_issuing_2",
    ] {
        let line = format!("mandatum_house_certificate_expires_seconds{{certificate=\"{name}\"}} ");
        let left = text.lines().find_map(|of| of.strip_prefix(&line)).expect(name);
        assert!(left.parse::<i64>().unwrap() > 80 * 86_400, "{name}: {left}");
    }
}

/// What listeners present next is the new CA's, with a chain that ends in the root their clients have pinned. Negative control: with the
/// first CA's certificate behind it the handshake below fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_goes_over_to_the_new_ca() {
    let (_folder, _venue, config) = configured(Setup::default()).await;
    let today = SystemClock.now();
    let then = |days: i64| Arc::new(Set(Mutex::new(today.plus_seconds(-days * 86_400))));
    let founded = founding::found(&config, then(50)).await.unwrap();
    founded.ledger.close().await.unwrap();
    founding::rekey(&config, &config.paths.roots, then(49)).await.unwrap();
    let running = serve::run(&config, Roles::All, Clocks::of(then(0)), CancellationToken::new());
    let running = running.await.unwrap();
    let roots = pem::certificates(&config.paths.certificates.join("house.pem")).unwrap();
    let port = running.addresses.gateway.unwrap().port();
    let renewed = async {
        loop {
            let stream = dial(&roots, port).await;
            let (from, _) = ca_core::certificate::life_of(&presented(&stream)).unwrap();
            if from > today.plus_seconds(-86_400) {
                return stream.get_ref().1.peer_certificates().unwrap()[1].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let issuer = tokio::time::timeout(LONG, renewed).await.expect("renewed");
    let new = pem::certificates(&config.paths.certificates.join("house-issuing.pem")).unwrap();
    assert_eq!(issuer, new[0], "the second CA's");
    let earlier = pem::certificates(&config.paths.certificates.join("house-issuing-1.pem")).unwrap();
    assert_ne!(earlier[0], new[0]);
    running.stop().await.unwrap();
}
