//! Where the pieces of a log are read from: a store's folder, beside the running server, or an export.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
    time::Duration,
};

use extensions::{Digest, record::SealedText};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection, sqlite::SqliteConnectOptions, sqlite::SqliteRow,
};

use super::{Fault, Inspected, Options, Place, Report, Text, Verifier, inspect};
use crate::{
    entry::LONGEST_ENTRY,
    export::{Line, parse_line},
    seal::{SealedRow, SubjectKeys},
};

/// Rows read at once.
const ROWS: u64 = 4_096;
/// The longest line of an export.
const LONGEST_LINE: u64 = 2 * LONGEST_ENTRY as u64;

fn source(error: impl ToString) -> Fault {
    Fault::new(Place::Source, error.to_string())
}

/// Verifies the store in `directory`, read-only, up to the checkpoint found at its start.
///
/// # Errors
/// The first thing that does not hold.
pub async fn verify_directory(directory: &Path, options: Options<'_>) -> Result<Report, Fault> {
    let mut store = StoreReader::open(directory).await?;
    let mut verifier = Verifier::new(options)?;
    let head = store.head().await?;
    while verifier.signed_size() < head.size {
        let before = verifier.signed_size();
        store.page(&mut verifier, head.size).await?;
        if verifier.signed_size() == before {
            return Err(Fault::new(Place::Entry(before), "no checkpoint signs it"));
        }
    }
    if head.entries != head.size {
        let place = Place::Entry(head.size.min(head.entries));
        return Err(Fault::new(
            place,
            format!("{} entries are stored, {} are signed", head.entries, head.size),
        ));
    }
    if (head.row_size, head.row_epoch, &head.row_root[..]) != (head.size, verifier.epoch(), &verifier.root().0[..]) {
        return Err(Fault::new(
            Place::Head,
            "does not fit the entries and the last checkpoint",
        ));
    }
    store.serials(head.size).await?;
    drop(store.connection.close().await);
    verifier.finish()
}

/// A store's folder, read-only, beside the server that may write to it.
pub(crate) struct StoreReader {
    connection: SqliteConnection,
    subjects: SubjectKeys,
}

/// Some whole batches, as they are stored.
pub(crate) struct Page {
    from: u64,
    checkpoints: Vec<SqliteRow>,
    entries: Vec<SqliteRow>,
    texts: Vec<SqliteRow>,
}

/// What the store said of itself when it was opened.
pub(crate) struct Start {
    /// What its last checkpoint signs.
    pub(crate) size: u64,
    entries: u64,
    row_size: u64,
    row_epoch: u64,
    row_root: Vec<u8>,
}

fn unsigned(row: &SqliteRow, column: usize) -> Result<u64, Fault> {
    u64::try_from(row.try_get::<i64, _>(column).map_err(source)?).map_err(source)
}

impl StoreReader {
    pub(crate) async fn open(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join("ledger.db");
        if !path.exists() {
            return Err(source(format!("there is no ledger in {}", directory.display())));
        }
        // Without a write-ahead log the file is complete by itself, and may lie on a medium that cannot be written.
        let quiet = std::fs::metadata(directory.join("ledger.db-wal")).is_ok_and(|wal| wal.len() > 0);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .read_only(true)
            .immutable(!quiet)
            .busy_timeout(Duration::from_secs(5))
            .pragma("query_only", "ON")
            .disable_statement_logging();
        Ok(Self {
            connection: options.connect().await.map_err(source)?,
            subjects: SubjectKeys::read(&directory.join("subjects")).map_err(source)?,
        })
    }

    async fn rows(&mut self, sql: &str, bounds: [u64; 2]) -> Result<Vec<SqliteRow>, Fault> {
        let query = sqlx::query(AssertSqlSafe(sql))
            .bind(bounds[0] as i64)
            .bind(bounds[1] as i64);
        query.fetch_all(&mut self.connection).await.map_err(source)
    }

    pub(crate) async fn head(&mut self) -> Result<Start, Fault> {
        let sql = "SELECT (SELECT coalesce(max(size), 0) FROM checkpoints), (SELECT coalesce(max(position), -1) + 1 FROM entries),
            size, epoch, root, ?, ? FROM head";
        let rows = self.rows(sql, [0, 0]).await?;
        let row = rows.first().ok_or_else(|| Fault::new(Place::Head, "is missing"))?;
        Ok(Start {
            size: unsigned(row, 0)?,
            entries: unsigned(row, 1)?,
            row_size: unsigned(row, 2)?,
            row_epoch: unsigned(row, 3)?,
            row_root: row.try_get(4).map_err(source)?,
        })
    }

