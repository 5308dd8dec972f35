//! Webhooks against receivers on loopback: signed so that strangers verify it, persistent, bounded, and never inside.

use std::collections::BTreeMap;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use extensions::{AgentId, OfficerId};
use revocation_core::jobs::DeliveryAsked;
use revocation_core::regions::Network;
use revocation_core::standing::{AgentFrozen, AgentRevoked};
use revocation_core::{Actor, RevocationReason};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::testing::{Counting, HandClock, MemoryLog, real_now};

mod signed;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A receiver that answers as it is told and keeps what it got.
struct Receiver {
    got: mpsc::UnboundedReceiver<Got>,
    url: String,
    hits: Arc<AtomicUsize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Got {
    body: String,
    headers: BTreeMap<String, String>,
    path: String,
}

async fn read_request(stream: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let mut lines = head.lines();
        let path = lines.next()?.split(' ').nth(1)?.to_owned();
        let header = |line: &str| {
            line.split_once(": ")
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        };
        let headers: BTreeMap<_, _> = lines.filter_map(header).collect();
        if body.len() >= headers.get("content-length")?.parse().ok()? {
            let body = body.to_owned();
            return Some(Got { body, headers, path });
        }
    }
}

/// `answer` gives the status line for each request, counted from 1.
async fn receiver(answer: impl Fn(usize) -> &'static str + Send + Sync + 'static) -> Receiver {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?a=1", listener.local_addr().unwrap());
    let (sender, got) = mpsc::unbounded_channel();
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let count = counted.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some(request) = read_request(&mut stream).await {
                let _ = sender.send(request);
                let answer = format!("HTTP/1.1 {}\r\nContent-Length: 0\r\n\r\n", answer(count));
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        }
    });
    Receiver { got, url, hits }
}

/// Takes connections and says nothing, ever.
async fn black_hole() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&hits);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            held.push(stream);
        }
    });
    (url, hits)
}

fn subscription(url: &str, inside: bool) -> SubscriptionConfig {
    SubscriptionConfig {
        console: None,
        format: Format::CloudEvents,
        allow_networks: if inside {
            vec![Network::parse("127.0.0.0/8").unwrap()]
        } else {
            Vec::new()
        },
        kinds: vec!["agent.*".to_owned()],
        previous_secret: None,
        secret: Secret(SECRET.to_owned()),
        url: url.to_owned(),
    }
}

struct Running {
    hooks: Webhooks,
    stop: CancellationToken,
}

async fn start(log: &Arc<MemoryLog>, subscriptions: &[(&str, SubscriptionConfig)]) -> Running {
    start_trusting(log, subscriptions, rustls::RootCertStore::empty()).await
}

async fn start_trusting(
    log: &Arc<MemoryLog>,
    subscriptions: &[(&str, SubscriptionConfig)],
    roots: rustls::RootCertStore,
) -> Running {
    let stop = CancellationToken::new();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let outside = Outside {
        clock: HandClock::at(real_now()),
        log: log.clone(),
        random: Arc::new(Mutex::new(Counting(0))),
        tls: Arc::new(tls.with_root_certificates(roots).with_no_client_auth()),
    };
    let subscriptions = subscriptions
        .iter()
        .map(|(name, config)| ((*name).to_owned(), config.clone()))
        .collect();
    let hooks = Webhooks::start(&subscriptions, &outside, &stop).unwrap();
    let wanted = subscriptions.len();
    until(|| log.of_kind("delivery.subscribed").len() >= wanted).await;
    Running { hooks, stop }
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        self.hooks.ended().await;
    }
}

async fn until(mut done: impl FnMut() -> bool) {
    let waiting = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("it happens within 20 s");
}

async fn next(receiver: &mut Receiver) -> Got {
    tokio::time::timeout(Duration::from_secs(20), receiver.got.recv())
        .await
        .expect("a delivery within 20 s")
        .unwrap()
}

fn revoke(log: &MemoryLog) -> u64 {
    let agent = AgentId::new("mm-1").unwrap();
    let reason = RevocationReason::PrivilegeWithdrawn;
    let event = AgentRevoked {
        agent,
        by: Actor::Scorer,
        incident: None,
        reason,
        score: Some(900_000),
    };
    log.commit(&event, real_now())
}

