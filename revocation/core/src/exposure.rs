//! Limits above one agent: how much the agents of an owner, and all agents together, may have at stake in a unit (RTS 6 Art. 15(5)).
//!
//! An agent's exposure in a unit is what it holds of each instrument, long or short, at the reference price, and what its open and doubtful
//! orders may still add. A group's is the sum over its agents: a long one of theirs does not make up for a short one of another's.

use std::collections::BTreeMap;
use std::sync::Arc;

use extensions::approval::ApprovalRecord;
use extensions::{Currency, Decimal, OwnerId, StreamId};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::event::record;
use crate::house::HouseScope;

/// The most units that one group's limits name.
pub const MOST_UNITS: usize = 32;

/// Limits that no group may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ExposureError {
    /// More units than anybody follows.
    #[error("{0} units: a group's limits name at most {MOST_UNITS}")]
    Units(usize),
    /// An amount below zero.
    #[error("{unit} {amount}: a limit is not below zero")]
    Negative {
        /// Its unit.
        unit: Currency,
        /// The amount.
        amount: Decimal,
    },
}

/// What a group may have at stake at most, by unit. A group whose limits name any unit may have nothing at stake in one they do not name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<Currency, Decimal>")]
pub struct ExposureLimits(BTreeMap<Currency, Decimal>);

impl TryFrom<BTreeMap<Currency, Decimal>> for ExposureLimits {
    type Error = ExposureError;

    fn try_from(rows: BTreeMap<Currency, Decimal>) -> Result<Self, ExposureError> {
        if rows.len() > MOST_UNITS {
            return Err(ExposureError::Units(rows.len()));
        }
        match rows.iter().find(|(_, amount)| amount.is_negative()) {
            Some((unit, amount)) => Err(ExposureError::Negative {
                unit: *unit,
                amount: *amount,
            }),
            None => Ok(Self(rows)),
        }
    }
}

impl ExposureLimits {
    /// The limit in a unit; none when the limits do not name it, which permits nothing.
    #[must_use]
    pub fn of(&self, unit: &Currency) -> Option<Decimal> {
        self.0.get(unit).copied()
    }

    /// Each unit with its limit.
    pub fn rows(&self) -> impl Iterator<Item = (&Currency, Decimal)> {
        self.0.iter().map(|(unit, limit)| (unit, *limit))
    }

    /// Whether no unit is named: then nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// New limits for a group, replacing its old ones whole; without a row they end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExposureSet {
    /// The limits.
    pub limits: ExposureLimits,
    /// Whose agents they hold for together.
    pub scope: HouseScope,
    /// The officers' signatures (two: a house setting). `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
}
record!(ExposureSet, "house.exposure_set", |_| StreamId::house(), gating: true);

/// The limits in force of every group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exposures {
    all: Option<Arc<ExposureLimits>>,
    owners: BTreeMap<OwnerId, Arc<ExposureLimits>>,
}

impl Exposures {
    /// The limits of all agents together; none when they have none.
    #[must_use]
    pub fn of_all(&self) -> Option<&ExposureLimits> {
        self.all.as_deref()
    }

    /// The limits of an owner's agents together; none when they have none.
    #[must_use]
    pub fn of_owner(&self, owner: &OwnerId) -> Option<&ExposureLimits> {
        self.owners.get(owner).map(|limits| &**limits)
    }

    /// Every owner with limits.
    pub fn owners(&self) -> impl Iterator<Item = (&OwnerId, &ExposureLimits)> {
        self.owners.iter().map(|(owner, limits)| (owner, &**limits))
    }

    /// Whether nobody has limits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.owners.is_empty()
    }

    pub(crate) fn set(&mut self, event: &ExposureSet) {
        let limits = (!event.limits.is_empty()).then(|| Arc::new(event.limits.clone()));
        match (event.scope, limits) {
            (HouseScope::All, limits) => self.all = limits,
            (HouseScope::Owner(owner), Some(limits)) => drop(self.owners.insert(owner, limits)),
            (HouseScope::Owner(owner), None) => drop(self.owners.remove(&owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(json: &str) -> Result<ExposureLimits, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// Each bound from both sides. Control, tried: `Ok` for every table, and the last two are read.
    #[test]
    fn limits_are_bounded_and_not_below_zero() {
        let rows = |count: usize| {
            let rows: Vec<String> = (0..count).map(|row| format!("\"U{row}\":\"1\"")).collect();
            format!("{{{}}}", rows.join(","))
        };
        assert!(limits(r#"{"EUR":"0"}"#).is_ok());
        assert!(limits(&rows(MOST_UNITS)).is_ok());
        assert!(limits(&rows(MOST_UNITS + 1)).unwrap_err().contains("33 units"));
        assert!(limits(r#"{"EUR":"-1"}"#).unwrap_err().contains("EUR -1"));
    }

    /// Control, tried: `set` that keeps an empty table, and the lifted limits permit nothing.
    #[test]
    fn a_group_has_its_last_limits_until_they_are_lifted() {
        let (desk, unit) = (OwnerId::new("desk").unwrap(), Currency::new("EUR").unwrap());
        let mut all = Exposures::default();
        let set = |all: &mut Exposures, scope, text: &str| {
            all.set(&ExposureSet {
                limits: limits(text).unwrap(),
                scope,
                signatures: Vec::new(),
            });
        };
        for (amount, rows) in [(5, r#"{"EUR":"5"}"#), (7, r#"{"EUR":"7"}"#)] {
            set(&mut all, HouseScope::Owner(desk), rows);
            let limits = all.of_owner(&desk).unwrap();
            assert_eq!(limits.of(&unit), Some(Decimal::from(amount)));
            assert_eq!(limits.of(&Currency::new("USD").unwrap()), None);
        }
        assert!(all.of_all().is_none() && !all.is_empty());
        set(&mut all, HouseScope::All, r#"{"EUR":"9"}"#);
        assert!(all.of_all().is_some());
        set(&mut all, HouseScope::Owner(desk), "{}");
        set(&mut all, HouseScope::All, "{}");
        assert!(all.is_empty() && all.of_owner(&desk).is_none());
    }
}
