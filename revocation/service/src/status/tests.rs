//! The status listener over real sockets on loopback, judged by OpenSSL and Python; its bounds held.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use ca_core::events::{CaCertificateInstalled, CertificateReserved};
use extensions::{AgentId, Base64, Digest, MandateId, Record, Serial, Timestamp};
use revocation_core::standing::AgentRevoked;
use revocation_core::{Actor, RevocationReason};
use tokio_util::sync::CancellationToken;

mod decided;

use super::*;
use crate::follow::Follower;
use crate::log::Log;
use crate::testing::{HandClock, MemoryLog, TestCa, real_now, test_ca};

struct Running {
    address: SocketAddr,
    ca: TestCa,
    clock: Arc<HandClock>,
    log: Arc<MemoryLog>,
    replies: Arc<Replies>,
    state: Arc<StatusState>,
    stop: CancellationToken,
    follower: tokio::sync::Mutex<Follower>,
}

impl Running {
    async fn commit(&self, record: &dyn Record) -> Changed {
        self.log.commit(record, real_now());
        let mut follower = self.follower.lock().await;
        let entries = follower.available().await.unwrap();
        self.state.fold(&entries, real_now())
    }
}

async fn running(bounds: Bounds) -> Running {
    let (ca, log, stop) = (test_ca(), MemoryLog::new(), CancellationToken::new());
    let clock = HandClock::at(real_now());
    let state = Arc::new(StatusState::default());
    let replies = Arc::new(Replies::new(Arc::clone(&state), clock.clone()));
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = StatusConfig { listen, bounds };
    let listener = StatusListener::bind(&config, state.clone(), replies.clone(), clock.clone())
        .await
        .unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listener.run(stop.clone()));
    let follower = tokio::sync::Mutex::new(Follower::new(log.clone() as Arc<dyn Log>, 0));
    let running = Running {
        address,
        ca,
        clock,
        log,
        replies,
        state,
        stop,
        follower,
    };
    let certificate = Base64(running.ca.certificate.clone());
    use ca_core::events::CaCertificateUse::{AgentIssuing, AgentRoot};
    for purpose in [AgentRoot, AgentIssuing] {
        let certificate = certificate.clone();
        running.commit(&CaCertificateInstalled { certificate, purpose }).await;
    }
    for number in [1, 2] {
        let issuer = Digest::of(&running.ca.certificate);
        running.commit(&reserved(number, issuer)).await;
    }
    let key = OcspKey::new(
        &running.ca.certificate,
        &running.ca.responder,
        running.ca.responder_key.clone(),
    );
    running.replies.set_keys(vec![key.unwrap()]);
    running
}

fn serial(number: u8) -> Serial {
    Serial::new([number; 18]).unwrap()
}

fn reserved(number: u8, issuer: Digest) -> CertificateReserved {
    let digest = Digest::of(&[number]);
    CertificateReserved {
        agent: AgentId::new(&format!("a-{number}")).unwrap(),
        checks: 1,
        csr: digest,
        document: digest,
        issuer,
        mandate: MandateId::new("m-1").unwrap(),
        not_after: real_now().plus_seconds(86_400),
        not_before: real_now(),
        serial: serial(number),
        spki: digest,
        tbs: digest,
    }
}

fn revoked(number: u8) -> AgentRevoked {
    AgentRevoked {
        agent: AgentId::new(&format!("a-{number}")).unwrap(),
        by: Actor::Scorer,
        incident: None,
        reason: RevocationReason::KeyCompromise,
        score: Some(900_000),
    }
}

/// One exchange; the answer's head and body.
async fn exchange(address: SocketAddr, request: Vec<u8>) -> (String, Vec<u8>) {
    let exchanged = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    });
    let answer = exchanged.await.unwrap();
    let at = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("a head");
    let head = String::from_utf8(answer[..at].to_vec()).unwrap();
    (head.to_ascii_lowercase(), answer[at + 4..].to_vec())
}

async fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    exchange(address, request.into_bytes()).await
}

async fn post(address: SocketAddr, kind: &str, body: &[u8]) -> (String, Vec<u8>) {
    let length = body.len();
    let head = format!(
        "POST /ocsp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n"
    );
    exchange(address, [head.as_bytes(), body].concat()).await
}

