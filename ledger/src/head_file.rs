//! The head file: the last checkpoint on another path, so that a store put back from an older copy is found at the next start.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{
    checkpoint::{LONGEST_NOTE, Note},
    files,
    ledger::LedgerError,
    store::Store,
};

#[derive(Debug, Clone)]
pub(crate) struct HeadFile {
    path: PathBuf,
}

/// Reads a head file; `None` when there is none.
///
/// # Errors
/// When it cannot be read or is no signed checkpoint.
pub(crate) fn read(path: &Path) -> Result<Option<Note>, LedgerError> {
    let text = match fs::read(path) {
        Ok(bytes) if bytes.len() <= LONGEST_NOTE => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(bytes) => return Err(refused(path, &format!("is {} bytes long", bytes.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(LedgerError::Io {
                what: "reading the head file",
                reason: error.to_string(),
            });
        }
    };
    Note::parse(&text)
        .map(Some)
        .map_err(|error| refused(path, &error.to_string()))
}

fn refused(path: &Path, reason: &str) -> LedgerError {
    LedgerError::Refused(format!("the head file {} {reason}", path.display()))
}

impl HeadFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes `note` the head, durably.
    pub(crate) fn write(&self, note: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        files::write_durably(&self.path, note.as_bytes())
    }

    /// Refuses a store that is shorter than the head file says, or has another root at that size.
    pub(crate) async fn check(&self, store: &dyn Store, origin: &str, adopt: bool) -> Result<(), LedgerError> {
        let size = store.head().size;
        let Some(note) = read(&self.path)? else {
            if size == 0 || adopt {
                return Ok(());
            }
            return Err(refused(
                &self.path,
                "is missing: the store could be an older copy. Put it back; if its disk is lost, convince yourself that the store is the newest and adopt it with `mandatum adopt-head`",
            ));
        };
        let seen = &note.checkpoint;
        if seen.origin != origin {
            return Err(refused(&self.path, &format!("is of the ledger {}", seen.origin)));
        }
        if seen.size > size {
            return Err(refused(
                &self.path,
                &format!(
                    "has seen {} entries and the store holds {size}: it was put back from an older copy",
                    seen.size
                ),
            ));
        }
        let stored = store.checkpoint_at(seen.size).await?;
        let root = stored
            .and_then(|stored| Note::parse(&stored.note).ok())
            .map(|note| note.checkpoint.root);
        if root == Some(seen.root) {
            Ok(())
        } else {
            Err(refused(
                &self.path,
                &format!(
                    "has seen another root at {} entries: the store holds another history",
                    seen.size
                ),
            ))
        }
    }
}
