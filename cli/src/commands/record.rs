//! Reading a record from beginning to end, verified as it is read, into a fold: what `verify`, `replay`, `whatif`, `suggest` and
//! `observed` have in common.

use std::path::PathBuf;

use ::ledger::{
    PublicKey,
    verify::{Fault, Fold, Options, Report, verify_directory, verify_export},
};
use clap::Args;
use serde_json::json;

use super::{
    House, progress,
    report::{Exit, Failure},
};

/// Which record is read.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The ledger's folder, or an export; the house's own when absent.
    path: Option<PathBuf>,
    /// The ledger root public key, got apart from the ledger (the ceremony's transcript shows it).
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// The head file, against a rolled-back store; the house's own when no path is given.
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
}

/// Reads the record through `fold`. What does not verify is a failure with [`Exit::Unverified`] that names the place.
pub(super) async fn read(
    house: &House,
    source: Source,
    counted: &'static str,
    fold: &mut dyn Fold,
) -> anyhow::Result<Report> {
    let (path, head) = match source.path {
        Some(path) => (path, source.head),
        None => {
            let paths = house.config()?.paths;
            (paths.ledger, Some(source.head.unwrap_or(paths.head)))
        }
    };
    let key = source.key.map(|text| {
        PublicKey::parse(&text)
            .ok_or_else(|| Failure::new(Exit::Usage, "--key: expected an Ed25519 public key in base64"))
    });
    let bar = progress::counting(counted);
    let mut counting = progress::Counted::new(fold, &bar);
    let options = Options {
        ledger_root: key.transpose()?,
        head_file: head.filter(|head| head.exists()),
        fold: Some(&mut counting),
    };
    let verified = if path.is_dir() {
        verify_directory(&path, options).await
    } else {
        verify_export(&path, options)
    };
    bar.finish_and_clear();
    verified.map_err(|fault| unverified(&fault).into())
}

fn unverified(fault: &Fault) -> Failure {
    Failure {
        exit: Exit::Unverified,
        message: format!("does not verify: {fault}"),
        answer: Some(json!({ "ok": false, "place": fault.place.to_string(), "reason": fault.reason })),
    }
}
