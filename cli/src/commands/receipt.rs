//! `receipt`: one entry with the proof that it stands in the record, got from the server and checked without it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ::ledger::{
    CheckpointKeyAuthorised, PublicKey, Receipt, entry,
    keys::key_name,
    verify::{Options, verify_directory, verify_export},
    verify_receipt,
};
use anyhow::Context;
use clap::{Args, Subcommand};
use extensions::canonical;
use serde_json::{Value, json};

use super::{
    House,
    report::{Exit, Failure, Report},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The entry at a position with its receipt.
    Show {
        /// The position in the record, from 0.
        position: u64,
    },
    /// Check a receipt: the entry, its place, the checkpoint's signature, and whose key that is.
    Verify(Verify),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  mandatum --dir house receipt verify answer.json --key LEDGER-ROOT\n  mandatum receipt verify answer.json --against audit.txt --key LEDGER-ROOT\n  mandatum receipt verify answer.json --authorised key.json --key LEDGER-ROOT"
)]
pub(super) struct Verify {
    /// A receipt, or an answer that holds one under `receipt`.
    file: PathBuf,
    /// The ledger root public key, got apart from the ledger.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Without the ledger: the receipt of the entry `checkpoint_key.authorised` of the receipt's writer. Needs --key.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "against")]
    authorised: Option<PathBuf>,
    /// The ledger's folder, or an export, in which it must stand; the house's own when absent.
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
}

pub(super) async fn run(house: &House, command: Command) -> anyhow::Result<Report> {
    match command {
        Command::Show { position } => {
            let path = format!("/v1/entries/{position}");
            Ok(Report::of_json(house.officer()?.get(&path).await?))
        }
        Command::Verify(command) => verify(house, command).await,
    }
}

async fn verify(house: &House, command: Verify) -> anyhow::Result<Report> {
    let receipt = read(&command.file)?;
    let root = command.key.as_deref().map(|text| {
        PublicKey::parse(text)
            .ok_or_else(|| Failure::new(Exit::Usage, "--key: expected an Ed25519 public key in base64"))
    });
    let root = root.transpose()?;
    let keys = match (&command.authorised, root) {
        (Some(authorised), Some(root)) => vec![authorisation(&read(authorised)?, &root)?],
        _ => {
            let path = match command.against {
                Some(path) => path,
                None => house.config()?.paths.ledger,
            };
            in_ledger(&path, root, &receipt).await?
        }
    };
    let (kind, stream, number) = held(&receipt, &keys)?;
    let text = format!(
        "verified: entry {} is {kind}, number {number} of {stream}",
        receipt.index
    );
    let json = json!({
        "index": receipt.index, "kind": kind, "number": number, "ok": true, "root_key_given": root.is_some(), "stream": stream,
    });
    Ok(Report::new(text, json))
}

fn wrong(message: impl Into<String>) -> Failure {
    let message = message.into();
    Failure {
        exit: Exit::Unverified,
        answer: Some(json!({ "ok": false, "reason": message })),
        message: format!("does not verify: {message}"),
    }
}

fn read(file: &Path) -> anyhow::Result<Receipt> {
    let named = || format!("cannot read a receipt from {}", file.display());
    let text = std::fs::read(file).with_context(named)?;
    let mut value: Value = serde_json::from_slice(&text).with_context(named)?;
    if value.get("receipt").is_some() {
        value = value["receipt"].take();
    }
    serde_json::from_value(value).with_context(named)
}

/// The key that an authorisation names, when the root key signed it. The receipt it comes in is not needed for that.
fn authorisation(of: &Receipt, root: &PublicKey) -> Result<CheckpointKeyAuthorised, Failure> {
    let entry = entry::parse(of.index, &of.entry).map_err(|error| wrong(error.to_string()))?;
    let authorised: CheckpointKeyAuthorised = canonical::from_slice(entry.body())
        .map_err(|_| wrong("--authorised holds no entry checkpoint_key.authorised"))?;
    if authorised.is_signed_by(&authorised.ledger_id, root) {
        Ok(authorised)
    } else {
        Err(wrong(
            "the root key did not sign the authorisation of this checkpoint key",
        ))
    }
}

/// Verifies the whole record, finds the entry in it octet for octet, and gives every key that was authorised.
async fn in_ledger(
    path: &Path,
    root: Option<PublicKey>,
    receipt: &Receipt,
) -> anyhow::Result<Vec<CheckpointKeyAuthorised>> {
    let (mut keys, mut stands) = (Vec::new(), false);
    let mut fold = |entry: &::ledger::CommittedEntry| {
        if &*entry.kind == CheckpointKeyAuthorised::KIND {
            keys.extend(canonical::from_slice::<CheckpointKeyAuthorised>(entry.body()).ok());
        }
        stands |= entry.position == receipt.index && entry.bytes[..] == receipt.entry[..];
        Ok::<(), String>(())
    };
    let options = Options {
        ledger_root: root,
        head_file: None,
        fold: Some(&mut fold),
    };
    let verified = if path.is_dir() {
        verify_directory(path, options).await
    } else {
        verify_export(path, options)
    };
    verified.map_err(|fault| wrong(format!("{}: {fault}", path.display())))?;
    if stands {
        return Ok(keys);
    }
    let message = format!(
        "the record in {} has another entry at {}, or none: it was written anew, or is older than the receipt",
        path.display(),
        receipt.index
    );
    Err(wrong(message).into())
}

/// Holds the receipt to the keys of its writers: one of them must have signed its checkpoint.
fn held(receipt: &Receipt, keys: &[CheckpointKeyAuthorised]) -> Result<(String, String, u64), Failure> {
    let mut reasons = BTreeSet::new();
    for key in keys {
        let name = key_name(&key.ledger_id, &key.writer);
        match verify_receipt(receipt, &key.ledger_id, &name, &key.key) {
            Ok((entry, _)) => return Ok((entry.kind.to_string(), entry.stream.to_string(), entry.number)),
            Err(error) => drop(reasons.insert(error.to_string())),
        }
    }
    let reasons: Vec<String> = reasons.into_iter().collect();
    Err(wrong(reasons.join("; ")))
}
