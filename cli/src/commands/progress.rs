//! What one sees of work whose end is not known before: a count on a terminal, nothing elsewhere. On standard error.

use std::{
    io::{self, Write},
    time::Duration,
};

use ::ledger::{
    CommittedEntry,
    verify::{Fold, Text},
};
use extensions::Digest;
use indicatif::{ProgressBar, ProgressStyle};

/// Entries between two looks at the bar.
const SELDOM: u64 = 512;

/// A spinner that counts: `12,288 entries checked`.
pub(super) fn counting(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    let style = ProgressStyle::with_template("{spinner} {human_pos} {msg} ({elapsed})");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A spinner without a count.
pub(super) fn working(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Folds as another fold does, and counts.
pub(super) struct Counted<'a> {
    fold: &'a mut dyn Fold,
    bar: &'a ProgressBar,
    entries: u64,
}

impl<'a> Counted<'a> {
    /// Counts what `fold` takes.
    pub(super) fn new(fold: &'a mut dyn Fold, bar: &'a ProgressBar) -> Self {
        Self { fold, bar, entries: 0 }
    }
}

impl Fold for Counted<'_> {
    fn apply(&mut self, entry: &CommittedEntry) -> Result<(), String> {
        self.entries += 1;
        if self.entries.is_multiple_of(SELDOM) {
            self.bar.set_position(self.entries);
        }
        self.fold.apply(entry)
    }

    fn text(&mut self, position: u64, commitment: &Digest, text: &Text) -> Result<(), String> {
        self.fold.text(position, commitment, text)
    }

    fn settled(&mut self) {
        self.fold.settled();
    }
}

/// Writes lines on, and counts them.
pub(super) struct Lines<'a, W> {
    out: W,
    bar: &'a ProgressBar,
}

impl<'a, W: Write> Lines<'a, W> {
    /// Counts what goes into `out`.
    pub(super) fn new(out: W, bar: &'a ProgressBar) -> Self {
        Self { out, bar }
    }

    /// What was written into.
    pub(super) fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Write for Lines<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        let ends = bytes.iter().take(written).filter(|byte| **byte == b'\n').count();
        self.bar.inc(ends as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
