//! What each kind of proposal says, and the entry it becomes: judged on things as they stand when the last signature is there.

use anomaly::{BaselineApproved, BaselineContent, ProposedBaseline};
use ca_core::events::{OfficerTokenIssued, Role};
use extensions::{AgentId, ApprovalRecord, Digest, IncidentId, MandateId, OfficerId, Timestamp};
use gateway_policy::{Code, LONGEST_OVERRIDE_MINUTES, OverrideGranted};
use revocation_core::{
    ExposureLimits, ExposureSet, HouseScope, RegionTable,
    house::{HouseReinstated, RegionsSet, Thresholds, ThresholdsSet},
    incident::{Finding, IncidentEvent, IncidentReviewed},
    standing::{AgentReinstated, Move, ProbationStarted},
    webhooks::{WebhookRemoved, WebhookSet, WebhookSettings},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::super::probation::{impossible, is_possible};
use crate::{problem::Problem, record::Draft, replacements, view::View};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentDocument {
    pub(super) agent: AgentId,
    incident: Option<IncidentId>,
    #[serde(rename = "purpose")]
    _purpose: String,
    /// The number of the `agent.revoked` that it answers.
    revoked_at: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProbationDocument {
    agent: AgentId,
    document: Digest,
    hours: u8,
    incident: IncidentId,
    mandate: MandateId,
    #[serde(rename = "purpose")]
    _purpose: String,
    /// The number of the `agent.revoked` that it answers.
    revoked_at: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OverrideDocument {
    agent: AgentId,
    checks: Vec<Code>,
    expires: Timestamp,
    order: u64,
    #[serde(rename = "purpose")]
    _purpose: String,
    reason: Digest,
    terms: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeDocument {
    #[serde(rename = "purpose")]
    _purpose: String,
    /// The number of the `house.revoked` that it answers.
    revoked_at: u64,
    scope: HouseScope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewDocument {
    agent: AgentId,
    finding: Finding,
    #[serde(default)]
    impact: Option<Digest>,
    incident: IncidentId,
    #[serde(default)]
    lessons: Option<Digest>,
    #[serde(rename = "purpose")]
    _purpose: String,
    root_cause: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThresholdsDocument {
    #[serde(rename = "purpose")]
    _purpose: String,
    thresholds: Thresholds,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExposureDocument {
    limits: ExposureLimits,
    #[serde(rename = "purpose")]
    _purpose: String,
    scope: HouseScope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionsDocument {
    networks: RegionTable,
    #[serde(rename = "purpose")]
    _purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookDocument {
    #[serde(rename = "purpose")]
    _purpose: String,
    subscription: String,
    webhook: WebhookSettings,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookEndDocument {
    #[serde(rename = "purpose")]
    _purpose: String,
    subscription: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenDocument {
    officer: OfficerId,
    #[serde(rename = "purpose")]
    _purpose: String,
    roles: Vec<Role>,
    token: Digest,
    use_before: Timestamp,
}

pub(super) fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Problem> {
    T::deserialize(document).map_err(|error| Problem::bad("DOCUMENT", &error.to_string()))
}

/// The entry a proposal becomes, judged on things as they stand.
pub(super) fn entry(
    view: &View,
    becomes: &str,
    document: &Value,
    signatures: Vec<ApprovalRecord>,
    references: Vec<String>,
    decided: Timestamp,
    real: Timestamp,
) -> Result<Draft, Problem> {
    match becomes {
        "baseline.approved" => baseline(view, document, references).map(|event| Draft::new(event, decided)),
        "agent.reinstated" => {
            let wanted: AgentDocument = read(document)?;
            may_be_reinstated(view, &wanted, decided)?;
            let event = AgentReinstated {
                agent: wanted.agent,
                certificates_from: real,
                incident: wanted.incident,
                signatures,
            };
            let tasks = replacements::tasks(view, wanted.agent, real);
            Ok(tasks.into_iter().fold(Draft::new(event, decided), Draft::task))
        }
        "agent.probation_started" => probation(view, read(document)?, signatures, decided, real),
        "house.reinstated" => {
            let wanted: ScopeDocument = read(document)?;
            let revocation = view.house_revocation(wanted.scope);
            answers(wanted.revoked_at, revocation.map(|revocation| revocation.number))?;
            let event = HouseReinstated {
                certificates_from: real,
                scope: wanted.scope,
                signatures,
            };
            Ok(Draft::new(event, decided))
        }
        "house.thresholds_set" => {
            let thresholds = read::<ThresholdsDocument>(document)?.thresholds;
            Ok(Draft::new(ThresholdsSet { signatures, thresholds }, decided))
        }
        ExposureSet::KIND => exposure_set(document, signatures).map(|event| Draft::new(event, decided)),
        "house.regions_set" => {
            let networks = read::<RegionsDocument>(document)?.networks;
            Ok(Draft::new(RegionsSet { networks, signatures }, decided))
        }
        WebhookSet::KIND => webhook_set(view, document, signatures).map(|event| Draft::new(event, decided)),
        WebhookRemoved::KIND => webhook_removed(view, document, signatures).map(|event| Draft::new(event, decided)),
        OverrideGranted::KIND => {
            override_granted(view, document, signatures, decided).map(|event| Draft::new(event, decided))
        }
        "incident.reviewed" => review(view, document, signatures).map(|event| Draft::new(event, decided)),
        "officer.token_issued" => {
            let wanted: TokenDocument = read(document)?;
            let event = OfficerTokenIssued {
                issued_by: signatures.last().map(|signature| signature.officer),
                officer: wanted.officer,
                roles: wanted.roles,
                token: wanted.token,
                use_before: wanted.use_before,
            };
            Ok(Draft::new(event, decided))
        }
        other => Err(Problem::bad("DOCUMENT", &format!("no proposal becomes {other}"))),
    }
}

fn exposure_set(document: &Value, signatures: Vec<ApprovalRecord>) -> Result<ExposureSet, Problem> {
    let ExposureDocument { limits, scope, .. } = read(document)?;
    Ok(ExposureSet {
        limits,
        scope,
        signatures,
    })
}

fn probation(
    view: &View,
    wanted: ProbationDocument,
    signatures: Vec<ApprovalRecord>,
    decided: Timestamp,
    real: Timestamp,
) -> Result<Draft, Problem> {
    may_begin(view, &wanted, (decided, real))?;
    let event = ProbationStarted {
        agent: wanted.agent,
        certificates_from: real,
        document: wanted.document,
        hours: wanted.hours,
        incident: wanted.incident,
        mandate: wanted.mandate,
        signatures,
    };
    let tasks = replacements::probation_tasks(view, &wanted.mandate, real);
    Ok(tasks.into_iter().fold(Draft::new(event, decided), Draft::task))
}

/// In time, or it is asked for anew: nobody signs what can no longer be used.
fn override_granted(
    view: &View,
    document: &Value,
    signatures: Vec<ApprovalRecord>,
    decided: Timestamp,
) -> Result<OverrideGranted, Problem> {
    let wanted: OverrideDocument = read(document)?;
    let agent = view.register.agent(&wanted.agent);
    agent.ok_or_else(|| Problem::missing("such agent"))?;
    if wanted.checks.is_empty() || !wanted.checks.iter().all(|code| code.may_be_overridden()) {
        return Err(Problem::bad("OVERRIDE", "checks: nothing of this may be overridden"));
    }
    if wanted.expires <= decided {
        let detail = format!("it could be used until {}: ask for another", wanted.expires);
        return Err(Problem::conflict("STALE", &detail));
    }
    if wanted.expires > decided.plus_seconds(i64::from(LONGEST_OVERRIDE_MINUTES) * 60) {
        return Err(Problem::bad(
            "OVERRIDE",
            "expires: further off than an override may last",
        ));
    }
    Ok(OverrideGranted {
        agent: wanted.agent,
        checks: wanted.checks,
        expires: wanted.expires,
        order: wanted.order,
        reason: wanted.reason,
        signatures,
        terms: wanted.terms,
    })
}

fn webhook_set(view: &View, document: &Value, signatures: Vec<ApprovalRecord>) -> Result<WebhookSet, Problem> {
    let wanted: WebhookDocument = read(document)?;
    let fits = wanted.webhook.check(&wanted.subscription);
    fits.map_err(|fault| Problem::bad("WEBHOOK", &fault.to_string()))?;
    if !view.webhook_book.has_room_for(&wanted.subscription) {
        return Err(Problem::conflict("FULL", "there is no room for another subscription"));
    }
    Ok(WebhookSet {
        signatures,
        subscription: wanted.subscription,
        webhook: wanted.webhook,
    })
}

fn webhook_removed(view: &View, document: &Value, signatures: Vec<ApprovalRecord>) -> Result<WebhookRemoved, Problem> {
    let wanted: WebhookEndDocument = read(document)?;
    if view.webhook_book.find(&wanted.subscription).is_none() {
        return Err(Problem::missing("such subscription in force that officers signed"));
    }
    Ok(WebhookRemoved {
        signatures,
        subscription: wanted.subscription,
    })
}

fn baseline(view: &View, document: &Value, references: Vec<String>) -> Result<BaselineApproved, Problem> {
    let content = read::<BaselineContent>(document)?;
    let proposed = ProposedBaseline::new(content).map_err(|fault| Problem::bad("DOCUMENT", &fault.to_string()))?;
    let (agent, version) = (proposed.content().agent, proposed.content().version);
    let baselines = view.baselines.get(&agent);
    let recorded = baselines.is_some_and(|known| known.proposed.iter().any(|one| one.digest == proposed.digest()));
    let in_force = baselines
        .and_then(|known| known.approved.as_ref())
        .map_or(0, |(approved, _)| approved.version);
    if !recorded || version <= in_force {
        let detail =
            format!("version {version} is not a recorded proposal behind the one in force ({in_force}): propose again");
        return Err(Problem::conflict("STALE", &detail));
    }
    Ok(BaselineApproved {
        agent,
        approvals: references,
        baseline: proposed.digest(),
        version,
    })
}

/// Whether a reinstatement still answers the revocation that it was proposed for. What was signed while something else was so has no force
/// over what came later: a stop ends by people who saw it.
pub(super) fn current(view: &View, becomes: &str, document: &Value) -> Result<(), Problem> {
    match becomes {
        "agent.reinstated" => {
            let wanted: AgentDocument = read(document)?;
            let revocation = view.revocation_of(&wanted.agent);
            answers(wanted.revoked_at, revocation.map(|revocation| revocation.number))
        }
        "agent.probation_started" => {
            let wanted: ProbationDocument = read(document)?;
            let revocation = view.revocation_of(&wanted.agent);
            answers(wanted.revoked_at, revocation.map(|revocation| revocation.number))
        }
        "house.reinstated" => {
            let wanted: ScopeDocument = read(document)?;
            let revocation = view.house_revocation(wanted.scope);
            answers(wanted.revoked_at, revocation.map(|revocation| revocation.number))
        }
        _ => Ok(()),
    }
}

fn answers(revoked_at: u64, revocation: Option<u64>) -> Result<(), Problem> {
    match revocation {
        Some(number) if number == revoked_at => Ok(()),
        Some(number) => {
            let detail = format!(
                "the proposal answers the revocation number {revoked_at}, and the latest is number {number}: propose the reinstatement again"
            );
            Err(Problem::conflict("STALE", &detail))
        }
        None => Err(Problem::conflict(
            "STANDING",
            "no revocation stands in the ledger that could be answered",
        )),
    }
}

/// Only a revoked agent whose revocation stands in the ledger, and only once its incidents are reviewed: the one that the latest revocation
/// names above all.
fn may_be_reinstated(view: &View, wanted: &AgentDocument, now: Timestamp) -> Result<(), Problem> {
    if !view.standing_of(&wanted.agent).permits(Move::Reinstate, now) {
        return Err(Problem::conflict("STANDING", "the agent is not revoked"));
    }
    let revocation = view.revocation_of(&wanted.agent);
    answers(wanted.revoked_at, revocation.map(|revocation| revocation.number))?;
    let reviewed = |incident: &IncidentId| {
        let found = view.incidents.get(incident);
        found.is_some_and(|(agent, incident, _)| *agent == wanted.agent && incident.finding().is_some())
    };
    let named = revocation.and_then(|revocation| revocation.incident);
    if let Some(id) = named.filter(|id| !reviewed(id)) {
        let detail = format!(
            "incident {id}, which the revocation opened, is not reviewed: acknowledge it and have its review signed first"
        );
        return Err(Problem::conflict("INCIDENT_OPEN", &detail));
    }
    let mut of_agent = view
        .incidents
        .iter()
        .filter(|(_, (agent, _, _))| *agent == wanted.agent);
    if let Some((id, _)) = of_agent.find(|(_, (_, incident, _))| incident.finding().is_none()) {
        let detail = format!("incident {id} is not reviewed: acknowledge it and have its review signed first");
        return Err(Problem::conflict("INCIDENT_OPEN", &detail));
    }
    if let Some(number) = view.baseline_owed(&wanted.agent) {
        let detail = format!(
            "the agent was stopped for its behaviour (revocation number {number}): have a baseline signed that was proposed after it"
        );
        return Err(Problem::conflict("BASELINE_OWED", &detail));
    }
    let of_another = |incident: IncidentId| {
        let found = view.incidents.get(&incident);
        found.is_none_or(|(agent, _, _)| *agent != wanted.agent)
    };
    if wanted.incident.is_some_and(of_another) {
        return Err(Problem::missing("such incident of this agent"));
    }
    Ok(())
}

/// Only an agent that was stopped for its behaviour, once, under the mandate as officers signed it ahead. Every role holds the entry to the
/// same again, and the `ca` role what it opens.
fn may_begin(view: &View, wanted: &ProbationDocument, (decided, real): (Timestamp, Timestamp)) -> Result<(), Problem> {
    let revocation = view.revocation_of(&wanted.agent);
    answers(wanted.revoked_at, revocation.map(|revocation| revocation.number))?;
    is_possible(view, &wanted.agent)?;
    if !view.standing_of(&wanted.agent).permits(Move::Probation, decided) {
        return Err(impossible("agent is not stopped, or was on probation already"));
    }
    if revocation.and_then(|revocation| revocation.incident) != Some(wanted.incident) {
        return Err(Problem::missing("such incident of this halt"));
    }
    let mandate = view
        .register
        .mandate(&wanted.mandate)
        .filter(|mandate| *mandate.agent() == wanted.agent);
    let in_force = mandate.and_then(|mandate| mandate.in_force());
    let in_force = in_force.ok_or_else(|| Problem::missing("such mandate of this agent that officers approved"))?;
    let document = in_force.document();
    if document.digest() != wanted.document || document.conduct.probation_hours != Some(wanted.hours) {
        let detail =
            "the mandate is not signed ahead for a probation of so many hours, or was changed since: propose it again";
        return Err(Problem::conflict("NO_PROBATION", detail));
    }
    if document.expires <= real {
        let detail = format!(
            "the mandate ended at {}: review the halt and reinstate the agent",
            document.expires
        );
        return Err(Problem::conflict("NO_PROBATION", &detail));
    }
    Ok(())
}

fn review(view: &View, document: &Value, signatures: Vec<ApprovalRecord>) -> Result<IncidentReviewed, Problem> {
    let wanted: ReviewDocument = read(document)?;
    let found = view
        .incidents
        .get(&wanted.incident)
        .filter(|(agent, _, _)| *agent == wanted.agent);
    let (_, state, _) = found.ok_or_else(|| Problem::missing("such incident of this agent"))?;
    let event = IncidentReviewed {
        agent: wanted.agent,
        finding: wanted.finding,
        impact: wanted.impact,
        incident: wanted.incident,
        lessons: wanted.lessons,
        root_cause: wanted.root_cause,
        signatures,
    };
    let step = state.clone().step(&IncidentEvent::Reviewed(event.clone()));
    step.map_err(|error| Problem::conflict("INCIDENT", &error.to_string()))?;
    Ok(event)
}
