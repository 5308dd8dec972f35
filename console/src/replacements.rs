//! The next certificate of an agent that was stopped for its behaviour (ARCHITECTURE §4, fourth journey): queued at once under the mandate it
//! had, inactive until officers have signed the review of the incident, a baseline younger than the revocation, and the reinstatement.
//!
//! While it waits, an operator may ask for its token and the bot may enrol with a new key: its request is kept, and goes to the `ca` role in
//! the append that reinstates the agent.

use ca_core::{
    events::ReplacementQueued,
    register::{Mandate, RequestState, Revision},
};
use extensions::{AgentId, MandateId, Timestamp};
use ledger::Task;
use serde_json::{Value, json};

use crate::{Console, enrolment::issue_task, problem::Problem, record::Draft, view::View};

impl Console {
    /// Queues what the revocations in force owe. Idempotent by the revocation and the mandate.
    pub(crate) async fn queue_replacements(&self) -> Result<(), Problem> {
        let owed = owed(&*self.view().await?);
        for event in owed {
            let id = format!("replacement-{}-{}-{}", event.agent, event.revoked, event.mandate);
            let draft = Draft::new(event, self.clocks.decision.now());
            self.report(draft, Some(id)).await?;
        }
        Ok(())
    }
}

fn owed(view: &View) -> Vec<ReplacementQueued> {
    let stopped = view
        .revocations
        .iter()
        .filter(|(_, revocation)| revocation.behavioural.is_some());
    stopped
        .filter_map(|(agent, revocation)| Some((*agent, revocation.number, revocation.incident?)))
        .flat_map(|(agent, revoked, incident)| {
            let mandates = of_agent(view, agent).filter(|mandate| !is_signed_ahead(mandate));
            let mandates = mandates.filter(move |mandate| !view.replacement_waits(&agent, mandate.id()));
            mandates.map(move |mandate| ReplacementQueued {
                agent,
                incident,
                mandate: *mandate.id(),
                revoked,
            })
        })
        .collect()
}

fn of_agent(view: &View, agent: AgentId) -> impl Iterator<Item = &Mandate> {
    let mandates = view.register.mandates();
    mandates.filter(move |mandate| *mandate.agent() == agent && mandate.in_force().is_some())
}

/// What is handed to the `ca` role when the agent is reinstated: each enrolment that waits under a mandate in force.
pub(crate) fn tasks(view: &View, agent: AgentId, now: Timestamp) -> Vec<Task> {
    let everyday = of_agent(view, agent).filter(|mandate| !is_signed_ahead(mandate));
    everyday.flat_map(|mandate| waiting(mandate, now)).collect()
}

/// What is handed to it when a probation opens the one mandate.
pub(crate) fn probation_tasks(view: &View, mandate: &MandateId, now: Timestamp) -> Vec<Task> {
    let mandate = view.register.mandate(mandate).into_iter();
    mandate.flat_map(|mandate| waiting(mandate, now)).collect()
}

fn waiting(mandate: &Mandate, now: Timestamp) -> impl Iterator<Item = Task> {
    let requests = mandate.requests().iter();
    let waiting = requests.filter(|one| one.renews.is_none() && one.state == RequestState::Waiting);
    waiting.map(move |request| issue_task(mandate.id(), request.digest, now))
}

/// The agent's mandates that were signed ahead for a probation.
pub(crate) fn signed_ahead(view: &View, agent: AgentId) -> impl Iterator<Item = &Mandate> {
    of_agent(view, agent).filter(|mandate| is_signed_ahead(mandate))
}

fn is_signed_ahead(mandate: &Mandate) -> bool {
    mandate.in_force().is_some_and(Revision::is_for_probation)
}

/// The agent's queued replacements and what each waits for, in the order in which it is to be done.
pub(crate) fn shown(view: &View, agent: AgentId) -> Vec<Value> {
    let queued = of_agent(view, agent).filter(|mandate| view.replacement_waits(&agent, mandate.id()));
    queued
        .filter_map(|mandate| {
            let queued = view.register.replacement(mandate.id())?;
            let incident = view.incidents.get(&queued.incident);
            let reviewed = incident.is_some_and(|(_, incident, _)| incident.finding().is_some());
            let mut requests = mandate.requests().iter();
            let asked = requests.any(|one| one.renews.is_none() && one.state == RequestState::Waiting);
            let waits_for = [
                ("review", !reviewed),
                ("baseline", view.baseline_owed(&agent).is_some()),
                ("reinstatement", true),
                ("request", !asked),
            ];
            let waits_for = waits_for.iter().filter(|(_, waits)| *waits).map(|(what, _)| *what);
            Some(json!({
                "incident": queued.incident,
                "mandate": queued.mandate,
                "revoked": queued.revoked,
                "waits_for": waits_for.collect::<Vec<_>>(),
            }))
        })
        .collect()
}
