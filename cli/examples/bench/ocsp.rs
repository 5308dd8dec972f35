//! `ocsp`: replies of the status listener beside `openssl ocsp` (P11). Stored replies over kept connections are measured as a rate. Fresh ones, which
//! a nonce asks for, are held to 200 a second by the listener itself, so that a flood cannot keep it signing: what is compared is the processor
//! time of each.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use extensions::certificate::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use tokio::net::TcpStream;

use crate::{
    house::Plan,
    load::fresh_number,
    options::Options,
    peer_house::PeerHouse,
    plain,
    process::{self, Owned},
    rounds::{kept, median},
    status,
};

const CONNECTIONS: usize = 8;
/// Between two fresh replies: 150 a second, below the listener's bound.
const BETWEEN: Duration = Duration::from_micros(6_666);

struct Round {
    peer: (f64, f64),
    stored: (f64, f64),
    /// Microseconds of processor time of a fresh reply.
    fresh: f64,
}

/// Runs it.
pub(crate) async fn run(options: &Options) -> anyhow::Result<()> {
    let (rounds, time) = (options.number("rounds", 5)?, options.seconds("seconds", 2.0)?);
    process::needs("openssl", "version", "openssl")?;
    let folder = tempfile::tempdir()?;
    let (peer, peer_address, peer_request) = openssl(folder.path())?;
    let house = PeerHouse::start(&Plan {
        bots: 1,
        ..Plan::default()
    })?;
    let address: SocketAddr = house.said("status")?.parse()?;
    let issuer = mandatum::pem::certificates(house.said("issuer")?.as_ref())?.swap_remove(0);
    let leaf = house.target("")?.identities[0].chain[0].clone();
    let leaf = Certificate::read(&leaf).map_err(|fault| anyhow::anyhow!("{fault}"))?;
    let serial = leaf.serial();
    let request = |nonce| status::ocsp_request(&issuer, serial.octets(), nonce);
    let stored = plain::post(address, "/ocsp", status::OCSP_REQUEST, &request(None)?);
    println!("{}", process::machine(folder.path()));
    options.begin()?;
    let mut all = Vec::new();
    for _ in 0..rounds {
        let before = process::cpu(peer.pid(), "")?;
        let outcome = plain::drive_closing(peer_address, CONNECTIONS, peer_request.clone(), time).await?;
        outcome.demand("openssl")?;
        let peer = (
            outcome.rate(),
            outcome.each(process::cpu(peer.pid(), "")?.saturating_sub(before)),
        );
        let before = house.cpu()?;
        let makers = (0..CONNECTIONS).map(|_| {
            let stored = stored.clone();
            move || stored.clone()
        });
        let outcome = plain::drive(address, makers.collect(), time).await?;
        outcome.demand("the status listener")?;
        let stored = (outcome.rate(), outcome.each(house.cpu()?.saturating_sub(before)));
        let fresh = fresh(&house, address, &request, time).await?;
        all.push(Round { peer, stored, fresh });
    }
    let rounds = kept(all, |round| round.peer.0);
    let of = |value: &dyn Fn(&Round) -> f64| median(rounds.iter().map(value));
    println!("{} rounds kept", rounds.len());
    println!(
        "  openssl ocsp, {CONNECTIONS} clients: {:.0}/s, CPU {:.0} µs a reply",
        of(&|r| r.peer.0),
        of(&|r| r.peer.1)
    );
    println!(
        "  stored, {CONNECTIONS} kept connections: {:.0}/s, CPU {:.1} µs a reply",
        of(&|r| r.stored.0),
        of(&|r| r.stored.1)
    );
    println!("  fresh: CPU {:.0} µs a reply", of(&|r| r.fresh));
    println!(
        "P11: fresh {:.2} x cheaper; stored {:.2} x as many, {:.2} x cheaper",
        of(&|r| r.peer.1 / r.fresh),
        of(&|r| r.stored.0 / r.peer.0),
        of(&|r| r.peer.1 / r.stored.1)
    );
    house.stop()?;
    Ok(())
}

/// Fresh replies at a fixed pace; what the house does meanwhile by itself is measured before and taken off.
async fn fresh(
    house: &PeerHouse,
    address: SocketAddr,
    request: &dyn Fn(Option<u64>) -> anyhow::Result<Vec<u8>>,
    time: Duration,
) -> anyhow::Result<f64> {
    let before = house.cpu()?;
    tokio::time::sleep(time).await;
    let idle = house.cpu()?.saturating_sub(before);
    let mut stream = TcpStream::connect(address).await?;
    let (before, start) = (house.cpu()?, Instant::now());
    let mut count = 0_u32;
    while start.elapsed() < time {
        let body = request(Some(fresh_number()))?;
        let message = plain::post(address, "/ocsp", status::OCSP_REQUEST, &body);
        let (status, reply) = plain::exchange(&mut stream, &message).await?;
        // A refusal is a reply of five octets (RFC 6960 §4.2.1).
        anyhow::ensure!(status == 200 && reply.len() > 100, "a fresh reply was refused");
        count += 1;
        tokio::time::sleep_until((start + BETWEEN * count).into()).await;
    }
    let spent = house.cpu()?.saturating_sub(before).saturating_sub(idle);
    Ok(spent.as_secs_f64() * 1e6 / f64::from(count.max(1)))
}

/// `openssl ocsp` over an index of one certificate, with a request about it.
fn openssl(folder: &Path) -> anyhow::Result<(Owned, SocketAddr, Vec<u8>)> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "bench CA");
    let root = params.self_signed(&key)?;
    std::fs::write(folder.join("ca.pem"), root.pem())?;
    std::fs::write(folder.join("ca.key"), key.serialize_pem())?;
    std::fs::write(folder.join("index.txt"), "V\t301231235959Z\t\t01\tunknown\t/CN=bot\n")?;
    let port = process::free_port()?;
    let mut command = Command::new("openssl");
    command
        .current_dir(folder)
        .args(["ocsp", "-port", &port.to_string(), "-nmin", "5"]);
    command.args([
        "-index",
        "index.txt",
        "-CA",
        "ca.pem",
        "-rsigner",
        "ca.pem",
        "-rkey",
        "ca.key",
    ]);
    let child = Owned::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let body = status::ocsp_request(root.der(), &[1], None)?;
    // HTTP/1.0, as clients of its own make it: it answers one request a connection.
    let head = format!(
        "POST / HTTP/1.0\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
        status::OCSP_REQUEST,
        body.len()
    );
    let request = [head.as_bytes(), &body].concat();
    for _ in 0..200 {
        if answers(address, &request) {
            return Ok((child, address, request));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("openssl ocsp does not answer")
}

/// Asked for a whole reply: on a connection that ends without a request `openssl ocsp` (3.0) turns in a circle for ever.
fn answers(address: SocketAddr, request: &[u8]) -> bool {
    use std::io::{Read as _, Write as _};
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        stream.write_all(request)?;
        let mut held = Vec::new();
        stream.read_to_end(&mut held)?;
        Ok(held)
    };
    ask().is_ok_and(|held| held.starts_with(b"HTTP/1.0 200"))
}
