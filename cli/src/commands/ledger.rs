//! `verify`, `rebuild`, `adopt-head`, `erase`.

use std::sync::Arc;

use ::ledger::{
    Ledger, LedgerError,
    verify::{Options, signatures::Audit, verify_directory},
};
use clap::Args;
use extensions::Digest;
use serde_json::json;

use super::{
    House, progress,
    record::{self, Source},
    report::{Exit, Failure, Report},
};
use crate::{clock::SystemClock, founding};

/// Check every entry, every stream's numbering, every checkpoint, every sealed text, the agents' states, and the signatures of officers
/// and bots, offline.
///
/// Needs public keys alone. Reads beside a running server, up to the checkpoint found at its start.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --dir house verify\n  mandatum verify /media/copy/ledger --key BASE64\n  mandatum verify export.jsonl --key BASE64"
)]
pub(super) struct Verify {
    #[command(flatten)]
    source: Source,
}

pub(super) async fn verify(house: &House, command: Verify) -> anyhow::Result<Report> {
    let mut audit = Audit::default();
    let report = record::read(house, command.source, "entries checked", &mut audit).await?;
    let signed = audit.signatures.counts();
    let json = json!({
        "bot_signatures_checked": signed.bots,
        "bot_signatures_erased": signed.bots_erased,
        "bot_signatures_left_out": signed.bots_left_out,
        "checkpoints": report.checkpoints,
        "entries": report.entries,
        "epoch": report.epoch,
        "head_file_checked": report.head_file_checked,
        "late": report.late,
        "ledger": report.ledger_id,
        "officer_signatures_checked": signed.officers,
        "ok": true,
        "root": report.root,
        "signed_decisions_checked": signed.decisions,
        "state_digests_checked": audit.states.compared(),
        "root_key_given": report.root_was_given,
        "streams": report.streams,
        "texts_checked": report.texts_checked,
        "texts_erased": report.texts_erased,
    });
    let text = format!(
        "verified: {report}; {} state digests; {} officers' signatures, {} decisions that needed them; {} bots' signatures, {} erased and {} left out, not checked",
        audit.states.compared(),
        signed.officers,
        signed.decisions,
        signed.bots,
        signed.bots_erased,
        signed.bots_left_out
    );
    Ok(Report::new(text, json))
}

async fn opened(config: ::ledger::Config) -> anyhow::Result<Ledger> {
    Ledger::open(config).await.map_err(|error| match error {
        LedgerError::InUse(_) => Failure::new(Exit::Unavailable, error.to_string()).into(),
        other => anyhow::Error::from(other),
    })
}

/// Believe the store as it is, after the disk of the head file was lost.
///
/// Without the head file nothing here tells the newest store from an older copy. Convince yourself first: `mandatum verify` prints
/// the store's size and root, and the newest receipts of the bots must stand in it (`mandatum receipt verify`).
#[derive(Debug, Args)]
pub(super) struct AdoptHead {
    /// The root that `verify` printed: what you have convinced yourself of.
    #[arg(long, value_name = "ROOT", value_parser = super::digest)]
    root: Digest,
}

pub(super) async fn adopt_head(house: &House, command: AdoptHead) -> anyhow::Result<Report> {
    let paths = house.config()?.paths;
    if paths.head.exists() {
        let message = format!(
            "{} is there: a head file that the store contradicts is never adopted over; see `mandatum verify`",
            paths.head.display()
        );
        return Err(Failure::new(Exit::Refused, message).into());
    }
    let verified = verify_directory(&paths.ledger, Options::default()).await;
    let report = verified.map_err(|fault| Failure::new(Exit::Unverified, format!("does not verify: {fault}")))?;
    if report.root != command.root {
        let message = format!(
            "the store has {} entries and the root {}, not {}: nothing was adopted",
            report.entries, report.root, command.root
        );
        return Err(Failure::new(Exit::Refused, message).into());
    }
    // Closing it in order writes the head file.
    let mut config = founding::ledger_config(&house.config()?, Arc::new(SystemClock));
    config.adopt_head = true;
    opened(config).await?.close().await?;
    let text = format!(
        "{} now holds the store of {} entries to its root",
        paths.head.display(),
        report.entries
    );
    Ok(Report::new(
        text,
        json!({ "entries": report.entries, "head": paths.head, "root": report.root }),
    ))
}

pub(super) async fn rebuild(house: &House) -> anyhow::Result<Report> {
    let config = house.config()?;
    let ledger = opened(founding::ledger_config(&config, Arc::new(SystemClock))).await?;
    let bar = progress::working("making the views again");
    let rebuilt = ledger.rebuild().await;
    bar.finish_and_clear();
    let entries = rebuilt?;
    ledger.close().await?;
    Ok(Report::new(
        format!("views made again from {entries} entries"),
        json!({ "entries": entries }),
    ))
}

/// Destroy the keys under which a subject's texts are sealed.
#[derive(Debug, Args)]
pub(super) struct Erase {
    /// agent:ID, officer:ID or owner:ID.
    #[arg(long)]
    subject: String,
    /// Why; recorded.
    #[arg(long)]
    reason: String,
}

pub(super) async fn erase(house: &House, command: Erase) -> anyhow::Result<Report> {
    let body = json!({ "reason": command.reason, "subject": command.subject });
    let answer = house.officer()?.post("/v1/erase", &body).await?;
    let text = format!(
        "{} keys destroyed; every proof still verifies",
        answer["keys_destroyed"]
    );
    Ok(Report::new(text, answer))
}
