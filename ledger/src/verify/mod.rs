//! Offline verification with public keys alone (ARCHITECTURE §5, guarantee 6): from the pieces of a log, whatever they are read from, every leaf,
//! root and signature is worked out again, and the first thing that does not hold is named.
//!
//! What is proven: entries, their order, streams, epochs, checkpoints, the authority of their keys, the texts behind commitments; with the folds of
//! [`signatures`] and [`states`] also what officers and bots signed, and the states decisions rest on. What is not, because
//! it lies beside the log and can be made again or never mattered: views, tasks, `recorded_at`, the ids of appends.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
};

use extensions::{Digest, StreamId, record::SealedText};
use thiserror::Error;

use crate::{
    append::CommittedEntry,
    checkpoint::{Checkpoint, Note},
    entry,
    keys::{CheckpointKeyAuthorised, LedgerStarted, PublicKey, key_name},
    receipt::origin,
    tree::{self, Frontier},
};

mod evidence;
pub mod signatures;
mod source;
pub mod states;

pub(crate) use source::StoreReader;
pub use source::{verify_directory, verify_export};

/// Where something does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The entry at a position.
    Entry(u64),
    /// The checkpoint that signs a size.
    Checkpoint(u64),
    /// A sealed text: position of its entry, its place among the entry's texts.
    Sealed(u64, u64),
    /// The row of a reserved serial, by its entry's position.
    Serial(u64),
    /// The head row.
    Head,
    /// The head file.
    HeadFile,
    /// A line of an export, from 1.
    Line(u64),
    /// The files could not be read.
    Source,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(position) => write!(formatter, "entry at position {position}"),
            Self::Checkpoint(size) => write!(formatter, "checkpoint at size {size}"),
            Self::Sealed(position, ordinal) => {
                write!(formatter, "sealed text {ordinal} of the entry at position {position}")
            }
            Self::Serial(position) => write!(formatter, "serial reserved by the entry at position {position}"),
            Self::Head => formatter.write_str("head row"),
            Self::HeadFile => formatter.write_str("head file"),
            Self::Line(line) => write!(formatter, "line {line} of the export"),
            Self::Source => formatter.write_str("files of the ledger"),
        }
    }
}

/// The first thing that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: {reason}")]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What was expected and what was found.
    pub reason: String,
}

impl Fault {
    pub(crate) fn new(place: Place, reason: impl Into<String>) -> Self {
        Self {
            place,
            reason: reason.into(),
        }
    }
}

/// Folds entries as they are verified: states, digests, whatever the caller wants held against the log.
pub trait Fold: Send {
    /// Takes the next entry; a reason makes the verification fail at it.
    ///
    /// # Errors
    /// When the entry contradicts the fold.
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String>;

    /// Takes a text beside an entry it has taken, already held against its commitment. Texts come after their entry and before
    /// [`settled`](Self::settled).
    ///
    /// # Errors
    /// When the text contradicts the entry.
    fn text(&mut self, position: u64, commitment: &Digest, text: &Text) -> Result<(), String> {
        let _ = (position, commitment, text);
        Ok(())
    }

    /// All texts there are for the entries so far were given.
    fn settled(&mut self) {}
}

impl<F: FnMut(&CommittedEntry) -> Result<(), String> + Send> Fold for F {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        self(entry)
    }
}

/// What a verification is held against.
#[derive(Default)]
pub struct Options<'a> {
    /// The ledger root public key, got apart from the ledger. Without it the key in the first entry is believed, and the report says so.
    pub ledger_root: Option<PublicKey>,
    /// The head file.
    pub head_file: Option<PathBuf>,
    /// Called for every entry, in order.
    pub fold: Option<&'a mut dyn Fold>,
}

/// What was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The ledger's id.
    pub ledger_id: String,
    /// The root key that authorised the checkpoint keys.
    pub ledger_root: Option<PublicKey>,
    /// Whether that key was given from outside.
    pub root_was_given: bool,
    /// Entries.
    pub entries: u64,
    /// Streams.
    pub streams: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// The epoch at the end.
    pub epoch: u64,
    /// The root at the end.
    pub root: Digest,
    /// Entries that were acted on before they were recorded.
    pub late: u64,
    /// Sealed texts that fit their commitment.
    pub texts_checked: u64,
    /// Sealed texts whose key is erased: *erased, not checked*.
    pub texts_erased: u64,
    /// Whether a head file was held against it.
    pub head_file_checked: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} entries in {} streams, {} checkpoints, root {}; {} texts checked, {} erased, not checked",
            self.entries, self.streams, self.checkpoints, self.root, self.texts_checked, self.texts_erased
        )?;
        if !self.root_was_given {
            formatter.write_str(
                "; the ledger root key was taken from the ledger itself: give the key to prove who wrote it",
            )?;
        }
        Ok(())
    }
}

/// A text beside an entry, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// Readable.
    Open(SealedText),
    /// Its key is erased, or this verifier does not have it.
    Erased,
    /// It cannot be decrypted with its key.
    Wrong,
}

