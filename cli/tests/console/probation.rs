//! From a halt by score to trading again: what officers do, they do in pages; here are the house, the venue and the bot they do it to.
//!
//! The script decides what happens when. It asks for what a bot does with a line `bot: WORDS`, and is answered with a line of JSON.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use extensions::{AgentId, ApprovalDecision, Clock, Decimal, Instrument};
use fixtures_venue::{Account, Symbol, streams};
use mandatum::{
    bot::{self, Bot},
    client::Origin,
    clock::SystemClock,
    commands::{read_observations, send_observations},
    config::Config,
    founding,
    officer::{self, Officer},
    pem,
    serve::{self, Clocks, Roles, Running},
};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The most orders until the score has to have stopped the bot.
const MOST_ORDERS: usize = 2_000;

/// A house with a paper venue, its bot, and the officers who set it up by command.
struct World {
    folder: tempfile::TempDir,
    running: Running,
    enrolment: Origin,
    gateway: Origin,
    roots: Vec<CertificateDer<'static>>,
    bot: Bot,
    _venue: fixtures_venue::Handle,
}

fn secret(path: &Path, text: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

async fn venue() -> fixtures_venue::Handle {
    let symbol = Symbol::walking(Instrument::new("BTC_EUR").unwrap(), Decimal::from(50_000), 7).unwrap();
    let million = Decimal::from(1_000_000);
    let account = Account {
        name: "main".to_owned(),
        api_key: "public".to_owned(),
        secret: "private".to_owned(),
        balances: BTreeMap::from([("BTC".to_owned(), million), ("EUR".to_owned(), million)]),
    };
    let venue = fixtures_venue::Config::new(vec![symbol], vec![account], Arc::new(SystemClock));
    fixtures_venue::serve(venue).await.unwrap()
}

fn configured(folder: &Path, venue: &fixtures_venue::Handle) -> Config {
    secret(&folder.join("key"), "public\n");
    secret(&folder.join("secret"), "private\n");
    let text = format!(
        r#"
[house]
ledger = "test"
trust_domain = "bots.example"
environment = "sandbox"
officers = ["ada", "grace", "joan"]
two_officers_above = {{ EUR = "10000000" }}
regions = {{ eu-west-1 = ["127.0.0.0/8"] }}
[gateway]
listen = "127.0.0.1:0"
price_every_ms = 100
watch_every_ms = 100
[console]
officers = "127.0.0.1:0"
enrolment = "127.0.0.1:0"
[status]
listen = "127.0.0.1:0"
url = "http://status.example"
[operations]
listen = "127.0.0.1:0"
[venues.exchange_a]
url = "{}"
api_key_file = "key"
secret_file = "secret"
instruments = {{ BTC_EUR = "EUR" }}
"#,
        venue.url()
    );
    let file = folder.join("mandatum.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file).unwrap()
}

fn in_days(days: i64) -> String {
    SystemClock.now().plus_seconds(days * 86_400).to_string()
}

/// A bot that is stopped for its behaviour, under a mandate whose tenth is enough for one small order.
async fn approved(ada: &mut Officer, grace: &mut Officer) -> Value {
    let registration = json!({
        "agent": "mm-1", "declared_model": "model 1", "environment": "sandbox", "expires_at": in_days(90), "owner": "desk",
        "purpose": "market making",
    });
    ada.post("/v1/agents", &registration).await.unwrap();
    let application = json!({
        "agent": "mm-1",
        "conduct": {"on_halt": "cancel_all", "on_unanswered_warning": "reduce_only", "repeat_window_ms": 0, "scoring": "enforce"},
        "expires": in_days(60),
        "limits": {
            "counterparties": ["exchange_a"], "hours": ["always"], "instruments": ["BTC_EUR"], "order_proof": false,
            "order_rates": ["100/1s"], "order_types": ["limit", "market"], "per_day": ["EUR 5000000"],
            "per_order": ["EUR 20000"], "price_collar_bps": 900, "regions": ["eu-west-1"],
        },
        "mandate": "m-1",
        "rationale": "as measured in the trial",
    });
    ada.post("/v1/applications", &application).await.unwrap();
    let yes = ApprovalDecision::Approve;
    grace.decide_application("m-1", yes, None).await.unwrap();
    ada.enrolment_token("mm-1", "m-1").await.unwrap()
}

/// Fourteen days of the bot's own past, learned and approved.
async fn learned(folder: &Path, ada: &mut Officer, grace: &mut Officer) {
    let mut bots = streams::demo_bots().into_iter();
    let profile = bots.find(|bot| bot.agent.as_str() == "mm-1").unwrap();
    let from = SystemClock.now().plus_seconds(-15 * 86_400);
    let rows = profile.healthy(1, from, 14);
    let rows: Vec<_> = rows.filter(|row| row.instrument.as_str() == "BTC_EUR").collect();
    let mut csv = Vec::new();
    streams::write_rows(&mut csv, &rows).unwrap();
    let file = folder.join("history.csv");
    std::fs::write(&file, csv).unwrap();
    let (rows, source) = read_observations(&file, None).unwrap();
    let agent = AgentId::new("mm-1").unwrap();
    send_observations(ada, agent, &rows, source, &mut |_| {}).await.unwrap();
    ada.post("/v1/agents/mm-1/baselines", &json!({})).await.unwrap();
    let signed = grace.approve_baseline("mm-1").await.unwrap();
    assert_eq!(signed["accepted"], json!(true), "{signed}");
}

/// A further officer with one role alone; the secret of the link.
async fn invited(ada: &mut Officer, grace: &mut Officer, officer: &str, role: &str) -> String {
    let asked = json!({"officer": officer, "roles": [role]});
    let proposed = ada.post("/v1/officers", &asked).await.unwrap();
    let proposal = proposed["proposal"].as_str().unwrap();
    for signer in [ada, grace] {
        signer.sign_proposal(proposal, None, None).await.unwrap();
    }
    proposed["token"].as_str().unwrap().to_owned()
}

impl World {
    /// The house as it stands before the halt, and the links of the three who sit at browsers.
    async fn new() -> (Self, Value) {
        let folder = tempfile::tempdir().unwrap();
        let venue = venue().await;
        let config = configured(folder.path(), &venue);
        let founded = founding::found(&config, Arc::new(SystemClock)).await.unwrap();
        let tokens = founded.tokens.iter();
        let tokens: BTreeMap<String, String> = tokens
            .map(|token| (token.officer.to_string(), token.token.clone()))
            .collect();
        founded.ledger.close().await.unwrap();
        let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new());
        let running = running.await.unwrap();
        let roots = pem::certificates(&config.paths.certificates.join("house.pem")).unwrap();
        let port = running.addresses.officers.unwrap().port();
        let local = |port: u16| Origin::parse(&format!("https://localhost:{port}")).unwrap();
        let mut officers = Vec::new();
        for id in ["ada", "grace"] {
            let own = folder.path().join(id);
            let enrolled = officer::enrol(&own, local(port), &roots, &tokens[id], id).await;
            enrolled.unwrap();
            officers.push(Officer::open(&own, local(port), &roots).unwrap());
        }
        let [ada, grace] = officers.get_disjoint_mut([0, 1]).unwrap();
        let enrolment = local(running.addresses.enrolment.unwrap().port());
        let gateway = local(running.addresses.gateway.unwrap().port());
        let token = approved(ada, grace).await;
        let own = folder.path().join("mm-1");
        let token = token["token"].as_str().unwrap();
        let enrolled = bot::enrol(&own, enrolment.clone(), &roots, "mm-1", token, &mut |_| {}).await;
        enrolled.unwrap();
        let bot = Bot::open(&own, gateway.clone(), &roots).unwrap();
        learned(folder.path(), ada, grace).await;
        let origin = config.console.origin_at(port);
        let on_call = invited(ada, grace, "edith", "responder").await;
        let approver = invited(ada, grace, "mary", "approver").await;
        let links: serde_json::Map<_, _> = [("joan", &tokens["joan"]), ("edith", &on_call), ("mary", &approver)]
            .into_iter()
            .map(|(officer, token)| (officer.to_owned(), json!(format!("{origin}/join#{token}"))))
            .collect();
        let world = Self {
            folder,
            running,
            enrolment,
            gateway,
            roots,
            bot,
            _venue: venue,
        };
        (world, json!({"origin": origin, "links": links}))
    }

    /// What the bot does when the script says so.
    async fn act(&mut self, words: &str) -> Value {
        match words.split_once(' ') {
            Some(("order", rest)) => {
                let (id, quantity) = rest.split_once(' ').unwrap();
                let mut sent = self.bot.send(&order(id, quantity)).await;
                if sent.is_err() {
                    // A halt closes the kept connection, and the answer may be lost with it: the same order again, as a bot does it.
                    sent = self.bot.send(&order(id, quantity)).await;
                }
                match sent {
                    Ok(reply) => json!({"status": reply.status.as_u16(), "said": reply.json().unwrap()}),
                    // A revoked certificate's connection is closed without a word.
                    Err(error) => json!({"status": 0, "said": error.to_string()}),
                }
            }
            Some(("enrol", token)) => self.enrol(token).await,
            _ => self.run_away().await,
        }
    }

    /// Orders thirty times the usual size, one after the other, until the score stops the bot.
    async fn run_away(&mut self) -> Value {
        for count in 1..=MOST_ORDERS {
            let reply = self.bot.send(&order(&format!("run-{count}"), "0.35")).await.unwrap();
            let said = reply.json().unwrap().to_string();
            if said.contains("ANOMALY_REVOKED") {
                return json!({"orders": count, "status": reply.status.as_u16()});
            }
        }
        panic!("{MOST_ORDERS} orders and the score did not stop the bot");
    }

    /// A new key, a new certificate, with the token of a page.
    async fn enrol(&mut self, token: &str) -> Value {
        let own = self.folder.path().join("mm-1-again");
        let enrolled = bot::enrol(&own, self.enrolment.clone(), &self.roots, "mm-1", token, &mut |_| {}).await;
        if let Err(error) = enrolled {
            return json!({"enrolled": false, "said": format!("{error:#}")});
        }
        let before = pem::certificates(&self.folder.path().join("mm-1").join("certificate.pem")).unwrap();
        let now = pem::certificates(&own.join("certificate.pem")).unwrap();
        self.bot = Bot::open(&own, self.gateway.clone(), &self.roots).unwrap();
        json!({"enrolled": true, "new_certificate": before[0] != now[0]})
    }
}

/// A limit order below the market: it rests.
fn order(id: &str, quantity: &str) -> Value {
    json!({
        "client_order_id": id, "counterparty": "exchange_a", "currency": "EUR", "instrument": "BTC_EUR", "price": "48000",
        "quantity": quantity, "side": "buy", "time_in_force": "gtc", "type": "limit",
    })
}

/// Runs the script, and answers its lines `bot: WORDS`.
async fn play(python: &str, told: &Value, world: &mut World) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console/probation.py");
    let mut script = Command::new(python)
        .arg(file)
        .arg(told.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = script.stdin.take().unwrap();
    let mut lines = BufReader::new(script.stdout.take().unwrap()).lines();
    loop {
        let read = tokio::task::spawn_blocking(move || (lines.next(), lines));
        let (line, rest) = read.await.unwrap();
        lines = rest;
        let Some(line) = line else { break };
        let line = line.unwrap();
        println!("{line}");
        if let Some(words) = line.strip_prefix("bot: ") {
            let answer = world.act(words).await;
            println!("  {answer}");
            writeln!(answers, "{answer}").unwrap();
        }
    }
    let ended = tokio::task::spawn_blocking(move || script.wait());
    assert!(ended.await.unwrap().unwrap().success(), "probation.py says what failed");
}

/// A bot is stopped for its behaviour; one person on call and one approving officer let it trade under the small mandate that was signed
/// ahead; it enrols with a new key and an order of its is permitted. All that officers do after the halt they do in pages, within ten minutes:
/// the script prints how long it took.
///
/// Controls, in the script: between the two signatures, and under its old certificate, nothing is permitted. Tried besides: without the second
/// signature the script fails where the probation should be under way; with a token of the everyday mandate it waits for a certificate in vain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_a_halt_to_trading_again_in_pages() {
    let Some(interpreter) = super::browser() else { return };
    let (mut world, mut told) = World::new().await;
    told["pictures"] = json!(std::env::var("MANDATUM_PICTURES").unwrap_or_default());
    play(&interpreter, &told, &mut world).await;
    world.running.stop().await.unwrap();
}
