//! The receipt a bot gets: entry bytes, inclusion proof and signed checkpoint. It verifies without the ledger.

use extensions::Digest;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    append::CommittedEntry,
    checkpoint::{Checkpoint, Note, NoteError},
    entry::{self, EntryError},
    keys::PublicKey,
    tree,
};

/// One entry with the proof that it is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The signed note.
    pub checkpoint: String,
    /// The entry bytes, as text.
    #[serde(with = "as_text")]
    pub entry: Vec<u8>,
    /// The position in the log, from 0.
    pub index: u64,
    /// The inclusion proof (RFC 9162 §2.1.3).
    pub proof: Vec<Digest>,
}

/// Why a receipt does not verify.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// The checkpoint is not a signed note, or not signed by the key.
    #[error("checkpoint: {0}")]
    Checkpoint(#[from] NoteError),
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the log {0:?}")]
    OtherLog(String),
    /// The proof does not lead from the entry to the checkpoint's root.
    #[error("the inclusion proof does not lead from this entry to the root of the checkpoint")]
    NotIncluded,
    /// The bytes are not an entry.
    #[error("entry: {0}")]
    Entry(#[from] EntryError),
}

/// Verifies `receipt` with the checkpoint key of a writer, whose note name is [`crate::keys::key_name`].
///
/// # Errors
/// When any part does not hold.
pub fn verify_receipt(
    receipt: &Receipt,
    ledger_id: &str,
    key_name: &str,
    key: &PublicKey,
) -> Result<(CommittedEntry, Checkpoint), ReceiptError> {
    let note = Note::parse(&receipt.checkpoint)?;
    let checkpoint = note.verify(key_name, key)?;
    if checkpoint.origin != origin(ledger_id) {
        return Err(ReceiptError::OtherLog(checkpoint.origin.clone()));
    }
    let leaf = tree::leaf_hash(&receipt.entry);
    if !tree::verify_inclusion(&leaf, receipt.index, checkpoint.size, &receipt.proof, &checkpoint.root) {
        return Err(ReceiptError::NotIncluded);
    }
    Ok((entry::parse(receipt.index, &receipt.entry)?, checkpoint.clone()))
}

/// The origin line of a ledger's checkpoints.
#[must_use]
pub fn origin(ledger_id: &str) -> String {
    format!("mandatum/{ledger_id}")
}

mod as_text {
    use serde::{Deserialize, Deserializer, Serializer, ser::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(std::str::from_utf8(bytes).map_err(S::Error::custom)?)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(deserializer).map(String::into_bytes)
    }
}
