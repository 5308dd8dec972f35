//! Sign-ins, and refused ones and roles, go into the ledger, but sparsely: nobody can fill the log by asking again and again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use extensions::{OfficerId, Timestamp};

/// The window in which entries are counted.
const SPARSE_SECONDS: i64 = 60;
/// Entries of refusals in a window, for each officer and code.
pub(crate) const REFUSALS: u32 = 1;
/// Entries of sign-ins in a window, for each officer: every connection of a person or a tool, not those of a loop.
pub(crate) const SIGN_INS: u32 = 30;
/// The most pairs of officer and code that are counted; further ones are only logged.
const MOST_COUNTED: usize = 1_024;

/// The counters.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<(OfficerId, &'static str), Counted>>);

struct Counted {
    /// The end of the window.
    until: Timestamp,
    /// Entries in it.
    entries: u32,
    /// What happened since the last entry.
    since: u32,
}

impl Refusals {
    /// Counts one happening. Some when an entry is due now, of at most `entries` in a window: how many happenings it stands for.
    pub(crate) fn count(&self, officer: OfficerId, code: &'static str, entries: u32, now: Timestamp) -> Option<u32> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= MOST_COUNTED {
            counted.retain(|_, seen| now < seen.until || seen.since > 0);
        }
        if counted.len() >= MOST_COUNTED && !counted.contains_key(&(officer, code)) {
            return None;
        }
        let seen = counted.entry((officer, code)).or_insert(Counted {
            until: Timestamp::EPOCH,
            entries: 0,
            since: 0,
        });
        seen.since = seen.since.saturating_add(1);
        if now >= seen.until {
            (seen.until, seen.entries) = (now.plus_seconds(SPARSE_SECONDS), 0);
        }
        if seen.entries >= entries {
            return None;
        }
        seen.entries += 1;
        Some(std::mem::take(&mut seen.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negative control: without `entries` every refusal is an entry.
    #[test]
    fn a_storm_of_refusals_is_one_entry_a_minute() {
        let (refusals, ada) = (Refusals::default(), OfficerId::new("ada").unwrap());
        let at = |second: i64| Timestamp::from_seconds(1_000 + second);
        assert_eq!(refusals.count(ada, "ROLE_MISSING", REFUSALS, at(0)), Some(1));
        for second in 0..59 {
            assert_eq!(refusals.count(ada, "ROLE_MISSING", REFUSALS, at(second)), None);
        }
        assert_eq!(refusals.count(ada, "ROLE_MISSING", REFUSALS, at(60)), Some(60));
        assert_eq!(refusals.count(ada, "OTHER", REFUSALS, at(0)), Some(1), "counted apart");
        for _ in 0..SIGN_INS {
            assert_eq!(refusals.count(ada, "SIGNED_IN", SIGN_INS, at(0)), Some(1));
        }
        assert_eq!(refusals.count(ada, "SIGNED_IN", SIGN_INS, at(59)), None);
        assert_eq!(refusals.count(ada, "SIGNED_IN", SIGN_INS, at(60)), Some(2));
    }
}
