//! The demonstration is held to what it claims, in process, with a house of its own each time.

use mandatum::demo::{Args, Fate, Report, run};

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
        report.venue_orders, report.permits,
        "every permit was sent, and nothing else"
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
}

/// The control: with mandates that only observe scores nobody is stopped or warned, and the report says that this does not hold.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_scores_only_observed_it_does_not_hold() {
    let (report, _directory) = demonstration(|args| args.observe = true).await;
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
