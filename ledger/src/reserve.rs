//! The reserve file: where acts that only narrow are recorded when the ledger cannot write (ARCHITECTURE §1).
//!
//! Pre-allocated and synced, so that it works on a full disk. One part for halts, one for cancels; when the cancels' part is full they are only
//! counted. Each record carries an id and its writer's signature; the next start appends them first, marked late.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use extensions::{StreamId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    append::{Expect, Reserved, Task},
    entry::Draft,
    files,
    keys::{CheckpointKey, PublicKey},
    store::Item,
};

/// The part for halts, freezes, revocations: bytes.
pub const HALTS_BYTES: u64 = 256 << 10;
/// The part for cancels: bytes.
pub const CANCELS_BYTES: u64 = 768 << 10;
const HEADER_BYTES: u64 = 4_096;
/// Length and signature before each record.
const FRAME_BYTES: usize = 4 + 64;

/// An open reserve file.
pub(crate) struct Reserve {
    file: File,
    parts: Mutex<[Part; 2]>,
    /// Stream and id of each append kept since the file was emptied: the same one again needs no more room.
    kept: Mutex<HashSet<(StreamId, Arc<str>)>>,
}

#[derive(Clone, Copy)]
struct Part {
    start: u64,
    at: u64,
    end: u64,
    counted: u64,
}

/// One record of the reserve file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    at: Timestamp,
    entries: Vec<Entry>,
    id: String,
    tasks: Vec<ReservedTask>,
    writer: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    body: Box<RawValue>,
    gating: bool,
    kind: String,
    stream: StreamId,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReservedTask {
    due: Timestamp,
    kind: String,
    payload: String,
    role: String,
}

/// What a reserve file held.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    pub(crate) items: Vec<Item>,
    /// Cancels (or halts) that found their part full.
    pub(crate) counted: u64,
    /// Records whose signature does not hold.
    pub(crate) refused: usize,
}

fn is_cancel(item: &Item) -> bool {
    item.drafts.iter().all(|draft| draft.kind.starts_with("order.cancel"))
}

impl Reserve {
    /// Opens the file, making and filling it when it is absent.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        files::grow(path, HEADER_BYTES + HALTS_BYTES + CANCELS_BYTES)?;
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let part = |start, length| Part {
            start,
            at: start,
            end: start + length,
            counted: 0,
        };
        let parts = [
            part(HEADER_BYTES, HALTS_BYTES),
            part(HEADER_BYTES + HALTS_BYTES, CANCELS_BYTES),
        ];
        Ok(Self {
            file,
            parts: Mutex::new(parts),
            kept: Mutex::default(),
        })
    }

    /// Writes one append's records, durable when this returns `Kept`.
    pub(crate) fn keep(&self, item: &Item, key: &CheckpointKey) -> Reserved {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let name = item
            .drafts
            .first()
            .map(|draft| draft.stream.clone())
            .zip(item.id.clone());
        if name.as_ref().is_some_and(|name| kept.contains(name)) {
            return Reserved::Kept;
        }
        let index = usize::from(is_cancel(item));
        let part = &mut parts[index];
        match self.write(part, item, key) {
            Ok(true) => {
                kept.extend(name);
                Reserved::Kept
            }
            Ok(false) | Err(_) => {
                part.counted += 1;
                // The count is a courtesy to the next start: when even this fails there is nothing left to tell it with.
                drop(self.file.write_all_at(&part.counted.to_be_bytes(), 8 * index as u64));
                drop(self.file.sync_data());
                Reserved::Counted
            }
        }
    }

    fn write(&self, part: &mut Part, item: &Item, key: &CheckpointKey) -> io::Result<bool> {
        let record = record(item, key)?;
        let payload = serde_json::to_vec(&record)?;
        let signature = key.sign_reserved(&payload).map_err(io::Error::other)?;
        let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
        let frame = [&length.to_be_bytes()[..], &signature, &payload].concat();
        if part.at + frame.len() as u64 + 4 > part.end {
            return Ok(false);
        }
        self.file.write_all_at(&frame, part.at)?;
        self.file.sync_data()?;
        part.at += frame.len() as u64;
        Ok(true)
    }

    /// Reads what is kept. `key_of` names the authorised keys of a writer. Later records go behind what is there.
    pub(crate) fn contents(&self, key_of: &dyn Fn(&str) -> Vec<PublicKey>) -> io::Result<Contents> {
        let mut contents = Contents::default();
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, part) in parts.iter_mut().enumerate() {
            let mut counted = [0; 8];
            self.file.read_exact_at(&mut counted, 8 * index as u64)?;
            part.counted = u64::from_be_bytes(counted);
            contents.counted += part.counted;
            let mut bytes = vec![0; usize::try_from(part.end - part.start).map_err(io::Error::other)?];
            self.file.read_exact_at(&mut bytes, part.start)?;
            let mut rest = &bytes[..];
            while let Some((signature, payload, behind)) = frame(rest) {
                match item(signature, payload, key_of) {
                    Some(item) => contents.items.push(item),
                    None => contents.refused += 1,
                }
                rest = behind;
            }
            part.at = part.end - rest.len() as u64;
        }
        Ok(contents)
    }

    /// Empties the file, once its entries are durable in the ledger.
    pub(crate) fn clear(&self) -> io::Result<()> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let zeros = vec![0; usize::try_from(HEADER_BYTES + HALTS_BYTES + CANCELS_BYTES).map_err(io::Error::other)?];
        self.file.write_all_at(&zeros, 0)?;
        self.file.sync_data()?;
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        for part in parts.iter_mut() {
            (part.at, part.counted) = (part.start, 0);
        }
        Ok(())
    }
}

