//! A house for load tools: founded in a temporary folder, with bots whose mandates are wide, and a venue in the same process that
//! fills every order at once and does nothing else. Prints where it listens and each bot's files, then runs until its input ends.
//!
//! `cargo run --release -p mandatum --example bench_house -- [BOTS]`; `docs/performance.md` says how the figures are taken.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use extensions::ApprovalDecision;
use mandatum::{
    bot,
    client::Origin,
    clock::SystemClock,
    config::Config,
    founding,
    officer::{self, Officer},
    pem,
    serve::{self, Clocks, Roles},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// The price of everything.
const PRICE: &str = "3120.55";

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<()> {
    let bots: usize = std::env::args().nth(1).map_or(Ok(1), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let config = configure(folder.path(), venue()?)?;
    let founded = founding::found(&config, Arc::new(SystemClock)).await?;
    let tokens: BTreeMap<String, String> = founded
        .tokens
        .iter()
        .map(|token| (token.officer.to_string(), token.token.clone()))
        .collect();
    founded.ledger.close().await?;
    let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new()).await?;
    let roots = pem::certificates(&config.paths.certificates.join("house.pem"))?;
    let to = |address: Option<std::net::SocketAddr>| -> anyhow::Result<Origin> {
        let port = address.ok_or_else(|| anyhow::anyhow!("a listener is missing"))?.port();
        Origin::parse(&format!("https://localhost:{port}"))
    };
    let mut officers = Vec::new();
    for id in ["ada", "grace"] {
        let home = folder.path().join("officers").join(id);
        officer::enrol(&home, to(running.addresses.officers)?, &roots, &tokens[id], id).await?;
        officers.push(Officer::open(&home, to(running.addresses.officers)?, &roots)?);
    }
    let [ada, grace] = &mut officers[..] else {
        anyhow::bail!("two officers")
    };
    let (mut certificates, mut keys) = (Vec::new(), Vec::new());
    for place in 0..bots {
        let (agent, mandate) = (format!("bench-{place}"), format!("m-{place}"));
        ada.post("/v1/agents", &registration(&agent)).await?;
        ada.post("/v1/applications", &application(&agent, &mandate)).await?;
        grace
            .decide_application(&mandate, ApprovalDecision::Approve, None)
            .await?;
        let token = ada.enrolment_token(&agent, &mandate).await?;
        let home = folder.path().join("agents").join(&agent);
        let token = token["token"].as_str().unwrap_or_default().to_owned();
        bot::enrol(
            &home,
            to(running.addresses.enrolment)?,
            &roots,
            &agent,
            &token,
            &mut |_| {},
        )
        .await?;
        certificates.push(home.join("chain.pem").display().to_string());
        keys.push(home.join("key.pem").display().to_string());
    }
    let gateway = to(running.addresses.gateway)?.url();
    let roots = config.paths.certificates.join("house.pem");
    println!(
        "gateway {gateway}\nroots {}\nprocess {}",
        roots.display(),
        std::process::id()
    );
    println!("certificates {}\nkeys {}", certificates.join(","), keys.join(","));
    tokio::task::spawn_blocking(|| std::io::read_to_string(std::io::stdin())).await??;
    let size = running.ledger.head().size;
    running.stop().await?;
    println!("entries {size}");
    Ok(())
}

fn private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?)
}

fn configure(folder: &Path, venue: u16) -> anyhow::Result<Config> {
    private(&folder.join("key"), "public\n")?;
    private(&folder.join("secret"), "private\n")?;
    let text = format!(
        r#"
[house]
ledger = "bench"
trust_domain = "bots.example"
environment = "sandbox"
officers = ["ada", "grace"]
two_officers_above = {{ EUR = "1000000000000000000" }}
regions = {{ eu-west-1 = ["127.0.0.0/8"] }}
[house.ceiling]
counterparties = "any"
hours = ["always"]
instruments = "any"
order_proof = false
order_rates = ["1000000/1s"]
order_types = ["limit", "market"]
per_day = ["EUR 1000000000000000"]
per_order = ["EUR 1000000"]
price_collar_bps = 1000
regions = "any"
[gateway]
listen = "127.0.0.1:0"
messages_per_second = 1000000
[console]
officers = "127.0.0.1:0"
enrolment = "127.0.0.1:0"
[status]
listen = "127.0.0.1:0"
url = "http://status.example"
[operations]
listen = "127.0.0.1:0"
[venues.exchange_b]
url = "http://127.0.0.1:{venue}"
api_key_file = "key"
secret_file = "secret"
instruments = {{ ETH_EUR = "EUR" }}
"#
    );
    let file = folder.join("mandatum.toml");
    std::fs::write(&file, text)?;
    Ok(Config::load(&file)?)
}

