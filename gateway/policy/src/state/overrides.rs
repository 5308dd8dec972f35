//! The overrides that officers granted and no order has used up.

use extensions::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::EntryAt;
use crate::{
    codes::Code,
    events::{FailedCheck, LONGEST_OVERRIDE_MINUTES, OverrideGranted},
    order::OrderTerms,
};

/// How many of one agent are remembered; further ones push the oldest out.
const MOST_OVERRIDES: usize = 8;
const LONGEST_SECONDS: i64 = LONGEST_OVERRIDE_MINUTES as i64 * 60;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    checks: Vec<Code>,
    expires: Timestamp,
    number: u64,
    terms: Digest,
}

/// Oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Overrides(Vec<Override>);

impl Overrides {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Remembers one, for minutes from its entry on, whatever the entry says.
    pub(super) fn grant(&mut self, entry: EntryAt, granted: &OverrideGranted) {
        if self.0.len() >= MOST_OVERRIDES {
            self.0.remove(0);
        }
        self.0.push(Override {
            checks: granted.checks.clone(),
            expires: granted.expires.min(entry.at.plus_seconds(LONGEST_SECONDS)),
            number: entry.number,
            terms: granted.terms,
        });
    }

    /// The number of one that lets an order with these terms pass although all of this failed; none when nothing did.
    pub(super) fn of(&self, order: &OrderTerms, failed: &[FailedCheck], now: Timestamp) -> Option<u64> {
        // The digest of the terms is no work for an order that nobody spoke of.
        if failed.is_empty() || self.0.is_empty() {
            return None;
        }
        let passes =
            |check: &FailedCheck, checks: &[Code]| check.code.may_be_overridden() && checks.contains(&check.code);
        let terms = order.terms_digest();
        let mut fitting = self.0.iter().filter(|one| one.terms == terms && now <= one.expires);
        let found = fitting.find(|one| failed.iter().all(|check| passes(check, &one.checks)))?;
        Some(found.number)
    }

    pub(super) fn use_up(&mut self, number: u64) {
        self.0.retain(|one| one.number != number);
    }
}
