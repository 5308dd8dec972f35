//! Stock freqtrade through the sidecar: it trades under a mandate, and no refusal makes it answer with an order that nobody asked for.

use std::{
    path::PathBuf,
    process::{Child, Command},
    time::Duration,
};

use fixtures_venue::{Fault, Scripted};
use mandatum::sidecar::{Running, Settings, start};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    house::{House, Setup, house},
    sidecar::{decisions, health, settings},
};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples");
/// It starts in a few seconds where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(120);

fn freqtrade() -> Option<String> {
    let demanded = std::env::var("MANDATUM_PYTHON");
    let python = demanded.clone().unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import freqtrade.main"]).output();
    if probe.is_ok_and(|out| out.status.success()) {
        return Some(python);
    }
    assert!(demanded.is_err(), "freqtrade is missing: run cargo xtask test");
    eprintln!("skipped: this test needs freqtrade of xtask/requirements-alone.txt");
    None
}

/// A bot that is stopped when the test is over, however it ends.
struct Bot {
    child: Child,
    log: PathBuf,
}

impl Bot {
    /// The documented configuration and strategy; `change` is laid over it, and the sidecar has another port here.
    fn run(python: &str, house: &House, sidecar: &Running, name: &str, mut change: Value) -> Self {
        let folder = house.folder.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let base = format!("http://{}/api/v3", sidecar.address);
        change["exchange"] = json!({"ccxt_config": {"urls": {"api": {"public": base, "private": base}}}});
        let over = folder.join("over.json");
        std::fs::write(&over, change.to_string()).unwrap();
        let log = folder.join("log");
        let to = || std::fs::File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(python);
        command.args(["-m", "freqtrade", "trade", "--db-url", "sqlite://", "--no-color"]);
        command.args(["--config", &format!("{EXAMPLES}/freqtrade/config.json"), "--config"]);
        command
            .arg(over)
            .args(["--strategy-path", &format!("{EXAMPLES}/freqtrade"), "--userdir"]);
        // Or it breaks its lines wherever a terminal would end.
        command.env("COLUMNS", "2000");
        command.arg(&folder).current_dir(&folder).stdout(to()).stderr(to());
        Self {
            child: command.spawn().unwrap(),
            log,
        }
    }

    fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until it is so, while the bot lives.
    async fn until(&mut self, what: &str, mut is_so: impl AsyncFnMut(&str) -> bool) {
        let begun = std::time::Instant::now();
        while !is_so(&self.said()).await {
            let lives = self.child.try_wait().unwrap().is_none();
            assert!(lives && begun.elapsed() < PATIENCE, "{what}: {}", self.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A house, and a sidecar that enrolled by itself.
async fn enrolled(setup: Setup) -> (House, Running) {
    let mut house = house(setup).await;
    let token = house.ada.enrolment_token("mm-1", "m-1").await.unwrap();
    let own = Settings {
        folder: house.folder.path().join("own"),
        token: Some(token["token"].as_str().unwrap().to_owned()),
        ..settings(&house)
    };
    let sidecar = start(own, CancellationToken::new()).await.unwrap();
    crate::sidecar::until(async || health(&sidecar).await.0).await;
    (house, sidecar)
}

/// How many decisions failed a check with this code.
async fn refused(house: &House, code: &str) -> usize {
    let all = decisions(house).await;
    let failed = |decided: &&Value| decided["checks"].to_string().contains(&format!("\"code\":\"{code}\""));
    all.iter().filter(failed).count()
}

/// Nothing but what the strategy asked for was ever asked: no market order.
async fn asked_for_no_market_order(house: &House) {
    for decided in decisions(house).await {
        assert_ne!(decided["order"]["type"], "market", "{decided}");
    }
}

/// It buys under the mandate that the sidecar enrolled for, and the venue fills it. A stop that the mandate does not have is refused each time it asks, and an
/// order above the cap, too: it asks again, never by a market order. Halted, it is told so, lives on, and nothing of it reaches the venue.
///
/// Control, tried: with -1100 for `ORDER_TYPE_NOT_ALLOWED` it sells by a market order at once: seen red.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stock_freqtrade_trades_and_takes_a_refusal_for_one() {
    let Some(python) = freqtrade() else { return };
    let (mut house, sidecar) = enrolled(Setup::default()).await;

    let mut greedy = Bot::run(&python, &house, &sidecar, "greedy", json!({"stake_amount": 30_000}));
    greedy
        .until("above the cap", async |_| refused(&house, "MAX_NOTIONAL").await >= 2)
        .await;
    greedy
        .until("it is told why", async |said| {
            said.contains("Unable to create trade")
                && said.contains("PermissionDenied")
                && said.contains("MAX_NOTIONAL")
        })
        .await;
    drop(greedy);
    assert_eq!(house.orders(), 0);

    let mut bot = Bot::run(&python, &house, &sidecar, "modest", json!({}));
    bot.until("bought", async |said| said.contains("LIMIT_BUY has been fulfilled"))
        .await;
    assert!(
        house.venue.balance("main", "BTC").free > 1_000_000.into(),
        "the venue filled it"
    );
    bot.until("stops are refused", async |_| {
        refused(&house, "ORDER_TYPE_NOT_ALLOWED").await >= 3
    })
    .await;
    assert_eq!(house.orders(), 1);

    let reason = json!({ "reason": "a test" });
    house.ada.post("/v1/agents/mm-1/revoke", &reason).await.unwrap();
    bot.until("halted", async |said| said.contains("AGENT_REVOKED")).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    bot.until("it lives", async |_| true).await;
    assert_eq!(house.orders(), 1);
    asked_for_no_market_order(&house).await;
    drop(bot);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}

/// A stop that the venue refuses, thrice, is asked for again until it rests there; the position is not sold meanwhile.
///
/// Control, tried: with -1013 for `VENUE_REJECTED`, which is the venue's own number, it sells by a market order at once: seen red.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_that_the_venue_refuses_is_no_market_order() {
    let Some(python) = freqtrade() else { return };
    let (house, sidecar) = enrolled(Setup {
        stops: true,
        ..Setup::default()
    })
    .await;
    house
        .venue
        .script(Scripted::orders(1, Fault::LateAnswer(Duration::ZERO)));
    let refusal = Fault::Refuse {
        status: 400,
        code: -2010,
        text: "Stop price would trigger immediately.".to_owned(),
    };
    house.venue.script(Scripted::orders(3, refusal));
    let mut bot = Bot::run(&python, &house, &sidecar, "stopped", json!({"stoploss": -0.05}));
    bot.until("a stop rests", async |said| said.contains("order added for BTC/EUR"))
        .await;
    assert_eq!(house.orders(), 5, "the buy, three refused stops, one that rests");
    assert!(bot.said().contains("VENUE_REJECTED"), "{}", bot.said());
    asked_for_no_market_order(&house).await;
    drop(bot);
    sidecar.stop().await;
    house.running.stop().await.unwrap();
}

/// freqtrade's own code makes of each exception in the tables for stock ccxt what `docs/clients.md` says, at Binance's and at Kraken's paths, and never what it
/// answers with a market order.
///
/// Control, built in: of `InvalidOrder`, `BadRequest`, `OperationRejected` and `InsufficientFunds` it makes just that.
#[test]
fn stock_freqtrade_makes_of_each_refusal_what_the_table_says() {
    let Some(python) = freqtrade() else { return };
    let table = format!("{EXAMPLES}/../clients.md");
    let ended = Command::new(python)
        .args([format!("{EXAMPLES}/freqtrade_table.py"), table])
        .output();
    let ended = ended.unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{said}");
}
