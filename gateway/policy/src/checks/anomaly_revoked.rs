//! `ANOMALY_REVOKED`: the order that lifts the score to the revocation level is itself refused (orders.md §2, row 12).

use anomaly::Scored;

use super::{Context, fail, score_text};
use crate::{codes::Code, events::FailedCheck};

/// Runs behind the score, not with the other checks.
pub(super) fn check(context: &Context<'_>, revokes: bool, scored: Option<&Scored>) -> Option<FailedCheck> {
    let scored = scored.filter(|_| revokes)?;
    let baseline = context.facts.baseline?;
    let observation = context.observation();
    let [limit, observed] = [context.thresholds().revoke, scored.score()].map(score_text);
    fail(
        Code::AnomalyRevoked,
        format!("a score below {limit}"),
        format!(
            "{observed}: {}",
            scored.record().reason(scored.top(), baseline, &observation)
        ),
        "stop: the agent is revoked; its operators find the cause and officers review the incident",
    )
}
