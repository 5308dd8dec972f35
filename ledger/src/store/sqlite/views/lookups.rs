//! Look-ups in the views' file, on a connection of their own: they do not wait for the transaction that follows the log.

use std::path::Path;

use extensions::{Serial, StreamId};
use rusqlite::{Connection, OptionalExtension, params};

use super::file::failed;
use crate::search::Mark;
use crate::store::{
    Marked, StoreError,
    sqlite::{append, signed, unsigned},
};

const BY_CODE: &str = "SELECT position, stream FROM marks WHERE code = ? AND position >= ? AND position < ? ORDER BY position DESC LIMIT ?";
const BY_DECISION: &str = "SELECT position, stream FROM marks WHERE decision = ? AND position >= ? AND position < ? ORDER BY position DESC LIMIT ?";
const BY_KIND: &str = "SELECT position, stream FROM marks WHERE kind = ? AND position >= ? AND position < ? ORDER BY position DESC LIMIT ?";

pub(super) struct Lookups {
    views: Connection,
}

impl Lookups {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let views = append::connect(path, "NORMAL").map_err(failed)?;
        views.execute_batch("PRAGMA query_only = ON;").map_err(failed)?;
        Ok(Self { views })
    }

    /// The position of an append by its id.
    pub(super) fn append_id(&self, key: i64, id: &str) -> Result<Option<u64>, StoreError> {
        self.position_of("SELECT position FROM append_ids WHERE stream = ? AND id = ?", key, id)
    }

    /// The position of an order by its id.
    pub(super) fn order(&self, key: i64, id: &str) -> Result<Option<u64>, StoreError> {
        let sql = "SELECT position FROM orders WHERE stream = ? AND client_order_id = ?";
        self.position_of(sql, key, id)
    }

    /// Positions under a mark, newest first.
    pub(super) fn marked(
        &self,
        mark: &Mark,
        stream: Option<i64>,
        (lowest, highest): (u64, u64),
        limit: usize,
    ) -> Result<Marked, StoreError> {
        let (sql, value) = match mark {
            Mark::Code(code) => (BY_CODE, code),
            Mark::Decision(decision) => (BY_DECISION, decision),
            Mark::Kind(kind) => (BY_KIND, kind),
        };
        let mut query = self.views.prepare_cached(sql).map_err(failed)?;
        let values = params![value, signed(lowest), signed(highest), limit as i64];
        let mut rows = query.query(values).map_err(failed)?;
        let mut marked = Marked::default();
        while let Some(row) = rows.next().map_err(failed)? {
            marked.looked += 1;
            marked.through = unsigned(row.get(0).map_err(failed)?);
            let of: i64 = row.get(1).map_err(failed)?;
            let again = marked.positions.last() == Some(&marked.through);
            if !again && stream.is_none_or(|stream| stream == of) {
                marked.positions.push(marked.through);
            }
        }
        Ok(marked)
    }

    fn position_of(&self, sql: &str, key: i64, id: &str) -> Result<Option<u64>, StoreError> {
        let mut query = self.views.prepare_cached(sql).map_err(failed)?;
        let found = query.query_row(params![key, id], |row| row.get::<_, i64>(0)).optional();
        Ok(found.map_err(failed)?.map(unsigned))
    }

    /// Stream and last kind about a serial.
    pub(super) fn certificate(&self, serial: &Serial) -> Result<Option<(StreamId, String)>, StoreError> {
        let sql = "SELECT s.name, c.kind FROM certificates c JOIN streams s ON s.id = c.stream WHERE c.serial = ?";
        let mut query = self.views.prepare_cached(sql).map_err(failed)?;
        let row = query.query_row([&serial.octets()[..]], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        });
        let Some((name, kind)) = row.optional().map_err(failed)? else {
            return Ok(None);
        };
        let stream = StreamId::parse(&name).map_err(|e| StoreError::Failed(e.to_string()))?;
        Ok(Some((stream, kind)))
    }
}