    /// Some whole batches from `from` on: their checkpoints, entries and texts. `None` when no checkpoint is left up to `end`.
    pub(crate) async fn batches(&mut self, from: u64, end: u64) -> Result<Option<Page>, Fault> {
        let sql = "SELECT size, note, frontier FROM checkpoints WHERE size > ? AND size <= ? ORDER BY size LIMIT 512";
        let mut checkpoints = self.rows(sql, [from, end]).await?;
        let last = checkpoints
            .iter()
            .rposition(|row| unsigned(row, 0).is_ok_and(|size| size <= from + ROWS));
        checkpoints.truncate(last.map_or(1, |last| last + 1));
        let Some(last) = checkpoints.last() else {
            return Ok(None);
        };
        let bounds = [from, unsigned(last, 0)?];
        let sql = "SELECT position, bytes, leaf FROM entries WHERE position >= ? AND position < ? ORDER BY position";
        let entries = self.rows(sql, bounds).await?;
        let sql = "SELECT position, ordinal, subject, key_id, commitment, ciphertext FROM sealed
            WHERE position >= ? AND position < ? ORDER BY position, ordinal";
        let texts = self.rows(sql, bounds).await?;
        Ok(Some(Page {
            from,
            checkpoints,
            entries,
            texts,
        }))
    }

    async fn page(&mut self, verifier: &mut Verifier<'_>, end: u64) -> Result<(), Fault> {
        let from = verifier.signed_size();
        let Some(page) = self.batches(from, end).await? else {
            return Ok(());
        };
        let mut inspected = inspect_all(&page.entries)?.into_iter();
        let mut next = from;
        for row in &page.checkpoints {
            let size = unsigned(row, 0)?;
            while next < size {
                let Some(one) = inspected.next() else {
                    return Err(Fault::new(Place::Entry(next), "is missing"));
                };
                verifier.entry(one)?;
                next += 1;
            }
            let note = row
                .try_get::<&str, _>(1)
                .map_err(|e| Fault::new(Place::Checkpoint(size), e.to_string()))?;
            verifier.checkpoint(size, note, Some(row.try_get(2).map_err(source)?))?;
        }
        for row in &page.texts {
            self.text(verifier, row, &page.entries, from)?;
        }
        verifier.settled();
        Ok(())
    }

    /// The lines of a page in an export. Returns the position after its last entry.
    pub(crate) fn lines<W: FnMut(Line<'_>) -> Result<(), Fault>>(
        &self,
        page: &Page,
        with_texts: bool,
        mut write: W,
    ) -> Result<u64, Fault> {
        let (mut entries, mut texts) = (page.entries.iter(), page.texts.iter().peekable());
        let mut next = page.from;
        for row in &page.checkpoints {
            let size = unsigned(row, 0)?;
            for entry in entries
                .by_ref()
                .take(usize::try_from(size - next).unwrap_or(usize::MAX))
            {
                let bytes: &[u8] = entry.try_get(1).map_err(source)?;
                if unsigned(entry, 0)? != next {
                    return Err(Fault::new(Place::Entry(next), "is missing"));
                }
                write(Line::Entry {
                    leaf: crate::tree::leaf_hash(bytes),
                    bytes,
                })?;
                while let Some(text) = texts.next_if(|text| unsigned(text, 0).is_ok_and(|at| at == next)) {
                    if with_texts {
                        write(self.text_line(text)?)?;
                    }
                }
                next += 1;
            }
            if next != size {
                return Err(Fault::new(Place::Entry(next), "is missing"));
            }
            let note = row.try_get(1).map_err(source)?;
            write(Line::Checkpoint { note })?;
        }
        Ok(next)
    }

