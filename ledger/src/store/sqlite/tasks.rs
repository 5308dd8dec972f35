//! The outbox: tasks are written with the entries they follow from, leased, and settled. A task that is leased and not settled is due again when
//! the lease ends, so a crash repeats it; its result's append carries the task's id and is written once.

use extensions::Timestamp;
use sqlx::{Row, sqlite::SqliteRow};

use super::{SqliteStore, append, failed, signed, unsigned};
use crate::{
    ledger::{LeasedTask, TaskId},
    store::{MOST_READ, Settled, StoreError},
};

const COLUMNS: &str = "position, ordinal, role, kind, payload, due, attempts";

fn task_of(row: &SqliteRow) -> LeasedTask {
    LeasedTask {
        id: TaskId {
            position: unsigned(row.get(0)),
            ordinal: u32::try_from(row.get::<i64, _>(1)).unwrap_or(u32::MAX),
        },
        role: row.get(2),
        kind: row.get(3),
        payload: row.get(4),
        due: Timestamp::from_micros(row.get(5)),
        attempts: u32::try_from(row.get::<i64, _>(6)).unwrap_or(u32::MAX),
    }
}

impl SqliteStore {
    pub(super) async fn lease(
        &self,
        role: &str,
        now: Timestamp,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<LeasedTask>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM tasks WHERE role = ? AND dead = 0 AND due <= ? ORDER BY due LIMIT ?");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql));
        let query = query
            .bind(role.to_owned())
            .bind(now.micros())
            .bind(limit.min(MOST_READ) as i64);
        let mut reader = self.reader().await;
        let rows = query.fetch_all(&mut *reader).await.map_err(|e| failed(&e))?;
        drop(reader);
        let mut leased = Vec::new();
        for task in rows.iter().map(task_of) {
            let sql = "UPDATE tasks SET due = ?, attempts = attempts + 1 WHERE position = ? AND ordinal = ? AND due = ? AND dead = 0";
            let (position, ordinal) = place(task.id);
            let values = [until.micros(), position, ordinal, task.due.micros()];
            if self.write_small(sql, &values).await? == 1 {
                leased.push(task);
            }
        }
        Ok(leased)
    }

    pub(super) async fn settle(&self, id: TaskId, settled: Settled) -> Result<(), StoreError> {
        let (position, ordinal) = place(id);
        match settled {
            Settled::Done => {
                let sql = "DELETE FROM tasks WHERE position = ? AND ordinal = ?";
                self.write_small(sql, &[position, ordinal]).await?
            }
            Settled::Dead => {
                let sql = "UPDATE tasks SET dead = 1 WHERE position = ? AND ordinal = ?";
                self.write_small(sql, &[position, ordinal]).await?
            }
            Settled::Due(due) => {
                let sql = "UPDATE tasks SET dead = 0, due = ? WHERE position = ? AND ordinal = ?";
                self.write_small(sql, &[due.micros(), position, ordinal]).await?
            }
        };
        Ok(())
    }

    pub(super) async fn dead(&self, role: &str) -> Result<Vec<LeasedTask>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM tasks WHERE role = ? AND dead = 1 ORDER BY position, ordinal LIMIT ?");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(role.to_owned())
            .bind(MOST_READ as i64);
        let mut reader = self.reader().await;
        let rows = query.fetch_all(&mut *reader).await.map_err(|e| failed(&e))?;
        Ok(rows.iter().map(task_of).collect())
    }

    async fn write_small(&self, sql: &str, values: &[i64]) -> Result<usize, StoreError> {
        let mut write = self.write.lock().await;
        if let Some(broken) = &write.broken {
            return Err(broken.clone());
        }
        let done = write.file.change(sql, values).map_err(|e| append::failed(&e));
        if let Err(error) = &done {
            write.broken = Some(error.clone());
        }
        write.since_checkpoint += 16_384;
        done
    }
}

/// The key of a task's row.
fn place(id: TaskId) -> (i64, i64) {
    (signed(id.position), i64::from(id.ordinal))
}
