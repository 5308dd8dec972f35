//! Connections and the settings they must have; every setting is read back and asserted.

use std::{path::Path, time::Duration};

use sqlx::{
    AssertSqlSafe, ConnectOptions, Row, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::schema;
use crate::store::StoreError;

/// Statements that stay prepared per connection.
const STATEMENTS: usize = 512;
/// Lock time-out; nobody else writes, so it is never reached in order.
const BUSY: Duration = Duration::from_secs(1);
pub(crate) const PAGE_BYTES: u32 = 4_096;

pub(crate) fn failed(error: &sqlx::Error) -> StoreError {
    StoreError::Failed(error.to_string())
}

fn options(path: &Path, thread: &'static str) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY)
        .statement_cache_capacity(STATEMENTS)
        .pragma("recursive_triggers", "ON")
        .pragma("trusted_schema", "OFF")
        .pragma("wal_autocheckpoint", "0")
        .pragma("mmap_size", "0")
        .pragma("cell_size_check", "ON")
        .thread_name(move |_| format!("ledger-{thread}"))
        .disable_statement_logging()
}

/// A connection that may write entries: WAL, `synchronous=FULL`, recursive triggers.
pub(crate) async fn writer(path: &Path, create: bool) -> Result<SqliteConnection, StoreError> {
    let options = options(path, "write")
        .synchronous(SqliteSynchronous::Full)
        .create_if_missing(create);
    let mut connection = options.connect().await.map_err(|e| failed(&e))?;
    assert_settings(&mut connection).await?;
    Ok(connection)
}

/// A connection that only reads the entries.
pub(crate) async fn reader(path: &Path) -> Result<SqliteConnection, StoreError> {
    let options = options(path, "read")
        .synchronous(SqliteSynchronous::Full)
        .pragma("query_only", "ON");
    options.connect().await.map_err(|e| failed(&e))
}

/// One number or word a pragma answers with.
pub(crate) async fn setting(connection: &mut SqliteConnection, sql: &str) -> Result<String, StoreError> {
    let row = sqlx::raw_sql(AssertSqlSafe(sql))
        .fetch_one(connection)
        .await
        .map_err(|e| failed(&e))?;
    let number = row.try_get::<i64, _>(0).map(|number| number.to_string());
    number.or_else(|_| row.try_get::<String, _>(0)).map_err(|e| failed(&e))
}

pub(crate) async fn assert_settings(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let version = setting(connection, "SELECT sqlite_version()").await?;
    if parse_version(&version) < Some(schema::LOWEST_VERSION) {
        return Err(StoreError::Failed(format!(
            "SQLite {version} is too old: 3.51.3 or later is needed"
        )));
    }
    for (name, wanted) in schema::SETTINGS {
        let value = setting(connection, &format!("PRAGMA {name}")).await?;
        if value != wanted {
            return Err(unsettled(name, &value, wanted));
        }
    }
    Ok(())
}

/// A setting that is not what it must be.
pub(super) fn unsettled(name: &str, value: &str, wanted: &str) -> StoreError {
    StoreError::Failed(format!("SQLite has {name} = {value}, {wanted} is needed"))
}

fn parse_version(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

/// The triggers must be there, word by word.
pub(crate) async fn assert_triggers(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let query = sqlx::query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'");
    let rows = query.fetch_all(connection).await.map_err(|e| failed(&e))?;
    let found: std::collections::HashMap<String, String> = rows
        .iter()
        .map(|row| (row.get::<String, _>(0), row.get::<String, _>(1)))
        .collect();
    for (name, sql) in schema::triggers() {
        if found.get(&name) != Some(&sql) {
            return Err(StoreError::Failed(format!(
                "the write-once trigger {name} is missing or changed"
            )));
        }
    }
    Ok(())
}

/// Makes the tables of a new store.
pub(crate) async fn make_tables(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let mut sql = format!("BEGIN IMMEDIATE; {}", schema::TABLES);
    for (_, trigger) in schema::triggers() {
        sql.push_str(&trigger);
        sql.push_str(";\n");
    }
    let root = crate::tree::empty_root();
    sql.push_str(&format!("INSERT INTO head VALUES(1, 0, 0, X'{root}'); COMMIT;"));
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .map_err(|e| failed(&e))?;
    Ok(())
}
