//! Applications for a mandate: asking, reading in plain words, signing yes or no, tokens for the bot.

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use ca_core::{
    Event,
    approval::{Question, check_signature, judge},
    events::{
        ApplicationApproved, ApplicationRejected, ApplicationSigned, ApplicationSubmitted, CaCertificateUse,
        EnrolmentTokenIssued,
    },
    narrowing::{DIMENSIONS, within},
    register::{Mandate, MandateStatus, Request, RequestState, SignedApproval},
    unusual::{Halted, Lately, unusual},
};
use extensions::{
    AgentId, ApprovalDecision, Digest, MandateDocument, MandateId, SealedText, StreamId, Timestamp, limits::Authority,
    mandate::Conduct,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, SignatureBody, Waiting, parse};
use crate::{
    Console,
    access::Caller,
    counters::Counted,
    enrolment::issue_task,
    problem::Problem,
    record::{Draft, place, random_bytes, seal, token as new_token},
    view::View,
};

/// Entries of a mandate's stream that are looked at for what was in force before.
const MOST_ENTRIES: usize = 4_096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Application {
    agent: AgentId,
    conduct: Conduct,
    expires: Timestamp,
    limits: Authority,
    mandate: MandateId,
    /// Why these limits fit the purpose; sealed.
    rationale: String,
}

/// Asks for a mandate, or changes what is asked: a change begins a new revision, and earlier signatures count no more.
pub(super) async fn submit(
    State(console): State<Console>,
    Extension(caller): By,
    Body(body): Body<Application>,
) -> Answer {
    record_asked(&console, caller, body).await
}

/// Asks for the limits, conduct and end of a document, for another reason.
pub(super) async fn ask(console: &Console, caller: Caller, document: MandateDocument, rationale: &str) -> Answer {
    let body = Application {
        agent: document.agent,
        conduct: document.conduct,
        expires: document.expires,
        limits: document.limits,
        mandate: document.mandate,
        rationale: rationale.to_owned(),
    };
    record_asked(console, caller, body).await
}

async fn record_asked(console: &Console, caller: Caller, body: Application) -> Answer {
    let rationale = seal(format!("agent:{}", body.agent), "rationale", &body.rationale)?;
    let nonce = Digest(random_bytes());
    let mut shown = Value::Null;
    let recorded = console
        .widen(|view| {
            let event = submitted(console, view, caller, &body, &rationale, nonce)?;
            shown = asked_now(&event);
            Ok(Draft::new(event, console.clocks.real.now()))
        })
        .await?;
    shown["entry"] = place(&recorded);
    Ok(Json(shown))
}

/// What the officers are asked from now on.
pub(super) fn asked_now(event: &ApplicationSubmitted) -> Value {
    json!({
        "document_digest": event.document_digest,
        "expires_at": event.expires_at,
        "mandate": event.mandate,
        "nonce": event.nonce,
        "revision": event.revision,
    })
}

fn submitted(
    console: &Console,
    view: &View,
    caller: Caller,
    body: &Application,
    rationale: &SealedText,
    nonce: Digest,
) -> Result<ApplicationSubmitted, Problem> {
    let now = console.clocks.real.now();
    let agent = view
        .register
        .agent(&body.agent)
        .ok_or_else(|| Problem::missing("such agent"))?;
    if body.expires <= now || body.expires > agent.expires_at {
        let detail = format!(
            "expires is {}: choose a time between now and the end of the agent's registration, {}",
            body.expires, agent.expires_at
        );
        return Err(Problem::bad("EXPIRES", &detail));
    }
    let earlier = view.register.mandate(&body.mandate);
    if earlier.is_some_and(|earlier| *earlier.agent() != body.agent) {
        return Err(Problem::conflict(
            "MANDATE_TAKEN",
            "this mandate id belongs to another agent",
        ));
    }
    let document = MandateDocument {
        agent: body.agent,
        conduct: body.conduct.clone(),
        declared_code_digest: agent.declared_code_digest,
        declared_model: agent.declared_model.clone(),
        environment: agent.environment,
        expires: body.expires,
        limits: body.limits.clone(),
        mandate: body.mandate,
        owner: agent.owner,
        purpose_commitment: agent.purpose,
        rationale_commitment: rationale.commitment(),
        version: 1,
    };
    document
        .check()
        .map_err(|error| Problem::bad("DOCUMENT", &error.to_string()))?;
    inside_envelope(view, &document)?;
    super::probation::is_small(view, &document)?;
    Ok(ApplicationSubmitted {
        agent: body.agent,
        applicant: caller.officer,
        document_digest: document.digest(),
        document,
        expires_at: now.plus_seconds(console.config.question_seconds),
        mandate: body.mandate,
        narrowed_by: None,
        nonce,
        owner: agent.owner,
        revision: earlier.map_or(1, |earlier| earlier.revision().saturating_add(1)),
        sealed: vec![rationale.clone()],
    })
}

