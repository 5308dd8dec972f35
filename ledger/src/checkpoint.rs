//! Checkpoints: the signed size and root of the tree after a batch, as C2SP signed notes with Ed25519 (c2sp.org/signed-note,
//! c2sp.org/tlog-checkpoint).

use base64::{Engine, engine::general_purpose::STANDARD};
use extensions::{Digest, SignError};
use thiserror::Error;

use crate::keys::{CheckpointKey, PublicKey};

/// The longest note that is read, in bytes.
pub const LONGEST_NOTE: usize = 4_096;
/// The most signature lines of a note that are read.
const MOST_SIGNATURES: usize = 16;

/// The size and root that a checkpoint speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log: `mandatum/<ledger id>`.
    pub origin: String,
    /// The count of entries.
    pub size: u64,
    /// The root of the tree.
    pub root: Digest,
}

/// A parsed signed note: the checkpoint and its signatures, not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed.
    pub checkpoint: Checkpoint,
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    name: String,
    key_id: [u8; 4],
    bytes: Vec<u8>,
}

/// Why a text is not a checkpoint, or not signed by a key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Not the form of a signed note with a checkpoint.
    #[error("not a signed checkpoint: {0}")]
    Malformed(&'static str),
    /// No signature line names the key.
    #[error("carries no signature by the key {0}")]
    NotSigned(String),
    /// A signature line names the key, and the signature is wrong.
    #[error("the signature by the key {0} is wrong")]
    WrongSignature(String),
}

impl Checkpoint {
    /// The signed text: origin, size and root, a line each.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }

    /// The signed note.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn sign(&self, key: &CheckpointKey) -> Result<String, SignError> {
        let text = self.text();
        let mut signature = key.public().key_id(key.name()).to_vec();
        signature.extend(key.sign(text.as_bytes())?);
        Ok(format!(
            "{text}\n\u{2014} {} {}\n",
            key.name(),
            STANDARD.encode(signature)
        ))
    }
}

impl Note {
    /// Reads a signed note.
    ///
    /// # Errors
    /// When the text has another form.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        if note.len() > LONGEST_NOTE {
            return Err(NoteError::Malformed("longer than 4,096 bytes"));
        }
        let end = note
            .find("\n\n")
            .ok_or(NoteError::Malformed("no blank line before the signatures"))?
            + 1;
        let (text, tail) = (&note[..end], &note[end + 1..]);
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(NoteError::Malformed("fewer than three lines"));
        };
        let size = size.parse::<u64>().ok().filter(|number| number.to_string() == size);
        let checkpoint = Checkpoint {
            origin: origin.to_owned(),
            size: size.ok_or(NoteError::Malformed("the second line is no size"))?,
            root: decode_root(root).ok_or(NoteError::Malformed("the third line is no root"))?,
        };
        if checkpoint.text() != text {
            return Err(NoteError::Malformed("more than origin, size and root"));
        }
        if tail.is_empty() || !tail.ends_with('\n') || tail.lines().count() > MOST_SIGNATURES {
            return Err(NoteError::Malformed("no signatures, or more than 16"));
        }
        let signatures = tail.lines().map(signature).collect::<Option<Vec<_>>>();
        let signatures = signatures.ok_or(NoteError::Malformed("a signature line has another form"))?;
        Ok(Self {
            checkpoint,
            text: text.to_owned(),
            signatures,
        })
    }

    /// The names and key ids of the signatures.
    pub fn signers(&self) -> impl Iterator<Item = (&str, [u8; 4])> {
        self.signatures
            .iter()
            .map(|signature| (signature.name.as_str(), signature.key_id))
    }

    /// Verifies the signature by `key` under `name`.
    ///
    /// # Errors
    /// When there is none, or it is wrong.
    pub fn verify(&self, name: &str, key: &PublicKey) -> Result<&Checkpoint, NoteError> {
        let id = key.key_id(name);
        let signature = self.signatures.iter().find(|one| one.name == name && one.key_id == id);
        let signature = signature.ok_or_else(|| NoteError::NotSigned(name.to_owned()))?;
        if key.verify(self.text.as_bytes(), &signature.bytes) {
            Ok(&self.checkpoint)
        } else {
            Err(NoteError::WrongSignature(name.to_owned()))
        }
    }
}

fn decode_root(line: &str) -> Option<Digest> {
    Some(Digest(STANDARD.decode(line).ok()?.try_into().ok()?))
}

fn signature(line: &str) -> Option<Signature> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(encoded).ok()?;
    let (key_id, bytes) = bytes.split_first_chunk::<4>()?;
    (!name.is_empty() && bytes.len() == 64).then(|| Signature {
        name: name.to_owned(),
        key_id: *key_id,
        bytes: bytes.to_vec(),
    })
}

/// Fuzz target: any bytes are a note or a clear error.
pub fn fuzz_note(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Note::parse(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::EphemeralKey;

    fn signed() -> (CheckpointKey, String) {
        let key = CheckpointKey::ephemeral("house-1", "gateway-1");
        let checkpoint = Checkpoint {
            origin: "mandatum/house-1".into(),
            size: 7,
            root: Digest::of(b"root"),
        };
        let note = checkpoint.sign(&key).expect("signs");
        (key, note)
    }

    #[test]
    fn a_note_round_trips_and_verifies() {
        let (key, note) = signed();
        let parsed = Note::parse(&note).expect("parses");
        assert_eq!(parsed.verify(key.name(), key.public()).expect("verifies").size, 7);
        let other = EphemeralKey::generate().expect("random");
        let other = CheckpointKey::new("house-1", "gateway-1", std::sync::Arc::new(other)).expect("Ed25519");
        assert!(matches!(
            parsed.verify(other.name(), other.public()),
            Err(NoteError::NotSigned(_))
        ));
    }

    /// Control: each changed byte of a note is refused, as malformed or as badly signed.
    #[test]
    fn every_changed_byte_is_refused() {
        let (key, note) = signed();
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let verdict = Note::parse(&text).and_then(|note| note.verify(key.name(), key.public()).cloned());
            assert!(verdict.is_err(), "byte {at} of {text:?}");
        }
    }

    /// The key id of C2SP signed notes, against a value worked out apart:
    /// SHA-256("example.com/log" ‖ 0x0A ‖ 0x01 ‖ 32 zero bytes).
    #[test]
    fn key_id_follows_the_format() {
        let mut parts = b"example.com/log".to_vec();
        parts.extend([0x0a, 0x01]);
        parts.extend([0; 32]);
        assert_eq!(PublicKey([0; 32]).key_id("example.com/log"), Digest::of(&parts).0[..4]);
    }
}
