//! The views' file: one transaction a bunch of entries, beside the commits and never in their way.

use std::{collections::HashMap, path::Path, sync::Arc};

use extensions::StreamId;
use rusqlite::{Connection, OptionalExtension, params};

use super::facts::{client_order_id, serial};
use crate::{
    append::CommittedEntry,
    entry,
    search::Marks,
    store::{
        StoreError,
        sqlite::{append, schema, signed, unsigned},
    },
};

/// Entries after which the file's own WAL is brought back.
const CHECKPOINT_EVERY: u64 = 65_536;
/// Kilobytes of pages held in memory: the indexes by id are hit at random.
const CACHE_KIB: u32 = 65_536;

pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    append::failed(&error)
}

/// A stream as the file has it.
pub(super) struct Known {
    pub(super) stream: StreamId,
    pub(super) key: i64,
    pub(super) next: u64,
}

pub(super) struct ViewsFile {
    views: Connection,
    entries: Connection,
    pub(super) position: u64,
    since_checkpoint: u64,
}

impl ViewsFile {
    /// Opens the views beside the entries; makes the tables when they are absent. `false` says that they are of another version, or ahead
    /// of the entries: they are to be made again.
    pub(super) fn open(path: &Path, entries: &Path) -> Result<(Self, bool), StoreError> {
        let views = append::connect(path, "NORMAL").map_err(failed)?;
        let cache = format!("PRAGMA cache_size = -{CACHE_KIB};");
        views.execute_batch(&cache).map_err(failed)?;
        views.execute_batch(schema::VIEWS).map_err(failed)?;
        let entries = append::connect(entries, "FULL").map_err(failed)?;
        entries.execute_batch("PRAGMA query_only = ON;").map_err(failed)?;
        let sql = "SELECT position, version FROM progress";
        let row = views.query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        let row = row.optional().map_err(failed)?;
        let sql = "SELECT coalesce(max(position), -1) + 1 FROM entries";
        let size: i64 = entries.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
        let (position, version) = row.unwrap_or((0, 0));
        let file = Self {
            views,
            entries,
            position: unsigned(position),
            since_checkpoint: 0,
        };
        Ok((file, version == schema::VIEWS_VERSION && position <= size))
    }

    /// Every stream of the file.
    pub(super) fn streams(&self) -> Result<Vec<Known>, StoreError> {
        let sql = "SELECT id, name, (SELECT coalesce(max(number), -1) + 1 FROM stream_entries WHERE stream = id) FROM streams";
        let mut query = self.views.prepare(sql).map_err(failed)?;
        let rows = query.query_map([], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
        });
        let known = rows.map_err(failed)?.map(|row| {
            let (key, name, next) = row.map_err(failed)?;
            let stream = StreamId::parse(&name).map_err(|e| StoreError::Failed(e.to_string()))?;
            Ok(Known {
                stream,
                key,
                next: unsigned(next),
            })
        });
        known.collect()
    }

    /// Gives every append id to `each`, with its stream's key.
    pub(super) fn each_append_id(&self, mut each: impl FnMut(i64, &str)) -> Result<(), StoreError> {
        let mut query = self
            .views
            .prepare("SELECT stream, id FROM append_ids")
            .map_err(failed)?;
        let mut rows = query.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let key = row.get(0).map_err(failed)?;
            let id = row.get_ref(1).map_err(failed)?;
            each(key, id.as_str().map_err(|e| StoreError::Failed(e.to_string()))?);
        }
        Ok(())
    }

    /// Empties the file.
    pub(super) fn clear(&mut self) -> Result<(), StoreError> {
        let sql = format!(
            "BEGIN IMMEDIATE; DELETE FROM streams; DELETE FROM stream_entries; DELETE FROM append_ids; DELETE FROM orders;
            DELETE FROM certificates; DELETE FROM marks; DELETE FROM progress; INSERT INTO progress VALUES(1, 0, {}); COMMIT;",
            schema::VIEWS_VERSION
        );
        self.views.execute_batch(&sql).map_err(failed)?;
        self.position = 0;
        Ok(())
    }

    /// Up to `limit` entries from the file's position on, read from the log.
    pub(super) fn next_entries(&self, limit: usize) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        let sql = "SELECT position, bytes, append_id FROM entries WHERE position >= ? ORDER BY position LIMIT ?";
        let mut query = self.entries.prepare_cached(sql).map_err(failed)?;
        let mut rows = query.query([signed(self.position), limit as i64]).map_err(failed)?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let position = unsigned(row.get(0).map_err(failed)?);
            let bytes = row.get_ref(1).map_err(failed)?;
            let bytes = bytes.as_blob().map_err(|e| StoreError::Failed(e.to_string()))?;
            let mut entry = entry::parse(position, bytes)
                .map_err(|e| StoreError::Failed(format!("the entry at position {position} is unreadable: {e}")))?;
            entry.id = row.get::<_, Option<String>>(2).map_err(failed)?.map(Into::into);
            entries.push(Arc::new(entry));
        }
        Ok(entries)
    }

    pub(super) fn highest_stream(&self) -> Result<i64, StoreError> {
        let sql = "SELECT coalesce(max(id), 0) FROM streams";
        self.views.query_row(sql, [], |row| row.get(0)).map_err(failed)
    }

    /// Writes `entries`, which end at `position`, in one transaction.
    pub(super) fn apply(
        &mut self,
        entries: &[Arc<CommittedEntry>],
        keys: &HashMap<StreamId, i64>,
        position: u64,
    ) -> Result<(), StoreError> {
        let transaction = self.views.transaction().map_err(failed)?;
        insert(&transaction, entries, keys).map_err(failed)?;
        transaction
            .prepare_cached("UPDATE progress SET position = ? WHERE id = 1")
            .and_then(|mut update| update.execute([signed(position)]))
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        self.position = position;
        self.since_checkpoint += entries.len() as u64;
        if self.since_checkpoint >= CHECKPOINT_EVERY {
            self.since_checkpoint = 0;
            let checkpoint = self.views.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
            checkpoint.map_err(failed)?;
        }
        Ok(())
    }
}

