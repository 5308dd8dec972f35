//! Refused sign-ins and roles go into the ledger, but sparsely: nobody can fill the log by asking again and again.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use extensions::{OfficerId, Timestamp};

/// At most one entry an officer and code in this many seconds.
const SPARSE_SECONDS: i64 = 60;
/// The most pairs of officer and code that are counted; further ones are only logged.
const MOST_COUNTED: usize = 1_024;

/// The counters.
#[derive(Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<(OfficerId, &'static str), Counted>>);

struct Counted {
    /// No entry before this time.
    quiet_until: Timestamp,
    /// Refusals since the last entry.
    since: u32,
}

impl Refusals {
    /// Counts one refusal. Some when an entry is due now: how many refusals it stands for.
    pub(crate) fn count(&self, officer: OfficerId, code: &'static str, now: Timestamp) -> Option<u32> {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= MOST_COUNTED {
            counted.retain(|_, seen| now < seen.quiet_until || seen.since > 0);
        }
        if counted.len() >= MOST_COUNTED && !counted.contains_key(&(officer, code)) {
            return None;
        }
        let seen = counted.entry((officer, code)).or_insert(Counted {
            quiet_until: Timestamp::EPOCH,
            since: 0,
        });
        seen.since = seen.since.saturating_add(1);
        if now < seen.quiet_until {
            return None;
        }
        seen.quiet_until = now.plus_seconds(SPARSE_SECONDS);
        Some(std::mem::take(&mut seen.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Negative control: without `quiet_until` every refusal is an entry.
    #[test]
    fn a_storm_of_refusals_is_one_entry_a_minute() {
        let (refusals, ada) = (Refusals::default(), OfficerId::new("ada").unwrap());
        let at = |second: i64| Timestamp::from_seconds(1_000 + second);
        assert_eq!(refusals.count(ada, "ROLE_MISSING", at(0)), Some(1));
        for second in 0..59 {
            assert_eq!(refusals.count(ada, "ROLE_MISSING", at(second)), None);
        }
        assert_eq!(refusals.count(ada, "ROLE_MISSING", at(60)), Some(60));
        assert_eq!(refusals.count(ada, "OTHER", at(0)), Some(1), "counted apart");
    }
}
