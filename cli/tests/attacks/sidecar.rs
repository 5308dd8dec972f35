//! The sidecar before a real gateway: bots that cannot do mTLS trade, and nobody else gets in.

use std::{
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use extensions::{Digest, SealedText};
use ledger::{
    CommittedEntry,
    verify::{Fold as _, Text, signatures::Signatures},
};
use mandatum::sidecar::{Running, Settings as SidecarSettings, start};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use crate::{
    house::{House, LONG, Setup, house, order, origin},
    native::ccxt,
    renewals::serial,
};

pub(crate) fn settings(house: &House) -> SidecarSettings {
    SidecarSettings {
        agent: "mm-1".parse().unwrap(),
        folder: house.folder.path().join("bot"),
        listen: "127.0.0.1:0".parse().unwrap(),
        gateway: origin(house.running.addresses.gateway),
        enrolment: origin(house.running.addresses.enrolment),
        roots: house.roots(),
        token: None,
    }
}

pub(crate) async fn beside(house: &House) -> Running {
    start(settings(house), CancellationToken::new()).await.unwrap()
}

/// What is answered to raw octets on a connection of its own; nothing when it is closed without an answer.
async fn said(sidecar: &Running, octets: &str) -> String {
    let mut stream = TcpStream::connect(sidecar.address).await.unwrap();
    stream.write_all(octets.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer))
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(sidecar: &Running, path: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
        sidecar.address
    );
    said(sidecar, &request).await
}

async fn send(sidecar: &Running, path: &str, body: &str, fields: &str) -> String {
    let length = body.len();
    let host = sidecar.address;
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{fields}content-length: {length}\r\n\r\n"
    );
    said(sidecar, &format!("{head}{body}")).await
}

async fn placed(sidecar: &Running, id: &str) -> String {
    send(sidecar, "/v1/orders", &order(id).to_string(), "").await
}

pub(crate) async fn health(sidecar: &Running) -> (bool, Value) {
    let said = get(sidecar, "/sidecar/healthz").await;
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    (head.starts_with("HTTP/1.1 200"), serde_json::from_str(body).unwrap())
}

/// Asks until it is so; the test's own patience ends it.
pub(crate) async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    let asked = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, asked).await.expect("it never became so");
}

/// Stock ccxt, sync and async, and requests place and cancel over plain HTTP; what the mandate forbids is refused as the gateway refuses it.
///
/// Control, built in: the script fails when the order above the cap is taken, and the venue saw the three permitted ones alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_clients_trade_without_a_certificate_of_their_own() {
    let Some(python) = ccxt() else { return };
    let house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    let (ready, state) = health(&sidecar).await;
    assert!(ready && state["standing"]["is"] == "active", "{state}");
    let mut command = std::process::Command::new(python);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/sidecar_bot.py"))
        .arg(format!("http://{}", sidecar.address));
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.contains("OK"), "{said}");
    assert_eq!(house.orders(), 3);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}

/// Names that lead here, and pages of browsers, are refused before the gateway hears of them, in whatever shape the path has.
///
/// Control, built in: the same order by the sidecar's own address passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_web_page_trades() {
    let house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    let body = order("page").to_string();
    let length = body.len();
    for (host, field, code) in [
        ("rebound.example", "", "HOST_REFUSED"),
        ("localhost.rebound.example:80", "", "HOST_REFUSED"),
        ("localhost", "origin: https://page.example\r\n", "BROWSER_REFUSED"),
        ("localhost", "sec-fetch-site: cross-site\r\n", "BROWSER_REFUSED"),
    ] {
        for path in ["/v1/orders", "/api/v3/order", "/sidecar/healthz"] {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{field}content-length: {length}\r\n\r\n"
            );
            let answer = said(&sidecar, &format!("{head}{body}")).await;
            assert!(
                answer.starts_with("HTTP/1.1 403") && answer.contains(code),
                "{host} {path}: {answer}"
            );
            assert_eq!(answer.contains("\"code\":-1002"), path.starts_with("/api"), "{answer}");
        }
    }
    let proxied = format!(
        "POST http://localhost/v1/orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let answer = said(&sidecar, &proxied).await;
    assert!(answer.contains("HOST_REFUSED"), "{answer}");
    assert_eq!(house.orders(), 0);
    let answer = placed(&sidecar, "page").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(house.orders(), 1);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}

