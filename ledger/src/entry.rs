//! The canonical bytes of an entry: what is hashed, proven, exported and read for ever.
//!
//! `{"at","body","epoch","kind"[,"late"],"number","stream","writer"}`, RFC 8785. The producer gives the body, the store completes
//! number and epoch inside the transaction; `recorded_at` is not part of it.

use std::{borrow::Cow, ops::Range, sync::Arc};

use extensions::{StreamId, Timestamp, canonical};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::append::CommittedEntry;

/// The longest entry, in bytes.
pub const LONGEST_ENTRY: usize = 262_144;

/// An entry before it has its number.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) at: Timestamp,
    pub(crate) body: Vec<u8>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) late: bool,
    pub(crate) stream: StreamId,
    pub(crate) gating: bool,
}

impl Draft {
    /// The entry at `position`, with its bytes.
    pub(crate) fn complete(&self, position: u64, number: u64, epoch: u64, writer: &Arc<str>) -> CommittedEntry {
        let kind = self.kind.as_ref();
        let mut bytes = Vec::with_capacity(self.body.len() + 200);
        bytes.extend_from_slice(b"{\"at\":\"");
        push(&mut bytes, &self.at);
        bytes.extend_from_slice(b"\",\"body\":");
        let start = bytes.len();
        bytes.extend_from_slice(&self.body);
        let body = start..bytes.len();
        bytes.extend_from_slice(b",\"epoch\":");
        push(&mut bytes, &epoch);
        bytes.extend_from_slice(b",\"kind\":\"");
        bytes.extend_from_slice(kind.as_bytes());
        bytes.extend_from_slice(if self.late {
            b"\",\"late\":true,\"number\":"
        } else {
            b"\",\"number\":"
        });
        push(&mut bytes, &number);
        bytes.extend_from_slice(b",\"stream\":\"");
        push(&mut bytes, &self.stream);
        bytes.extend_from_slice(b"\",\"writer\":\"");
        bytes.extend_from_slice(writer.as_bytes());
        bytes.extend_from_slice(b"\"}");
        CommittedEntry {
            position,
            stream: self.stream.clone(),
            number,
            epoch,
            kind: Arc::from(kind),
            at: self.at,
            late: self.late,
            id: None,
            recorded_at: Timestamp::EPOCH,
            writer: Arc::clone(writer),
            bytes: bytes.into(),
            body,
        }
    }
}

fn push(out: &mut Vec<u8>, value: &dyn std::fmt::Display) {
    use std::io::Write;
    write!(out, "{value}").expect("a vector takes what is written to it");
}

/// Why bytes are not an entry.
#[derive(Debug, Error)]
pub enum EntryError {
    /// Longer than [`LONGEST_ENTRY`].
    #[error("{0} bytes long, more than the {LONGEST_ENTRY} an entry may have")]
    TooLong(usize),
    /// Not the JSON of an entry.
    #[error("not the JSON of an entry: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// The JSON of an entry, but not in its one canonical spelling.
    #[error("not in canonical form (RFC 8785)")]
    NotCanonical,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form<'a> {
    at: Timestamp,
    #[serde(borrow)]
    body: &'a RawValue,
    epoch: u64,
    kind: &'a str,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    late: bool,
    number: u64,
    stream: StreamId,
    writer: &'a str,
}

/// Reads the bytes of an entry that stands at `position`. Checks the form of everything around the body; [`is_canonical`] checks the rest.
///
/// # Errors
/// When the bytes are too long, not JSON, or another JSON than an entry's.
pub fn parse(position: u64, bytes: &[u8]) -> Result<CommittedEntry, EntryError> {
    if bytes.len() > LONGEST_ENTRY {
        return Err(EntryError::TooLong(bytes.len()));
    }
    let form: Form<'_> = serde_json::from_slice(bytes)?;
    let body = range_of(form.body.get(), bytes).ok_or(EntryError::NotCanonical)?;
    let mut again = Vec::with_capacity(bytes.len());
    canonical::write_presorted(&form, &mut again);
    if again != bytes {
        return Err(EntryError::NotCanonical);
    }
    Ok(CommittedEntry {
        position,
        stream: form.stream,
        number: form.number,
        epoch: form.epoch,
        kind: form.kind.into(),
        at: form.at,
        late: form.late,
        id: None,
        recorded_at: Timestamp::EPOCH,
        writer: form.writer.into(),
        bytes: bytes.into(),
        body,
    })
}

/// Whether the whole entry, body included, is in its one canonical spelling.
#[must_use]
pub fn is_canonical(entry: &CommittedEntry) -> bool {
    serde_json::from_slice::<serde_json::Value>(entry.body())
        .is_ok_and(|body| !has_floats(&body) && canonical::to_vec(&body) == entry.body())
}

fn has_floats(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Number(number) => !number.is_i64() && !number.is_u64(),
        Value::Array(values) => values.iter().any(has_floats),
        Value::Object(members) => members.values().any(has_floats),
        _ => false,
    }
}

fn range_of(part: &str, whole: &[u8]) -> Option<Range<usize>> {
    let start = (part.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
    let range = start..start + part.len();
    (whole.get(range.clone())? == part.as_bytes()).then_some(range)
}

/// Fuzz target: any bytes are an entry or a clear error.
pub fn fuzz_entry(data: &[u8]) {
    if let Ok(entry) = parse(0, data) {
        let _ = is_canonical(&entry);
    }
}
