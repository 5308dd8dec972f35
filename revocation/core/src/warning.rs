//! Warnings: an absolute deadline in the record, and what the mandate says happens when nobody answers in time.
//!
//! No timer and no process has to be alive for a warning to end: `StandingState::effective` applies a passed deadline.

use extensions::{AgentId, StreamId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::event::record;

/// How long an officer has to answer a warning, in seconds (issue Spine: five minutes).
pub const WARNING_SECONDS: i64 = 300;

/// What a mandate says happens to an agent whose warning nobody answered.
pub use extensions::mandate::OnUnansweredWarning as WarningDefault;

/// An open warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// From this moment on the default holds.
    pub deadline: Timestamp,
    /// What holds then.
    pub default: WarningDefault,
}

/// How a warning ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningEnd {
    /// The score fell back below the warning threshold.
    Decayed,
    /// An officer has seen it and lets the agent go on.
    Acknowledged,
    /// An officer judged it a false alarm.
    FalseAlarm,
    /// An officer answered by letting the agent only reduce.
    ReducedOnly,
    /// An officer answered by freezing the agent.
    Frozen,
    /// An officer, or the scorer at its second threshold, answered by revoking the agent.
    Revoked,
    /// Nobody answered: the mandate's default holds.
    Defaulted,
}

/// An agent was warned: its caps tighten until the warning ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarningOpened {
    /// The agent.
    pub agent: AgentId,
    /// Who warned.
    pub by: Actor,
    /// From this moment on the default holds.
    pub deadline: Timestamp,
    /// What holds then, as the mandate says.
    pub default: WarningDefault,
    /// The score that led to it, in millionths; none when an officer warned.
    pub score: Option<u32>,
}
record!(WarningOpened, "warning.opened", |event| StreamId::agent(&event.agent));

/// A warning ended. After the deadline no ending undoes the default: it has held since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarningClosed {
    /// The agent.
    pub agent: AgentId,
    /// Who ended it.
    pub by: Actor,
    /// How it ended.
    pub why: WarningEnd,
}
record!(WarningClosed, "warning.closed", |event| StreamId::agent(&event.agent));
