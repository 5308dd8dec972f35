//! `issue`: first certificates by EST, beside `cfssl serve` (P10). Ours checks the proof of possession and the officers' approval, writes the limits into
//! the certificate, and makes token, serial and certificate durable in the ledger; cfssl signs and stores nothing.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_keys::SecretKey;
use extensions::KeyAlgorithm;
use mandatum::request;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::TlsConnector;

use crate::{
    house::Plan,
    load::{Outcome, answer, collected, connect},
    options::Options,
    peer_house::PeerHouse,
    plain,
    process::{self, Owned},
    rounds::{kept, median},
};

const CLIENTS: usize = 8;
/// No round of enrolments takes longer.
const LONGEST: Duration = Duration::from_secs(60);
/// Before a request that is still being worked on is asked for again.
const AGAIN: Duration = Duration::from_millis(2);

struct Round {
    peer: (f64, f64),
    ours: (f64, f64),
    entries: f64,
    commits: f64,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (rounds, each) = (options.number("rounds", 4)?, options.number("certificates", 240)?);
    process::needs("cfssl", "version", "golang-cfssl")?;
    let folder = tempfile::tempdir()?;
    let (peer, peer_address) = cfssl(folder.path())?;
    let mut house = PeerHouse::start(&Plan {
        applicants: (CLIENTS, rounds * each / CLIENTS),
        ..Plan::default()
    })?;
    let mut requests = requests(&house)?;
    println!("{}", process::machine(&house.folder()?));
    println!("{rounds} interleaved rounds, {CLIENTS} clients, {each} certificates a round");
    options.begin()?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        let before = process::cpu(peer.pid(), "")?;
        let outcome = sign(peer_address, Duration::from_secs(1)).await?;
        outcome.demand("cfssl")?;
        let peer = (
            outcome.rate(),
            outcome.each(process::cpu(peer.pid(), "")?.saturating_sub(before)),
        );
        let part = requests
            .iter_mut()
            .map(|all| all.split_off(all.len() - each / CLIENTS))
            .collect();
        house.settle()?;
        let (before, figures) = (house.cpu()?, house.figures()?);
        let outcome = enrol(&house, part).await?;
        outcome.demand("the enrolment listener")?;
        house.settle()?;
        let after = house.figures()?;
        let count = outcome.answered.max(1) as f64;
        all.push(Round {
            peer,
            ours: (outcome.rate(), outcome.each(house.cpu()?.saturating_sub(before))),
            entries: (after.0 - figures.0) as f64 / count,
            commits: (after.1 - figures.1) as f64 / count,
        });
    }
    let rounds = kept(all, |round| round.peer.0);
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    println!("{} rounds kept", rounds.len());
    println!(
        "  cfssl serve /sign: {:.0}/s, CPU {:.0} µs a certificate",
        of(&|r| r.peer.0),
        of(&|r| r.peer.1)
    );
    println!(
        "  simpleenroll:      {:.0}/s, CPU {:.0} µs a certificate; {:.1} entries and {:.2} commits (one fsync each) a certificate",
        of(&|r| r.ours.0),
        of(&|r| r.ours.1),
        of(&|r| r.entries),
        of(&|r| r.commits)
    );
    println!(
        "P10: {:.2} of cfssl's rate, {:.2} x its CPU",
        of(&|r| r.ours.0 / r.peer.0),
        of(&|r| r.ours.1 / r.peer.1)
    );
    house.stop()?;
    Ok(())
}

