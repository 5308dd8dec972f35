//! Another program reads what the officers' API says of itself, sends what it allows and what it forbids, and holds every answer to it.
//!
//! Requests: 5,000 at the least, 50,000 under `MANDATUM_SOAK`, or as many as `MANDATUM_CASES` says.

use std::{path::PathBuf, process::Command};

use super::house::{Setup, house};

/// Requests, at the least, that a run must have sent.
const CASES: u64 = 5_000;
const CASES_OF_A_SOAK: u64 = 50_000;
/// What is sent to each operation for [`CASES`].
const EXAMPLES: u64 = 60;

fn cases() -> u64 {
    let asked = std::env::var("MANDATUM_CASES").ok();
    let asked = asked.map(|cases| cases.parse::<u64>().expect("MANDATUM_CASES is a number"));
    let soaks = std::env::var_os("MANDATUM_SOAK").is_some();
    asked.unwrap_or(if soaks { CASES_OF_A_SOAK } else { CASES })
}

/// The program, beside the interpreter with the tests' packages; none on a machine without them.
fn schemathesis() -> Option<PathBuf> {
    let demanded = std::env::var("MANDATUM_PYTHON");
    let beside = demanded
        .as_ref()
        .ok()
        .map(|python| PathBuf::from(python).with_file_name("schemathesis"));
    let program = beside.unwrap_or_else(|| PathBuf::from("schemathesis"));
    if Command::new(&program)
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success())
    {
        return Some(program);
    }
    assert!(demanded.is_err(), "schemathesis is missing: run cargo xtask test");
    eprintln!("skipped: this test needs schemathesis of xtask/requirements.txt");
    None
}

/// No request makes the server fail, and no answer is one that the document does not have: neither its status, nor its kind, nor its form.
///
/// Control, tried: with `behind` of a book told as a text, the run ends with a breach of the document.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_is_what_its_document_says() {
    let Some(program) = schemathesis() else { return };
    let (cases, begun) = (cases(), std::time::Instant::now());
    let house = house(Setup::default()).await;
    let own = house.folder.path().join("officers").join("ada");
    let port = house.running.addresses.officers.unwrap().port();
    let report = house.folder.path().join("report.ndjson");
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg(format!("https://localhost:{port}/v1/openapi.json"))
        .args([
            "--phases",
            "examples,coverage,fuzzing",
            "--workers",
            "2",
            "--no-color",
            "--seed",
            "1",
        ])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args([
            "--suppress-health-check",
            "all",
            "--continue-on-failure",
            "--warnings",
            "off",
        ])
        .args(["--max-examples", &(EXAMPLES * cases).div_ceil(CASES).to_string()])
        .arg("--tls-verify")
        .arg(house.config.paths.certificates.join("house.pem"))
        .arg("--request-cert")
        .arg(own.join(mandatum::officer::CERTIFICATE_FILE))
        .arg("--request-cert-key")
        .arg(own.join(mandatum::officer::KEY_FILE))
        .args(["--report", "ndjson", "--report-ndjson-path"])
        .arg(&report)
        .current_dir(house.folder.path());
    let ended = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    let sent = said.lines().find_map(|line| {
        line.trim()
            .split_once(" generated")?
            .0
            .trim()
            .replace(',', "")
            .parse::<u64>()
            .ok()
    });
    println!("{said}");
    assert!(sent >= Some(cases), "{sent:?} requests were sent, {cases} at the least");
    let (sent, minutes) = (sent.unwrap_or_default(), begun.elapsed().as_secs_f64() / 60.0);
    println!(
        "soak: officers' API: {sent} requests by its own document, no server error, no breach of the document, {minutes:.0} min"
    );
    house.running.stop().await.unwrap();
}
