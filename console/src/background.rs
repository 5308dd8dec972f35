//! What was decided and interrupted is carried on: revocations of a house that its agents have not all heard, proposals with enough
//! signatures that did not become their entry. Both are read off the ledger, so nothing has to be remembered.

use std::time::Duration;

use extensions::AgentId;
use revocation_core::{
    Actor, HouseMode, IncidentOpened,
    incident::{IncidentCause, Trigger, incident_of},
    standing::{AgentRevoked, Standing},
};

use crate::{Console, api::proposals, problem::Problem, record::Draft, view::View};

/// How long it waits for news before it looks by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Console {
    /// Follows the ledger until dropped.
    pub(crate) async fn carry_on(&self) {
        let mut news = self.ledger.news();
        loop {
            self.tell_reads(Some(self.clocks.real.now()));
            if let Err(problem) = self.carry_out().await {
                tracing::warn!(code = problem.code(), "carrying on failed; trying again");
            }
            // A time-out or a closed channel only means looking by oneself; a burst is looked at once.
            let _ = tokio::time::timeout(LOOK_EVERY, news.changed()).await;
            tokio::time::sleep(LOOK_EVERY / 10).await;
        }
    }

    /// Does what is owed now.
    pub(crate) async fn carry_out(&self) -> Result<(), Problem> {
        self.revoke_each().await?;
        self.queue_replacements().await?;
        proposals::complete_all(self).await
    }

    /// Each agent of a revoked owner, or of a revoked house, gets its own revocation and incident. Idempotent by the house's entry.
    pub(crate) async fn revoke_each(&self) -> Result<usize, Problem> {
        let owed = owed(&*self.view().await?, self);
        let count = owed.len();
        for (agent, event, opened, id) in owed {
            let draft = Draft::new(event, self.clocks.decision.now()).also(opened);
            if let Err(problem) = self.narrow(draft, Some(id)).await {
                tracing::error!(%agent, code = problem.code(), "the house's revocation of an agent is not recorded yet");
                return Err(problem);
            }
        }
        Ok(count)
    }
}

fn owed(view: &View, console: &Console) -> Vec<(AgentId, AgentRevoked, IncidentOpened, String)> {
    if view.house_revocations.is_empty() {
        return Vec::new();
    }
    let now = console.clocks.decision.now();
    let agents = view.register.agents();
    let revoked = agents.filter(|agent| view.house.mode_of(&agent.owner) == HouseMode::Revoked);
    revoked
        .filter(|agent| view.standing_of(&agent.agent).effective(now) != Standing::Revoked)
        .filter_map(|agent| {
            let by = view.house_revocation_of(&agent.owner)?;
            let incident = incident_of(&agent.agent, Trigger::House(by.position));
            let event = AgentRevoked {
                agent: agent.agent,
                by: Actor::House,
                incident: Some(incident),
                reason: by.reason,
                score: None,
            };
            let opened = IncidentOpened {
                agent: agent.agent,
                by: Actor::House,
                cause: IncidentCause::Officer,
                incident,
            };
            Some((agent.agent, event, opened, format!("house-revoked-{}", by.position)))
        })
        .collect()
}