fn record(item: &Item, key: &CheckpointKey) -> io::Result<Record> {
    let entry = |draft: &Draft| {
        let body = String::from_utf8(draft.body.clone()).map_err(io::Error::other)?;
        Ok::<_, io::Error>(Entry {
            body: RawValue::from_string(body)?,
            gating: draft.gating,
            kind: draft.kind.to_string(),
            stream: draft.stream.clone(),
        })
    };
    let task = |task: &Task| ReservedTask {
        due: task.due,
        kind: task.kind.clone(),
        payload: task.payload.clone(),
        role: task.role.clone(),
    };
    Ok(Record {
        at: item.drafts.first().map_or(Timestamp::EPOCH, |draft| draft.at),
        entries: item.drafts.iter().map(entry).collect::<io::Result<_>>()?,
        id: item.id.as_deref().unwrap_or_default().to_owned(),
        tasks: item.tasks.iter().map(task).collect(),
        writer: key.writer().to_string(),
    })
}

fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length))
        .ok()
        .filter(|length| *length > 0)?;
    if rest.len() < FRAME_BYTES - 4 + length {
        return None;
    }
    let (signature, rest) = rest.split_at(FRAME_BYTES - 4);
    let (payload, rest) = rest.split_at(length);
    Some((signature, payload, rest))
}

fn item(signature: &[u8], payload: &[u8], key_of: &dyn Fn(&str) -> Vec<PublicKey>) -> Option<Item> {
    let record: Record = serde_json::from_slice(payload).ok()?;
    if !key_of(&record.writer)
        .iter()
        .any(|key| key.verify_reserved(payload, signature))
    {
        return None;
    }
    let draft = |entry: Entry| Draft {
        at: record.at,
        body: entry.body.get().as_bytes().to_vec(),
        kind: entry.kind.into(),
        late: true,
        stream: entry.stream,
        gating: entry.gating,
    };
    let task = |task: ReservedTask| Task {
        role: task.role,
        kind: task.kind,
        payload: task.payload,
        due: task.due,
    };
    Some(Item {
        drafts: record.entries.into_iter().map(draft).collect(),
        expect: Expect::Next,
        id: Some(record.id.into()),
        sealed: Vec::new(),
        tasks: record.tasks.into_iter().map(task).collect(),
        serials: Vec::new(),
    })
}

/// Fuzz target: any bytes are a frame or the end.
pub fn fuzz_reserve(data: &[u8]) {
    let mut rest = data;
    while let Some((signature, payload, behind)) = frame(rest) {
        let _ = item(signature, payload, &|_| Vec::new());
        rest = behind;
    }
}
