//! The tables, the fence around them, and the settings without which neither holds.
//!
//! WORM here stops the application (reference/security.md §2.1); tree and checkpoints prove the rest.

/// The lowest SQLite version that is used: before 3.51.3 a WAL reset can corrupt (security.md §1, row 9).
pub(crate) const LOWEST_VERSION: (u32, u32, u32) = (3, 51, 3);

/// What a connection that writes entries must have: its settings, read back.
pub(crate) const SETTINGS: [(&str, &str); 5] = [
    ("journal_mode", "wal"),
    ("synchronous", "2"),
    ("recursive_triggers", "1"),
    ("wal_autocheckpoint", "0"),
    ("trusted_schema", "0"),
];

/// Tables of `ledger.db`.
pub(crate) const TABLES: &str = "
CREATE TABLE entries(position INTEGER PRIMARY KEY, bytes BLOB NOT NULL, recorded_at INTEGER NOT NULL, append_id TEXT,
  leaf BLOB NOT NULL) STRICT;
CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note TEXT NOT NULL, frontier BLOB NOT NULL) STRICT;
CREATE TABLE sealed(position INTEGER NOT NULL, ordinal INTEGER NOT NULL, subject TEXT NOT NULL, key_id BLOB NOT NULL,
  commitment BLOB NOT NULL, ciphertext BLOB NOT NULL, PRIMARY KEY(position, ordinal)) STRICT, WITHOUT ROWID;
CREATE TABLE serials(serial BLOB PRIMARY KEY, position INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tasks(position INTEGER NOT NULL, ordinal INTEGER NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL, payload TEXT NOT NULL,
  due INTEGER NOT NULL, attempts INTEGER NOT NULL, dead INTEGER NOT NULL, PRIMARY KEY(position, ordinal)) STRICT, WITHOUT ROWID;
CREATE INDEX tasks_due ON tasks(role, dead, due);
CREATE TABLE head(id INTEGER PRIMARY KEY CHECK(id = 1), size INTEGER NOT NULL, epoch INTEGER NOT NULL, root BLOB NOT NULL) STRICT;
";

/// The triggers, by name. They are compared with the database's at each start.
pub(crate) fn triggers() -> Vec<(String, String)> {
    let mut triggers = Vec::new();
    let mut add = |name: String, when: &str, table: &str, body: &str| {
        let sql = format!(
            "CREATE TRIGGER {name} BEFORE {when} ON {table} BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: {table}'){body}; END"
        );
        triggers.push((name, sql));
    };
    for table in ["entries", "checkpoints", "sealed", "serials"] {
        add(format!("{table}_no_update"), "UPDATE", table, "");
        add(format!("{table}_no_delete"), "DELETE", table, "");
    }
    for (table, body) in [
        (
            "entries",
            "WHERE NEW.position IS NOT (SELECT coalesce(max(position), -1) + 1 FROM entries)",
        ),
        (
            "checkpoints",
            "WHERE NEW.size <= (SELECT coalesce(max(size), 0) FROM checkpoints)",
        ),
        (
            "sealed",
            "WHERE EXISTS (SELECT 1 FROM sealed WHERE position = NEW.position AND ordinal = NEW.ordinal)",
        ),
        (
            "serials",
            "WHERE EXISTS (SELECT 1 FROM serials WHERE serial = NEW.serial)",
        ),
    ] {
        add(format!("{table}_insert"), "INSERT", table, &format!(" {body}"));
    }
    add("head_no_delete".into(), "DELETE", "head", "");
    add(
        "head_grows".into(),
        "UPDATE",
        "head",
        " WHERE NEW.size <= OLD.size OR NEW.epoch < OLD.epoch OR NEW.id <> 1",
    );
    triggers
}

/// Tables of `views.db`; everything in it can be made again from the entries.
pub(crate) const VIEWS: &str = "
CREATE TABLE IF NOT EXISTS progress(id INTEGER PRIMARY KEY CHECK(id = 1), position INTEGER NOT NULL, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS streams(id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stream_entries(stream INTEGER NOT NULL, number INTEGER NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(stream, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS append_ids(stream INTEGER NOT NULL, id TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(stream, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders(stream INTEGER NOT NULL, client_order_id TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY(stream, client_order_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS certificates(serial BLOB PRIMARY KEY, stream INTEGER NOT NULL, kind TEXT NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS marks(position INTEGER NOT NULL, ordinal INTEGER NOT NULL, stream INTEGER NOT NULL, kind TEXT NOT NULL,
  decision TEXT, code TEXT, PRIMARY KEY(position, ordinal)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_kind ON marks(kind, position, stream);
CREATE INDEX IF NOT EXISTS marks_decision ON marks(decision, position, stream) WHERE decision IS NOT NULL;
CREATE INDEX IF NOT EXISTS marks_code ON marks(code, position, stream) WHERE code IS NOT NULL;
";

/// Raised when the views hold something else than before; older ones are made again.
pub(crate) const VIEWS_VERSION: i64 = 2;
