//! What a ceremony that did not come to its end has left behind. Each path is noted on the disk before anything is written there, so a
//! second attempt can name them all, however the first one ended, and nobody has to guess what may be deleted.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use super::CeremonyError;

/// The note, in the certificates' folder; gone once the house is founded.
pub const NOTE: &str = "unfinished-init.txt";

/// The note of the ceremony under way.
pub(super) struct Note {
    path: PathBuf,
    file: std::fs::File,
    noted: Vec<PathBuf>,
}

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> CeremonyError {
    let path = path.to_owned();
    move |source| CeremonyError::Io { path, source }
}

impl Note {
    /// Begins a ceremony in `folder`.
    ///
    /// # Errors
    /// When an earlier one did not end there, or the note cannot be written.
    pub(super) fn begin(folder: &Path) -> Result<Self, CeremonyError> {
        let path = folder.join(NOTE);
        if path.exists() {
            let text = std::fs::read_to_string(&path).map_err(io(&path))?;
            let mut left: Vec<PathBuf> = text.lines().map(PathBuf::from).filter(|path| is_left(path)).collect();
            left.push(path);
            return Err(CeremonyError::Remains(left));
        }
        let file = std::fs::File::create_new(&path).map_err(io(&path))?;
        let noted = Vec::new();
        Ok(Self { path, file, noted })
    }

    /// Notes a path, unless something is there already: then that is none of ours, and stays.
    ///
    /// # Errors
    /// When something is there, or the note cannot be written.
    pub(super) fn will_write(&mut self, path: &Path) -> Result<(), CeremonyError> {
        let path = std::path::absolute(path).map_err(io(path))?;
        if path.exists() {
            return Err(CeremonyError::Exists(path));
        }
        self.mentions(&path)
    }

    /// Notes a folder that may be there already, with somebody else's disk mounted on it, and whose contents are ours.
    ///
    /// # Errors
    /// When the note cannot be written.
    pub(super) fn mentions(&mut self, path: &Path) -> Result<(), CeremonyError> {
        let path = std::path::absolute(path).map_err(io(path))?;
        let line = format!("{}\n", path.display());
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(io(&self.path))?;
        self.noted.push(path);
        Ok(())
    }

    /// The ceremony ended as it should.
    ///
    /// # Errors
    /// When the note cannot be removed.
    pub(super) fn end(self) -> Result<(), CeremonyError> {
        std::fs::remove_file(&self.path).map_err(io(&self.path))
    }

    /// The ceremony stopped for `reason`: with what it has left, if anything.
    pub(super) fn stopped(self, reason: CeremonyError) -> CeremonyError {
        let mut left: Vec<PathBuf> = self.noted.into_iter().filter(|path| is_left(path)).collect();
        if left.is_empty() {
            // Nothing to tell apart: the next attempt begins anew.
            let _ = std::fs::remove_file(&self.path);
            return reason;
        }
        left.push(self.path);
        CeremonyError::Stopped {
            left,
            reason: Box::new(reason),
        }
    }
}

/// An empty folder is nothing that was left.
fn is_left(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(mut inside) => inside.next().is_some(),
        Err(_) => path.exists(),
    }
}

/// The paths, one a line, for a message.
pub(super) fn lines(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("\n  {}", path.display())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever ends a ceremony, the next one names what is left and touches nothing. Negative control: without the note, the last
    /// attempt begins over what was left.
    #[test]
    fn what_is_left_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two, foreign) = (
            folder.path().join("one"),
            folder.path().join("two"),
            folder.path().join("foreign"),
        );
        let mut note = Note::begin(folder.path()).unwrap();
        note.will_write(&one).unwrap();
        note.will_write(&two).unwrap();
        std::fs::write(&one, "").unwrap();
        // As after a kill: the note stays as it is.
        drop(note);
        let told = Note::begin(folder.path()).err().unwrap().to_string();
        assert!(
            told.contains(&one.display().to_string()) && told.contains(NOTE),
            "{told}"
        );
        assert!(
            !told.contains(&two.display().to_string()),
            "it was never written: {told}"
        );

        std::fs::remove_file(folder.path().join(NOTE)).unwrap();
        std::fs::remove_file(&one).unwrap();
        std::fs::write(&foreign, "").unwrap();
        let mut note = Note::begin(folder.path()).unwrap();
        let refused = note.will_write(&foreign).unwrap_err();
        let refused = note.stopped(refused);
        assert!(matches!(refused, CeremonyError::Exists(_)), "{refused}");
        let mut note = Note::begin(folder.path()).expect("nothing was left");
        note.will_write(&one).unwrap();
        std::fs::write(&one, "").unwrap();
        let refused = note.stopped(CeremonyError::Officers(1)).to_string();
        assert!(
            refused.contains("1 officers") && refused.contains(&one.display().to_string()),
            "{refused}"
        );
    }
}