fn in_days(days: i64) -> String {
    extensions::Clock::now(&SystemClock)
        .plus_seconds(days * 86_400)
        .to_string()
}

fn registration(agent: &str) -> Value {
    json!({
        "agent": agent,
        "declared_model": "bench",
        "environment": "sandbox",
        "expires_at": in_days(90),
        "owner": "desk",
        "purpose": "load",
    })
}

/// Wide limits; scoring observed, for want of a history. The score's own cost is in `gateway/policy/benches`.
fn application(agent: &str, mandate: &str) -> Value {
    json!({
        "agent": agent,
        "conduct": {
            "on_halt": "cancel_all",
            "on_unanswered_warning": "reduce_only",
            "repeat_window_ms": 0,
            "scoring": format!("observe until {}", in_days(60)),
        },
        "expires": in_days(60),
        "limits": {
            "counterparties": ["exchange_b"],
            "hours": ["always"],
            "instruments": ["ETH_EUR"],
            "order_proof": false,
            "order_rates": ["1000000/1s"],
            "order_types": ["limit", "market"],
            "per_day": ["EUR 1000000000000000"],
            "per_order": ["EUR 20000"],
            "price_collar_bps": 500,
            "regions": ["eu-west-1"],
        },
        "mandate": mandate,
        "rationale": "load",
    })
}

/// A venue on a thread of its own that fills every order at the price asked. It reads just the HTTP that the gateway writes: what the
/// static upstream behind a peer costs, this may cost, and no more.
fn venue() -> anyhow::Result<u16> {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve_venue(stream));
            }
        });
    });
    Ok(port)
}

async fn serve_venue(mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut held = Vec::with_capacity(4_096);
    loop {
        let Some(length) = request_length(&held) else {
            if stream.read_buf(&mut held).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let text = answer(std::str::from_utf8(&held[..length]).unwrap_or_default());
        held.drain(..length);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
        stream.write_all(&[head.as_bytes(), text.as_bytes()].concat()).await?;
    }
}

/// The length of the first request in `held`, once all of it is there.
fn request_length(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&held[..head]).ok()?;
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    let whole = head + 4 + length.map_or(Some(0), |length| length.parse().ok())?;
    (held.len() >= whole).then_some(whole)
}

fn answer(request: &str) -> String {
    let form = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    if request.starts_with("POST /api/v3/order ") {
        return filled(form);
    }
    if request.contains("/api/v3/ticker/price") {
        return format!(r#"{{"symbol":"ETHEUR","price":"{PRICE}"}}"#);
    }
    "[]".to_owned()
}

fn filled(form: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let of = |name: &str| {
        form.split('&')
            .find_map(|pair| pair.strip_prefix(name))
            .unwrap_or_default()
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (id, quantity, price) = (of("newClientOrderId="), of("quantity="), of("price="));
    format!(
        r#"{{"symbol":"ETHEUR","orderId":{number},"clientOrderId":"{id}","transactTime":1,"price":"{price}","origQty":"{quantity}","executedQty":"{quantity}","cummulativeQuoteQty":"1","status":"FILLED","timeInForce":"GTC","type":"LIMIT","side":"BUY","fills":[{{"price":"{price}","qty":"{quantity}","commission":"0","commissionAsset":"ETH","tradeId":{number}}}]}}"#
    )
}