/// EST requests, by client: each with a token and a key of its own, made before the clock starts.
fn requests(house: &PeerHouse) -> anyhow::Result<Vec<Vec<Vec<u8>>>> {
    let host = house.said("enrolment")?;
    let mut by_client: Vec<Vec<Vec<u8>>> = (0..CLIENTS).map(|_| Vec::new()).collect();
    // Neighbours are of one mandate, so that each client keeps to its own.
    let tokens = house.list("tokens")?;
    let each = tokens.len() / CLIENTS;
    for (place, token) in tokens.into_iter().enumerate() {
        let key = SecretKey::generate("bench", KeyAlgorithm::EcdsaP256Sha256)?;
        let body = STANDARD.encode(request::of_key(&key)?);
        let basic = STANDARD.encode(token);
        let text = format!(
            "POST /.well-known/est/simpleenroll HTTP/1.1\r\nhost: {host}\r\nauthorization: Basic {basic}\r\ncontent-type: application/pkcs10\r\ncontent-transfer-encoding: base64\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        by_client[(place / each).min(CLIENTS - 1)].push(text.into_bytes());
    }
    Ok(by_client)
}

async fn enrol(house: &PeerHouse, requests: Vec<Vec<Vec<u8>>>) -> anyhow::Result<Outcome> {
    let address: SocketAddr = house.said("enrolment")?.parse()?;
    let mut roots = RootCertStore::empty();
    for root in mandatum::pem::certificates(house.said("roots")?.as_ref())? {
        roots.add(root)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let mut streams = Vec::new();
    for _ in &requests {
        streams.push(connect(&connector, address).await?);
    }
    let start = Instant::now();
    let pairs = streams.into_iter().zip(requests);
    let running = pairs.map(|(mut stream, requests)| {
        tokio::spawn(async move {
            let mut outcome = Outcome::default();
            let mut held = Vec::with_capacity(8_192);
            for request in requests {
                let sent = Instant::now();
                loop {
                    held.clear();
                    stream.write_all(&request).await?;
                    stream.flush().await?;
                    let answer = answer(&mut stream, &mut held).await?;
                    if answer.status != 202 {
                        outcome.note(sent, answer.status, &held);
                        break;
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
            Ok::<_, anyhow::Error>(outcome)
        })
    });
    collected(running.collect(), start, LONGEST).await
}

async fn sign(address: SocketAddr, time: Duration) -> anyhow::Result<Outcome> {
    let key = SecretKey::generate("bench", KeyAlgorithm::EcdsaP256Sha256)?;
    let der = STANDARD.encode(request::of_key(&key)?);
    let lines: Vec<&str> = (0..der.len())
        .step_by(64)
        .map(|at| &der[at..der.len().min(at + 64)])
        .collect();
    let pem = format!(
        "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
        lines.join("\n")
    );
    let body = serde_json::json!({ "certificate_request": pem, "hosts": ["bot"] }).to_string();
    let message = plain::post(address, "/api/v1/cfssl/sign", "application/json", body.as_bytes());
    let makers = (0..CLIENTS).map(|_| {
        let message = message.clone();
        move || message.clone()
    });
    plain::drive(address, makers.collect(), time).await
}

/// `cfssl serve` with a CA of P-256.
fn cfssl(folder: &Path) -> anyhow::Result<(Owned, SocketAddr)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "bench CA");
    std::fs::write(folder.join("ca.pem"), params.self_signed(&key)?.pem())?;
    std::fs::write(folder.join("ca.key"), key.serialize_pem())?;
    let profile = r#"{"signing":{"default":{"expiry":"24h","usages":["client auth","digital signature"]}}}"#;
    std::fs::write(folder.join("cfssl.json"), profile)?;
    let port = process::free_port()?;
    let mut command = Command::new("cfssl");
    command
        .current_dir(folder)
        .args(["serve", "-address=127.0.0.1", &format!("-port={port}")]);
    command.args([
        "-ca",
        "ca.pem",
        "-ca-key",
        "ca.key",
        "-config",
        "cfssl.json",
        "-loglevel",
        "4",
    ]);
    let child = Owned::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for _ in 0..200 {
        if std::net::TcpStream::connect(address).is_ok() {
            return Ok((child, address));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(anyhow::anyhow!("cfssl does not listen")).context("the peer")
}