fn python(script: &str, input: &str) -> (bool, String) {
    use std::io::Write as _;
    let python = std::env::var("MANDATUM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut child = Process::new(python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    )
}

/// Judged by Python: the HMAC by hand, and the `standardwebhooks` package where it is installed.
/// Controls, in the script: another body, another secret, another time are refused.
const JUDGE: &str = r#"
import sys, json, hmac, hashlib, base64
got = json.loads(sys.stdin.read()); secret = got["secret"]; headers = got["headers"]; body = got["body"]
def mac(secret, body, time): 
    signed = f'{headers["webhook-id"]}.{time}.{body}'.encode()
    return "v1," + base64.b64encode(hmac.new(base64.b64decode(secret[6:]), signed, hashlib.sha256).digest()).decode()
sent = headers["webhook-signature"].split(" ")
assert mac(secret, body, headers["webhook-timestamp"]) in sent
assert mac(secret, body + " ", headers["webhook-timestamp"]) not in sent
assert mac(secret, body, int(headers["webhook-timestamp"]) + 1) not in sent
assert "." not in headers["webhook-id"]
try:
    from standardwebhooks.webhooks import Webhook, WebhookVerificationError
except ImportError:
    import os
    assert "MANDATUM_PYTHON" not in os.environ, "nothing is skipped under `cargo xtask`"
else:
    assert Webhook(secret).verify(body, headers)["specversion"] == "1.0"
    for wrong in (lambda: Webhook(secret).verify(body.replace("mm-1", "mm-2"), headers), lambda: Webhook("whsec_" + "A" * 32).verify(body, headers)):
        try: wrong()
        except WebhookVerificationError: continue
        raise AssertionError("accepted")
event = json.loads(body)
assert event["specversion"] == "1.0" and event["type"] == "mandatum.agent.revoked" and event["subject"] == "agent/mm-1", event
assert event["source"] == "urn:mandatum:ledger:test" and event["id"] and event["time"].endswith("Z")
assert event["datacontenttype"] == "application/json" and event["data"]["record"]["reason"] == "privilege_withdrawn"
assert headers["content-type"].startswith("application/cloudevents+json")
"#;

#[tokio::test(flavor = "multi_thread")]
async fn strangers_verify_what_they_get() {
    let (log, mut receiver) = (MemoryLog::new(), receiver(|_| "204 No Content").await);
    revoke(&log);
    let mut config = subscription(&receiver.url, true);
    config.previous_secret = Some(Secret("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned()));
    let running = start(&log, &[("desk", config.clone())]).await;
    assert_eq!(
        log.of_kind("delivery.attempted").len(),
        0,
        "what was before the subscription is not told"
    );
    let before = tokio::time::Instant::now();
    let position = revoke(&log);
    let got = next(&mut receiver).await;
    eprintln!("first attempt after {:?}", before.elapsed());
    assert_eq!(got.path, "/hook?a=1");
    for secret in [&config.secret, config.previous_secret.as_ref().unwrap()] {
        let input = serde_json::json!({ "body": got.body, "headers": got.headers, "secret": secret.0 });
        let (fine, text) = python(JUDGE, &input.to_string());
        assert!(fine, "{text}");
    }
    until(|| log.of_kind("delivery.attempted").len() == 1).await;
    let record = &log.of_kind("delivery.attempted")[0];
    assert_eq!(
        (&record["entry"], &record["status"], &record["fault"]),
        (&position.into(), &204.into(), &serde_json::Value::Null)
    );
    running.end().await;
}

/// Retried until taken; the message is the same each time; a restart neither forgets nor repeats.
/// Negative control: beginning at the ledger's end after a restart loses the second event.
#[tokio::test(flavor = "multi_thread")]
async fn failures_are_tried_again_and_restarts_go_on() {
    let answer = |count| if count < 3 { "503 Service Unavailable" } else { "200 OK" };
    let (log, mut receiver) = (MemoryLog::new(), receiver(answer).await);
    let config = subscription(&receiver.url, true);
    let running = start(&log, &[("desk", config.clone())]).await;
    revoke(&log);
    let first = next(&mut receiver).await;
    for _ in 0..2 {
        let again = next(&mut receiver).await;
        assert_eq!(
            (&again.body, &again.headers["webhook-id"]),
            (&first.body, &first.headers["webhook-id"])
        );
    }
    until(|| log.of_kind("delivery.attempted").len() == 3).await;
    running.end().await;
    let second = revoke(&log);
    let running = start(&log, &[("desk", config)]).await;
    let got = next(&mut receiver).await;
    assert!(
        got.headers["webhook-id"].contains(&format!("_{second}_")),
        "only what is new: {got:?}"
    );
    until(|| log.of_kind("delivery.attempted").len() == 4).await;
    assert_eq!(receiver.hits.load(Ordering::SeqCst), 4);
    running.end().await;
}

/// Taken at once, then a restart: the record of the delivery says where to go on, and what not to repeat.
/// Negative control: `take` without `known` delivers the first event again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_nothing_that_was_taken() {
    let (log, mut receiver) = (MemoryLog::new(), receiver(|_| "200 OK").await);
    let config = subscription(&receiver.url, true);
    let running = start(&log, &[("desk", config.clone())]).await;
    revoke(&log);
    next(&mut receiver).await;
    until(|| log.of_kind("delivery.attempted").len() == 1).await;
    running.end().await;
    let running = start(&log, &[("desk", config)]).await;
    for _ in 0..5 {
        let position = revoke(&log);
        let got = next(&mut receiver).await;
        assert!(got.headers["webhook-id"].contains(&format!("_{position}_")), "{got:?}");
    }
    running.end().await;
}

/// A receiver that swallows everything delays neither the others nor whoever writes.
/// Negative control: one worker for all subscriptions turns it red.
#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_delays_only_itself() {
    let (log, mut receiver) = (MemoryLog::new(), receiver(|_| "200 OK").await);
    let (hole, hits) = black_hole().await;
    let running = start(
        &log,
        &[
            ("desk", subscription(&receiver.url, true)),
            ("hole", subscription(&hole, true)),
        ],
    )
    .await;
    let event = AgentFrozen {
        agent: AgentId::new("mm-1").unwrap(),
        by: Actor::Mandate,
    };
    for _ in 0..2 * MOST_PENDING {
        log.commit(&event, real_now());
    }
    for _ in 0..2 * MOST_PENDING {
        next(&mut receiver).await;
    }
    let swallowed = hits.load(Ordering::SeqCst);
    assert!((1..=MOST_IN_FLIGHT).contains(&swallowed), "bounded: {swallowed}");
    running.end().await;
}

const ROUTING_KEY: &str = "0123456789abcdef0123456789ABCDEF";

/// What happens from a halt to its review, and a warning's beginning and end.
fn a_hard_night(log: &MemoryLog) {
    use revocation_core::incident::{
        Finding, IncidentAcknowledged, IncidentCause, IncidentReviewed, Trigger, incident_of,
    };
    use revocation_core::warning::{WarningClosed, WarningOpened};
    use revocation_core::{IncidentOpened, WarningDefault, WarningEnd};
    let agent = AgentId::new("mm-1").unwrap();
    let incident = incident_of(&agent, Trigger::Deadline(real_now()));
    let opened = WarningOpened {
        agent,
        by: Actor::Scorer,
        deadline: real_now(),
        default: WarningDefault::Freeze,
        score: Some(760_000),
    };
    log.commit(&opened, real_now());
    let closed = WarningClosed {
        agent,
        by: Actor::Mandate,
        why: WarningEnd::Defaulted,
    };
    log.commit(&closed, real_now());
    let opened = IncidentOpened {
        agent,
        by: Actor::Scorer,
        cause: IncidentCause::Score,
        incident,
    };
    log.commit(&opened, real_now());
    let seen = IncidentAcknowledged {
        agent,
        incident,
        officer: OfficerId::new("ada").unwrap(),
    };
    log.commit(&seen, real_now());
    let reviewed = IncidentReviewed {
        agent,
        finding: Finding::FalseAlarm,
        impact: None,
        incident,
        lessons: None,
        root_cause: extensions::Digest::default(),
        signatures: Vec::new(),
    };
    log.commit(&reviewed, real_now());
}

fn for_people(receiver: &Receiver, format: Format, secret: &str) -> SubscriptionConfig {
    SubscriptionConfig {
        console: Some("https://console.example:8444".to_owned()),
        format,
        kinds: Vec::new(),
        secret: Secret(secret.to_owned()),
        ..subscription(&receiver.url, true)
    }
}

/// PagerDuty gets what its Events API v2 asks for, and one incident is one page: triggered, acknowledged, resolved under one key; so is a
/// warning. No sign of life pages anybody by itself; one that an officer asks for does.
///
/// Controls, tried: with the position in the key the incident's three messages have three; with `for_programs` always true the heartbeat pages.
#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_one_page() {
    let (log, mut receiver) = (MemoryLog::new(), receiver(|_| "202 Accepted").await);
    let config = for_people(&receiver, Format::Pagerduty, ROUTING_KEY);
    let running = start(&log, &[("pager", config)]).await;
    running.hooks.heartbeat();
    a_hard_night(&log);
    let mut pages = Vec::new();
    for _ in 0..5 {
        let got = next(&mut receiver).await;
        assert_eq!(got.headers["content-type"], "application/json");
        pages.push(serde_json::from_str::<serde_json::Value>(&got.body).unwrap());
    }
    // Four may fly at once, and overtake one another.
    pages.sort_by_key(|page| page["payload"]["custom_details"]["entry"].as_u64());
    let of = |name: &str| {
        pages
            .iter()
            .map(|page| page[name].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        of("event_action"),
        ["trigger", "resolve", "trigger", "acknowledge", "resolve"]
    );
    let keys = of("dedup_key");
    assert!(
        keys[0] == keys[1] && keys[2] == keys[3] && keys[3] == keys[4] && keys[1] != keys[2],
        "{keys:?}"
    );
    for page in &pages {
        assert_eq!(page["routing_key"], ROUTING_KEY);
        let severity = page["payload"]["severity"].as_str().unwrap();
        assert!(["critical", "error", "warning", "info"].contains(&severity));
        let summary = page["payload"]["summary"].as_str().unwrap();
        assert!((1..=1_024).contains(&summary.chars().count()), "{summary}");
        assert!(page["payload"]["source"].is_string() && page["payload"]["timestamp"].is_string());
    }
    assert_eq!(pages[2]["payload"]["severity"], "critical");
    assert_eq!(
        pages[2]["payload"]["summary"].as_str().unwrap().split(" (").next(),
        Some("mm-1 was stopped")
    );
    let href = pages[2]["links"][0]["href"].as_str().unwrap();
    assert!(
        href.starts_with("https://console.example:8444/incidents/inc-"),
        "{href}"
    );
    let asked = DeliveryAsked {
        officer: OfficerId::new("ada").unwrap(),
        replay: None,
        subscription: "pager".to_owned(),
    };
    log.commit(&asked, real_now());
    let test: serde_json::Value = serde_json::from_str(&next(&mut receiver).await.body).unwrap();
    assert_eq!(test["payload"]["severity"], "info");
    assert_eq!(receiver.hits.load(Ordering::SeqCst), 6, "the heartbeat paged nobody");
    running.end().await;
}

/// Slack gets a line of text with the way to the console, at the address whose path is the secret.
#[tokio::test(flavor = "multi_thread")]
async fn a_channel_gets_a_line() {
    let (log, mut receiver) = (MemoryLog::new(), receiver(|_| "200 OK").await);
    let config = for_people(&receiver, Format::Slack, "/services/T0/B0/hidden");
    let running = start(&log, &[("channel", config)]).await;
    a_hard_night(&log);
    let mut lines = Vec::new();
    for _ in 0..5 {
        let got = next(&mut receiver).await;
        assert_eq!(got.path, "/services/T0/B0/hidden");
        let body: serde_json::Value = serde_json::from_str(&got.body).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        lines.push(body["text"].as_str().unwrap().to_owned());
    }
    let warned = lines.iter().find(|line| line.contains("mm-1 is warned")).unwrap();
    assert!(
        warned.contains("else freeze")
            && warned.contains("<https://console.example:8444/agents/mm-1|Open the console>"),
        "{warned}"
    );
    for record in log.of_kind("delivery.attempted") {
        assert!(!record.to_string().contains("hidden"), "{record}");
    }
    running.end().await;
}

/// CWE-918: nothing reaches an inner address by name, by number, by redirect or over plain http.
/// Negative control: `permitted` answering true gives the honeypot a hit.
#[tokio::test(flavor = "multi_thread")]
async fn inner_networks_are_refused() {
    let (log, honeypot) = (MemoryLog::new(), receiver(|_| "200 OK").await);
    let port = honeypot
        .url
        .split(':')
        .nth(2)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let redirect: &'static str = Box::leak(format!("302 Found\r\nLocation: {}", honeypot.url).into_boxed_str());
    let redirecting = receiver(move |_| redirect).await;
    let hosts = [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
        "2130706433",
        "0x7f.1",
    ];
    let mut subscriptions = vec![("redirected".to_owned(), subscription(&redirecting.url, true))];
    for (place, host) in hosts.iter().enumerate() {
        for scheme in ["http", "https"] {
            let config = subscription(&format!("{scheme}://{host}:{port}/"), false);
            subscriptions.push((format!("{scheme}-{place}"), config));
        }
    }
    let mut elsewhere = subscription(&honeypot.url, false);
    elsewhere.allow_networks = vec![Network::parse("10.0.0.0/8").unwrap()];
    subscriptions.push(("elsewhere".to_owned(), elsewhere));
    let named: Vec<_> = subscriptions
        .iter()
        .map(|(name, config)| (name.as_str(), config.clone()))
        .collect();
    let running = start(&log, &named).await;
    revoke(&log);
    until(|| {
        let tried = log.of_kind("delivery.attempted");
        subscriptions
            .iter()
            .all(|(name, _)| tried.iter().any(|record| record["subscription"] == **name))
    })
    .await;
    for record in log.of_kind("delivery.attempted") {
        let fault = record["fault"].as_str().expect("every attempt fails");
        let known = ["not a public address", "redirects are not followed", "does not resolve"];
        assert!(known.iter().any(|known| fault.contains(known)), "{fault}");
    }
    assert_eq!(honeypot.hits.load(Ordering::SeqCst), 0);
    running.end().await;
}

/// Over TLS the receiver must be who its URL says, under a root we trust.
/// Control, built in: the same receiver without its root in the store gets nothing.
#[tokio::test(flavor = "multi_thread")]
async fn https_receivers_are_verified() {
    let pair = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&pair).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(pair.serialize_der()).unwrap();
    let server = server
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut bytes = [0; 4096];
            let _ = stream.read(&mut bytes).await;
            let _ = stream
                .write_all(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                .await;
            let _ = stream.flush().await;
        }
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    for (roots, status) in [(roots, Some(202)), (rustls::RootCertStore::empty(), None)] {
        let log = MemoryLog::new();
        let running = start_trusting(&log, &[("desk", subscription(&url, true))], roots).await;
        revoke(&log);
        until(|| !log.of_kind("delivery.attempted").is_empty()).await;
        let record = &log.of_kind("delivery.attempted")[0];
        assert_eq!(record["status"].as_u64(), status, "{record}");
        assert_eq!(
            record["fault"]
                .as_str()
                .is_some_and(|fault| fault.starts_with("TLS failed")),
            status.is_none()
        );
        running.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dead_are_listed_and_replayed() {
    let answer = |count| if count == 1 { "410 Gone" } else { "200 OK" };
    let (log, mut receiver) = (MemoryLog::new(), receiver(answer).await);
    let config = subscription(&receiver.url, true);
    let running = start(&log, &[("desk", config.clone())]).await;
    let position = revoke(&log);
    let first = next(&mut receiver).await;
    until(|| log.of_kind("delivery.dead").len() == 1).await;
    running.end().await;
    let running = start(&log, &[("desk", config)]).await;
    let letter = DeadLetter {
        attempts: 1,
        position,
        subscription: "desk".to_owned(),
    };
    until(|| running.hooks.dead_letters() == [letter.clone()]).await;
    assert!(matches!(
        running.hooks.replay("desk", position + 1).await,
        Err(ReplayError::NotDead { .. })
    ));
    assert!(matches!(
        running.hooks.replay("nobody", position).await,
        Err(ReplayError::Unknown(_))
    ));
    running.hooks.replay("desk", position).await.unwrap();
    assert_eq!(next(&mut receiver).await.body, first.body);
    until(|| log.of_kind("delivery.attempted").len() == 2).await;
    assert_eq!(running.hooks.dead_letters(), []);
    running.end().await;
}

fn ask(log: &MemoryLog, replay: Option<u64>) {
    let asked = DeliveryAsked {
        officer: OfficerId::new("ada").unwrap(),
        replay,
        subscription: "desk".to_owned(),
    };
    log.commit(&asked, real_now());
}

/// An officer asks through the ledger: the dead letter goes out again at once, or at the next start when it was asked in between; a
/// sign of life goes out. What is not dead and what is asked of another subscription moves nothing. Control: without the arm for
/// `DeliveryEvent::Asked` in `Progress::apply` the second message never comes, without `Worker::asked` the third.
#[tokio::test(flavor = "multi_thread")]
async fn what_officers_ask_for_in_the_ledger_is_sent() {
    let answer = |count| if count <= 2 { "410 Gone" } else { "200 OK" };
    let (log, mut receiver) = (MemoryLog::new(), receiver(answer).await);
    let config = subscription(&receiver.url, true);
    let running = start(&log, &[("desk", config.clone())]).await;
    let position = revoke(&log);
    let first = next(&mut receiver).await;
    until(|| log.of_kind("delivery.dead").len() == 1).await;
    running.end().await;

    ask(&log, Some(position));
    ask(&log, Some(position + 1));
    let running = start(&log, &[("desk", config)]).await;
    assert_eq!(next(&mut receiver).await.body, first.body);
    until(|| log.of_kind("delivery.dead").len() == 2).await;

    ask(&log, Some(position));
    assert_eq!(next(&mut receiver).await.body, first.body);
    until(|| log.of_kind("delivery.attempted").len() == 3).await;
    assert_eq!(running.hooks.dead_letters(), []);
    ask(&log, Some(position));
    ask(&log, None);
    assert!(next(&mut receiver).await.body.contains("mandatum.heartbeat"));
    running.end().await;
    assert_eq!(receiver.hits.load(Ordering::SeqCst), 4);
}

/// The ledger cannot be written: messages still go out, and nothing stops.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_ledger_stops_no_worker() {
    let (log, mut receiver) = (MemoryLog::new(), receiver(|_| "200 OK").await);
    let running = start(&log, &[("desk", subscription(&receiver.url, true))]).await;
    log.broken.store(true, Ordering::SeqCst);
    revoke(&log);
    tokio::time::sleep(Duration::from_millis(50)).await;
    log.broken.store(false, Ordering::SeqCst);
    next(&mut receiver).await;
    running.hooks.heartbeat();
    let got = next(&mut receiver).await;
    assert!(got.body.contains("\"type\":\"mandatum.heartbeat\""), "{}", got.body);
    running.end().await;
}

#[tokio::test]
async fn a_wrong_subscription_starts_nothing() {
    let (log, stop) = (MemoryLog::new(), CancellationToken::new());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let outside = Outside {
        clock: HandClock::at(real_now()),
        log,
        random: Arc::new(Mutex::new(Counting(0))),
        tls: Arc::new(
            tls.with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth(),
        ),
    };
    let wrong = BTreeMap::from([("desk".to_owned(), subscription("gopher://x/", true))]);
    assert!(matches!(
        Webhooks::start(&wrong, &outside, &stop),
        Err(SubscriptionError::Url { .. })
    ));
}
