//! Decisions that officers sign, other than mandates: baselines, house settings, reinstatements, reviews, further officers.
//!
//! A proposal is an entry with a document and a nonce; it has no force. Each officer's signature over the document is an entry of its own.
//! When enough stand in the ledger, all are checked again and the entry the proposal becomes is appended `Exactly`, its closing beside it.
//! A crash between the two is made good by [`complete_all`].

use anomaly::{BaselineApproved, BaselineContent, ProposedBaseline};
use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use ca_core::{
    approval::{ApprovalError, Question, check_signature, verify_signatures},
    events::{OfficerProposed, OfficerSigned, OfficerTokenIssued, ProposalClosed, Role},
    register::Proposal,
};
use extensions::{
    AgentId, ApprovalDecision, ApprovalRecord, Digest, IncidentId, OfficerId, SealedText, Timestamp, canonical,
};
use revocation_core::{
    HouseEvent, HouseScope, RegionTable,
    house::{HouseReinstated, RegionsSet, Thresholds, ThresholdsSet},
    incident::{Finding, IncidentEvent, IncidentReviewed},
    standing::{AgentReinstated, Move},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{Answer, Body, By, Page, SignatureBody, parse};
use crate::{
    Console,
    access::Caller,
    problem::Problem,
    record::{Draft, place, random_bytes},
    view::View,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgentDocument {
    agent: AgentId,
    incident: Option<IncidentId>,
    #[serde(rename = "purpose")]
    _purpose: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeDocument {
    #[serde(rename = "purpose")]
    _purpose: String,
    scope: HouseScope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReviewDocument {
    agent: AgentId,
    finding: Finding,
    incident: IncidentId,
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
struct RegionsDocument {
    networks: RegionTable,
    #[serde(rename = "purpose")]
    _purpose: String,
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

fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Problem> {
    T::deserialize(document).map_err(|error| Problem::bad("DOCUMENT", &error.to_string()))
}

/// How many officers a proposal takes. Where one decides, it is never the proposer.
fn needed(view: &View, becomes: &str, document: &Value) -> Result<usize, Problem> {
    if becomes != "baseline.approved" {
        return Ok(2);
    }
    let agent: AgentId = read(document.get("agent").unwrap_or(&Value::Null))?;
    let replaces = view
        .baselines
        .get(&agent)
        .is_some_and(|baselines| baselines.approved.is_some());
    Ok(if replaces { 2 } else { 1 })
}

/// The proposal's entry, not yet appended.
pub(super) fn proposed(
    console: &Console,
    caller: Caller,
    becomes: &str,
    document: Value,
    sealed: Vec<SealedText>,
) -> OfficerProposed {
    let now = console.clocks.real.now();
    OfficerProposed {
        becomes: becomes.to_owned(),
        document_digest: Digest::of(&canonical::to_vec(&document)),
        document,
        expires_at: now.plus_seconds(console.config.question_seconds),
        nonce: Digest(random_bytes()),
        proposer: caller.officer,
        sealed,
    }
}

/// Records a proposal and shows what is to be signed.
pub(super) async fn propose(
    console: &Console,
    caller: Caller,
    becomes: &str,
    document: Value,
    sealed: Vec<SealedText>,
) -> Answer {
    {
        // What could not become an entry today is not asked.
        let view = console.view().await?;
        let event = proposed(console, caller, becomes, document.clone(), Vec::new());
        check_form(&view, &event.becomes, &document)?;
    }
    let event = proposed(console, caller, becomes, document, sealed);
    let shown = event.clone();
    let recorded = console
        .report(Draft::new(event, console.clocks.decision.now()), None)
        .await?;
    let needed = needed(&*console.view().await?, becomes, &shown.document)?;
    Ok(Json(json!({
        "document": shown.document,
        "document_digest": shown.document_digest,
        "entry": place(&recorded),
        "expires_at": shown.expires_at,
        "nonce": shown.nonce,
        "officers_needed": needed,
        "proposal": format!("officer/{}/{}", caller.officer, recorded.number()),
    })))
}

fn check_form(view: &View, becomes: &str, document: &Value) -> Result<(), Problem> {
    let now = Timestamp::EPOCH;
    match becomes {
        "agent.reinstated" => {
            let wanted: AgentDocument = read(document)?;
            view.register
                .agent(&wanted.agent)
                .map(drop)
                .ok_or_else(|| Problem::missing("such agent"))
        }
        "baseline.approved" | "incident.reviewed" => Ok(()),
        _ => entry(view, becomes, document, Vec::new(), Vec::new(), now, now).map(drop),
    }
}

pub(super) fn shown(view: &View, proposal: &Proposal) -> Value {
    let needed = needed(view, proposal.becomes(), proposal.document()).unwrap_or(2);
    json!({
        "accepted": proposal.outcome(),
        "becomes": proposal.becomes(),
        "document_digest": proposal.digest(),
        "expires_at": proposal.expires_at(),
        "nonce": proposal.nonce(),
        "officers_needed": needed,
        "proposal": proposal.reference(),
        "proposer": proposal.proposer(),
        "signatures": proposal.signatures().collect::<Vec<_>>(),
    })
}

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Page>) -> Answer {
    let view = console.view().await?;
    let rows = view.register.proposals();
    let (proposals, next) = page.of(rows.map(|one| (one.reference().to_owned(), shown(&view, one))));
    Ok(Json(json!({"next": next, "proposals": proposals})))
}

fn find<'a>(view: &'a View, reference: &str) -> Result<&'a Proposal, Problem> {
    view.register
        .proposal(reference)
        .ok_or_else(|| Problem::missing("such proposal"))
}

fn reference(officer: &str, number: &str) -> Result<String, Problem> {
    let officer: OfficerId = parse("OFFICER", officer)?;
    let number: u64 = parse("NUMBER", number)?;
    Ok(format!("officer/{officer}/{number}"))
}

pub(super) async fn show(State(console): State<Console>, Path((officer, number)): Path<(String, String)>) -> Answer {
    let view = console.view().await?;
    let proposal = find(&view, &reference(&officer, &number)?)?;
    let mut answer = shown(&view, proposal);
    answer["document"] = proposal.document().clone();
    if let Ok(content) = read::<BaselineContent>(proposal.document()) {
        answer["in_words"] = json!(content.in_words());
    }
    Ok(Json(answer))
}

pub(super) async fn sign(
    State(console): State<Console>,
    Extension(caller): By,
    Path((officer, number)): Path<(String, String)>,
    Body(body): Body<SignatureBody>,
) -> Answer {
    sign_one(&console, caller, &reference(&officer, &number)?, &body).await
}

fn lapsed(proposal: &Proposal, now: Timestamp) -> Result<(), Problem> {
    if proposal.outcome().is_some() {
        return Err(Problem::conflict("DECIDED", "this proposal was decided already"));
    }
    if now >= proposal.expires_at() {
        let detail = format!("this proposal lapsed at {}: propose it again", proposal.expires_at());
        return Err(Problem::conflict("LAPSED", &detail));
    }
    Ok(())
}

fn question(proposal: &Proposal, needed: usize) -> (Digest, Digest, Option<OfficerId>) {
    let applicant = (needed < 2).then_some(*proposal.proposer());
    (proposal.digest(), proposal.nonce(), applicant)
}

/// Checks one signature as things stand, before anything is recorded.
fn check(view: &View, proposal: &Proposal, record: &ApprovalRecord) -> Result<(), Problem> {
    let needed = needed(view, proposal.becomes(), proposal.document())?;
    let (document, nonce, applicant) = question(proposal, needed);
    let question = Question {
        document,
        nonce,
        applicant: applicant.as_ref(),
    };
    let earlier: Vec<&ApprovalRecord> = proposal.signatures().collect();
    check_signature(question, record, view.next_position(), &earlier, &view.register)
        .map_err(|fault| Problem::forbidden("SIGNATURE_REFUSED", &fault.to_string()))
}

/// Records one officer's answer; when enough approve, the proposal becomes its entry.
pub(super) async fn sign_one(console: &Console, caller: Caller, reference: &str, body: &SignatureBody) -> Answer {
    let record = body.record(caller);
    let rejects = record.decision == ApprovalDecision::Reject;
    let signed = console
        .widen(|view| {
            let proposal = find(view, reference)?;
            lapsed(proposal, console.clocks.real.now())?;
            check(view, proposal, &record)?;
            let event = OfficerSigned {
                approval: record.clone(),
                subject: reference.to_owned(),
            };
            let mut draft = Draft::new(event, console.clocks.decision.now());
            if rejects {
                draft = draft.also(closed(proposal, false));
            }
            if let Some(reason) = &body.reason {
                let reason = crate::record::acted(caller.officer, "officer.signed", reference, reason)?;
                draft = draft.also(reason);
            }
            Ok(draft)
        })
        .await?;
    let mut answer = json!({"accepted": null, "entry": place(&signed)});
    if rejects {
        answer["accepted"] = json!(false);
        return Ok(Json(answer));
    }
    if let Some(became) = complete(console, reference).await? {
        answer["accepted"] = json!(true);
        answer["became"] = became;
    }
    let view = console.view().await?;
    let proposal = find(&view, reference)?;
    answer["officers_needed"] = json!(needed(&view, proposal.becomes(), proposal.document()).unwrap_or(2));
    answer["signatures"] = json!(proposal.signatures().count());
    Ok(Json(answer))
}

fn closed(proposal: &Proposal, accepted: bool) -> ProposalClosed {
    ProposalClosed {
        accepted,
        proposal: proposal.reference().to_owned(),
        proposer: *proposal.proposer(),
    }
}

/// Whether enough officers approve, by everything that stands in the ledger.
fn enough(view: &View, proposal: &Proposal) -> Result<bool, Problem> {
    let needed = needed(view, proposal.becomes(), proposal.document())?;
    let (document, nonce, applicant) = question(proposal, needed);
    let question = Question {
        document,
        nonce,
        applicant: applicant.as_ref(),
    };
    let records: Vec<ApprovalRecord> = proposal.signatures().cloned().collect();
    match verify_signatures(question, &records, view.next_position(), needed, &view.register) {
        Ok(()) => Ok(true),
        Err(ApprovalError::TooFew { .. }) => Ok(false),
        Err(error) => Err(Problem::forbidden("SIGNATURE_REFUSED", &error.to_string())),
    }
}

/// Appends what the proposal becomes, when enough officers approved and nobody has appended it yet.
async fn complete(console: &Console, reference: &str) -> Result<Option<Value>, Problem> {
    let open = {
        let view = console.view().await?;
        let proposal = find(&view, reference)?;
        proposal.outcome().is_none() && enough(&view, proposal)?
    };
    if !open {
        return Ok(None);
    }
    let recorded = console
        .widen(|view| {
            let proposal = find(view, reference)?;
            if proposal.outcome().is_some() || !enough(view, proposal)? {
                return Err(Problem::conflict("DECIDED", "this proposal was decided already"));
            }
            let signatures: Vec<ApprovalRecord> = proposal.signatures().cloned().collect();
            let references: Vec<String> = proposal.signature_references().map(str::to_owned).collect();
            let (decided, real) = (console.clocks.decision.now(), console.clocks.real.now());
            let (becomes, document) = (proposal.becomes(), proposal.document());
            let draft = entry(view, becomes, document, signatures, references, decided, real)?;
            Ok(draft.also(closed(proposal, true)))
        })
        .await?;
    Ok(Some(place(&recorded)))
}

/// Completes what a crash has left between the last signature and its entry.
pub(crate) async fn complete_all(console: &Console) -> Result<(), Problem> {
    let ready: Vec<String> = {
        let view = console.view().await?;
        let open = view
            .register
            .proposals()
            .filter(|proposal| proposal.outcome().is_none());
        let ready = open.filter(|proposal| proposal.signatures().next().is_some());
        let ready = ready.filter(|proposal| enough(&view, proposal) == Ok(true));
        ready.map(|proposal| proposal.reference().to_owned()).collect()
    };
    for reference in ready {
        if let Err(problem) = complete(console, &reference).await {
            tracing::debug!(
                reference,
                code = problem.code(),
                "a signed proposal cannot become its entry now"
            );
        }
    }
    Ok(())
}

/// The entry a proposal becomes, judged on things as they stand.
fn entry(
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
            Ok(Draft::new(event, decided))
        }
        "house.reinstated" => {
            let event = HouseReinstated {
                certificates_from: real,
                scope: read::<ScopeDocument>(document)?.scope,
                signatures,
            };
            let moves = event.signatures.is_empty() || view.house.clone().apply(&HouseEvent::Reinstated(event.clone()));
            let unmoved = || Problem::conflict("STANDING", "nothing of this scope is revoked");
            moves.then(|| Draft::new(event, decided)).ok_or_else(unmoved)
        }
        "house.thresholds_set" => {
            let thresholds = read::<ThresholdsDocument>(document)?.thresholds;
            Ok(Draft::new(ThresholdsSet { signatures, thresholds }, decided))
        }
        "house.regions_set" => {
            let networks = read::<RegionsDocument>(document)?.networks;
            Ok(Draft::new(RegionsSet { networks, signatures }, decided))
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

/// Only a revoked agent, and only once each of its incidents is reviewed.
fn may_be_reinstated(view: &View, wanted: &AgentDocument, now: Timestamp) -> Result<(), Problem> {
    if !view.standing_of(&wanted.agent).permits(Move::Reinstate, now) {
        return Err(Problem::conflict("STANDING", "the agent is not revoked"));
    }
    let mut of_agent = view
        .incidents
        .iter()
        .filter(|(_, (agent, _, _))| *agent == wanted.agent);
    if let Some((id, _)) = of_agent.find(|(_, (_, incident, _))| incident.finding().is_none()) {
        let detail = format!("incident {id} is not reviewed: acknowledge it and have its review signed first");
        return Err(Problem::conflict("INCIDENT_OPEN", &detail));
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
        incident: wanted.incident,
        root_cause: wanted.root_cause,
        signatures,
    };
    let step = state.clone().step(&IncidentEvent::Reviewed(event.clone()));
    step.map_err(|error| Problem::conflict("INCIDENT", &error.to_string()))?;
    Ok(event)
}