/// Told at once rather than after two officers have signed: what the issuing CA could not grant.
pub(super) fn inside_envelope(view: &View, document: &MandateDocument) -> Result<(), Problem> {
    let founded = || Problem::unavailable("this house was not founded yet");
    let house = view.register.house().ok_or_else(founded)?;
    let issuer = view
        .register
        .authority_certificate(CaCertificateUse::AgentIssuing)
        .ok_or_else(founded)?;
    let envelope = ca_core::certificate::limits_of(issuer, house.arc).ok_or_else(founded)?;
    let wide: Vec<String> = DIMENSIONS
        .into_iter()
        .filter_map(|dimension| within(&document.limits, envelope.authority(), dimension).err())
        .map(|claim| claim.to_string())
        .collect();
    if wide.is_empty() {
        return Ok(());
    }
    Err(Problem::bad("LIMITS_TOO_WIDE", "the issuing CA may not grant this").with_reasons(wide))
}

pub(super) fn status(mandate: &Mandate, now: Timestamp) -> &'static str {
    match mandate.status() {
        MandateStatus::Pending if now >= mandate.expires_at() => "lapsed",
        MandateStatus::Pending => "pending",
        MandateStatus::Approved { .. } => "approved",
        MandateStatus::Rejected { .. } => "rejected",
    }
}

fn brief(mandate: &Mandate, now: Timestamp) -> Value {
    json!({
        "agent": mandate.agent(),
        "applicant": mandate.applicant(),
        "expires_at": mandate.expires_at(),
        "mandate": mandate.id(),
        "narrowed_by": mandate.asked().narrowed_by(),
        "owner": mandate.owner(),
        "revision": mandate.revision(),
        "status": status(mandate, now),
        "submitted_at": mandate.submitted_at(),
    })
}

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Waiting>) -> Answer {
    let view = console.view().await?;
    let now = console.clocks.real.now();
    let rows = view.register.mandates();
    let rows = rows.map(|mandate| (mandate.id().to_string(), mandate));
    let (applications, next) = page.of(rows, |mandate| status(mandate, now) == "pending");
    let applications: Vec<Value> = applications.into_iter().map(|mandate| brief(mandate, now)).collect();
    Ok(Json(json!({"applications": applications, "next": next})))
}

/// What an officer compares with, and the texts beside the application.
#[derive(Default)]
struct Background {
    /// The document in force: of an earlier revision of this mandate, or of the agent's newest other one.
    current: Option<MandateDocument>,
    purpose: Option<String>,
    rationale: Option<String>,
}

/// What is unusual about it, as things stand now.
async fn flags(console: &Console, application: &Mandate, current: Option<&MandateDocument>) -> Result<Value, Problem> {
    let view = console.view().await?;
    let (agent, decided_now) = (application.agent(), console.clocks.decision.now());
    let halted = view.halted.get(agent).map(|at| Halted {
        at: *at,
        seconds_ago: decided_now.seconds() - at.seconds(),
    });
    let lately = Lately {
        refused: view.refusals_of(agent),
        halted,
        current,
    };
    let now = console.clocks.real.now();
    Ok(json!(unusual(application, &view.register, lately, now)))
}

/// The agent's newest approved mandate for every day, other than this one.
fn other(view: &View, application: &Mandate) -> Option<MandateDocument> {
    let others = view.register.mandates();
    others
        .filter(|one| one.agent() == application.agent() && one.id() != application.id())
        .filter(|one| !one.asked().is_for_probation())
        .filter_map(|one| match one.status() {
            MandateStatus::Approved { position, .. } => Some((*position, one)),
            _ => None,
        })
        .max_by_key(|(position, _)| *position)
        .map(|(_, one)| one.document().clone())
}

async fn background(console: &Console, application: &Mandate, other: Option<MandateDocument>) -> Background {
    let mut found = Background {
        current: other,
        ..Background::default()
    };
    let agent = console
        .ledger
        .read_stream(&StreamId::agent(application.agent()), 0, 1)
        .await;
    if let Some(registered) = agent.unwrap_or_default().first() {
        let purpose = application.document().purpose_commitment;
        found.purpose = console
            .ledger
            .unseal(registered.position, &purpose)
            .await
            .ok()
            .flatten();
    }
    let stream = StreamId::mandate(application.id());
    let entries = console
        .ledger
        .read_stream(&stream, 0, MOST_ENTRIES)
        .await
        .unwrap_or_default();
    let (mut asked, mut sealed_at) = (None, None);
    let rationale = application.document().rationale_commitment;
    for entry in &entries {
        match Event::decode(&entry.kind, entry.body()) {
            Some(Ok(Event::ApplicationSubmitted(event))) => {
                // One that was narrowed keeps the rationale, whose text lies beside the applicant's own entry.
                if event.document.rationale_commitment == rationale {
                    sealed_at = sealed_at.or(Some(entry.position));
                }
                asked = Some(event);
            }
            Some(Ok(Event::ApplicationApproved(event))) => {
                let approved = asked.as_ref().filter(|asked| asked.revision == event.revision);
                if let Some(approved) = approved.filter(|_| event.revision < application.revision()) {
                    found.current = Some(approved.document.clone());
                }
            }
            _ => {}
        }
    }
    if let Some(position) = sealed_at {
        found.rationale = console.ledger.unseal(position, &rationale).await.ok().flatten();
    }
    found
}

