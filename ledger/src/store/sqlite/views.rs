//! The views: the index of streams, ids, orders and certificates in a second file, behind the commit, with a recorded position.
//!
//! What is committed and not yet in the file is in the *tail* in memory, so that every read is complete up to the last commit.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use extensions::{Serial, StreamId, StreamKind};
use tokio::sync::Notify;

mod facts;
mod file;
mod lookups;

use crate::{
    append::CommittedEntry,
    search::Mark,
    store::{Marked, StoreError},
};
use facts::{client_order_id, serial};
use file::{Known, ViewsFile};
use lookups::Lookups;

/// The most entries the views may lag behind before a commit waits for them.
const MOST_BEHIND: usize = if cfg!(test) { 64 } else { 65_536 };
/// The entries of one transaction of the views.
const ROWS: usize = 1_024;

pub(super) struct Views {
    memory: Mutex<Memory>,
    file: Mutex<ViewsFile>,
    lookups: Mutex<Lookups>,
    moved: Notify,
    /// Why the views no longer follow.
    broken: OnceLock<StoreError>,
}

#[derive(Default)]
struct Memory {
    streams: HashMap<StreamId, Stream>,
    ids: HashMap<(StreamId, Arc<str>), u64>,
    /// Every append id of the log as a 64-bit hash: one that is absent is new without a look-up (eight bytes an id).
    known_ids: HashSet<u64>,
    hasher: RandomState,
    tail: VecDeque<Arc<CommittedEntry>>,
}

#[derive(Clone, Copy, Default)]
struct Stream {
    next: u64,
    /// Its key in the file, once it is there.
    key: Option<i64>,
}

impl Memory {
    fn know(&mut self, stream: &StreamId, id: &str) {
        let hash = self.hasher.hash_one((stream, id));
        self.known_ids.insert(hash);
    }

    /// Takes what the file knows.
    fn load(&mut self, file: &ViewsFile) -> Result<(), StoreError> {
        let streams = file.streams()?;
        let names: HashMap<i64, &StreamId> = streams.iter().map(|known| (known.key, &known.stream)).collect();
        file.each_append_id(|key, id| {
            if let Some(stream) = names.get(&key) {
                self.know(stream, id);
            }
        })?;
        for Known { stream, key, next } in streams {
            self.streams.insert(stream, Stream { next, key: Some(key) });
        }
        Ok(())
    }

    /// `false` is certain; `true` asks for a look-up.
    fn may_know(&self, stream: &StreamId, id: &str) -> bool {
        self.known_ids.contains(&self.hasher.hash_one((stream, id)))
    }
}

