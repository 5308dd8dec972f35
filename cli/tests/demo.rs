//! The demonstration is held to what it claims, in process, with a house of its own each time.

use clap::Parser as _;
use mandatum::{
    commands::{self, Cli, report},
    demo::{Args, Fate, Report, run},
};
use serde_json::Value;

/// A command over the record of a demonstration.
async fn command(directory: &tempfile::TempDir, arguments: &[&str]) -> report::Report {
    let ledger = directory.path().join("house/ledger");
    let path = [ledger.to_str().expect("a path")];
    let line = [&["mandatum"], &arguments[..1], &path, &arguments[1..]].concat();
    let cli = Cli::try_parse_from(line).expect("a command line");
    commands::run(cli).await.expect("it ends well")
}

/// What is suggested covers every order that was permitted; limits that are narrower would have stopped some, the same ones none. Scores under
/// the baseline in force are those that were recorded.
async fn is_asked_about_its_past(directory: &tempfile::TempDir) {
    let replayed = command(directory, &["replay"]).await.json;
    assert!(replayed["scores"].as_u64() > Some(100), "{replayed}");
    let suggested = command(directory, &["suggest", "--agent", "arb-1", "--headroom", "5"]).await;
    let file = directory.path().join("limits.toml");
    std::fs::write(&file, &suggested.text).expect("written");
    let whatif = ["whatif", "--agent", "arb-1", "--limits", file.to_str().expect("a path")];
    let same = command(directory, &whatif).await.json;
    assert!(same["permitted"].as_u64() > Some(10), "{same}");
    assert_eq!(
        (&same["stopped_count"], &same["orders"]),
        (&Value::from(0), &same["permitted"]),
        "{same}"
    );
    let mut narrower = suggested.json["limits"].clone();
    narrower["instruments"] = Value::from(vec!["NOT_TRADED"]);
    std::fs::write(&file, narrower.to_string()).expect("written");
    let stopped = command(directory, &whatif).await.json;
    assert_eq!(stopped["stopped_count"], stopped["permitted"], "{stopped}");
    assert_eq!(
        stopped["by_code"]["INSTRUMENT_NOT_ALLOWED"], stopped["orders"],
        "{stopped}"
    );
    assert_eq!(stopped["stopped"][0]["checks"][0]["code"], "INSTRUMENT_NOT_ALLOWED");
}

/// The baselines on record of an agent, as a refusal names them: each would have done to the agent's orders what it did.
async fn is_asked_about_its_baseline(directory: &tempfile::TempDir, agent: &str) -> Value {
    let ledger = directory.path().join("house/ledger");
    let nothing = "0".repeat(64);
    let line = [
        "mandatum",
        "whatif",
        ledger.to_str().expect("a path"),
        "--agent",
        agent,
        "--baseline",
        &nothing,
    ];
    let refused = commands::run(Cli::try_parse_from(line).expect("a command line")).await;
    let refused = refused.expect_err("no such baseline").to_string();
    let digest = refused.rsplit(' ').next().expect("the digests that are on record");
    command(directory, &["whatif", "--agent", agent, "--baseline", digest])
        .await
        .json
}

fn args(directory: &tempfile::TempDir) -> Args {
    Args {
        dir: Some(directory.path().join("house")),
        seed: 3,
        quiet: true,
        ..Args::default()
    }
}

async fn demonstration(change: impl FnOnce(&mut Args)) -> (Report, tempfile::TempDir) {
    let directory = tempfile::tempdir().expect("a folder");
    let mut args = args(&directory);
    change(&mut args);
    (run(&args).await.expect("it runs to its end"), directory)
}

/// Two are stopped by their score, one is warned and ends as its mandate says, the others go on; and what is claimed can be found in
/// the files. The control is the next test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_are_stopped_one_is_warned_the_others_go_on() {
    let (report, directory) = demonstration(|_| ()).await;
    assert_eq!(report.faults, Vec::<String>::new(), "{report}");
    assert_eq!(
        (
            report.revocations,
            report.permits_after_revocation,
            report.orders_without_permit
        ),
        (2, 0, 0)
    );
    assert_eq!(
        report.venue_orders + report.withheld,
        report.permits,
        "every permit was sent or withheld for good, and nothing else"
    );
    for bot in &report.bots {
        let stopped = matches!(bot.fate, Fate::RunsAway | Fate::KeyStolen);
        assert_eq!(bot.audit.revoked_at.is_some(), stopped, "{}", bot.agent);
        assert_eq!(bot.stopped.is_some(), stopped, "{}", bot.agent);
        assert!(bot.audit.permits > 0, "{}", bot.agent);
    }
    for file in [
        "ca/root.pem",
        "ca/issuing.pem",
        "ca/house.pem",
        "crl.der",
        "venue.jsonl",
        "agents/mm-1/certificate.pem",
    ] {
        assert!(directory.path().join("house").join(file).exists(), "{file}");
    }
    is_asked_about_its_past(&directory).await;
    let tried = is_asked_about_its_baseline(&directory, "mm-1").await;
    assert_eq!(tried["revocations"], 1, "{tried}");
    assert_eq!(is_asked_about_its_baseline(&directory, "arb-1").await["revocations"], 0);
}

/// The control: with mandates that only observe scores nobody is stopped or warned, and the report says that this does not hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_scores_only_observed_it_does_not_hold() {
    let (report, directory) = demonstration(|args| args.observe = true).await;
    assert_eq!((report.warnings, report.revocations), (0, 0), "{report}");
    for named in [
        "mm-1 was not stopped",
        "rebalancer-1 was not stopped",
        "accumulator-1 was not warned",
    ] {
        assert!(
            report.faults.iter().any(|fault| fault == named),
            "{named}: {:?}",
            report.faults
        );
    }
    let observed = command(&directory, &["observed", "--agent", "mm-1"]).await;
    assert!(observed.json["would_revoke"].as_u64() > Some(0), "{}", observed.text);
    assert!(
        observed.text.contains("would have revoked: score 0."),
        "{}",
        observed.text
    );
    let quiet = command(&directory, &["observed", "--agent", "arb-1"]).await;
    assert!(
        quiet.text.contains("nothing would have been different"),
        "{}",
        quiet.text
    );
}

/// A recorded stream is replayed after the demonstration's own days, at its own hours, and whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_stream_is_replayed_by_further_bots() {
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("orders.csv");
    let mut text = "agent,at,instrument,side,quantity,price,currency,counterparty,region,label\n".to_owned();
    for hour in 0..20 {
        let side = if hour % 2 == 0 { "buy" } else { "sell" };
        text += &format!(
            "model.x,2025-10-17T{hour:02}:24:14.487Z,SOL_USD,{side},1.5,{},USD,perp_b,eu-west-1,0\n",
            180 + hour
        );
    }
    std::fs::write(&file, text).expect("written");
    let (report, _house) = demonstration(|args| args.orders = Some(file)).await;
    assert_eq!(report.faults, Vec::<String>::new(), "{report}");
    let replayed = report
        .bots
        .iter()
        .find(|bot| bot.fate == Fate::Replays)
        .expect("a further bot");
    assert_eq!(
        (replayed.agent.as_str(), replayed.audit.orders, replayed.audit.permits),
        ("model-x", 20, 20)
    );
}
