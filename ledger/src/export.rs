//! The export an auditor gets: one text file, a line each, that a person and a short script can read and `verify` holds against public keys.
//!
//! `entry <leaf hash> <entry bytes>` · `text <ordinal> <commitment> <JSON, or "erased">` behind the entry it belongs to ·
//! `checkpoint <JSON string of the signed note>` behind the last entry it signs.

use std::{
    io::{self, Write},
    path::Path,
};

use extensions::{Digest, record::SealedText};

use crate::{
    ledger::{Ledger, LedgerError},
    store::MOST_READ,
    tree,
    verify::{Fault, Place, StoreReader},
};

/// One line of an export.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// An entry.
    Entry {
        /// Its leaf hash.
        leaf: Digest,
        /// Its canonical bytes.
        bytes: &'a [u8],
    },
    /// A checkpoint over everything before it.
    Checkpoint {
        /// The signed note.
        note: String,
    },
    /// A text of the entry before it.
    Text {
        /// Its place among the entry's texts.
        ordinal: u64,
        /// What the entry holds.
        commitment: Digest,
        /// Salt, subject and text; `None` when erased or redacted.
        text: Option<(Digest, String, String)>,
    },
}

/// Reads one line, its newline included.
#[must_use]
pub fn parse_line(line: &[u8]) -> Option<Line<'_>> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (word, rest) = text.split_once(' ')?;
    match word {
        "entry" => {
            let (leaf, entry) = rest.split_once(' ')?;
            Some(Line::Entry {
                leaf: Digest::parse(leaf)?,
                bytes: entry.as_bytes(),
            })
        }
        "checkpoint" => Some(Line::Checkpoint {
            note: serde_json::from_str(rest).ok()?,
        }),
        "text" => {
            let mut parts = rest.splitn(3, ' ');
            let ordinal = parts.next()?.parse().ok()?;
            let commitment = Digest::parse(parts.next()?)?;
            let text = match parts.next()? {
                "erased" => None,
                json => Some(serde_json::from_str(json).ok()?),
            };
            Some(Line::Text {
                ordinal,
                commitment,
                text,
            })
        }
        _ => None,
    }
}

/// Writes one line, its newline included.
fn write_line(line: &Line<'_>, out: &mut (dyn Write + Send)) -> io::Result<()> {
    match line {
        Line::Entry { leaf, bytes } => {
            write!(out, "entry {leaf} ")?;
            out.write_all(bytes)?;
            out.write_all(b"\n")
        }
        Line::Checkpoint { note } => writeln!(out, "checkpoint {}", serde_json::to_string(note)?),
        Line::Text {
            ordinal,
            commitment,
            text,
        } => {
            let json = text.as_ref().map_or(Ok("erased".to_owned()), serde_json::to_string)?;
            writeln!(out, "text {ordinal} {commitment} {json}")
        }
    }
}

/// Fuzz target: any bytes are a line or not.
pub fn fuzz_line(data: &[u8]) {
    let _ = parse_line(data);
}

fn io(error: io::Error) -> LedgerError {
    LedgerError::Io {
        what: "writing the export",
        reason: error.to_string(),
    }
}

/// Subjects whose texts are secrets of the house, not anybody's words: no export holds them.
const SECRET_SUBJECTS: &str = "webhook:";

/// Writes the whole log up to the checkpoint found at the start. Texts are left out (redacted) unless `with_texts`; secrets always.
///
/// # Errors
/// When the database or `out` fails.
pub async fn export(ledger: &Ledger, with_texts: bool, out: &mut (dyn Write + Send)) -> Result<u64, LedgerError> {
    let size = ledger.head().size;
    let (mut position, mut signed) = (0, 0);
    while position < size {
        let limit = usize::try_from(size - position).unwrap_or(MOST_READ).min(MOST_READ);
        for entry in ledger.read_range(position, limit).await? {
            if position == signed {
                signed = ledger.batch_end(position).await?.0;
            }
            let line = Line::Entry {
                leaf: tree::leaf_hash(&entry.bytes),
                bytes: &entry.bytes,
            };
            write_line(&line, out).map_err(io)?;
            if with_texts {
                for (ordinal, commitment, text) in ledger.texts(position).await? {
                    let secret = |text: &SealedText| text.subject.starts_with(SECRET_SUBJECTS);
                    if text.as_ref().is_some_and(secret) {
                        continue;
                    }
                    let line = Line::Text {
                        ordinal,
                        commitment,
                        text: text.map(|text| (Digest(text.salt), text.subject, text.text)),
                    };
                    write_line(&line, out).map_err(io)?;
                }
            }
            position += 1;
            if position == signed {
                let note = ledger.batch_end(position - 1).await?.1.to_string();
                write_line(&Line::Checkpoint { note }, out).map_err(io)?;
            }
        }
    }
    out.flush().map_err(io)?;
    Ok(position)
}

/// Writes the log that lies in `directory` as [`export`] does, read-only, beside the server that may write to it. Nothing is verified on the way:
/// hold the result against public keys with [`verify_export`](crate::verify::verify_export).
///
/// # Errors
/// When the store or `out` fails, or an entry or a checkpoint is missing.
pub async fn export_directory(directory: &Path, with_texts: bool, out: &mut (dyn Write + Send)) -> Result<u64, Fault> {
    let unwritten = |error: io::Error| Fault::new(Place::Source, format!("writing the export: {error}"));
    let mut store = StoreReader::open(directory).await?;
    let size = store.head().await?.size;
    let mut position = 0;
    while position < size {
        let Some(page) = store.batches(position, size).await? else {
            return Err(Fault::new(Place::Entry(position), "no checkpoint signs it"));
        };
        position = store.lines(&page, with_texts, |line| write_line(&line, out).map_err(unwritten))?;
    }
    out.flush().map_err(unwritten)?;
    Ok(position)
}