    fn text_line(&self, row: &SqliteRow) -> Result<Line<'static>, Fault> {
        let (position, ordinal) = (unsigned(row, 0)?, unsigned(row, 1)?);
        let changed = || Fault::new(Place::Sealed(position, ordinal), "was changed");
        let sealed: SealedRow = crate::store::sqlite::sealed_of(row, 2).ok_or_else(changed)?;
        let text = self.subjects.open_sealed(&sealed).map_err(|()| changed())?;
        Ok(Line::Text {
            ordinal,
            commitment: sealed.commitment,
            text: text.map(|text| (Digest(text.salt), text.subject, text.text)),
        })
    }

    fn text(
        &self,
        verifier: &mut Verifier<'_>,
        row: &SqliteRow,
        entries: &[SqliteRow],
        from: u64,
    ) -> Result<(), Fault> {
        let place = (unsigned(row, 0)?, unsigned(row, 1)?);
        let malformed = || Fault::new(Place::Sealed(place.0, place.1), "is malformed");
        let sealed: SealedRow = crate::store::sqlite::sealed_of(row, 2).ok_or_else(malformed)?;
        let entry = usize::try_from(place.0 - from)
            .ok()
            .and_then(|index| entries.get(index))
            .ok_or_else(malformed)?;
        let text = match self.subjects.open_sealed(&sealed) {
            Ok(Some(text)) => Text::Open(text),
            Ok(None) => Text::Erased,
            Err(()) => Text::Wrong,
        };
        verifier.text(place, &sealed.commitment, entry.try_get(1).map_err(source)?, &text)
    }

    /// Each reserved serial stands in the entry it names.
    async fn serials(&mut self, size: u64) -> Result<(), Fault> {
        let sql = "SELECT s.serial, s.position, e.bytes FROM serials s LEFT JOIN entries e ON e.position = s.position
            WHERE ? <= ? ORDER BY s.position";
        for row in self.rows(sql, [0, size]).await? {
            let position = row.try_get::<i64, _>(1).map_err(source)? as u64;
            let serial: Vec<u8> = row.try_get(0).map_err(source)?;
            let hex: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
            let bytes = row.try_get::<Option<&[u8]>, _>(2).map_err(source)?.unwrap_or_default();
            if position >= size || serial.len() != 18 || !super::contains(bytes, hex.as_bytes()) {
                return Err(Fault::new(
                    Place::Serial(position),
                    format!("{hex} is not in that entry"),
                ));
            }
        }
        Ok(())
    }
}

/// Inspects the rows on every core.
fn inspect_all(rows: &[SqliteRow]) -> Result<Vec<Inspected>, Fault> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut raw = Vec::with_capacity(rows.len());
    for row in rows {
        let position = unsigned(row, 0)?;
        let unreadable = |error: sqlx::Error| Fault::new(Place::Entry(position), error.to_string());
        raw.push((
            position,
            row.try_get::<&[u8], _>(1).map_err(unreadable)?,
            row.try_get::<&[u8], _>(2).map_err(unreadable)?,
        ));
    }
    let part = raw.len().div_ceil(cores).max(1);
    let run = |part: &[(u64, &[u8], &[u8])]| -> Vec<Inspected> {
        part.iter()
            .map(|(position, bytes, leaf)| inspect(*position, bytes, leaf))
            .collect()
    };
    std::thread::scope(|scope| {
        let parts: Vec<_> = raw.chunks(part).map(|part| scope.spawn(move || run(part))).collect();
        let mut all = Vec::with_capacity(raw.len());
        for one in parts {
            all.extend(one.join().map_err(|_| source("inspecting an entry failed"))?);
        }
        Ok(all)
    })
}

/// Verifies an export, in bounded memory.
///
/// # Errors
/// The first thing that does not hold.
pub fn verify_export(path: &Path, options: Options<'_>) -> Result<Report, Fault> {
    let mut reader = BufReader::new(File::open(path).map_err(source)?);
    let mut verifier = Verifier::new(options)?;
    let (mut line, mut number) = (Vec::new(), 0);
    let mut last: Option<(u64, Vec<u8>)> = None;
    let mut position = 0;
    loop {
        line.clear();
        number += 1;
        let read = std::io::Read::take(&mut reader, LONGEST_LINE)
            .read_until(b'\n', &mut line)
            .map_err(source)?;
        if read == 0 {
            verifier.settled();
            return verifier.finish();
        }
        let malformed = || Fault::new(Place::Line(number), "is neither entry, checkpoint nor text");
        match parse_line(&line).ok_or_else(malformed)? {
            Line::Entry { leaf, bytes } => {
                verifier.settled();
                verifier.entry(inspect(position, bytes, &leaf.0))?;
                last = Some((position, bytes.to_vec()));
                position += 1;
            }
            Line::Checkpoint { note } => verifier.checkpoint(position, &note, None)?,
            Line::Text {
                ordinal,
                commitment,
                text,
            } => {
                let (position, body) = last.as_ref().ok_or_else(malformed)?;
                verifier.text((*position, ordinal), &commitment, body, &of_export(text))?;
            }
        }
    }
}

fn of_export(text: Option<(Digest, String, String)>) -> Text {
    text.map_or(Text::Erased, |(salt, subject, text)| {
        Text::Open(SealedText {
            subject,
            salt: salt.0,
            text,
        })
    })
}
