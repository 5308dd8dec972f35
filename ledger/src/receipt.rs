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

impl Receipt {
    /// Appends the receipt as JSON, byte for byte as its `Serialize` writes it: every permitted order's answer carries one, and an entry is canonical
    /// JSON, full of quotation marks.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.reserve(self.checkpoint.len() + self.entry.len() * 5 / 4 + self.proof.len() * 68 + 64);
        out.extend_from_slice(b"{\"checkpoint\":");
        write_text(self.checkpoint.as_bytes(), out);
        out.extend_from_slice(b",\"entry\":");
        write_text(&self.entry, out);
        out.extend_from_slice(b",\"index\":");
        out.extend_from_slice(self.index.to_string().as_bytes());
        out.extend_from_slice(b",\"proof\":[");
        for (at, digest) in self.proof.iter().enumerate() {
            let comma: &[u8] = if at == 0 { b"\"" } else { b",\"" };
            out.extend_from_slice(comma);
            out.extend_from_slice(&digest.text());
            out.push(b'"');
        }
        out.extend_from_slice(b"]}");
    }
}

/// A text as JSON. Both texts of a receipt are UTF-8 by construction; the only control character they hold is the line feed of a note.
fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    // What needs no escape is copied in runs.
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' ')) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            byte @ 0..b' ' => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            byte => out.extend_from_slice(&[b'\\', byte]),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Our own pass spells every receipt as serde_json does, and what is read back is what was written.
    #[test]
    fn an_entry_is_escaped_as_any_text() {
        let texts = [
            r#"{"a":"b\"c\\d","e":[1]}"#,
            "",
            "plain",
            "\u{e9}\u{20ac}\"",
            "a\nb\u{2}\u{1f}\"",
        ];
        for text in texts {
            let receipt = Receipt {
                checkpoint: "origin\n7\n\n\u{2014} key AbC+/=\n".into(),
                entry: text.into(),
                index: 3,
                proof: vec![Digest::of(b"x"), Digest::of(b"y")],
            };
            let mut written = Vec::new();
            receipt.write_json(&mut written);
            let written = String::from_utf8(written).expect("UTF-8");
            assert_eq!(written, serde_json::to_string(&receipt).expect("JSON"));
            assert_eq!(serde_json::from_str::<Receipt>(&written).expect("reads"), receipt);
            let value = serde_json::to_value(&receipt).expect("a value");
            assert_eq!(value["entry"], text);
        }
    }
}
