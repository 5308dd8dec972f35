//! The views: the index of streams, ids, orders and certificates in a second file, behind the commit, with a recorded position.
//!
//! What is committed and not yet in the file is in the *tail* in memory, so that every read is complete up to the last commit.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use extensions::{Serial, StreamId, StreamKind};
use serde::Deserialize;
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection, sqlite::SqliteArguments};
use tokio::sync::Notify;

use super::{failed, open, read, rows, schema, signed, unsigned};
use crate::{append::CommittedEntry, store::StoreError};

/// The most entries the views may lag behind before a commit waits for them.
const MOST_BEHIND: usize = if cfg!(test) { 64 } else { 65_536 };
/// The entries of one transaction of the views.
const ROWS: usize = 1_024;
/// Bytes of frames after which the views' own WAL is brought back.
const CHECKPOINT_EVERY: u64 = 65_536;

type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

pub(super) struct Views {
    memory: Mutex<Memory>,
    file: tokio::sync::Mutex<ViewsFile>,
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

struct ViewsFile {
    views: SqliteConnection,
    entries: SqliteConnection,
    position: u64,
    since_checkpoint: u64,
    texts: HashMap<(usize, &'static str), Arc<str>>,
}

const STREAM_ENTRIES: rows::Target = rows::Target {
    insert: "stream_entries(stream, number, position)",
    columns: 3,
};
const APPEND_IDS: rows::Target = rows::Target {
    insert: "append_ids(stream, id, position)",
    columns: 3,
};
const ORDERS: rows::Target = rows::Target {
    insert: "orders(stream, client_order_id, position)",
    columns: 3,
};

/// The members of bodies that the views know; everything else is skipped.
#[derive(Deserialize, Default)]
struct Facts<'a> {
    #[serde(borrow, default)]
    client_order_id: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default)]
    order: Option<OrderFacts<'a>>,
    #[serde(borrow, default)]
    serial: Option<std::borrow::Cow<'a, str>>,
}

#[derive(Deserialize)]
struct OrderFacts<'a> {
    #[serde(borrow, default)]
    client_order_id: Option<std::borrow::Cow<'a, str>>,
}

fn client_order_id(entry: &CommittedEntry) -> Option<String> {
    if entry.kind.as_ref() != "order.decided" {
        return None;
    }
    let facts: Facts<'_> = serde_json::from_slice(entry.body()).ok()?;
    let inner = facts.order.and_then(|order| order.client_order_id);
    facts.client_order_id.or(inner).map(|id| id.into_owned())
}

fn serial(entry: &CommittedEntry) -> Option<Serial> {
    if !entry.kind.starts_with("certificate.") {
        return None;
    }
    let facts: Facts<'_> = serde_json::from_slice(entry.body()).ok()?;
    Serial::parse(&facts.serial?)
}

impl Memory {
    fn know(&mut self, stream: &StreamId, id: &str) {
        let hash = self.hasher.hash_one((stream, id));
        self.known_ids.insert(hash);
    }

    /// `false` is certain; `true` asks for a look-up.
    fn may_know(&self, stream: &StreamId, id: &str) -> bool {
        self.known_ids.contains(&self.hasher.hash_one((stream, id)))
    }
}