fn insert(views: &Connection, entries: &[Arc<CommittedEntry>], keys: &HashMap<StreamId, i64>) -> rusqlite::Result<()> {
    let mut numbers =
        views.prepare_cached("INSERT OR IGNORE INTO stream_entries(stream, number, position) VALUES (?, ?, ?)")?;
    let mut ids = views.prepare_cached("INSERT OR IGNORE INTO append_ids(stream, id, position) VALUES (?, ?, ?)")?;
    let mut orders =
        views.prepare_cached("INSERT OR IGNORE INTO orders(stream, client_order_id, position) VALUES (?, ?, ?)")?;
    for entry in entries {
        let key = keys.get(&entry.stream).copied().unwrap_or_default();
        let position = signed(entry.position);
        numbers.execute([key, signed(entry.number), position])?;
        if let Some(id) = &entry.id {
            ids.execute(params![key, &**id, position])?;
        }
        if let Some(id) = client_order_id(entry) {
            orders.execute(params![key, id, position])?;
        }
        if let Some(serial) = serial(entry) {
            let sql = "INSERT INTO certificates(serial, stream, kind, position) VALUES(?, ?, ?, ?)
                ON CONFLICT(serial) DO UPDATE SET kind = excluded.kind, position = excluded.position";
            let values = params![&serial.octets()[..], key, &*entry.kind, position];
            views.prepare_cached(sql)?.execute(values)?;
        }
        let marks = Marks::of(entry);
        if marks.indexed(&entry.kind) {
            mark(views, entry, key, &marks)?;
        }
        if entry.number == 0 {
            let sql = "INSERT OR IGNORE INTO streams(id, name) VALUES(?, ?)";
            views
                .prepare_cached(sql)?
                .execute(params![key, entry.stream.to_string()])?;
        }
    }
    Ok(())
}

/// One row for each code of an entry, and one for an entry without.
fn mark(views: &Connection, entry: &CommittedEntry, key: i64, marks: &Marks) -> rusqlite::Result<()> {
    let sql = "INSERT OR IGNORE INTO marks(position, ordinal, stream, kind, decision, code) VALUES(?, ?, ?, ?, ?, ?)";
    let mut insert = views.prepare_cached(sql)?;
    for ordinal in 0..marks.codes.len().max(1) {
        let code = marks.codes.get(ordinal);
        let values = params![
            signed(entry.position),
            ordinal as i64,
            key,
            &*entry.kind,
            marks.decision,
            code
        ];
        insert.execute(values)?;
    }
    Ok(())
}