async fn openssl(folder: &std::path::Path, arguments: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(arguments).current_dir(folder);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

/// Journey: reserved, good; revoked, revoked; the CRL is asked for, arrives, and says so too. OpenSSL is the client.
#[tokio::test(flavor = "multi_thread")]
async fn the_world_learns_of_a_revocation() {
    let running = running(Bounds::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("ca.der"), &running.ca.certificate).unwrap();
    let (head, bundle) = get(running.address, "/ca.pem").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    std::fs::write(at.join("ca.pem"), bundle).unwrap();
    let url = format!("http://{}/ocsp", running.address);
    let (one, two, three) = (serial(1).to_string(), serial(2).to_string(), serial(3).to_string());
    let (one, two, three) = (format!("0x{one}"), format!("0x{two}"), format!("0x{three}"));
    let ask = [
        "ocsp", "-issuer", "ca.pem", "-CAfile", "ca.pem", "-url", &url, "-serial", &one, "-serial", &two,
    ];
    let ask = [&ask[..], &["-serial", &three]].concat();
    for nonce in ["-nonce", "-no_nonce"] {
        let text = openssl(at, &[&ask[..], &[nonce]].concat()).await;
        for wanted in [
            "Response verify OK".to_owned(),
            format!("{one}: good"),
            format!("{three}: unknown"),
        ] {
            assert!(text.contains(&wanted), "{text}");
        }
    }
    running.commit(&running.ca.crl(1, &[], real_now())).await;
    let changed = running.commit(&revoked(1)).await;
    assert!(changed.crl_due, "a revocation asks for a CRL at once");
    let text = openssl(at, &[&ask[..], &["-no_nonce"]].concat()).await;
    assert!(
        text.contains(&format!("{one}: revoked")) && text.contains(&format!("{two}: good")),
        "{text}"
    );
    let changed = running.commit(&running.ca.crl(2, &[1], real_now())).await;
    assert!(!changed.crl_due, "the list has it");
    let (head, crl) = get(running.address, "/agents.crl").await;
    assert!(
        head.contains("application/pkix-crl") && head.contains("max-age="),
        "{head}"
    );
    std::fs::write(at.join("agents.crl"), crl).unwrap();
    let text = openssl(
        at,
        &[
            "crl",
            "-inform",
            "DER",
            "-in",
            "agents.crl",
            "-CAfile",
            "ca.pem",
            "-text",
            "-noout",
        ],
    )
    .await;
    assert!(
        text.contains("verify OK") && text.to_lowercase().contains(&serial(1).to_string()),
        "{text}"
    );
    running.stop.cancel();
}

/// Negative control: serving without `accept_crl`.
#[tokio::test]
async fn a_rolled_back_crl_is_not_served() {
    let running = running(Bounds::default()).await;
    running.commit(&revoked(1)).await;
    running.commit(&running.ca.crl(7, &[1], real_now())).await;
    for (number, serials) in [(7, &[][..]), (6, &[]), (8, &[1])] {
        running.commit(&running.ca.crl(number, serials, real_now())).await;
        assert_eq!(running.state.crl_record().unwrap().number, number.max(7));
    }
    running.commit(&test_ca().crl(99, &[1], real_now())).await;
    assert_eq!(running.state.crl_record().unwrap().number, 8, "nor one of a stranger");
}

#[tokio::test]
async fn long_lists_are_fetched_and_checked() {
    let running = running(Bounds::default()).await;
    let mut event = running.ca.crl(1, &[], real_now());
    let der = event.list.take().unwrap().0;
    let changed = running.commit(&event).await;
    assert_eq!(changed.crl_wanted, Some(Digest::of(&der)));
    running.state.provide_crl(b"something else".to_vec());
    assert!(running.state.crl_record().is_none());
    running.state.provide_crl(der);
    assert_eq!(running.state.crl_record().unwrap().number, 1);
}

#[tokio::test]
async fn health_has_reasons() {
    let running = running(Bounds::default()).await;
    let (head, body) = get(running.address, "/healthz").await;
    assert!(
        head.starts_with("http/1.1 503") && String::from_utf8_lossy(&body).contains("no CRL"),
        "{head}"
    );
    running.commit(&running.ca.crl(1, &[], real_now())).await;
    let (head, body) = get(running.address, "/healthz").await;
    assert!(
        head.starts_with("http/1.1 200"),
        "{head} {}",
        String::from_utf8_lossy(&body)
    );
    *running.clock.0.lock().unwrap() = real_now().plus_seconds(86_400 - 60);
    let (head, body) = get(running.address, "/healthz").await;
    assert!(
        head.starts_with("http/1.1 503") && String::from_utf8_lossy(&body).contains("nextUpdate"),
        "{head}"
    );
    assert!(running.state.crl_due(real_now().plus_seconds(43_200)), "half its life");
    assert!(!running.state.crl_due(real_now()));
}

fn ocsp_request(folder: &std::path::Path, ca: &TestCa, arguments: &[&str]) -> Vec<u8> {
    std::fs::write(folder.join("ca.der"), &ca.certificate).unwrap();
    let serial = format!("0x{}", serial(1));
    let convert = ["x509", "-inform", "DER", "-in", "ca.der", "-out", "ca.pem"];
    let ask = [
        "ocsp",
        "-issuer",
        "ca.pem",
        "-serial",
        &serial,
        "-reqout",
        "request.der",
    ];
    for arguments in [&convert[..], &[&ask[..], arguments].concat()] {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success());
    }
    std::fs::read(folder.join("request.der")).unwrap()
}