impl Views {
    pub(super) async fn open(path: &Path, entries: &Path) -> Result<Self, StoreError> {
        let mut views = open::views(path).await?;
        sqlx::raw_sql(schema::VIEWS)
            .execute(&mut views)
            .await
            .map_err(|e| failed(&e))?;
        let entries: PathBuf = entries.to_owned();
        let file = ViewsFile {
            views,
            entries: open::reader(&entries).await?,
            position: 0,
            since_checkpoint: 0,
            texts: HashMap::new(),
        };
        let views = Self {
            memory: Mutex::default(),
            file: tokio::sync::Mutex::new(file),
            moved: Notify::new(),
            broken: OnceLock::new(),
        };
        views.load().await?;
        Ok(views)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn load(&self) -> Result<(), StoreError> {
        let mut file = self.file.lock().await;
        let sql = "SELECT position, version FROM progress";
        let row = sqlx::query(sql)
            .fetch_optional(&mut file.views)
            .await
            .map_err(|e| failed(&e))?;
        let current = row
            .as_ref()
            .is_some_and(|row| row.get::<i64, _>(1) == schema::VIEWS_VERSION);
        let sql = "SELECT coalesce(max(position), -1) + 1 FROM entries";
        let size = sqlx::query(sql)
            .fetch_one(&mut file.entries)
            .await
            .map_err(|e| failed(&e))?;
        let position = row.map_or(0, |row| unsigned(row.get(0)));
        if !current || position > unsigned(size.get(0)) {
            drop(file);
            return self.clear().await;
        }
        file.position = position;
        let sql = "SELECT id, name, (SELECT coalesce(max(number), -1) + 1 FROM stream_entries WHERE stream = id) FROM streams";
        let found = sqlx::query(sql)
            .fetch_all(&mut file.views)
            .await
            .map_err(|e| failed(&e))?;
        let sql = "SELECT name, append_ids.id FROM append_ids JOIN streams ON streams.id = append_ids.stream";
        let ids = sqlx::query(sql)
            .fetch_all(&mut file.views)
            .await
            .map_err(|e| failed(&e))?;
        let mut memory = self.memory();
        for row in &ids {
            let stream = StreamId::parse(row.get(0)).map_err(|e| StoreError::Failed(e.to_string()))?;
            memory.know(&stream, row.get(1));
        }
        for row in &found {
            let stream = StreamId::parse(row.get(1)).map_err(|e| StoreError::Failed(e.to_string()))?;
            memory.streams.insert(
                stream,
                Stream {
                    key: Some(row.get(0)),
                    next: unsigned(row.get(2)),
                },
            );
        }
        Ok(())
    }

    /// Empties the file; [`catch_up`](Self::catch_up) fills it again. The numbers in memory stay true.
    pub(super) async fn clear(&self) -> Result<(), StoreError> {
        let mut file = self.file.lock().await;
        let sql = "BEGIN IMMEDIATE; DELETE FROM streams; DELETE FROM stream_entries; DELETE FROM append_ids; DELETE FROM orders;
            DELETE FROM certificates; DELETE FROM progress; INSERT INTO progress VALUES(1, 0, ?); COMMIT;";
        let query = sqlx::query(sql).bind(schema::VIEWS_VERSION);
        query.execute(&mut file.views).await.map_err(|e| failed(&e))?;
        file.position = 0;
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

    pub(super) async fn append_id(&self, stream: &StreamId, id: &Arc<str>) -> Result<Option<u64>, StoreError> {
        {
            let memory = self.memory();
            if !memory.may_know(stream, id) {
                return Ok(None);
            }
            if let Some(position) = memory.ids.get(&(stream.clone(), Arc::clone(id))) {
                return Ok(Some(*position));
            }
        }
        let Some(key) = self.stream_key(stream) else {
            return Ok(None);
        };
        let query = sqlx::query("SELECT position FROM append_ids WHERE stream = ? AND id = ?");
        self.one(query.bind(key).bind(id.to_string())).await
    }

    pub(super) async fn order(&self, agent: &StreamId, id: &str) -> Result<Option<u64>, StoreError> {
        let tail = self.tail_of(agent, 0);
        if let Some(entry) = tail.iter().find(|entry| client_order_id(entry).as_deref() == Some(id)) {
            return Ok(Some(entry.position));
        }
        let Some(key) = self.stream_key(agent) else {
            return Ok(None);
        };
        let query = sqlx::query("SELECT position FROM orders WHERE stream = ? AND client_order_id = ?");
        self.one(query.bind(key).bind(id.to_owned())).await
    }

    async fn one(&self, query: Query) -> Result<Option<u64>, StoreError> {
        let mut file = self.file.lock().await;
        let row = query.fetch_optional(&mut file.views).await.map_err(|e| failed(&e))?;
        Ok(row.map(|row| unsigned(row.get(0))))
    }

    pub(super) async fn certificate(&self, wanted: &Serial) -> Result<Option<(StreamId, String)>, StoreError> {
        let newest = {
            let memory = self.memory();
            memory
                .tail
                .iter()
                .rev()
                .find(|entry| serial(entry).as_ref() == Some(wanted))
                .cloned()
        };
        if let Some(entry) = newest {
            return Ok(Some((entry.stream.clone(), entry.kind.to_string())));
        }
        let sql = "SELECT s.name, c.kind FROM certificates c JOIN streams s ON s.id = c.stream WHERE c.serial = ?";
        let mut file = self.file.lock().await;
        let row = sqlx::query(sql)
            .bind(wanted.octets().to_vec())
            .fetch_optional(&mut file.views)
            .await
            .map_err(|e| failed(&e))?;
        let Some(row) = row else { return Ok(None) };
        let stream = StreamId::parse(row.get(0)).map_err(|e| StoreError::Failed(e.to_string()))?;
        Ok(Some((stream, row.get(1))))
    }

    /// Writes what is missing in the file up to `size`, from the tail or, at a start, from the entries.
    pub(super) async fn catch_up(&self, size: u64) -> Result<(), StoreError> {
        let done = self.follow(size).await;
        if let Err(error) = &done {
            drop(self.broken.set(error.clone()));
            self.moved.notify_waiters();
        }
        done
    }

    async fn follow(&self, size: u64) -> Result<(), StoreError> {
        let mut file = self.file.lock().await;
        while file.position < size {
            let entries = self.next_entries(&mut file).await?;
            let Some(last) = entries.last() else {
                return Err(StoreError::Failed(format!(
                    "the entry at position {} is missing",
                    file.position
                )));
            };
            let position = last.position + 1;
            let keys = self.stream_keys(&mut file, &entries).await?;
            file.apply(&entries, &keys, position).await?;
            self.forget(&entries, &keys, position);
        }
        Ok(())
    }

    async fn next_entries(&self, file: &mut ViewsFile) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        {
            let memory = self.memory();
            if memory.tail.front().is_some_and(|first| first.position <= file.position) {
                let from = memory.tail.iter().skip_while(|entry| entry.position < file.position);
                return Ok(from.take(ROWS).cloned().collect());
            }
        }
        let sql =
            "SELECT position, bytes, recorded_at, append_id FROM entries WHERE position >= ? ORDER BY position LIMIT ?";
        let query = sqlx::query(sql).bind(signed(file.position)).bind(ROWS as i64);
        let rows = query.fetch_all(&mut file.entries).await.map_err(|e| failed(&e))?;
        rows.iter().map(read::entry_of).collect()
    }

    /// The keys of the streams of `entries`; new streams get one.
    async fn stream_keys(
        &self,
        file: &mut ViewsFile,
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
                        None => file.highest_stream().await? + 1,
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

impl ViewsFile {
    async fn highest_stream(&mut self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM streams";
        Ok(sqlx::query(sql)
            .fetch_one(&mut self.views)
            .await
            .map_err(|e| failed(&e))?
            .get(0))
    }

    fn text(&mut self, target: &rows::Target, count: usize) -> Arc<str> {
        let make = || rows::insert(target, rows::padded(count), "INSERT OR IGNORE").into();
        Arc::clone(
            self.texts
                .entry((rows::padded(count), target.insert))
                .or_insert_with(make),
        )
    }

    async fn run(&mut self, query: Query) -> Result<(), StoreError> {
        query.execute(&mut self.views).await.map(drop).map_err(|e| failed(&e))
    }

    async fn apply(
        &mut self,
        entries: &[Arc<CommittedEntry>],
        keys: &HashMap<StreamId, i64>,
        position: u64,
    ) -> Result<(), StoreError> {
        self.run(sqlx::query("BEGIN IMMEDIATE")).await?;
        let done = self.insert_all(entries, keys, position).await;
        if done.is_err() {
            drop(self.run(sqlx::query("ROLLBACK")).await);
            return done;
        }
        self.run(sqlx::query("COMMIT")).await?;
        self.position = position;
        self.since_checkpoint += entries.len() as u64;
        if self.since_checkpoint >= CHECKPOINT_EVERY {
            self.since_checkpoint = 0;
            self.run(sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")).await?;
        }
        Ok(())
    }

    async fn insert_all(
        &mut self,
        entries: &[Arc<CommittedEntry>],
        keys: &HashMap<StreamId, i64>,
        position: u64,
    ) -> Result<(), StoreError> {
        let key = |entry: &CommittedEntry| keys.get(&entry.stream).copied().unwrap_or_default();
        let at = |entry: &CommittedEntry| signed(entry.position);
        let mut query = sqlx::query(AssertSqlSafe(self.text(&STREAM_ENTRIES, entries.len())));
        let mut fresh = Vec::new();
        for entry in entries {
            query = query.bind(key(entry)).bind(signed(entry.number)).bind(at(entry));
            if entry.number == 0 {
                fresh.push(&entry.stream);
            }
        }
        self.run(rows::pad(query, &STREAM_ENTRIES, entries.len())).await?;
        let ids: Vec<_> = entries
            .iter()
            .filter_map(|e| Some((key(e), e.id.as_ref()?.to_string(), at(e))))
            .collect();
        self.insert_texts(&APPEND_IDS, ids).await?;
        let orders: Vec<_> = entries
            .iter()
            .filter_map(|e| Some((key(e), client_order_id(e)?, at(e))))
            .collect();
        self.insert_texts(&ORDERS, orders).await?;
        for entry in entries {
            let Some(serial) = serial(entry) else { continue };
            let sql = "INSERT INTO certificates(serial, stream, kind, position) VALUES(?, ?, ?, ?)
                ON CONFLICT(serial) DO UPDATE SET kind = excluded.kind, position = excluded.position";
            let query = sqlx::query(sql).bind(serial.octets().to_vec()).bind(key(entry));
            self.run(query.bind(entry.kind.to_string()).bind(at(entry))).await?;
        }
        for stream in fresh {
            let query = sqlx::query("INSERT OR IGNORE INTO streams(id, name) VALUES(?, ?)");
            self.run(
                query
                    .bind(keys.get(stream).copied().unwrap_or_default())
                    .bind(stream.to_string()),
            )
            .await?;
        }
        let query = sqlx::query("UPDATE progress SET position = ? WHERE id = 1").bind(signed(position));
        self.run(query).await
    }

    async fn insert_texts(&mut self, target: &rows::Target, found: Vec<(i64, String, i64)>) -> Result<(), StoreError> {
        if found.is_empty() {
            return Ok(());
        }
        let count = found.len();
        let mut query = sqlx::query(AssertSqlSafe(self.text(target, count)));
        for (key, text, position) in found {
            query = query.bind(key).bind(text).bind(position);
        }
        self.run(rows::pad(query, target, count)).await
    }
}