/// An entry read and checked by itself; the part that runs on every core.
pub(crate) struct Inspected {
    entry: Result<CommittedEntry, Fault>,
    leaf: Digest,
}

/// Checks what can be checked of one entry alone.
pub(crate) fn inspect(position: u64, bytes: &[u8], stored_leaf: &[u8]) -> Inspected {
    let place = Place::Entry(position);
    let leaf = tree::leaf_hash(bytes);
    if leaf.0 != stored_leaf {
        let reason = "was changed: its bytes do not have the leaf hash that is stored with it";
        return Inspected {
            entry: Err(Fault::new(place, reason)),
            leaf,
        };
    }
    let entry = match entry::parse(position, bytes) {
        Ok(entry) if entry::is_canonical(&entry) => Ok(entry),
        Ok(_) => Err(Fault::new(place, "its body is not in canonical form (RFC 8785)")),
        Err(error) => Err(Fault::new(place, error.to_string())),
    };
    Inspected { entry, leaf }
}

/// The checkpoint keys of a writer, oldest first. One that a newer one has followed in signing has retired: whoever finds it in an old backup
/// signs nothing that stands behind its successor.
#[derive(Default)]
struct Keys {
    all: Vec<PublicKey>,
    retired: usize,
}

/// Takes the pieces of a log in order and holds each against all before it. Memory grows with the streams and keys, not with the entries.
pub struct Verifier<'a> {
    options: Options<'a>,
    head_file: Option<Checkpoint>,
    head_seen: bool,
    frontier: Frontier,
    signed: u64,
    streams: HashMap<StreamId, u64>,
    keys: HashMap<String, Keys>,
    writers: HashSet<String>,
    report: Report,
}

impl<'a> Verifier<'a> {
    /// A verifier of a whole log.
    ///
    /// # Errors
    /// When the head file is unreadable.
    pub fn new(options: Options<'a>) -> Result<Self, Fault> {
        let read = |path: &Path| {
            let note = crate::head_file::read(path).map_err(|error| Fault::new(Place::HeadFile, error.to_string()))?;
            note.map(|note| note.checkpoint)
                .ok_or_else(|| Fault::new(Place::HeadFile, "there is none"))
        };
        let head_file = options.head_file.as_deref().map(read).transpose()?;
        let head_seen = head_file.as_ref().is_none_or(|head| head.size == 0);
        Ok(Self {
            options,
            head_file,
            head_seen,
            frontier: Frontier::new(),
            signed: 0,
            streams: HashMap::new(),
            keys: HashMap::new(),
            writers: HashSet::new(),
            report: Report::default(),
        })
    }

    /// The next entry, inspected.
    pub(crate) fn entry(&mut self, inspected: Inspected) -> Result<(), Fault> {
        let position = self.frontier.size();
        let entry = inspected.entry?;
        let fault = |reason: String| Err(Fault::new(Place::Entry(position), reason));
        if entry.position != position {
            return fault(format!(
                "is missing: the next entry stands at position {}",
                entry.position
            ));
        }
        let next = self.streams.entry(entry.stream.clone()).or_insert(0);
        if entry.number != *next {
            return fault(format!(
                "has number {} in {}, where {next} comes next",
                entry.number, entry.stream
            ));
        }
        *next += 1;
        let rises = u64::from(entry.stream == StreamId::house());
        if entry.epoch < self.report.epoch || entry.epoch > self.report.epoch + rises {
            return fault(format!("has epoch {} after epoch {}", entry.epoch, self.report.epoch));
        }
        self.report.epoch = entry.epoch;
        self.report.late += u64::from(entry.late);
        self.authority(&entry)?;
        if let Some(fold) = &mut self.options.fold
            && let Err(reason) = fold.apply(&entry)
        {
            return fault(reason);
        }
        self.writers.insert(entry.writer.to_string());
        self.frontier.push(inspected.leaf);
        Ok(())
    }

    /// Follows who may sign checkpoints.
    fn authority(&mut self, entry: &CommittedEntry) -> Result<(), Fault> {
        let fault = |reason: &str| Err(Fault::new(Place::Entry(entry.position), reason));
        if entry.position == 0 {
            let started: Option<LedgerStarted> = serde_json::from_slice(entry.body()).ok();
            let Some(started) = started.filter(|_| entry.kind.as_ref() == LedgerStarted::KIND) else {
                return fault("the first entry is not `ledger.started`");
            };
            self.report.root_was_given = self.options.ledger_root.is_some();
            if self.options.ledger_root.is_some_and(|root| root != started.ledger_root) {
                return fault("names another ledger root key than the one given");
            }
            self.report.ledger_root = Some(started.ledger_root);
            self.report.ledger_id = started.ledger_id;
        } else if entry.kind.as_ref() == LedgerStarted::KIND {
            return fault("a second `ledger.started`");
        }
        if entry.kind.as_ref() == CheckpointKeyAuthorised::KIND && entry.stream == StreamId::house() {
            let authorised: Option<CheckpointKeyAuthorised> = serde_json::from_slice(entry.body()).ok();
            let Some(one) = authorised.filter(|one| {
                self.report
                    .ledger_root
                    .is_some_and(|root| one.is_signed_by(&self.report.ledger_id, &root))
            }) else {
                return fault("authorises a checkpoint key without the ledger root key's signature");
            };
            let keys = self.keys.entry(one.writer).or_default();
            if keys.all.contains(&one.key) {
                return fault("authorises a checkpoint key a second time");
            }
            keys.all.push(one.key);
        }
        Ok(())
    }

