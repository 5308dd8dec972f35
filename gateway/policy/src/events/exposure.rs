//! What a group of agents had at stake when an order was decided: the fact behind `GROUP_EXPOSURE`, as the gateway knew it and as the record
//! keeps it. It comes from other agents' streams, so no fold of this one gives it again.

use extensions::{Decimal, Instrument, Timestamp};
use serde::{Deserialize, Serialize};

/// A group's exposure in the unit of the order, without the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupExposure {
    /// How much; none when it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amount: Option<Decimal>,
    /// The instrument with the oldest price in it, or the one for which there is none.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instrument: Option<Instrument>,
    /// When the oldest price in it was observed, by the decision clock; none when nothing that is held needs one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub priced_at: Option<Timestamp>,
}

/// The exposures that an order is held to, of each group that has limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// Of all agents.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub all: Option<GroupExposure>,
    /// Of the owner's agents.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<GroupExposure>,
}
