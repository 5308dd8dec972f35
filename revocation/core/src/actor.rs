//! Who decided: an officer, the scorer, or the mandate by its own default.

use std::fmt;

use extensions::OfficerId;
use extensions::approval::{ApprovalRecord, Decision};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Who took a decision about standing. Written as one word: `officer:<id>`, `scorer`, `mandate`, `house`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Actor {
    /// A person, by signed command.
    Officer(OfficerId),
    /// The scorer, at its threshold.
    Scorer,
    /// The mandate's own default, after an unanswered warning.
    Mandate,
    /// A decision of the house above this agent (an owner's or everybody's revocation), carried out agent by agent.
    House,
}

impl fmt::Display for Actor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Officer(id) => write!(formatter, "officer:{id}"),
            Self::Scorer => formatter.write_str("scorer"),
            Self::Mandate => formatter.write_str("mandate"),
            Self::House => formatter.write_str("house"),
        }
    }
}

impl Actor {
    /// Reads the one-word form; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "scorer" => Some(Self::Scorer),
            "mandate" => Some(Self::Mandate),
            "house" => Some(Self::House),
            _ => OfficerId::new(text.strip_prefix("officer:")?).ok().map(Self::Officer),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected officer:<id>, scorer, mandate or house"))
    }
}

/// The number of distinct officers who say yes in `signatures`. Whether the signatures are theirs is `ca-core`'s to judge.
#[must_use]
pub fn distinct_officers(signatures: &[ApprovalRecord]) -> usize {
    let approvals = signatures
        .iter()
        .filter(|signature| signature.decision == Decision::Approve);
    let mut officers: Vec<_> = approvals.map(|signature| signature.officer).collect();
    officers.sort_unstable();
    officers.dedup();
    officers.len()
}
