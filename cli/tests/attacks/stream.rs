//! `/v1/stream` with a stock WebSocket client, through the whole house: straight at the gateway, and through a sidecar.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{
    house::{House, LONG, Setup, house},
    sidecar::beside,
};

/// The interpreter, where it has the stock client.
fn websockets() -> Option<String> {
    let demanded = std::env::var("MANDATUM_PYTHON");
    let python = demanded.clone().unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import websockets"]).output();
    if probe.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    assert!(demanded.is_err(), "websockets is missing: run cargo xtask test");
    eprintln!("skipped: this test needs websockets of xtask/requirements.txt");
    None
}

/// The documented bot, which runs until its session is closed; what it says comes line by line.
struct Bot {
    child: Child,
    said: BufReader<std::process::ChildStdout>,
}

impl Bot {
    fn start(python: &str, gateway: &str, files: &[&Path]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/stream_bot.py");
        let mut command = Command::new(python);
        command.arg(script).arg(gateway).args(files);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        Self { child, said }
    }

    /// Its next line; what it complained of, when there is none.
    fn line(&mut self) -> String {
        tokio::task::block_in_place(|| {
            let mut line = String::new();
            self.said.read_line(&mut line).unwrap();
            if line.is_empty() {
                self.child.stderr.take().unwrap().read_to_string(&mut line).unwrap();
            }
            line.trim_end().to_owned()
        })
    }

    fn ends(&mut self) {
        assert!(tokio::task::block_in_place(|| self.child.wait()).unwrap().success());
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn revoke(house: &mut House) {
    let why = json!({ "reason": "a test" });
    house.ada.post("/v1/agents/mm-1/revoke", &why).await.unwrap();
}

/// Cancels that arrived at the venue.
fn cancels(house: &House) -> usize {
    house
        .venue
        .count(|request| request.method == "DELETE" && request.path == "/api/v3/order")
}

/// The documented bot places, is refused, cancels, reads and resumes its events; an officer revokes it, and its session is closed with the
/// reason, its open order cancelled. Nothing of the refused order reached the venue.
///
/// Control, built in: the script fails when the order above the cap is taken. That of the close: `gateway/service/tests/stream/ends.rs`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stock_client_trades_until_it_is_halted() {
    let Some(python) = websockets() else { return };
    let mut house = house(Setup::default()).await;
    let gateway = format!("https://localhost:{}", house.port());
    let (folder, roots) = (
        house.folder.path().join("bot"),
        house.config.paths.certificates.join("house.pem"),
    );
    let mut bot = Bot::start(&python, &gateway, &[&folder, &roots]);
    assert_eq!(bot.line(), "OK");
    assert_eq!((house.orders(), cancels(&house)), (3, 2));
    revoke(&mut house).await;
    assert_eq!(bot.line(), "closed 1008 AGENT_REVOKED");
    bot.ends();
    let began = Instant::now();
    while cancels(&house) < 3 {
        assert!(began.elapsed() < LONG, "the open order is cancelled");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    house.running.stop().await.unwrap();
}

/// A session over real TLS ends when the gateway stops, with a close that says so; the stop waits for nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_gateway_says_so() {
    let Some(python) = websockets() else { return };
    let house = house(Setup::default()).await;
    let gateway = format!("https://localhost:{}", house.port());
    let (folder, roots) = (
        house.folder.path().join("bot"),
        house.config.paths.certificates.join("house.pem"),
    );
    let mut bot = Bot::start(&python, &gateway, &[&folder, &roots]);
    assert_eq!(bot.line(), "OK");
    house.running.stop().await.unwrap();
    assert_eq!(bot.line(), "closed 1001 STOPPING: connect again");
    bot.ends();
}

/// The same bot through a sidecar, without a certificate of its own: it trades, and hears why it is closed. A page of a browser gets no tunnel.
///
/// Control, built in: the same upgrade without `Origin` is the bot's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sidecar_carries_the_stream() {
    let Some(python) = websockets() else { return };
    let mut house = house(Setup::default()).await;
    let sidecar = beside(&house).await;
    let fields = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let page = format!("GET /v1/stream HTTP/1.1\r\nhost: localhost\r\norigin: https://page.example\r\n{fields}\r\n");
    let mut browser = tokio::net::TcpStream::connect(sidecar.address).await.unwrap();
    browser.write_all(page.as_bytes()).await.unwrap();
    let mut head = [0; 12];
    browser.read_exact(&mut head).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 403");
    let mut bot = Bot::start(&python, &format!("http://{}", sidecar.address), &[]);
    assert_eq!(bot.line(), "OK");
    assert_eq!((house.orders(), cancels(&house)), (3, 2));
    revoke(&mut house).await;
    assert_eq!(bot.line(), "closed 1008 AGENT_REVOKED");
    bot.ends();
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}
