//! The newest entries in memory: whoever follows the log reads them here, not from the file, and nobody parses them again.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use crate::append::CommittedEntry;

/// The most entries kept.
const MOST_ENTRIES: usize = 8_192;
/// The most bytes of entries kept.
const MOST_BYTES: usize = 16 << 20;

/// The newest entries, without a gap.
#[derive(Default)]
pub(crate) struct Recent {
    held: RwLock<Held>,
}

#[derive(Default)]
struct Held {
    entries: VecDeque<Arc<CommittedEntry>>,
    bytes: usize,
}

impl Recent {
    /// Takes the entries of a commit; commits come in order.
    pub(crate) fn extend(&self, entries: &[Arc<CommittedEntry>]) {
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.bytes += entries.iter().map(|entry| entry.bytes.len()).sum::<usize>();
        held.entries.extend(entries.iter().cloned());
        while held.entries.len() > MOST_ENTRIES || held.bytes > MOST_BYTES {
            let Some(oldest) = held.entries.pop_front() else { return };
            held.bytes -= oldest.bytes.len();
        }
    }

    /// Up to `limit` entries from position `from`; `None` when the one at `from` is not held.
    pub(crate) fn range(&self, from: u64, limit: usize) -> Option<Vec<Arc<CommittedEntry>>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let first = held.entries.front()?.position;
        let skipped = usize::try_from(from.checked_sub(first)?).ok()?;
        let found: Vec<_> = held.entries.iter().skip(skipped).take(limit).cloned().collect();
        (!found.is_empty()).then_some(found)
    }
}

#[cfg(test)]
mod tests {
    use extensions::{StreamId, Timestamp};

    use super::*;
    use crate::entry::Draft;

    fn entry(position: u64) -> Arc<CommittedEntry> {
        let draft = Draft {
            at: Timestamp::EPOCH,
            body: b"{}".to_vec(),
            kind: "job.ran".into(),
            late: false,
            stream: StreamId::house(),
            gating: false,
        };
        Arc::new(draft.complete(position, position, 0, &"w".into()))
    }

    fn positions(found: Option<Vec<Arc<CommittedEntry>>>) -> Option<Vec<u64>> {
        Some(found?.iter().map(|entry| entry.position).collect())
    }

    #[test]
    fn a_range_is_whole_or_left_to_the_file() {
        let recent = Recent::default();
        assert_eq!(recent.range(0, 10), None, "nothing is held yet");
        recent.extend(&(7..12).map(entry).collect::<Vec<_>>());
        assert_eq!(positions(recent.range(8, 3)), Some(vec![8, 9, 10]));
        assert_eq!(positions(recent.range(6, 3)), None, "older ones stand in the file");
        assert_eq!(positions(recent.range(12, 3)), None, "later ones are not there yet");
    }

    #[test]
    fn the_oldest_leave_when_there_are_too_many() {
        let recent = Recent::default();
        for from in (0..2 * MOST_ENTRIES as u64).step_by(64) {
            recent.extend(&(from..from + 64).map(entry).collect::<Vec<_>>());
        }
        let first = MOST_ENTRIES as u64;
        assert_eq!(positions(recent.range(first - 1, 1)), None);
        assert_eq!(positions(recent.range(first, 1)), Some(vec![first]));
    }
}
