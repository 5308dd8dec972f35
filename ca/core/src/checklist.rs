//! Each limit, name and approval of a request is checked exactly once, and the count is asserted (security.md §5: a check that ran
//! ten times on one name and never on the others went unseen for seven months elsewhere).

use crate::events::RuleOutcome;

/// What must be checked, and what was.
#[derive(Debug)]
pub(crate) struct Checklist {
    open: Vec<String>,
    done: Vec<RuleOutcome>,
    defects: u32,
}

impl Checklist {
    /// A list of the checks that are owed.
    pub(crate) fn of(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            open: names.into_iter().collect(),
            done: Vec::new(),
            defects: 0,
        }
    }

    /// The outcome of one check. A name that is not owed, or no longer owed, is a defect.
    pub(crate) fn check(&mut self, name: &str, outcome: Result<String, String>) {
        match self.open.iter().position(|open| open == name) {
            Some(at) => drop(self.open.swap_remove(at)),
            None => self.defects += 1,
        }
        let met = outcome.is_ok();
        let (Ok(reason) | Err(reason)) = outcome;
        self.done.push(RuleOutcome {
            met,
            reason,
            rule: name.to_owned(),
        });
    }

    /// The decision record: every check, its outcome and reason. `complete` says that each owed check ran exactly once.
    pub(crate) fn finish(self) -> Checked {
        Checked {
            complete: self.defects == 0 && self.open.is_empty(),
            outcomes: self.done,
        }
    }
}

/// A finished list.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) complete: bool,
    pub(crate) outcomes: Vec<RuleOutcome>,
}

impl Checked {
    /// Whether everything owed was checked once, and met.
    pub(crate) fn passed(&self) -> bool {
        self.complete && self.outcomes.iter().all(|outcome| outcome.met)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list() -> Checklist {
        Checklist::of(["a".to_owned(), "b".to_owned()])
    }

    /// The assertion that would have found one name checked twice in place of two names once.
    #[test]
    fn twice_the_same_is_not_both() {
        let mut right = list();
        right.check("a", Ok(String::new()));
        right.check("b", Ok(String::new()));
        assert!(right.finish().passed());
        let mut twice = list();
        twice.check("a", Ok(String::new()));
        twice.check("a", Ok(String::new()));
        assert!(!twice.finish().passed());
        let mut missing = list();
        missing.check("a", Ok(String::new()));
        assert!(!missing.finish().passed());
    }
}
