//! Reads of records go into the ledger, but sparsely: a page that is loaded again and again, or a search of many steps, is one entry a minute.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use ca_core::events::OfficerRead;
use extensions::{Digest, OfficerId, Timestamp};

/// The window in which reads are one entry.
const SPARSE_SECONDS: i64 = 60;
/// The most records one entry names; the others are counted.
const MOST_NAMED: usize = 16;
/// The longest name of a record, in bytes; what is longer is cut.
const LONGEST_NAME: usize = 256;
/// The most keys that are counted at once; the one whose window ends first is told early.
const MOST_KEYS: usize = 1_024;

/// What was read, by officer and key.
#[derive(Default)]
pub(crate) struct Reads(Mutex<BTreeMap<(OfficerId, Digest), Window>>);

struct Window {
    until: Timestamp,
    /// Reads since the last entry.
    count: u32,
    records: Vec<String>,
}

impl Window {
    fn beginning(now: Timestamp) -> Self {
        Self {
            until: now.plus_seconds(SPARSE_SECONDS),
            count: 0,
            records: Vec::new(),
        }
    }

    fn take(&mut self, record: &str) {
        self.count = self.count.saturating_add(1);
        let record: String = record.chars().take(LONGEST_NAME).filter(char::is_ascii).collect();
        if self.records.len() < MOST_NAMED && !self.records.contains(&record) {
            self.records.push(record);
        }
    }

    fn told(self, (officer, key): (OfficerId, Digest)) -> Option<OfficerRead> {
        (self.count > 0).then_some(OfficerRead {
            count: self.count,
            key,
            officer,
            records: self.records,
        })
    }
}

impl Reads {
    /// Counts one read. What is due now: the first read of a key at once, and another key's window where there is no room.
    pub(crate) fn count(&self, officer: OfficerId, key: Digest, record: &str, now: Timestamp) -> Vec<OfficerRead> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = all.get_mut(&(officer, key)) {
            window.take(record);
            return Vec::new();
        }
        let mut due = Vec::new();
        if all.len() >= MOST_KEYS {
            let first = all.iter().min_by_key(|(_, window)| window.until).map(|(key, _)| *key);
            due.extend(first.and_then(|first| all.remove(&first)?.told(first)));
        }
        let mut read = Window::beginning(now);
        read.take(record);
        due.extend(read.told((officer, key)));
        all.insert((officer, key), Window::beginning(now));
        due
    }

    /// The windows that are over at `now`, each as the entry it is; one without a read since its last entry only ends. Without a time, all.
    pub(crate) fn over(&self, now: Option<Timestamp>) -> Vec<OfficerRead> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |window: &Window| now.is_none_or(|now| window.until <= now);
        let over: Vec<_> = all.extract_if(.., |_, window| is_over(window)).collect();
        let mut told = Vec::new();
        for (key, window) in over {
            if let Some(read) = window.told(key) {
                // Whoever goes on reading is told of once a minute, and not at once again.
                all.extend(now.map(|now| (key, Window::beginning(now))));
                told.push(read);
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Controls tried: without the window each read is an entry; without `MOST_NAMED` an entry grows with what is asked; without `over`
    /// the reads behind the first are nowhere.
    #[test]
    fn reads_of_a_minute_are_one_entry() {
        let (reads, ada, key) = (Reads::default(), OfficerId::new("ada").unwrap(), Digest::of(b"key"));
        let at = |second: i64| Timestamp::from_seconds(1_000 + second);
        let first = reads.count(ada, key, "/v1/entries/1", at(0));
        assert_eq!((first.len(), first[0].count, first[0].records.len()), (1, 1, 1));
        for second in 1..60 {
            let record = format!("/v1/entries/{second}");
            assert!(reads.count(ada, key, &record, at(second)).is_empty());
        }
        assert!(reads.over(Some(at(59))).is_empty());
        let rest = reads.over(Some(at(60)));
        assert_eq!((rest.len(), rest[0].count, rest[0].records.len()), (1, 59, MOST_NAMED));
        assert!(
            reads.count(ada, key, "/v1/entries/1", at(61)).is_empty(),
            "still one a minute"
        );
        assert_eq!(reads.over(Some(at(120)))[0].count, 1);
        assert!(reads.over(Some(at(180))).is_empty());
        let long = format!("/v1/entries?kind={}", "x".repeat(1_000));
        assert_eq!(
            reads.count(ada, key, &long, at(300))[0].records[0].len(),
            LONGEST_NAME,
            "and at once again"
        );
        for number in 0..MOST_KEYS + 3 {
            let other = Digest::of(&number.to_be_bytes());
            reads.count(ada, other, "/v1/entries/1", at(301));
        }
        assert_eq!(reads.0.lock().unwrap().len(), MOST_KEYS);
        assert!(reads.count(ada, key, "/v1/entries/1", at(302)).len() <= 2);
        assert!(reads.count(ada, key, "/v1/entries/2", at(303)).is_empty());
        assert_eq!(reads.over(None).len(), 1, "at the end, what is not told yet");
    }
}
