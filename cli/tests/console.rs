//! The console in a real browser: Chromium with virtual authenticators, driven by a script of another language, against a whole house.
//!
//! The script does what officers do and what an attacker would; here the ledger it leaves is verified offline, and every passkey's
//! signature in it is checked once more by a library that shares no code with ours.

#![allow(clippy::unwrap_used, reason = "a test says what failed by failing")]

#[path = "console/hostile.rs"]
mod hostile;
#[path = "console/probation.rs"]
mod probation;

use std::{
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use extensions::OfficerId;
use mandatum::{
    clock::SystemClock,
    config::Config,
    founding,
    serve::{self, Clocks, Roles, Running},
};
use serde_json::json;
use tokio_util::sync::CancellationToken;

struct House {
    folder: tempfile::TempDir,
    config: Config,
    running: Running,
    tokens: Vec<(OfficerId, String)>,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let text = r#"
[house]
ledger = "test"
trust_domain = "bots.example"
environment = "sandbox"
officers = ["ada", "grace", "joan"]
two_officers_above = { EUR = "1000000" }
[gateway]
listen = "127.0.0.1:0"
[console]
officers = "127.0.0.1:0"
enrolment = "127.0.0.1:0"
[status]
listen = "127.0.0.1:0"
url = "http://status.example"
[operations]
listen = "127.0.0.1:0"
"#;
    let file = folder.path().join("mandatum.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(&file).unwrap();
    let founded = founding::found(&config, Arc::new(SystemClock)).await.unwrap();
    let tokens = founded
        .tokens
        .iter()
        .map(|token| (token.officer, token.token.clone()))
        .collect();
    founded.ledger.close().await.unwrap();
    let running = serve::run(&config, Roles::All, Clocks::system(), CancellationToken::new());
    let running = running.await.unwrap();
    House {
        folder,
        config,
        running,
        tokens,
    }
}

/// A browser, or none on a machine without one; under `cargo xtask test` none is a failure.
fn browser() -> Option<String> {
    let python = std::env::var("MANDATUM_PYTHON");
    let demanded = python.is_ok();
    let python = python.unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python)
        .args([
            "-c",
            "import selenium, axe_core_python, cryptography, shutil; assert shutil.which('chromedriver')",
        ])
        .stderr(Stdio::null())
        .status();
    if probe.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    assert!(
        !demanded,
        "Chromium, ChromeDriver or a Python package is missing: run cargo xtask test"
    );
    eprintln!("skipped: this test needs Chromium, ChromeDriver, and the Python packages of xtask/requirements.txt");
    None
}

async fn python(python: &str, script: &str, arguments: &[&str]) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/console").join(script);
    let mut command = Command::new(python);
    command.arg(file).args(arguments);
    // Each step of a script has its own patience.
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    println!("{out}");
    assert!(ended.status.success(), "{script}\n{out}\n{err}");
}

/// A demonstration that keeps running, and is stopped with this.
struct Demonstration(std::process::Child);

impl Drop for Demonstration {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The pages hold what they should when bots have traded, been warned and been stopped: nothing serious for axe-core, nothing too wide, below
/// 100 KB. The house is that of `demo --hold`, entered by the link it prints.
///
/// Control, tried: without the `alt`-like title of the drawing of scores, axe-core names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_house_that_trades() {
    let Some(interpreter) = browser() else { return };
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("said");
    let started = Command::new(env!("CARGO_BIN_EXE_mandatum"))
        .args(["demo", "--hold", "--dir"])
        .arg(folder.path().join("house"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&said).unwrap())
        .spawn();
    let _demonstration = Demonstration(started.unwrap());
    let link = tokio::time::timeout(std::time::Duration::from_secs(180), async {
        loop {
            let text = std::fs::read_to_string(&said).unwrap();
            // A line is whole once its end is written.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            if let Some(link) = whole.lines().find(|line| line.contains("/join#")) {
                return link.trim().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    });
    let link = link.await.expect("the demonstration prints its link");
    let (origin, _) = link.split_once("/join#").unwrap();
    let pictures = std::env::var("MANDATUM_PICTURES").unwrap_or_default();
    let told = json!({"origin": origin, "links": {"guest": link}, "pictures": pictures}).to_string();
    python(&interpreter, "demonstration.py", &[&told]).await;
}

/// What officers sign in the browser is what the ledger proves.
///
/// Controls: the script itself tries self-approval, a changed document, an answer used twice, an authenticator that verifies nobody, another
/// origin, a form of another session and the session of an officer who was removed, and fails when one of them is let through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn officers_work_in_the_browser() {
    let Some(interpreter) = browser() else { return };
    let house = house().await;
    let port = house.running.addresses.officers.unwrap().port();
    let origin = house.config.console.origin_at(port);
    let links: serde_json::Map<_, _> = house
        .tokens
        .iter()
        .map(|(officer, token)| (officer.to_string(), json!(format!("{origin}/join#{token}"))))
        .collect();
    let pictures = std::env::var("MANDATUM_PICTURES").unwrap_or_default();
    let told = json!({"origin": origin, "links": links, "pictures": pictures}).to_string();
    python(&interpreter, "officers.py", &[&told]).await;

    let root = house.running.ledger.root_key();
    house.running.stop().await.unwrap();
    let mut audit = ledger::verify::signatures::Audit::default();
    let options = ledger::verify::Options {
        ledger_root: Some(root),
        head_file: Some(house.config.paths.head.clone()),
        fold: Some(&mut audit),
    };
    ledger::verify::verify_directory(&house.config.paths.ledger, options)
        .await
        .unwrap();
    let counts = audit.signatures.counts();
    assert!(counts.officers >= 8 && counts.decisions >= 4, "{counts:?}");
    let export = house.folder.path().join("export.jsonl");
    let mut out = std::fs::File::create(&export).unwrap();
    ledger::export::export_directory(&house.config.paths.ledger, false, &mut out)
        .await
        .unwrap();
    python(
        &interpreter,
        "signatures.py",
        &[export.to_str().unwrap(), &counts.officers.to_string()],
    )
    .await;
}