pub(super) async fn show(State(console): State<Console>, Path(mandate): Path<String>) -> Answer {
    let mandate: MandateId = parse("MANDATE", &mandate)?;
    let (found, other, judged) = {
        let view = console.view().await?;
        let found = view.register.mandate(&mandate);
        let found = found.ok_or_else(|| Problem::missing("such application"))?;
        let threshold = |currency: &_, amount| view.officers_for(currency, amount);
        let judged = judge(found, None, &view.register, &threshold);
        (found.clone(), other(&view, found), judged)
    };
    let background = background(&console, &found, other).await;
    let (open, met): (Vec<_>, Vec<_>) = judged.rules.iter().partition(|rule| !rule.met);
    let mut answer = brief(&found, console.clocks.real.now());
    answer["changes"] = background
        .current
        .as_ref()
        .map_or(Value::Null, |current| changes(current, found.document()));
    answer["document"] = json!(found.document());
    answer["document_digest"] = json!(found.document().digest());
    answer["in_words"] = json!(found.document().plain_words());
    answer["nonce"] = json!(found.nonce());
    answer["officers_needed"] = json!(judged.needed);
    answer["questions"] = super::questions::shown(&console, &mandate).await?;
    answer["purpose"] = json!(background.purpose);
    answer["rationale"] = json!(background.rationale);
    answer["requests"] = found.requests().iter().map(request).collect();
    answer["rules_met"] = json!(met);
    answer["rules_open"] = json!(open);
    answer["signatures"] = found.signatures().iter().map(|signed| json!(signed.record)).collect();
    answer["unusual"] = flags(&console, &found, background.current.as_ref()).await?;
    Ok(Json(answer))
}

fn changes(current: &MandateDocument, new: &MandateDocument) -> Value {
    let list = current.diff(new);
    let list = list
        .iter()
        .map(|change| json!({"new": change.new, "old": change.old, "what": change.what, "wider": change.wider}));
    json!({"from": current.mandate, "from_digest": current.digest(), "list": list.collect::<Vec<_>>()})
}

fn request(request: &Request) -> Value {
    let state = match &request.state {
        RequestState::Waiting => "waiting",
        RequestState::Reserved(_) => "reserved",
        RequestState::Issued { .. } => "issued",
    };
    json!({"csr": request.digest, "key": request.spki, "renews": request.renews, "state": state})
}

/// One officer's yes or no.
pub(super) async fn sign(
    State(console): State<Console>,
    Extension(caller): By,
    Path(mandate): Path<String>,
    Body(body): Body<SignatureBody>,
) -> Answer {
    let id: MandateId = parse("MANDATE", &mandate)?;
    let refusal = match (body.decision, &body.reason) {
        (ApprovalDecision::Approve, _) => None,
        (ApprovalDecision::Reject, Some(reason)) => Some(reason.as_str()),
        (ApprovalDecision::Reject, None) => {
            return Err(Problem::bad(
                "REASON",
                "a refusal needs its reason, for the applicant to read",
            ));
        }
    };
    let (mut shown, mut counted) = (Value::Null, Counted::default());
    let recorded = console
        .widen(|view| {
            let mandate = view
                .register
                .mandate(&id)
                .ok_or_else(|| Problem::missing("such application"))?;
            let signed = checked(&console, view, mandate, caller, &body)?;
            let record = signed.record.clone();
            let (draft, answer) = match refusal {
                Some(reason) => rejection(&console, mandate, caller, signed, reason)?,
                None => approval(&console, view, mandate, signed)?,
            };
            counted.hold(&console, &view.register, &record, "application.approved")?;
            shown = answer;
            Ok(draft)
        })
        .await;
    let recorded = counted.told(&console, recorded).await?;
    shown["entry"] = place(&recorded);
    Ok(Json(shown))
}

