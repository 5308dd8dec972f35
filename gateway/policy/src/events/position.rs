//! Orders counted without being read, positions attested by officers, and the state's digest in a quiet stream.

use extensions::{AgentId, Decimal, Digest, Instrument, Timestamp, approval::ApprovalRecord};
use serde::{Deserialize, Serialize};

use super::record;

/// Orders above the gateway's message bound in one second: counted and scored, not read; their ids are not consumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdersUnread {
    /// The agent.
    pub agent: AgentId,
    /// How many.
    pub count: u32,
    /// The second, by the decision clock.
    pub second: Timestamp,
}
record!(OrdersUnread, "orders.unread");

/// Bodies that were no order (malformed, too long, not ending, with a field at fault) in about one second: counted and scored like
/// messages, with no order to record; their ids are not consumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrdersMalformed {
    /// The agent.
    pub agent: AgentId,
    /// How many.
    pub count: u32,
    /// When they were counted, by the decision clock.
    pub second: Timestamp,
}
record!(OrdersMalformed, "orders.malformed");

/// A position as an officer attests it: it replaces what the fills say, and later fills move it on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionAttested {
    /// The agent.
    pub agent: AgentId,
    /// What.
    pub instrument: Instrument,
    /// How much: above zero long, below zero short.
    pub quantity: Decimal,
    /// The officer's signature over [`PositionAttested::document`].
    pub signature: ApprovalRecord,
}
record!(PositionAttested, "position.attested");

impl PositionAttested {
    /// What the officer signs: the digest of `{"agent","instrument","purpose":"position attest","quantity"}` in canonical
    /// JSON. The nonce in the signature keeps an old one from being used again.
    #[must_use]
    pub fn document(agent: &AgentId, instrument: &Instrument, quantity: Decimal) -> Digest {
        let text = format!(
            r#"{{"agent":"{agent}","instrument":"{instrument}","purpose":"position attest","quantity":"{quantity}"}}"#
        );
        Digest::of(text.as_bytes())
    }
}

/// The digest of an agent's state: for snapshots, and for streams without orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateDigest {
    /// The agent.
    pub agent: AgentId,
    /// [`AgentState::digest`](crate::AgentState::digest) at `folded_to`.
    pub digest: Digest,
    /// The number of the last entry folded into it.
    pub folded_to: u64,
}
record!(StateDigest, "state.digest");
