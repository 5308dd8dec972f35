//! A house of three officers with one bot and a paper venue, and a raw client that may send anything.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};

use ca_keys::{FileSigner, Protection};
use extensions::{ApprovalDecision, Clock, Decimal, Instrument};
use fixtures_venue::{Account, Symbol};
use mandatum::{
    bot,
    client::{Origin, client_config},
    clock::SystemClock,
    config::Config,
    founding,
    officer::{self, Officer},
    pem,
    serve::{self, Clocks, Roles, Running},
};
use rustls::{
    ClientConfig,
    client::ResolvesClientCert,
    pki_types::{CertificateDer, ServerName},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_util::sync::CancellationToken;

use crate::small_disk::Disk;

/// How long the head of a request, and then its body, may take here.
pub(crate) const PATIENCE_MS: u64 = 700;
/// What signs requests to the venue.
/// Base64, as Kraken's interface has it.
pub(crate) const VENUE_SECRET: &str = "Y2FuYXJ5LW9mLXRoZS12ZW51ZS0yNzE4MjgxODI4";
/// Longer than anything here takes.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How a house differs from the usual one.
#[derive(Default, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) order_proof: bool,
    pub(crate) proxy_protocol: bool,
    /// The balancer's network; this machine's own when empty.
    pub(crate) proxy_from: &'static str,
    /// An arc that the gateway accepts beside the house's own.
    pub(crate) accepted_pen: Option<u64>,
    /// Life of the bot's certificate in seconds, when it is not the usual day.
    pub(crate) bot_life_seconds: Option<i64>,
    /// Scores are enforced: nothing passes before a baseline is approved.
    pub(crate) enforce: bool,
    /// A webhook's receiver on loopback, by its port.
    pub(crate) webhook: Option<u16>,
    /// The mandate has stop orders, too.
    pub(crate) stops: bool,
    /// Kraken's interface at the venue, instead of Binance's.
    pub(crate) kraken: bool,
    /// The venue's key may withdraw.
    pub(crate) key_withdraws: bool,
    /// The ledger on a disk of its own, of so many MiB; needs root.
    pub(crate) disk_mib: Option<u32>,
}

pub(crate) struct House {
    /// Goes before the folder it lies in.
    pub(crate) disk: Option<Disk>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) venue: fixtures_venue::Handle,
    pub(crate) config: Config,
    pub(crate) running: Running,
    pub(crate) ada: Officer,
    /// The one-time tokens that were handed out.
    pub(crate) tokens: Vec<String>,
}

/// What is logged in this process, all houses together.
pub(crate) fn logged() -> &'static Mutex<Vec<u8>> {
    static LOGGED: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    LOGGED.get_or_init(|| {
        struct Into;
        impl std::io::Write for Into {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                logged().lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let _ = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(|| Into)
            .try_init();
        Mutex::default()
    })
}

/// Whether a line with `text` was logged since `from` bytes.
pub(crate) fn was_logged(from: usize, text: &str) -> bool {
    String::from_utf8_lossy(&logged().lock().unwrap()[from..]).contains(text)
}

fn secret(folder: &std::path::Path, name: &str, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600);
    file.open(folder.join(name))
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

pub(crate) fn in_days(days: i64) -> String {
    SystemClock.now().plus_seconds(days * 86_400).to_string()
}