/// Checks one signature as things stand, and says in words what is wrong with it before anything is recorded.
fn checked(
    console: &Console,
    view: &View,
    mandate: &Mandate,
    caller: Caller,
    body: &SignatureBody,
) -> Result<SignedApproval, Problem> {
    let now = console.clocks.real.now();
    if *mandate.status() != MandateStatus::Pending || now >= mandate.expires_at() {
        let detail = format!("this application is {}, not pending", status(mandate, now));
        return Err(Problem::conflict("NOT_PENDING", &detail));
    }
    let signed = SignedApproval {
        record: body.record(caller),
        position: view.next_position(),
        at: console.clocks.real.now(),
    };
    let question = Question {
        document: mandate.document().digest(),
        nonce: mandate.nonce(),
        applicant: Some(mandate.applicant()),
        on_call: false,
    };
    let earlier: Vec<_> = mandate.signatures().iter().map(|signed| &signed.record).collect();
    check_signature(question, &signed.record, signed.position, &earlier, &view.register)
        .map_err(|fault| Problem::forbidden("SIGNATURE_REFUSED", &fault.to_string()))?;
    Ok(signed)
}

fn approval(
    console: &Console,
    view: &View,
    mandate: &Mandate,
    signed: SignedApproval,
) -> Result<(Draft, Value), Problem> {
    let threshold = |currency: &_, amount| view.officers_for(currency, amount);
    let judged = judge(mandate, Some(&signed), &view.register, &threshold);
    let broken = judged.rules.iter().filter(|rule| !rule.met && rule.rule != "officers");
    let broken: Vec<String> = broken.map(|rule| format!("{}: {}", rule.rule, rule.reason)).collect();
    if !broken.is_empty() {
        return Err(Problem::forbidden("RULES_BROKEN", "this application cannot be approved").with_reasons(broken));
    }
    let event = ApplicationSigned {
        approval: signed.record,
        mandate: *mandate.id(),
        revision: mandate.revision(),
    };
    let mut draft = Draft::new(event, signed.at);
    if judged.met {
        draft = draft.also(ApplicationApproved {
            agent: *mandate.agent(),
            approvers: judged.approvers.clone(),
            document: mandate.document().digest(),
            mandate: *mandate.id(),
            revision: mandate.revision(),
            rules: judged.rules.clone(),
        });
        // Under one that is signed ahead a request waits for the probation.
        let everyday = !mandate.asked().is_for_probation();
        let requests = mandate.requests().iter().filter(|_| everyday);
        for request in requests.filter(|request| request.state == RequestState::Waiting) {
            draft = draft.task(issue_task(mandate.id(), request.digest, console.clocks.real.now()));
        }
    }
    let answer = json!({
        "approvals": judged.approvers.len(),
        "approved": judged.met,
        "officers_needed": judged.needed,
    });
    Ok((draft, answer))
}

fn rejection(
    console: &Console,
    mandate: &Mandate,
    caller: Caller,
    signed: SignedApproval,
    reason: &str,
) -> Result<(Draft, Value), Problem> {
    let text = seal(format!("agent:{}", mandate.agent()), "reason", reason)?;
    let rejected = ApplicationRejected {
        agent: *mandate.agent(),
        document: mandate.document().digest(),
        mandate: *mandate.id(),
        reason: text.commitment(),
        rejected_by: caller.officer,
        revision: mandate.revision(),
        sealed: vec![text],
    };
    let event = ApplicationSigned {
        approval: signed.record,
        mandate: *mandate.id(),
        revision: mandate.revision(),
    };
    let draft = Draft::new(event, console.clocks.real.now()).also(rejected);
    Ok((draft, json!({"approved": false, "rejected": true})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRequest {
    mandate: MandateId,
}

/// A one-time token for the bot, shown once; the ledger holds its SHA-256.
pub(super) async fn token(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(body): Body<TokenRequest>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let (secret, digest) = new_token();
    let now = console.clocks.real.now();
    let use_before = now.plus_seconds(console.config.token_seconds);
    let recorded = console
        .widen(|view| {
            let mandate = view
                .register
                .mandate(&body.mandate)
                .filter(|mandate| *mandate.agent() == agent);
            let mandate = mandate.ok_or_else(|| Problem::missing("such mandate of this agent"))?;
            if matches!(status(mandate, now), "lapsed" | "rejected") {
                let detail = format!("the application is {}: submit it again first", status(mandate, now));
                return Err(Problem::conflict("NOT_PENDING", &detail));
            }
            let event = EnrolmentTokenIssued {
                agent,
                issued_by: caller.officer,
                mandate: body.mandate,
                token: digest,
                use_before,
            };
            Ok(Draft::new(event, console.clocks.real.now()))
        })
        .await?;
    Ok(Json(json!({
        "entry": place(&recorded),
        "mandate": body.mandate,
        "token": secret,
        "use_before": use_before,
    })))
}
