//! The one connection that writes entries, driven on the thread that commits: no other thread is woken for a commit
//! (decision record 0012).

use std::{path::Path, time::Duration};

use extensions::Serial;
use rusqlite::{Connection, OpenFlags, params};

use super::{Grown, open, schema, signed};
use crate::store::{
    Batch, StoreError,
    sequence::{Numbered, Sequence},
};

/// Lock time-out; nobody else writes entries, so it is never reached in order.
const BUSY: Duration = Duration::from_secs(1);
/// Statements that stay prepared.
const STATEMENTS: usize = 32;
/// What a commit writes beside its entries: checkpoint, head and inner pages.
const COMMIT_OVERHEAD_BYTES: u64 = 6 * open::PAGE_BYTES as u64;

pub(crate) fn failed(error: &rusqlite::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

/// A connection to a file of ours with the settings of [`open`]; `synchronous` is `FULL` or `NORMAL`.
pub(super) fn connect(path: &Path, synchronous: &str) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.execute_batch(&format!(
        "PRAGMA page_size = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}; PRAGMA recursive_triggers = ON; \
         PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA mmap_size = 0; PRAGMA cell_size_check = ON;",
        open::PAGE_BYTES
    ))?;
    Ok(connection)
}

/// The writing connection.
pub(super) struct AppendFile {
    connection: Connection,
}

impl AppendFile {
    /// Opens the file, which exists, and asserts its settings.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = connect(path, "FULL").map_err(|e| failed(&e))?;
        for (name, wanted) in schema::SETTINGS {
            let value = connection.pragma_query_value(None, name, |row| {
                Ok(match row.get_ref(0)? {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap_or_default().to_owned(),
                })
            });
            let value = value.map_err(|e| failed(&e))?;
            if value != wanted {
                return Err(open::unsettled(name, &value, wanted));
            }
        }
        Ok(Self { connection })
    }

    /// One transaction: entries, serials, sealed texts, tasks, checkpoint, head. Durable when it returns; gives the bytes it wrote.
    pub(super) fn commit(&mut self, batch: &Batch, sequence: &Sequence, grown: &Grown) -> rusqlite::Result<u64> {
        self.run("BEGIN IMMEDIATE")?;
        let bytes = self.insert_entries(grown)? + self.insert_parts(batch, sequence, grown)?;
        let head = &grown.head;
        self.connection
            .prepare_cached("INSERT INTO checkpoints(size, note, frontier) VALUES (?, ?, ?)")?
            .execute(params![signed(head.size), &*head.checkpoint, grown.frontier.to_bytes()])?;
        self.connection
            .prepare_cached("UPDATE head SET size = ?, epoch = ?, root = ? WHERE id = 1")?
            .execute(params![signed(head.size), signed(head.epoch), &head.root.0[..]])?;
        self.run("COMMIT")?;
        Ok(bytes + COMMIT_OVERHEAD_BYTES)
    }

    fn insert_entries(&self, grown: &Grown) -> rusqlite::Result<u64> {
        let sql = "INSERT INTO entries(position, bytes, recorded_at, append_id, leaf) VALUES (?, ?, ?, ?, ?)";
        let mut insert = self.connection.prepare_cached(sql)?;
        let mut bytes = 0;
        for (entry, leaf) in grown.entries.iter().zip(&grown.leaves) {
            bytes += entry.bytes.len() as u64 + 32;
            insert.execute(params![
                signed(entry.position),
                &*entry.bytes,
                entry.recorded_at.micros(),
                entry.id.as_deref(),
                &leaf.0[..]
            ])?;
        }
        Ok(bytes)
    }

    /// What the written items bring beside their entries.
    fn insert_parts(&self, batch: &Batch, sequence: &Sequence, grown: &Grown) -> rusqlite::Result<u64> {
        let mut bytes = 0;
        for (item, numbered) in batch.items.iter().zip(&sequence.items) {
            let Numbered::Written { first } = numbered else {
                continue;
            };
            let position = signed(grown.entries[*first].position);
            for serial in &item.serials {
                let sql = "INSERT INTO serials(serial, position) VALUES (?, ?)";
                let mut insert = self.connection.prepare_cached(sql)?;
                insert.execute(params![&serial.octets()[..], position])?;
            }
            for (ordinal, (draft, row)) in item.sealed.iter().enumerate() {
                bytes += row.ciphertext.len() as u64 + 128;
                let sql = "INSERT INTO sealed(position, ordinal, subject, key_id, commitment, ciphertext) VALUES (?, ?, ?, ?, ?, ?)";
                self.connection.prepare_cached(sql)?.execute(params![
                    position + *draft as i64,
                    ordinal as i64,
                    row.subject,
                    &row.key_id[..],
                    &row.commitment.0[..],
                    row.ciphertext
                ])?;
            }
            for (ordinal, task) in item.tasks.iter().enumerate() {
                bytes += task.payload.len() as u64 + 64;
                let sql = "INSERT INTO tasks(position, ordinal, role, kind, payload, due, attempts, dead) VALUES (?, ?, ?, ?, ?, ?, 0, 0)";
                self.connection.prepare_cached(sql)?.execute(params![
                    position,
                    ordinal as i64,
                    task.role,
                    task.kind,
                    task.payload,
                    task.due.micros()
                ])?;
            }
        }
        Ok(bytes)
    }

    fn run(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Whether a serial is reserved already.
    pub(super) fn has_serial(&self, serial: &Serial) -> rusqlite::Result<bool> {
        let mut query = self
            .connection
            .prepare_cached("SELECT 1 FROM serials WHERE serial = ?")?;
        query.exists([&serial.octets()[..]])
    }

    /// One small statement of the outbox; the count of rows it changed.
    pub(super) fn change(&self, sql: &str, values: &[i64]) -> rusqlite::Result<usize> {
        let values = rusqlite::params_from_iter(values);
        self.connection.prepare_cached(sql)?.execute(values)
    }

    /// Brings the rest of the WAL back between two commits, so that it starts again from its beginning.
    pub(super) fn checkpoint(&self) -> rusqlite::Result<()> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
    }
}
