//! Amounts by name, such as `["BTC_EUR 2.5", "ETH_EUR 40"]`: how conduct bounds one thing of each instrument or unit.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Decimal;

/// What is written where an amount is expected.
const EXPECTED: &str = "expected a name and an amount above zero such as \"BTC_EUR 2.5\", each name once";

/// An amount above zero for each of some names, sorted by name. Reading sorts; there is one canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caps<N>(Vec<(N, Decimal)>);

impl<N: Ord> Caps<N> {
    /// Caps in any order; `None` when a name stands twice or an amount is not above zero.
    #[must_use]
    pub fn new(mut rows: Vec<(N, Decimal)>) -> Option<Self> {
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        let twice = rows.windows(2).any(|pair| pair[0].0 == pair[1].0);
        let fits = !twice && rows.iter().all(|(_, amount)| amount.is_positive());
        fits.then_some(Self(rows))
    }

    /// The cap of a name; `None` when it is not named, which permits nothing.
    #[must_use]
    pub fn of(&self, name: &N) -> Option<Decimal> {
        let place = self.0.binary_search_by(|(one, _)| one.cmp(name)).ok()?;
        Some(self.0[place].1)
    }

    /// Every name with its cap, sorted by name.
    #[must_use]
    pub fn rows(&self) -> &[(N, Decimal)] {
        &self.0
    }

    /// Whether each of these names is capped.
    pub(super) fn cover(&self, names: &[N]) -> bool {
        names.iter().all(|name| self.of(name).is_some())
    }

    /// Whether no name may have more than in `outer`.
    pub(super) fn is_within(&self, outer: &Self) -> bool {
        let fits = |(name, amount): &(N, Decimal)| outer.of(name).is_some_and(|most| *amount <= most);
        self.0.iter().all(fits)
    }
}

impl<N: fmt::Display> fmt::Display for Caps<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (name, amount)) in self.0.iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(formatter, "{comma}{name} {amount}")?;
        }
        Ok(())
    }
}

impl<N: fmt::Display> Serialize for Caps<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(name, amount)| format!("{name} {amount}")))
    }
}

impl<'de, N: FromStr + Ord> Deserialize<'de> for Caps<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let read = |text: &String| {
            let (name, amount) = text.split_once(' ')?;
            Some((name.parse().ok()?, Decimal::parse(amount).ok()?))
        };
        let rows: Option<Vec<(N, Decimal)>> = texts.iter().map(read).collect();
        let caps = rows.and_then(Self::new);
        caps.ok_or_else(|| serde::de::Error::custom(EXPECTED))
    }
}
