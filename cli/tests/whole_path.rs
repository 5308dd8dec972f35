//! The whole path in one process over real listeners: found, serve, officers enrol, a mandate is approved, a bot enrols and learns,
//! one order is permitted and its receipt verifies, one is refused, the record verifies. Then one byte is changed, and it does not.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use extensions::{AgentId, ApprovalDecision, Clock, Decimal, Digest, Instrument};
use fixtures_venue::{Account, Symbol, streams};
use ledger::{
    CommittedEntry, Receipt,
    keys::key_name,
    verify::{Fold, Options, Text, signatures::Audit},
    verify_receipt,
};
use mandatum::{
    bot::{self, Bot},
    client::{Client, Origin},
    clock::{SteppedClock, SystemClock},
    commands::{read_observations, send_observations},
    config::Config,
    founding,
    officer::{self, Officer},
    pem,
    serve::{self, Clocks, Role, Roles, Running},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const LOCAL: &str = "\"127.0.0.1:0\"";

/// A house in a folder of its own, with a paper venue beside it.
struct World {
    folder: tempfile::TempDir,
    venue: fixtures_venue::Handle,
    config: Config,
}

fn secret(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let instrument = Instrument::new("BTC_EUR").unwrap();
    let symbol = Symbol::walking(instrument, Decimal::from(50_000), 7).unwrap();
    let million = Decimal::from(1_000_000);
    let account = Account {
        name: "main".to_owned(),
        api_key: "public".to_owned(),
        secret: "private".to_owned(),
        balances: BTreeMap::from([("BTC".to_owned(), million), ("EUR".to_owned(), million)]),
    };
    let venue = fixtures_venue::Config::new(vec![symbol], vec![account], Arc::new(SystemClock));
    let venue = fixtures_venue::serve(venue).await.unwrap();
    secret(&folder.path().join("key"), "public\n");
    secret(&folder.path().join("secret"), "private\n");
    let text = format!(
        r#"
[house]
ledger = "test"
trust_domain = "bots.example"
environment = "sandbox"
officers = ["ada", "grace"]
two_officers_above = {{ EUR = "10000000" }}
regions = {{ eu-west-1 = ["127.0.0.0/8"] }}
[gateway]
listen = {LOCAL}
price_every_ms = 100
watch_every_ms = 100
[console]
officers = {LOCAL}
enrolment = {LOCAL}
[status]
listen = {LOCAL}
url = "http://status.example"
[operations]
listen = {LOCAL}
[venues.exchange_a]
url = "{}"
api_key_file = "key"
secret_file = "secret"
instruments = {{ BTC_EUR = "EUR" }}
"#,
        venue.url()
    );
    let file = folder.path().join("mandatum.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    World { folder, venue, config }
}

fn origin(address: Option<SocketAddr>) -> Origin {
    Origin::parse(&format!("https://localhost:{}", address.unwrap().port())).unwrap()
}

impl World {
    fn folder(&self, kind: &str, id: &str) -> PathBuf {
        self.folder.path().join(kind).join(id)
    }

    fn roots(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        pem::certificates(&self.config.paths.certificates.join("house.pem")).unwrap()
    }

    async fn found(&self) -> BTreeMap<String, String> {
        let founded = founding::found(&self.config, Arc::new(SystemClock)).await.unwrap();
        let tokens: BTreeMap<String, String> = founded
            .tokens
            .iter()
            .map(|token| (token.officer.to_string(), token.token.clone()))
            .collect();
        for token in tokens.values() {
            assert!(
                !founded.transcript.contains(token.as_str()),
                "the transcript holds no secret"
            );
        }
        founded.ledger.close().await.unwrap();
        tokens
    }

    async fn officer(&self, running: &Running, id: &str, token: &str) -> Officer {
        let folder = self.folder("officers", id);
        let to = || origin(running.addresses.officers);
        officer::enrol(&folder, to(), &self.roots(), token, id).await.unwrap();
        Officer::open(&folder, to(), &self.roots()).unwrap()
    }
}

/// The end of a registration or mandate: far enough, whenever this runs.
fn in_days(days: i64) -> String {
    SystemClock.now().plus_seconds(days * 86_400).to_string()
}

fn application() -> Value {
    json!({
        "agent": "mm-1",
        "conduct": {
            "on_halt": "cancel_all",
            "on_unanswered_warning": "reduce_only",
            "repeat_window_ms": 0,
            "scoring": "enforce",
        },
        "expires": in_days(60),
        "limits": {
            "counterparties": ["exchange_a"],
            "hours": ["always"],
            "instruments": ["BTC_EUR"],
            "order_proof": false,
            "order_rates": ["100/1s"],
            "order_types": ["limit", "market"],
            "per_day": ["EUR 1000000"],
            "per_order": ["EUR 20000"],
            "price_collar_bps": 500,
            "regions": ["eu-west-1"],
        },
        "mandate": "m-1",
        "rationale": "as measured in the trial",
    })
}

/// Registers the bot, has its mandate approved by the other officer, enrols it.
async fn enrolled(world: &World, running: &Running, ada: &mut Officer, grace: &mut Officer) -> Bot {
    let registration = json!({
        "agent": "mm-1",
        "declared_model": "model 1",
        "environment": "sandbox",
        "expires_at": in_days(90),
        "owner": "desk",
        "purpose": "market making",
    });
    ada.post("/v1/agents", &registration).await.unwrap();
    ada.post("/v1/applications", &application()).await.unwrap();
    let own = ada.decide_application("m-1", ApprovalDecision::Approve, None).await;
    assert!(
        own.unwrap_err().to_string().contains("ada"),
        "nobody approves their own application"
    );
    let answer = grace
        .decide_application("m-1", ApprovalDecision::Approve, None)
        .await
        .unwrap();
    assert_eq!(answer["approved"], json!(true));
    let token = ada.enrolment_token("mm-1", "m-1").await.unwrap();
    let folder = world.folder("agents", "mm-1");
    let to = origin(running.addresses.enrolment);
    let token = token["token"].as_str().unwrap();
    bot::enrol(&folder, to, &world.roots(), "mm-1", token, &mut |_| {})
        .await
        .unwrap();
    for file in ["certificate.pem", "chain.pem", "key.pem", "roots.pem"] {
        assert!(folder.join(file).exists(), "{file}");
    }
    Bot::open(&folder, origin(running.addresses.gateway), &world.roots()).unwrap()
}

async fn learned(world: &World, ada: &mut Officer, grace: &mut Officer) {
    let profile = streams::demo_bots()
        .into_iter()
        .find(|bot| bot.agent.as_str() == "mm-1")
        .unwrap();
    let from = SystemClock.now().plus_seconds(-15 * 86_400);
    let rows: Vec<_> = profile
        .healthy(1, from, 14)
        .filter(|row| row.instrument.as_str() == "BTC_EUR")
        .collect();
    let mut csv = Vec::new();
    streams::write_rows(&mut csv, &rows).unwrap();
    let file = world.folder.path().join("history.csv");
    std::fs::write(&file, csv).unwrap();
    let (rows, source) = read_observations(&file, None).unwrap();
    let agent = AgentId::new("mm-1").unwrap();
    send_observations(ada, agent, &rows, source, &mut |_| {}).await.unwrap();
    ada.post("/v1/agents/mm-1/baselines", &json!({})).await.unwrap();
    let signed = grace.approve_baseline("mm-1").await.unwrap();
    assert_eq!(signed["accepted"], json!(true), "{signed}");
}

fn order(id: &str, quantity: &str) -> Value {
    json!({
        "client_order_id": id,
        "counterparty": "exchange_a",
        "currency": "EUR",
        "instrument": "BTC_EUR",
        "price": "50000",
        "quantity": quantity,
        "side": "buy",
        "time_in_force": "gtc",
        "type": "limit",
    })
}

async fn operations(running: &Running, path: &str) -> (u16, String) {
    let to = format!("http://{}", running.addresses.operations.unwrap());
    let mut client = Client::new(Origin::parse(&to).unwrap(), &[], None).unwrap();
    let reply = client.send("GET", path, &[], "").await.unwrap();
    (reply.status.as_u16(), String::from_utf8(reply.body.to_vec()).unwrap())
}

/// Whoever presents no certificate is told so, and nothing else. Control: the same path answers the enrolled bot.
async fn a_stranger_is_told_what_is_missing(world: &World, running: &Running, bot: &mut Bot) {
    assert_eq!(bot.call("GET", "/v1/me", "").await.unwrap().status, 200);
    let mut stranger = Client::new(origin(running.addresses.gateway), &world.roots(), None).unwrap();
    for (method, path) in [("GET", "/v1/me"), ("POST", "/v1/orders"), ("DELETE", "/v1/orders")] {
        let told = stranger.send(method, path, &[], "").await.unwrap();
        assert_eq!(told.status, 401, "{method} {path}");
        assert_eq!(
            told.json().unwrap()["code"],
            json!("CERTIFICATE_REQUIRED"),
            "{method} {path}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_founding_to_a_verified_record() {
    let world = world().await;
    mandatum::logs::start(&world.config.logs);
    let tokens = world.found().await;
    let run = serve::run(&world.config, Roles::All, Clocks::system(), CancellationToken::new());
    let running = run.await.unwrap();
    let mut ada = world.officer(&running, "ada", &tokens["ada"]).await;
    let mut grace = world.officer(&running, "grace", &tokens["grace"]).await;
    let mut bot = enrolled(&world, &running, &mut ada, &mut grace).await;
    a_stranger_is_told_what_is_missing(&world, &running, &mut bot).await;

    // Without an approved baseline nothing is permitted.
    let early = bot.send(&order("early", "0.04")).await.unwrap();
    assert!(!early.status.is_success(), "{:?}", early.json());
    assert!(
        early.json().unwrap().to_string().contains("BASELINE_MISSING"),
        "{:?}",
        early.json()
    );
    learned(&world, &mut ada, &mut grace).await;

    let permitted = bot.send(&order("first", "0.04")).await.unwrap();
    let answer = permitted.json().unwrap();
    assert!(permitted.status.is_success(), "{answer}");
    let receipt: Receipt = serde_json::from_value(answer["receipt"].clone()).unwrap();
    let key = *running.ledger.authorised_keys("gw-1").last().unwrap();
    let (entry, _) = verify_receipt(&receipt, "test", &key_name("test", "gw-1"), &key).unwrap();
    assert_eq!(&*entry.kind, "order.decided");
    let orders = || {
        world
            .venue
            .count(|request| request.method == "POST" && request.path == "/api/v3/order")
    };
    assert_eq!(orders(), 1, "exactly the permitted order reached the venue");

    let refused = bot.send(&order("second", "1")).await.unwrap();
    let answer = refused.json().unwrap();
    assert!(
        refused.status.is_client_error() && answer.to_string().contains("MAX_NOTIONAL"),
        "{answer}"
    );
    assert_eq!(orders(), 1, "a refused order reaches nobody");

    let (status, ready) = operations(&running, "/readyz").await;
    assert_eq!(status, 200, "{ready}");
    let (_, figures) = operations(&running, "/metrics").await;
    for name in [
        "mandatum_first_certificate_expires_seconds",
        "crl_next_update_seconds",
        "mandatum_gateway_permits_total",
    ] {
        assert!(figures.contains(name), "{name} in {figures}");
    }
    running.stop().await.unwrap();
    verified_and_then_not(&world).await;
}

/// The audit, and how often each kind stands in the log.
#[derive(Default)]
struct Watched {
    audit: Audit,
    kinds: BTreeMap<String, usize>,
}

impl Fold for Watched {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        *self.kinds.entry(entry.kind.to_string()).or_default() += 1;
        self.audit.apply(entry)
    }

    fn text(&mut self, position: u64, commitment: &Digest, text: &Text) -> Result<(), String> {
        self.audit.text(position, commitment, text)
    }

    fn settled(&mut self) {
        self.audit.settled();
    }
}

/// The negative control of the verification itself: one changed byte of an entry is found.
async fn verified_and_then_not(world: &World) {
    let options = || Options {
        head_file: Some(world.config.paths.head.clone()),
        ..Options::default()
    };
    let mut watched = Watched::default();
    let whole = Options {
        fold: Some(&mut watched),
        ..options()
    };
    let report = ledger::verify::verify_directory(&world.config.paths.ledger, whole)
        .await
        .unwrap();
    let signed = watched.audit.signatures.counts();
    let count = |kind: &str| watched.kinds.get(kind).copied().unwrap_or(0);
    assert_eq!((count("gateway.started"), count("gateway.stopped")), (1, 1));
    assert!(count("officer.signed_in") >= 2, "ada's and grace's connections");
    assert_eq!(
        (signed.officers, signed.decisions),
        (2, 2),
        "the mandate and the baseline"
    );
    assert!(report.entries > 20 && report.head_file_checked, "{report}");
    let file = world.config.paths.ledger.join("ledger.db");
    let mut bytes = std::fs::read(&file).unwrap();
    // One that does not lie across two pages of the file.
    let needles = [
        r#""client_order_id":"first""#,
        r#""counterparty":"exchange_a""#,
        r#""decision":"permit""#,
    ];
    let found = needles.iter().find_map(|needle| {
        let mut windows = bytes.windows(needle.len());
        windows
            .position(|window| window == needle.as_bytes())
            .map(|at| at + needle.len() - 2)
    });
    bytes[found.unwrap()] = b'T';
    std::fs::write(&file, bytes).unwrap();
    let fault = ledger::verify::verify_directory(&world.config.paths.ledger, options())
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("changed"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_start_says_why() {
    let mut world = world().await;
    let stop = CancellationToken::new;
    let unfounded = serve::run(&world.config, Roles::All, Clocks::system(), stop()).await;
    assert!(unfounded.is_err(), "nothing was founded");
    world.found().await;
    let only = serve::run(&world.config, Roles::Only(Role::Gateway), Clocks::system(), stop()).await;
    assert!(only.err().unwrap().to_string().contains("one process"));
    let running = serve::run(&world.config, Roles::All, Clocks::system(), stop())
        .await
        .unwrap();
    let second = serve::run(&world.config, Roles::All, Clocks::system(), stop()).await;
    assert!(format!("{:#}", second.err().unwrap()).contains("another process"));
    running.stop().await.unwrap();
    world.config.house.environment = extensions::oids::Environment::Production;
    let stepped = Clocks::stepped(Arc::new(SteppedClock::starting_at(SystemClock.now())));
    let outside = serve::run(&world.config, Roles::All, stepped, stop()).await;
    assert!(outside.err().unwrap().to_string().contains("sandbox"));
    let mixed = serve::run(&world.config, Roles::All, Clocks::system(), stop()).await;
    assert!(mixed.err().unwrap().to_string().contains("founded as sandbox"));
}
