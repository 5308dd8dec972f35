//! The statements of a commit. One text holds the whole transaction, so that it is one round trip to the connection's thread; rows are padded to
//! powers of two, so that few texts exist and stay prepared.

use std::{collections::HashMap, sync::Arc};

use sqlx::{Sqlite, sqlite::SqliteArguments};

type Query = sqlx::query::Query<'static, Sqlite, SqliteArguments>;

/// A table that a commit fills, with its column count and its INSERT.
pub(crate) struct Target {
    pub(crate) insert: &'static str,
    pub(crate) columns: usize,
}

pub(crate) const ENTRIES: Target = Target {
    insert: "entries(position, bytes, recorded_at, append_id, leaf)",
    columns: 5,
};
pub(crate) const SERIALS: Target = Target {
    insert: "serials(serial, position)",
    columns: 2,
};
pub(crate) const SEALED: Target = Target {
    insert: "sealed(position, ordinal, subject, key_id, commitment, ciphertext)",
    columns: 6,
};
pub(crate) const TASKS: Target = Target {
    insert: "tasks(position, ordinal, role, kind, payload, due, attempts, dead)",
    columns: 8,
};

/// How many rows are padded to `count`.
pub(crate) fn padded(count: usize) -> usize {
    if count == 0 { 0 } else { count.next_power_of_two() }
}

/// `INSERT` of `rows` (padded) rows; rows whose first column is NULL are padding.
pub(crate) fn insert(target: &Target, rows: usize, verb: &str) -> String {
    if rows == 0 {
        return String::new();
    }
    let row = format!("({})", vec!["?"; target.columns].join(","));
    if rows == 1 {
        return format!("{verb} INTO {} VALUES {row};\n", target.insert);
    }
    let values = vec![row.as_str(); rows].join(",");
    format!(
        "{verb} INTO {} SELECT * FROM (VALUES {values}) WHERE column1 IS NOT NULL;\n",
        target.insert
    )
}

/// Binds the padding after `count` rows.
pub(crate) fn pad(mut query: Query, target: &Target, count: usize) -> Query {
    for _ in 0..(padded(count) - count) * target.columns {
        query = query.bind(None::<i64>);
    }
    query
}

/// The texts of transactions, by the padded counts of their rows.
#[derive(Default)]
pub(crate) struct Texts {
    commits: HashMap<[usize; 4], Arc<str>>,
}

impl Texts {
    /// The text of a commit with so many entries, serials, sealed texts and tasks.
    pub(crate) fn commit(&mut self, counts: [usize; 4]) -> Arc<str> {
        let counts = counts.map(padded);
        Arc::clone(self.commits.entry(counts).or_insert_with(|| {
            let mut sql = String::from("BEGIN IMMEDIATE;\n");
            for (target, rows) in [&ENTRIES, &SERIALS, &SEALED, &TASKS].into_iter().zip(counts) {
                sql.push_str(&insert(target, rows, "INSERT"));
            }
            sql.push_str("INSERT INTO checkpoints(size, note, frontier) VALUES (?, ?, ?);\n");
            sql.push_str("UPDATE head SET size = ?, epoch = ?, root = ? WHERE id = 1;\nCOMMIT;");
            sql.into()
        }))
    }
}