pub(crate) async fn configured(setup: Setup) -> (tempfile::TempDir, fixtures_venue::Handle, Config) {
    let folder = tempfile::tempdir().unwrap();
    let symbol = Symbol::walking(Instrument::new("BTC_EUR").unwrap(), Decimal::from(50_000), 7).unwrap();
    let million = Decimal::from(1_000_000);
    let account = Account {
        name: "main".to_owned(),
        api_key: "public".to_owned(),
        secret: VENUE_SECRET.to_owned(),
        balances: BTreeMap::from([("BTC".to_owned(), million), ("EUR".to_owned(), million)]),
    };
    let mut venue = fixtures_venue::Config::new(vec![symbol], vec![account], Arc::new(SystemClock));
    venue.rights.withdraw = setup.key_withdraws;
    let venue = fixtures_venue::serve(venue).await.unwrap();
    secret(folder.path(), "key", "public\n");
    secret(folder.path(), "secret", VENUE_SECRET);
    let (url, proxy) = (venue.url(), setup.proxy_protocol);
    let balancer = match setup.proxy_from {
        "" => "127.0.0.0/8",
        network => network,
    };
    let kind = if setup.kraken { "kraken" } else { "binance" };
    let accepted: Vec<u64> = setup.accepted_pen.into_iter().collect();
    let bot_life = setup.bot_life_seconds.unwrap_or(86_400);
    secret(
        folder.path(),
        "hook",
        "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
    );
    let webhook = setup.webhook.map_or_else(String::new, |port| {
        format!(
            "[webhooks.desk]\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"hook\"\nkinds = [\"agent.*\", \"order.*\"]\nallow_networks = [\"127.0.0.0/8\"]\n"
        )
    });
    let text = format!(
        r#"
[house]
ledger = "test"
trust_domain = "bots.example"
environment = "sandbox"
officers = ["ada", "grace", "joan"]
two_officers_above = {{ EUR = "10000000" }}
regions = {{ eu-west-1 = ["127.0.0.0/8"], eu-west-2 = ["10.1.0.0/16"] }}
[ca]
bot_life_seconds = {bot_life}
[gateway]
listen = "127.0.0.1:0"
fix = "127.0.0.1:0"
accepted_pens = {accepted:?}
price_every_ms = 100
watch_every_ms = 100
send_deadline_ms = 5000
price_age_ms = 30000
head_bytes = 8192
body_bytes = 4096
head_ms = {PATIENCE_MS}
body_ms = {PATIENCE_MS}
proxy_protocol = {proxy}
proxy_from = ["{balancer}"]
[console]
officers = "127.0.0.1:0"
enrolment = "127.0.0.1:0"
[status]
listen = "127.0.0.1:0"
url = "http://status.example"
[operations]
listen = "127.0.0.1:0"
[venues.exchange_a]
kind = "{kind}"
url = "{url}"
api_key_file = "key"
secret_file = "secret"
instruments = {{ BTC_EUR = "EUR" }}
{webhook}"#
    );
    let file = folder.path().join("mandatum.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    (folder, venue, config)
}

/// The limits of the one mandate.
pub(crate) fn limits(order_proof: bool) -> Value {
    json!({
        "counterparties": ["exchange_a"],
        "hours": ["always"],
        "instruments": ["BTC_EUR"],
        "order_proof": order_proof,
        "order_rates": ["10000/1s"],
        "order_types": ["limit", "market"],
        "per_day": ["EUR 1000000"],
        "per_order": ["EUR 20000"],
        "price_collar_bps": 1_000,
        "regions": ["eu-west-1"],
    })
}

/// Founds, serves, approves and enrols. Scores are observed only, unless asked for otherwise, so that no baseline stands between an attack
/// and the venue.
pub(crate) async fn house(setup: Setup) -> House {
    logged();
    let (folder, venue, config) = configured(setup).await;
    let disk = setup
        .disk_mib
        .and_then(|mib| Disk::mount(config.paths.ledger.clone(), mib));
    let founded = founding::found(&config, Arc::new(SystemClock)).await.unwrap();
    let token = |id: &str| {
        let found = founded.tokens.iter().find(|token| token.officer.to_string() == id);
        found.unwrap().token.clone()
    };
    let tokens = [token("ada"), token("grace"), token("joan")];
    founded.ledger.close().await.unwrap();
    let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new());
    let running = running.await.unwrap();
    let roots = pem::certificates(&config.paths.certificates.join("house.pem")).unwrap();
    let mut officers = Vec::new();
    for (id, token) in ["ada", "grace", "joan"].iter().zip(&tokens) {
        let own = folder.path().join("officers").join(id);
        let to = || origin(running.addresses.officers);
        officer::enrol(&own, to(), &roots, token, id).await.unwrap();
        officers.push(Officer::open(&own, to(), &roots).unwrap());
    }
    let [mut ada, mut grace, mut joan] = <[Officer; 3]>::try_from(officers).ok().unwrap();
    let registration = json!({
        "agent": "mm-1", "declared_model": "model 1", "environment": "sandbox",
        "expires_at": in_days(90), "owner": "desk", "purpose": "market making",
    });
    ada.post("/v1/agents", &registration).await.unwrap();
    let mut asked = limits(setup.order_proof);
    if setup.stops {
        asked["order_types"] = json!(["limit", "market", "stop_limit"]);
    }
    let application = json!({
        "agent": "mm-1",
        "conduct": {
            "on_halt": "cancel_all",
            "on_unanswered_warning": "reduce_only",
            "repeat_window_ms": 0,
            "scoring": if setup.enforce { "enforce".to_owned() } else { format!("observe until {}", in_days(20)) },
        },
        "expires": in_days(60), "limits": asked, "mandate": "m-1", "rationale": "a target",
    });
    ada.post("/v1/applications", &application).await.unwrap();
    // One or two officers, as the thresholds have it.
    for other in [&mut grace, &mut joan] {
        let decided = other
            .decide_application("m-1", ApprovalDecision::Approve, None)
            .await
            .unwrap();
        if decided["approved"] == json!(true) {
            break;
        }
    }
    let token = ada.enrolment_token("mm-1", "m-1").await.unwrap();
    let mut tokens = tokens.to_vec();
    tokens.push(token["token"].as_str().unwrap().to_owned());
    let to = origin(running.addresses.enrolment);
    let own = folder.path().join("bot");
    bot::enrol(&own, to, &roots, "mm-1", token["token"].as_str().unwrap(), &mut |_| {})
        .await
        .unwrap();
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

pub(crate) fn origin(address: Option<std::net::SocketAddr>) -> Origin {
    Origin::parse(&format!("https://localhost:{}", address.unwrap().port())).unwrap()
}

pub(crate) type Identity = Arc<dyn ResolvesClientCert>;

impl House {
    pub(crate) fn roots(&self) -> Vec<CertificateDer<'static>> {
        pem::certificates(&self.config.paths.certificates.join("house.pem")).unwrap()
    }

    pub(crate) fn bot_file(&self, name: &str) -> PathBuf {
        self.folder.path().join("bot").join(name)
    }

    pub(crate) fn bot_key(&self) -> Arc<FileSigner> {
        Arc::new(FileSigner::open(&self.bot_file("key.pem"), Protection::Plain).unwrap())
    }

    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        pem::certificates(&self.bot_file("chain.pem")).unwrap()
    }

    /// The honest bot.
    pub(crate) fn identity(&self) -> Identity {
        ca_keys::tls::certified_key(self.chain(), self.bot_key())
    }

    pub(crate) fn client(&self, identity: Option<Identity>) -> ClientConfig {
        client_config(&self.roots(), identity).unwrap()
    }

    pub(crate) fn port(&self) -> u16 {
        self.running.addresses.gateway.unwrap().port()
    }

    /// A connection of whoever `identity` is; a refused client certificate shows only when it is read from.
    pub(crate) async fn dial(&self, identity: Option<Identity>) -> std::io::Result<TlsStream<TcpStream>> {
        self.dial_with(self.client(identity), self.port(), b"").await
    }

    pub(crate) async fn dial_with(
        &self,
        client: ClientConfig,
        port: u16,
        before: &[u8],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        stream.write_all(before).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(client)).connect(name, stream).await
    }

    /// Sends raw octets as the honest bot; reads until the gateway closes, or `within` has passed without that.
    pub(crate) async fn raw(&self, octets: &[u8], within: Duration) -> (String, bool) {
        let stream = self.dial(Some(self.identity())).await.unwrap();
        spoken(stream, octets, within).await
    }

    /// Orders that arrived at the venue.
    pub(crate) fn orders(&self) -> usize {
        self.venue.count(|request| {
            request.method == "POST" && ["/api/v3/order", "/0/private/AddOrder"].contains(&&*request.path)
        })
    }

    /// An honest order passes, and reaches the venue once.
    pub(crate) async fn lives(&self, id: &str) {
        let before = self.orders();
        let (answer, _) = self.raw(&closing_post(&order(id).to_string(), ""), LONG).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(self.orders(), before + 1, "an honest order reaches the venue once");
    }

    /// `curl` as the honest bot.
    pub(crate) fn curl(&self, arguments: &[&str], path: &str) -> String {
        let mut curl = std::process::Command::new("curl");
        curl.args([
            "-sS",
            "--max-time",
            "10",
            "-w",
            " %{http_code} %{http_version}",
            "--cacert",
        ]);
        curl.arg(self.config.paths.certificates.join("house.pem"));
        curl.arg("--cert")
            .arg(self.bot_file("chain.pem"))
            .arg("--key")
            .arg(self.bot_file("key.pem"));
        curl.args(arguments)
            .arg(format!("https://localhost:{}{path}", self.port()));
        let output = tokio::task::block_in_place(|| curl.output()).unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

/// What the server says to `octets`, and whether it then closed.
pub(crate) async fn spoken(mut stream: TlsStream<TcpStream>, octets: &[u8], within: Duration) -> (String, bool) {
    let mut answer = Vec::new();
    // A server that has closed already refuses the rest of a flood: its answer is what counts.
    let talk = async {
        let _ = stream.write_all(octets).await;
        let _ = stream.flush().await;
        let mut part = [0; 16_384];
        while let Ok(count @ 1..) = stream.read(&mut part).await {
            answer.extend_from_slice(&part[..count]);
        }
    };
    let closed = tokio::time::timeout(within, talk).await.is_ok();
    (String::from_utf8_lossy(&answer).into_owned(), closed)
}

/// An order that may pass and rests in the book.
pub(crate) fn order(id: &str) -> Value {
    json!({
        "client_order_id": id, "counterparty": "exchange_a", "currency": "EUR", "instrument": "BTC_EUR",
        "price": "47000", "quantity": "0.01", "side": "buy", "time_in_force": "gtc", "type": "limit",
    })
}

/// A request for the order `body` after which the connection closes.
pub(crate) fn closing_post(body: &str, headers: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
