//! `export`: the record as one file of text that an auditor takes away.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use ::ledger::{
    export::export_directory,
    verify::{Options, verify_export},
};
use clap::Args;
use serde_json::json;

use super::{
    House, progress,
    report::{Exit, Failure, Report},
};

/// Write the whole record to one file, for an auditor: every entry and checkpoint, up to the checkpoint found at its start.
///
/// Reads beside a running server. Sealed texts are left out unless they are asked for. The file is verified when it is written.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --dir house export --to audit.txt\n  mandatum export /media/copy/ledger --to audit.txt\n  mandatum verify audit.txt --key BASE64"
)]
pub(super) struct Export {
    /// The ledger's folder; the house's own when absent.
    ledger: Option<PathBuf>,
    /// The file to make; never written over. Readable by its owner alone.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// With the sealed texts, as far as they are not erased: personal data.
    #[arg(long)]
    texts: bool,
}

pub(super) async fn export(house: &House, command: Export) -> anyhow::Result<Report> {
    let ledger = match command.ledger {
        Some(ledger) => ledger,
        None => house.config()?.paths.ledger,
    };
    let to = command.to;
    let file = create(&to)?;
    let written = write(&ledger, command.texts, file).await;
    let entries = written.inspect_err(|_| {
        // Half an export is none.
        let _ = fs::remove_file(&to);
    })?;
    let report = verify_export(&to, Options::default()).map_err(|fault| Failure {
        exit: Exit::Unverified,
        message: format!("written to {}, and it does not verify: {fault}", to.display()),
        answer: Some(json!({ "ok": false, "place": fault.place.to_string(), "reason": fault.reason, "to": to })),
    })?;
    let text = format!(
        "{} holds {report}\nThe auditor holds it against the root key with `mandatum verify {} --key LEDGER-ROOT`.",
        to.display(),
        to.display()
    );
    let json = json!({ "entries": entries, "ok": true, "root": report.root, "texts": command.texts, "to": to });
    Ok(Report::new(text, json))
}

fn create(to: &Path) -> Result<File, Failure> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
    file.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let message = format!("--to {} is there already; name a new file", to.display());
            Failure::new(Exit::Usage, message)
        }
        _ => Failure::new(Exit::Failed, format!("cannot write {}: {error}", to.display())),
    })
}

async fn write(ledger: &Path, texts: bool, file: File) -> anyhow::Result<u64> {
    let bar = progress::counting("lines written");
    let mut out = progress::Lines::new(BufWriter::new(file), &bar);
    let written = export_directory(ledger, texts, &mut out).await;
    bar.finish_and_clear();
    let entries = written.map_err(|fault| {
        let message = format!("{} cannot be exported: {fault}", ledger.display());
        Failure::new(Exit::Failed, message)
    })?;
    let mut out = out.into_inner();
    out.flush()?;
    out.get_ref().sync_all()?;
    Ok(entries)
}