    /// The checkpoint that ends a batch. `frontier` is what the store keeps with it, if it does.
    pub(crate) fn checkpoint(&mut self, size: u64, note: &str, frontier: Option<&[u8]>) -> Result<(), Fault> {
        let fault = |reason: String| Err(Fault::new(Place::Checkpoint(size), reason));
        let note = match Note::parse(note) {
            Ok(note) => note,
            Err(error) => return fault(error.to_string()),
        };
        let found = &note.checkpoint;
        if found.size != size || self.frontier.size() != size || size <= self.signed {
            return fault(format!(
                "signs {} entries, is stored under {size}, and {} entries are before it",
                found.size,
                self.frontier.size()
            ));
        }
        if found.origin != origin(&self.report.ledger_id) {
            return fault(format!("is of the log {}", found.origin));
        }
        if found.root != self.frontier.root() {
            return fault(format!(
                "its root is {}, the entries have {}: one of the entries at positions {} to {} was changed, or the checkpoint was",
                found.root,
                self.frontier.root(),
                self.signed,
                size - 1
            ));
        }
        let writer = match self.writers.drain().collect::<Vec<_>>().as_slice() {
            [one] => one.clone(),
            _ => return fault("its batch has entries of several writers".into()),
        };
        let Some(keys) = self.keys.get_mut(&writer) else {
            return fault(format!("no entry authorises a checkpoint key of {writer}"));
        };
        let name = key_name(&self.report.ledger_id, &writer);
        match keys.all.iter().rposition(|key| note.verify(&name, key).is_ok()) {
            Some(place) if place < keys.retired => {
                return fault(format!(
                    "a key of {writer} signed it that a newer one had followed before"
                ));
            }
            Some(place) => keys.retired = place,
            None => return fault(format!("no authorised key of {writer} signed it")),
        }
        if frontier.is_some_and(|stored| stored != self.frontier.to_bytes()) {
            return fault("the frontier stored with it was changed".into());
        }
        if let Some(head) = self.head_file.as_ref().filter(|head| head.size == size) {
            if head.root != found.root || head.origin != found.origin {
                return Err(Fault::new(
                    Place::HeadFile,
                    format!("has seen another root at {size} entries"),
                ));
            }
            self.head_seen = true;
        }
        self.signed = size;
        self.report.checkpoints += 1;
        Ok(())
    }

    /// A text beside the entry `position`, whose body is given.
    pub(crate) fn text(
        &mut self,
        place: (u64, u64),
        commitment: &Digest,
        body: &[u8],
        text: &Text,
    ) -> Result<(), Fault> {
        let fault = |reason: &str| Err(Fault::new(Place::Sealed(place.0, place.1), reason));
        if !contains(body, commitment.to_string().as_bytes()) {
            return fault("its commitment is not in the entry");
        }
        match text {
            Text::Open(text) if text.commitment() == *commitment => self.report.texts_checked += 1,
            Text::Open(_) | Text::Wrong => return fault("was changed: it does not fit its commitment"),
            Text::Erased => self.report.texts_erased += 1,
        }
        if let Some(fold) = &mut self.options.fold
            && let Err(reason) = fold.text(place.0, commitment, text)
        {
            return fault(&reason);
        }
        Ok(())
    }

    /// All texts of the entries so far were given.
    pub(crate) fn settled(&mut self) {
        if let Some(fold) = &mut self.options.fold {
            fold.settled();
        }
    }

    /// Everything was given.
    pub(crate) fn finish(mut self) -> Result<Report, Fault> {
        if self.signed != self.frontier.size() {
            return Err(Fault::new(Place::Entry(self.signed), "no checkpoint signs it"));
        }
        if self.signed == 0 {
            return Err(Fault::new(Place::Entry(0), "the log is empty"));
        }
        if !self.head_seen {
            let seen = self.head_file.as_ref().map_or(0, |head| head.size);
            return Err(Fault::new(
                Place::HeadFile,
                format!(
                    "has seen {seen} entries; the log holds {} and no checkpoint of that size",
                    self.signed
                ),
            ));
        }
        self.report.entries = self.signed;
        self.report.streams = self.streams.len() as u64;
        self.report.root = self.frontier.root();
        self.report.head_file_checked = self.head_file.is_some();
        Ok(self.report)
    }

    pub(crate) fn signed_size(&self) -> u64 {
        self.signed
    }

    pub(crate) fn root(&self) -> Digest {
        self.frontier.root()
    }

    pub(crate) fn epoch(&self) -> u64 {
        self.report.epoch
    }
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}