/// GET and POST give the same stored reply until something changes; with a nonce each is fresh, within the rate.
/// Control, tried: a cache without the generation answers `good` after the revocation.
#[tokio::test(flavor = "multi_thread")]
async fn stored_and_fresh_replies() {
    use base64::Engine as _;
    let running = running(Bounds::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let request = ocsp_request(folder.path(), &running.ca, &["-no_nonce"]);
    let (head, first) = post(running.address, "application/ocsp-request", &request).await;
    assert!(
        head.starts_with("http/1.1 200") && head.contains("application/ocsp-response"),
        "{head}"
    );
    let encoded = base64::engine::general_purpose::STANDARD.encode(&request);
    let escaped = encoded.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    for path in [format!("/ocsp/{encoded}"), format!("/ocsp/{escaped}")] {
        let (head, got) = get(running.address, &path).await;
        assert!(head.contains("max-age="), "{head}");
        assert_eq!(got, first, "the stored reply");
    }
    running.commit(&revoked(1)).await;
    let (_, after) = post(running.address, "application/ocsp-request", &request).await;
    assert_ne!(after, first, "a revocation makes stored replies stale");
    let request = ocsp_request(folder.path(), &running.ca, &["-nonce"]);
    let (head, _) = post(running.address, "application/ocsp-request", &request).await;
    assert!(head.contains("no-store"), "{head}");
    for _ in 0..2 * super::replies::NONCE_REPLIES_PER_SECOND {
        let query = revocation_core::ocsp::parse_request(&request).unwrap();
        running.replies.answer(query).await;
    }
    let (_, refused) = post(running.address, "application/ocsp-request", &request).await;
    assert_eq!(refused, [0x30, 3, 0x0a, 1, 3], "tryLater");
    let (_, stored) = post(
        running.address,
        "application/ocsp-request",
        &std::fs::read(folder.path().join("request.der")).unwrap(),
    )
    .await;
    assert_eq!(stored, refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_told_so() {
    let running = running(Bounds::default()).await;
    let typed = "application/ocsp-request";
    let (_, body) = post(running.address, typed, b"nonsense").await;
    assert_eq!(body, [0x30, 3, 0x0a, 1, 1], "malformedRequest");
    let (_, body) = get(running.address, "/ocsp/%%%").await;
    assert_eq!(body, [0x30, 3, 0x0a, 1, 1]);
    let (head, _) = post(running.address, typed, &[0x30; 5_000]).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
    let (head, _) = post(running.address, "text/plain", b"x").await;
    assert!(head.starts_with("http/1.1 415"), "{head}");
    let (head, _) = get(running.address, "/secret").await;
    assert!(head.starts_with("http/1.1 404"), "{head}");
    let (head, _) = exchange(
        running.address,
        b"DELETE /agents.crl HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_vec(),
    )
    .await;
    assert!(
        head.starts_with("http/1.1 405") && head.contains("allow: get, head"),
        "{head}"
    );
    let chunked = b"POST /ocsp HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/ocsp-request\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body: Vec<u8> = (0..10)
        .flat_map(|_| [b"400\r\n".to_vec(), vec![0x30; 1_024], b"\r\n".to_vec()].concat())
        .collect();
    let (head, _) = exchange(running.address, [&chunked[..], &body, b"0\r\n\r\n"].concat()).await;
    assert!(head.starts_with("http/1.1 413"), "{head}");
}

/// Negative control: without the time limits the silent connections hold every place for ever.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_do_not_hold_the_listener() {
    let bounds = Bounds {
        connections: 2,
        request_head: Duration::from_millis(200),
        connection: Duration::from_millis(500),
        ..Bounds::default()
    };
    let running = running(bounds).await;
    let silent: Vec<_> = (0..4).map(|_| TcpStream::connect(running.address).unwrap()).collect();
    let (head, _) = get(running.address, "/ca.pem").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    drop(silent);
}

/// Negative control: without the limit of a whole connection, a client that trickles its body holds its place for ever.
#[tokio::test(flavor = "multi_thread")]
async fn trickling_connections_do_not_hold_the_listener() {
    let bounds = Bounds {
        connections: 1,
        connection: Duration::from_millis(300),
        ..Bounds::default()
    };
    let running = running(bounds).await;
    let mut slow = TcpStream::connect(running.address).unwrap();
    let head =
        "POST /ocsp HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\nContent-Length: 4000\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    let trickle = std::thread::spawn(move || {
        while slow.write_all(&[0x30]).is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let (head, _) = get(running.address, "/ca.pem").await;
    assert!(head.starts_with("http/1.1 200"), "{head}");
    tokio::task::spawn_blocking(|| trickle.join().unwrap()).await.unwrap();
}

#[test]
fn the_bucket_fills_with_time_and_not_beyond() {
    let bucket = Bucket::new(2);
    let at = |millis: i64| Timestamp::from_millis(1_000_000 + millis);
    assert_eq!((0..10).filter(|_| bucket.take(at(0))).count(), 4);
    assert!(!bucket.take(at(499)));
    assert!(bucket.take(at(1_000)));
    assert_eq!((0..10).filter(|_| bucket.take(at(3_600_000))).count(), 4);
    assert!(!bucket.take(at(0)), "a clock that jumps back gives nothing");
}
