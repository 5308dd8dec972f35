//! Reads of the log: by position, by stream, and the proof of one entry.

use std::sync::Arc;

use extensions::{Digest, StreamId, Timestamp};
use sqlx::{AssertSqlSafe, Row, sqlite::SqliteRow};

use super::{SqliteStore, failed, signed, unsigned};
use crate::{
    append::CommittedEntry,
    entry,
    seal::SealedRow,
    store::{MOST_READ, StoreError, StoredCheckpoint},
    tree::{self, BatchTree, Frontier},
};

pub(super) fn entry_of(row: &SqliteRow) -> Result<Arc<CommittedEntry>, StoreError> {
    let position = unsigned(row.get(0));
    let mut entry = entry::parse(position, row.get::<&[u8], _>(1))
        .map_err(|e| StoreError::Failed(format!("the entry at position {position} is unreadable: {e}")))?;
    entry.recorded_at = Timestamp::from_micros(row.get(2));
    entry.id = row.get::<Option<String>, _>(3).map(Into::into);
    Ok(Arc::new(entry))
}

impl SqliteStore {
    pub(super) async fn range(&self, from: u64, limit: usize) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        let until = from
            .saturating_add(limit.min(MOST_READ) as u64)
            .min(self.head_now().size);
        self.ranges.read(from, until).await
    }

    /// What the views know, then what they do not know yet.
    pub(super) async fn stream(
        &self,
        stream: &StreamId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Arc<CommittedEntry>>, StoreError> {
        let limit = limit.min(MOST_READ);
        let tail = self.views.tail_of(stream, from);
        let sql = "SELECT e.position, e.bytes, e.recorded_at, e.append_id FROM views.stream_entries s JOIN entries e ON e.position = s.position
            WHERE s.stream = ? AND s.number >= ? ORDER BY s.number LIMIT ?";
        let mut entries = Vec::new();
        if let Some(id) = self.views.stream_key(stream) {
            let query = sqlx::query(sql).bind(id).bind(signed(from)).bind(limit as i64);
            let mut reader = self.reader().await;
            let rows = query.fetch_all(&mut *reader).await.map_err(|e| failed(&e))?;
            drop(reader);
            entries = rows.iter().map(entry_of).collect::<Result<Vec<_>, _>>()?;
        }
        let next = entries.last().map_or(from, |last| last.number + 1);
        let room = limit - entries.len();
        entries.extend(tail.into_iter().skip_while(|entry| entry.number < next).take(room));
        Ok(entries)
    }

    pub(super) async fn stored_checkpoint(
        &self,
        condition: &'static str,
        size: u64,
    ) -> Result<Option<StoredCheckpoint>, StoreError> {
        let sql = format!("SELECT size, note, frontier FROM checkpoints WHERE {condition}");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(signed(size));
        let mut reader = self.reader().await;
        let row = query.fetch_optional(&mut *reader).await.map_err(|e| failed(&e))?;
        Ok(row.map(|row| StoredCheckpoint {
            size: unsigned(row.get(0)),
            note: row.get(1),
            frontier: row.get(2),
        }))
    }

    /// The tree of the entry's batch, grown again from the checkpoint before it.
    pub(super) async fn prove_entry(
        &self,
        position: u64,
    ) -> Result<(Arc<CommittedEntry>, Arc<BatchTree>, Arc<str>), StoreError> {
        let absent = || StoreError::Absent(format!("there is no entry at position {position}"));
        let after = self
            .stored_checkpoint("size > ? ORDER BY size LIMIT 1", position)
            .await?
            .ok_or_else(absent)?;
        let before = self
            .stored_checkpoint("size <= ? ORDER BY size DESC LIMIT 1", position)
            .await?;
        let frontier = match before {
            Some(before) => Frontier::from_bytes(before.size, &before.frontier),
            None => Some(Frontier::new()),
        };
        let frontier = frontier.ok_or_else(|| StoreError::Failed("a checkpoint's frontier is unreadable".into()))?;
        let mut entries = Vec::new();
        let mut from = frontier.size();
        while from < after.size {
            let part = self
                .range(from, usize::try_from(after.size - from).unwrap_or(MOST_READ))
                .await?;
            from = part.last().map(|last| last.position + 1).ok_or_else(absent)?;
            entries.extend(part);
        }
        let leaves: Vec<Digest> = entries.iter().map(|entry| tree::leaf_hash(&entry.bytes)).collect();
        let index = usize::try_from(position - frontier.size()).map_err(|_| absent())?;
        let entry = entries.get(index).ok_or_else(absent)?;
        Ok((
            Arc::clone(entry),
            Arc::new(BatchTree::grow(&frontier, &leaves)),
            after.note.into(),
        ))
    }

    pub(super) async fn sealed_row(&self, position: u64, commitment: &Digest) -> Result<Option<SealedRow>, StoreError> {
        let sql = "SELECT subject, key_id, commitment, ciphertext FROM sealed WHERE position = ? AND commitment = ?";
        let query = sqlx::query(sql).bind(signed(position)).bind(commitment.0.to_vec());
        let mut reader = self.reader().await;
        let row = query.fetch_optional(&mut *reader).await.map_err(|e| failed(&e))?;
        Ok(row.as_ref().and_then(|row| sealed_of(row, 0)))
    }
}

impl SqliteStore {
    pub(super) async fn sealed_rows(&self, position: u64) -> Result<Vec<SealedRow>, StoreError> {
        let sql = "SELECT subject, key_id, commitment, ciphertext FROM sealed WHERE position = ? ORDER BY ordinal";
        let query = sqlx::query(sql).bind(signed(position));
        let mut reader = self.reader().await;
        let rows = query.fetch_all(&mut *reader).await.map_err(|e| failed(&e))?;
        let malformed = || StoreError::Failed(format!("a text of the entry at position {position} is malformed"));
        rows.iter().map(|row| sealed_of(row, 0).ok_or_else(malformed)).collect()
    }
}

/// A sealed row from four columns; `None` when a length is wrong.
pub(crate) fn sealed_of(row: &SqliteRow, from: usize) -> Option<SealedRow> {
    Some(SealedRow {
        subject: row.try_get(from).ok()?,
        key_id: row.try_get::<Vec<u8>, _>(from + 1).ok()?.try_into().ok()?,
        commitment: Digest(row.try_get::<Vec<u8>, _>(from + 2).ok()?.try_into().ok()?),
        ciphertext: row.try_get(from + 3).ok()?,
    })
}