/// A key that others may read, an address that others may reach, and a bot without certificate or token do not start.
///
/// Control, built in: with the mode back at 0600 it starts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_not_start_where_others_could_use_it() {
    let house = house(Setup::default()).await;
    let refusal = async |settings: SidecarSettings| match start(settings, CancellationToken::new()).await {
        Ok(_) => panic!("it started"),
        Err(error) => format!("{error:#}"),
    };
    let key = house.bot_file("key.pem");
    let mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    let why = refusal(settings(&house)).await;
    assert!(why.contains("chmod 600"), "{why}");
    mode(0o600);
    for listen in ["0.0.0.0:0", "192.0.2.1:8787", "[::]:0"] {
        let why = refusal(SidecarSettings {
            listen: listen.parse().unwrap(),
            ..settings(&house)
        });
        let why = why.await;
        assert!(why.contains("loopback alone"), "{listen}: {why}");
    }
    let empty = SidecarSettings {
        folder: house.folder.path().join("nobody"),
        ..settings(&house)
    };
    let why = refusal(empty).await;
    assert!(why.contains("--token"), "{why}");
    beside(&house).await.stop().await;
    house.running.stop().await.unwrap();
}

/// With a token and nothing else it makes the key, enrols and trades; renewed while orders stream in, not one of them is lost, and both
/// certificates were used.
///
/// Control, tried: with the identity taken away while `keeper::keep` renews, orders in between are answered 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_enrols_and_renews_under_traffic() {
    let mut house = house(Setup {
        bot_life_seconds: Some(120),
        ..Setup::default()
    })
    .await;
    let token = house.ada.enrolment_token("mm-1", "m-1").await.unwrap();
    let own = house.folder.path().join("own");
    let sidecar = SidecarSettings {
        folder: own.clone(),
        token: Some(token["token"].as_str().unwrap().to_owned()),
        ..settings(&house)
    };
    let sidecar = start(sidecar, CancellationToken::new()).await.unwrap();
    let early = placed(&sidecar, "early").await;
    assert!(
        early.contains("NOT_ENROLLED") || early.starts_with("HTTP/1.1 200"),
        "{early}"
    );
    until(async || health(&sidecar).await.0).await;
    let first = serial(&own);
    // The next one is due a quarter of what is left later; the orders go on meanwhile.
    let stop = Arc::new(AtomicBool::new(false));
    let traffic = {
        let (address, stop) = (sidecar.address, stop.clone());
        tokio::spawn(async move { stream_of_orders(address, &stop).await })
    };
    tokio::time::timeout(Duration::from_secs(60), async {
        while health(&sidecar).await.1["renewal"]["renewed"] == json!(0) {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
    .expect("renewed");
    let answer = placed(&sidecar, "renewed").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    stop.store(true, Ordering::Relaxed);
    let (orders, failed) = traffic.await.unwrap();
    assert!(orders > 20 && failed.is_empty(), "{orders}: {failed:?}");
    assert_ne!(serial(&own), first);
    let used = serials_used(&house).await;
    assert!(used.contains(&first) && used.contains(&serial(&own)), "{used:?}");
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}

/// Orders on one kept connection until told to stop: how many, and the answers that were not 200.
async fn stream_of_orders(address: std::net::SocketAddr, stop: &AtomicBool) -> (usize, Vec<String>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut count, mut failed) = (0, Vec::new());
    let mut held = vec![0; 64 * 1_024];
    while !stop.load(Ordering::Relaxed) {
        let mut terms = order(&format!("t-{count}"));
        terms["type"] = json!("market");
        terms["quantity"] = json!("0.0002");
        for absent in ["price", "time_in_force"] {
            terms.as_object_mut().unwrap().remove(absent);
        }
        let body = terms.to_string();
        let head = format!(
            "POST /v1/orders HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut length = 0;
        let answer = loop {
            length += stream.read(&mut held[length..]).await.unwrap();
            let text = String::from_utf8_lossy(&held[..length]);
            let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let head = head.to_ascii_lowercase();
                let stated = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                stated.is_some_and(|stated| stated.trim() == body.len().to_string())
            });
            if whole {
                break text.into_owned();
            }
        };
        count += 1;
        if !answer.starts_with("HTTP/1.1 200") {
            failed.push(answer);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    (count, failed)
}

async fn entries(house: &House) -> Vec<CommittedEntry> {
    let all = house.running.ledger.read_range(0, 100_000).await.unwrap();
    all.into_iter().map(Arc::unwrap_or_clone).collect()
}

pub(crate) async fn decisions(house: &House) -> Vec<Value> {
    let all = entries(house).await;
    let decided = all.iter().filter(|entry| &*entry.kind == "order.decided");
    decided
        .map(|entry| serde_json::from_slice(entry.body()).unwrap())
        .collect()
}

async fn serials_used(house: &House) -> Vec<String> {
    let all = decisions(house).await;
    all.iter()
        .map(|decided| decided["certificate"]["serial"].as_str().unwrap().to_owned())
        .collect()
}

/// A mandate that asks for signatures: the sidecar signs what the bot did not, and the record calls it the sidecar's, on both routes; a bot's own
/// signature stays the bot's. The auditor holds each claim against the signed bytes.
///
/// Control, built in: a record whose claim is taken out does not verify; straight at the gateway the unsigned order is `PROOF_REQUIRED`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_signs_is_recorded_as_its_own() {
    let house = house(Setup {
        order_proof: true,
        ..Setup::default()
    })
    .await;
    let sidecar = beside(&house).await;
    let answer = placed(&sidecar, "signed").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let form = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1e-2&price=47000&newClientOrderId=form";
    let answer = send(&sidecar, "/api/v3/order", form, "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let replaced =
        form.replace("=form", "=replaced") + "&cancelReplaceMode=STOP_ON_FAILURE&cancelOrigClientOrderId=form";
    let answer = send(&sidecar, "/api/v3/order/cancelReplace", &replaced, "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let form = "nonce=1&pair=XBTEUR&type=buy&ordertype=limit&volume=1e-2&price=47000&cl_ord_id=kraken";
    let answer = send(&sidecar, "/0/private/AddOrder", form, "").await;
    assert!(answer.contains("\"txid\":[\"O"), "{answer}");
    let one = r#"{"type":"buy","ordertype":"limit","volume":1e-2,"price":"47000","cl_ord_id":"batch-1"}"#;
    let two = one.replace("batch-1", "batch-2").replace("1e-2", "0.02");
    let batch = format!(r#"{{"nonce":"1","pair":"XBTEUR","orders":[{one},{two}]}}"#);
    let answer = send(&sidecar, "/0/private/AddOrderBatch", &batch, "").await;
    assert_eq!(answer.matches("\"txid\":\"O").count(), 2, "{answer}");
    let mut bot = mandatum::bot::Bot::open(
        &house.folder.path().join("bot"),
        origin(house.running.addresses.gateway),
        &house.roots(),
    )
    .unwrap();
    assert_eq!(bot.send(&order("own")).await.unwrap().status, 200);
    let bare = bot
        .call("POST", "/v1/orders", &order("bare").to_string())
        .await
        .unwrap();
    assert!(bare.json().unwrap()["code"] == "PROOF_REQUIRED");
    for decided in decisions(&house).await {
        let expected = match decided["order"]["client_order_id"].as_str().unwrap() {
            "signed" | "form" | "replaced" | "kraken" | "batch-1" | "batch-2" => (json!("valid"), json!("sidecar")),
            "own" => (json!("valid"), Value::Null),
            _ => (json!("missing"), Value::Null),
        };
        assert_eq!(
            (decided["proof"].clone(), decided["signed_by"].clone()),
            expected,
            "{decided}"
        );
    }
    sidecar.stop().await;
    let claims = audited(&house, |body| body.to_owned()).await.expect("the record holds");
    assert_eq!(claims, 7, "seven signatures were checked");
    let taken = audited(&house, |body| body.replacen("\"signed_by\":\"sidecar\",", "", 1)).await;
    assert!(taken.unwrap_err().contains("who signed"));
    house.running.stop().await.unwrap();
}

/// Checks every signature of the record as `mandatum verify` does, each decision's body put through `change`.
async fn audited(house: &House, change: impl Fn(&str) -> String) -> Result<u64, String> {
    let mut signatures = Signatures::default();
    for entry in entries(house).await {
        let mut seen = entry.clone();
        if &*entry.kind == "order.decided" {
            let body = change(std::str::from_utf8(entry.body()).unwrap());
            let (before, after) = (&entry.bytes[..entry.body.start], &entry.bytes[entry.body.end..]);
            seen.body = before.len()..before.len() + body.len();
            seen.bytes = [before, body.as_bytes(), after].concat().into();
        }
        signatures.apply(&seen)?;
        if let Some((commitment, text)) = evidence(house, &entry).await {
            signatures.text(entry.position, &commitment, &text)?;
        }
        signatures.settled();
    }
    Ok(signatures.counts().bots)
}

/// The sealed request of a decision that was signed.
async fn evidence(house: &House, entry: &CommittedEntry) -> Option<(Digest, Text)> {
    let body: Value = serde_json::from_slice(entry.body()).unwrap();
    let commitment = Digest::parse(body["signed_request"].as_str()?).unwrap();
    let text = house.running.ledger.unseal(entry.position, &commitment).await.unwrap();
    let sealed = SealedText {
        subject: "agent:mm-1".to_owned(),
        salt: [0; 32],
        text: text.unwrap(),
    };
    Some((commitment, Text::Open(sealed)))
}

/// While the gateway is away each request is told so at once, with what to do, in the shape of its path; when it is back, orders go on
/// without anybody touching the sidecar.
///
/// Control, built in: the same order passes before and after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_goes_away_comes_back() {
    let house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    assert!(placed(&sidecar, "before").await.starts_with("HTTP/1.1 200"));
    let mut config = house.config.clone();
    config.gateway.listen = house.running.addresses.gateway.unwrap();
    house.running.stop().await.unwrap();
    let away = placed(&sidecar, "away").await;
    assert!(
        away.starts_with("HTTP/1.1 503") && away.contains("GATEWAY_UNREACHABLE"),
        "{away}"
    );
    assert!(
        away.contains("retry-after") && away.contains("send the same again"),
        "{away}"
    );
    let form = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=47000";
    let native = send(&sidecar, "/api/v3/order", form, "").await;
    assert!(
        native.starts_with("HTTP/1.1 503") && native.contains("-1001"),
        "{native}"
    );
    let (ready, state) = health(&sidecar).await;
    assert!(!ready && state["gateway"]["reachable"] == json!(false), "{state}");
    let again = mandatum::serve::run(
        &config,
        mandatum::serve::Roles::All,
        mandatum::serve::Clocks::system(),
        CancellationToken::new(),
    );
    let again = again.await.unwrap();
    until(async || health(&sidecar).await.0).await;
    let answer = placed(&sidecar, "away").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "the id is still free: {answer}");
    sidecar.stop().await;
    again.stop().await.unwrap();
}

/// A bot that an officer revokes is told so, in the shape of its path, again and again, and nothing of it reaches the venue.
///
/// Control, built in: its order before passes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_halted_bot_is_told() {
    let mut house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    assert!(placed(&sidecar, "before").await.starts_with("HTTP/1.1 200"));
    let reason = json!({ "reason": "a test" });
    house.ada.post("/v1/agents/mm-1/revoke", &reason).await.unwrap();
    let before = house.orders();
    // What is being decided while the revocation arrives may still pass; then nothing does.
    until(async || placed(&sidecar, "halted").await.contains("AGENT_REVOKED")).await;
    for id in ["after-1", "after-2"] {
        let answer = placed(&sidecar, id).await;
        assert!(
            answer.starts_with("HTTP/1.1 403") && answer.contains("AGENT_REVOKED"),
            "{answer}"
        );
    }
    let form = "symbol=BTCEUR&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.01&price=47000";
    until(async || send(&sidecar, "/api/v3/order", form, "").await.contains("-1002")).await;
    let (ready, state) = health(&sidecar).await;
    assert!(!ready && state["standing"]["is"] == "revoked", "{state}");
    assert_eq!(house.orders(), before);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}

/// Server-sent events arrive one by one, not at the end, and long after their head.
///
/// Control, tried: with the answer collected before it is passed on, nothing arrives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_stream_through() {
    let house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    let mut stream = TcpStream::connect(sidecar.address).await.unwrap();
    stream
        .write_all(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut heard = String::new();
    let mut part = [0; 4_096];
    let mut sent = false;
    while !heard.contains("event: order") {
        let count = tokio::time::timeout(LONG, stream.read(&mut part))
            .await
            .unwrap()
            .unwrap();
        assert_ne!(count, 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&part[..count]));
        if !sent && heard.contains("text/event-stream") {
            sent = true;
            assert!(placed(&sidecar, "heard").await.starts_with("HTTP/1.1 200"));
        }
    }
    drop(stream);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}