impl Views {
    pub(super) fn open(path: &Path, entries: &Path) -> Result<Self, StoreError> {
        let (mut file, current) = ViewsFile::open(path, entries)?;
        let mut memory = Memory::default();
        if current {
            memory.load(&file)?;
        } else {
            file.clear()?;
        }
        Ok(Self {
            memory: Mutex::new(memory),
            file: Mutex::new(file),
            lookups: Mutex::new(Lookups::open(path)?),
            moved: Notify::new(),
            broken: OnceLock::new(),
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> MutexGuard<'_, ViewsFile> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lookups(&self) -> MutexGuard<'_, Lookups> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Empties the file; [`catch_up`](Self::catch_up) fills it again. The numbers in memory stay true.
    pub(super) fn clear(&self) -> Result<(), StoreError> {
        let mut file = self.file();
        file.clear()?;
        self.memory().streams.values_mut().for_each(|stream| stream.key = None);
        Ok(())
    }

    pub(super) fn stream_next(&self, stream: &StreamId) -> u64 {
        self.memory().streams.get(stream).map_or(0, |stream| stream.next)
    }

    pub(super) fn stream_key(&self, stream: &StreamId) -> Option<i64> {
        self.memory().streams.get(stream)?.key
    }

    pub(super) fn streams(&self, kind: StreamKind) -> Vec<StreamId> {
        let mut streams: Vec<_> = self
            .memory()
            .streams
            .keys()
            .filter(|stream| stream.kind() == kind)
            .cloned()
            .collect();
        streams.sort();
        streams
    }

    pub(super) fn tail_of(&self, stream: &StreamId, from: u64) -> Vec<Arc<CommittedEntry>> {
        let memory = self.memory();
        memory
            .tail
            .iter()
            .filter(|entry| entry.stream == *stream && entry.number >= from)
            .cloned()
            .collect()
    }

    /// Takes a committed batch into memory.
    pub(super) fn commit(&self, next: &HashMap<StreamId, u64>, entries: &[Arc<CommittedEntry>]) {
        let mut memory = self.memory();
        for (stream, next) in next {
            match memory.streams.get_mut(stream) {
                Some(known) => known.next = *next,
                None => drop(memory.streams.insert(stream.clone(), Stream { next: *next, key: None })),
            }
        }
        for entry in entries {
            if let Some(id) = &entry.id {
                memory.know(&entry.stream, id);
                memory
                    .ids
                    .insert((entry.stream.clone(), Arc::clone(id)), entry.position);
            }
        }
        memory.tail.extend(entries.iter().cloned());
    }

    /// Waits while the views are too far behind.
    pub(super) async fn wait_for_room(&self) -> Result<(), StoreError> {
        loop {
            let moved = self.moved.notified();
            if let Some(broken) = self.broken.get() {
                return Err(broken.clone());
            }
            if self.memory().tail.len() < MOST_BEHIND {
                return Ok(());
            }
            moved.await;
        }
    }

    pub(super) fn append_id(&self, stream: &StreamId, id: &Arc<str>) -> Result<Option<u64>, StoreError> {
        let key = {
            let memory = self.memory();
            if !memory.may_know(stream, id) {
                return Ok(None);
            }
            if let Some(position) = memory.ids.get(&(stream.clone(), Arc::clone(id))) {
                return Ok(Some(*position));
            }
            memory.streams.get(stream).and_then(|stream| stream.key)
        };
        key.map_or(Ok(None), |key| self.lookups().append_id(key, id))
    }

    pub(super) fn order(&self, agent: &StreamId, id: &str) -> Result<Option<u64>, StoreError> {
        // The tail is taken before the file is asked, since what leaves the one is in the other by then; and the file's answer counts first:
        // an id belongs to the oldest of its entries, and those in the tail are younger.
        let tail = self.tail_of(agent, 0);
        let in_file = match self.stream_key(agent) {
            Some(key) => self.lookups().order(key, id)?,
            None => None,
        };
        let of_id = |entry: &&Arc<CommittedEntry>| client_order_id(entry).as_deref() == Some(id);
        Ok(in_file.or_else(|| tail.iter().find(of_id).map(|entry| entry.position)))
    }

    pub(super) fn certificate(&self, wanted: &Serial) -> Result<Option<(StreamId, String)>, StoreError> {
        let newest = {
            let memory = self.memory();
            let mut newest_first = memory.tail.iter().rev();
            newest_first
                .find(|entry| serial(entry).as_ref() == Some(wanted))
                .cloned()
        };
        match newest {
            Some(entry) => Ok(Some((entry.stream.clone(), entry.kind.to_string()))),
            None => self.lookups().certificate(wanted),
        }
    }

    /// What the file has under a mark; whoever asks has caught it up.
    pub(super) fn marked(
        &self,
        mark: &Mark,
        stream: Option<&StreamId>,
        positions: (u64, u64),
        limit: usize,
    ) -> Result<Marked, StoreError> {
        let key = match stream {
            Some(stream) => match self.stream_key(stream) {
                Some(key) => Some(key),
                None => return Ok(Marked::default()),
            },
            None => None,
        };
        self.lookups().marked(mark, key, positions, limit)
    }

    /// Writes what is missing in the file up to `size`, from the tail or, at a start, from the entries. Blocks.
    pub(super) fn catch_up(&self, size: u64) -> Result<(), StoreError> {
        let done = self.follow(size);
        if let Err(error) = &done {
            drop(self.broken.set(error.clone()));
            self.moved.notify_waiters();
        }
        done
    }

    fn follow(&self, size: u64) -> Result<(), StoreError> {
        let mut file = self.file();
        while file.position < size {
            let entries = self.next_entries(&file)?;
            let Some(last) = entries.last() else {
                return Err(StoreError::Failed(format!(
                    "the entry at position {} is missing",
                    file.position
                )));
            };
            let position = last.position + 1;
            let keys = self.stream_keys(&file, &entries)?;
            file.apply(&entries, &keys, position)?;
            self.forget(&entries, &keys, position);
        }
        Ok(())
    }

    fn next_entries(&self, file: &ViewsFile) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        {
            let memory = self.memory();
            if memory.tail.front().is_some_and(|first| first.position <= file.position) {
                let from = memory.tail.iter().skip_while(|entry| entry.position < file.position);
                return Ok(from.take(ROWS).cloned().collect());
            }
        }
        file.next_entries(ROWS)
    }

    /// The keys of the streams of `entries`; new streams get one.
    fn stream_keys(
        &self,
        file: &ViewsFile,
        entries: &[Arc<CommittedEntry>],
    ) -> Result<HashMap<StreamId, i64>, StoreError> {
        let mut keys = HashMap::new();
        let mut highest = None;
        for entry in entries {
            if keys.contains_key(&entry.stream) {
                continue;
            }
            let key = match self.stream_key(&entry.stream) {
                Some(key) => key,
                None => {
                    let next = match highest {
                        Some(highest) => highest + 1,
                        None => file.highest_stream()? + 1,
                    };
                    highest = Some(next);
                    next
                }
            };
            keys.insert(entry.stream.clone(), key);
        }
        Ok(keys)
    }

    fn forget(&self, entries: &[Arc<CommittedEntry>], keys: &HashMap<StreamId, i64>, position: u64) {
        let mut memory = self.memory();
        for (stream, key) in keys {
            memory.streams.entry(stream.clone()).or_default().key = Some(*key);
        }
        for entry in entries {
            if let Some(stream) = memory.streams.get_mut(&entry.stream) {
                stream.next = stream.next.max(entry.number + 1);
            }
            if let Some(id) = &entry.id {
                memory.know(&entry.stream, id);
                memory.ids.remove(&(entry.stream.clone(), Arc::clone(id)));
            }
        }
        while memory.tail.front().is_some_and(|first| first.position < position) {
            memory.tail.pop_front();
        }
        drop(memory);
        self.moved.notify_waiters();
    }
}
