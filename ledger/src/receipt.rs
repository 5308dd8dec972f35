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
    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};
    use serde_json::value::RawValue;

    /// An entry is canonical JSON, full of quotation marks: they are escaped in one pass here.
    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let text = std::str::from_utf8(bytes).map_err(S::Error::custom)?;
        if text.bytes().any(|byte| byte < b' ') {
            return serializer.serialize_str(text);
        }
        let mut escaped = Vec::with_capacity(bytes.len() + bytes.len() / 4 + 2);
        escaped.push(b'"');
        for byte in bytes {
            if matches!(byte, b'"' | b'\\') {
                escaped.push(b'\\');
            }
            escaped.push(*byte);
        }
        escaped.push(b'"');
        let escaped = String::from_utf8(escaped).map_err(S::Error::custom)?;
        RawValue::from_string(escaped)
            .map_err(S::Error::custom)?
            .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        String::deserialize(deserializer).map(String::into_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entry is escaped by our own pass: what is read back is what was written, byte for byte, and the spelling is serde_json's.
    #[test]
    fn an_entry_is_escaped_as_any_text() {
        let texts = [
            r#"{"a":"b\"c\\d","e":[1]}"#,
            "",
            "plain",
            "\u{e9}\u{20ac}\"",
            "a\nb\u{1}\"",
        ];
        for text in texts {
            let receipt = Receipt {
                checkpoint: "note".into(),
                entry: text.into(),
                index: 3,
                proof: vec![Digest::of(b"x")],
            };
            let written = serde_json::to_string(&receipt).expect("JSON");
            let plain = serde_json::to_string(text).expect("JSON");
            assert!(written.contains(&format!("\"entry\":{plain},")), "{written}");
            assert_eq!(serde_json::from_str::<Receipt>(&written).expect("reads"), receipt);
            let value = serde_json::to_value(&receipt).expect("a value");
            assert_eq!(value["entry"], text);
        }
    }
}
