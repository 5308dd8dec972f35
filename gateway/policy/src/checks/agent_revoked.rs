//! `AGENT_REVOKED`: no permit between a revocation and a reinstatement that officers signed (ARCHITECTURE §5, guarantee 2).

use revocation_core::{Standing, standing::Mode};

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let observed = if context.standing == Standing::Revoked {
        "the agent is revoked"
    } else if context.house == Mode::Revoked {
        "the owner's agents, or all, are revoked"
    } else {
        return None;
    };
    fail(
        Code::AgentRevoked,
        "an agent in good standing",
        observed,
        "stop sending: officers must review the incident and sign a reinstatement first",
    )
}
