//! Decisions that officers sign, other than mandates: baselines, house settings, reinstatements, reviews, further officers.
//!
//! A proposal is an entry with a document and a nonce; it has no force. Each officer's signature over the document is an entry of its own.
//! When enough stand in the ledger, all are checked again and the entry the proposal becomes is appended `Exactly`, its closing beside it.
//! A crash between the two is made good by [`complete_all`].

mod becomes;

use anomaly::BaselineContent;
use axum::{
    Extension, Json,
    extract::{Path, Query, State},
};
use ca_core::{
    approval::{Question, check_signature},
    events::{OfficerProposed, OfficerSigned, ProposalClosed},
    register::Proposal,
};
use extensions::{
    AgentId, ApprovalDecision, ApprovalRecord, Digest, OfficerId, SealedText, StreamId, StreamKind, Timestamp,
    canonical,
};
use serde_json::{Value, json};

use self::becomes::{AgentDocument, current, entry, read};
use super::{Answer, Body, By, SignatureBody, Waiting, parse};
use crate::{
    Console,
    access::Caller,
    counters::Counted,
    problem::Problem,
    record::{Draft, place, random_bytes},
    view::View,
};

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
        check_form(&view, &event.becomes, &document, console.clocks.decision.now())?;
    }
    let event = proposed(console, caller, becomes, document, sealed);
    let shown = event.clone();
    let recorded = console
        .report(Draft::new(event, console.clocks.real.now()), None)
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

fn check_form(view: &View, becomes: &str, document: &Value, now: Timestamp) -> Result<(), Problem> {
    match becomes {
        "agent.reinstated" => {
            let wanted: AgentDocument = read(document)?;
            let agent = view.register.agent(&wanted.agent);
            agent.ok_or_else(|| Problem::missing("such agent"))?;
            current(view, becomes, document)
        }
        "baseline.approved" | "incident.reviewed" => Ok(()),
        _ => entry(view, becomes, document, Vec::new(), Vec::new(), now, now).map(drop),
    }
}

pub(super) fn shown(view: &View, proposal: &Proposal) -> Value {
    let needed = needed(view, proposal.becomes(), &proposal.document()).unwrap_or(2);
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

pub(super) async fn list(State(console): State<Console>, Query(page): Query<Waiting>) -> Answer {
    let view = console.view().await?;
    let rows = view.register.proposals();
    let rows = rows.map(|one| (one.reference().to_owned(), one));
    let (proposals, next) = page.of(rows, |one| one.outcome().is_none());
    let proposals: Vec<Value> = proposals.into_iter().map(|one| shown(&view, one)).collect();
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

/// Members of a document that are commitments to a text beside its entry.
const TEXTS: [&str; 4] = ["impact", "lessons", "reason", "root_cause"];

/// The entry of a proposal, with its position.
async fn proposed_at(console: &Console, proposal: &Proposal) -> Option<(u64, OfficerProposed)> {
    let (_, number) = proposal.reference().rsplit_once('/')?;
    let stream = StreamId::new(StreamKind::Officer, proposal.proposer().as_str()).ok()?;
    let read = console.ledger.read_stream(&stream, number.parse().ok()?, 1).await;
    let entry = read.ok()?.into_iter().next()?;
    Some((entry.position, canonical::from_slice(entry.body()).ok()?))
}

/// The texts that a document commits to, as far as they were not erased: who signs it has to read them.
pub(super) async fn texts(console: &Console, proposal: &Proposal) -> Value {
    match proposed_at(console, proposal).await {
        Some((position, event)) => texts_at(console, position, &event.document).await,
        None => json!({}),
    }
}

async fn texts_at(console: &Console, position: u64, document: &Value) -> Value {
    let mut found = serde_json::Map::new();
    for name in TEXTS {
        let digest = document.get(name).and_then(Value::as_str).and_then(Digest::parse);
        let Some(digest) = digest else { continue };
        let text = console.ledger.unseal(position, &digest).await.ok().flatten();
        found.insert(name.to_owned(), json!(text));
    }
    Value::Object(found)
}

pub(super) async fn show(State(console): State<Console>, Path((officer, number)): Path<(String, String)>) -> Answer {
    let (mut answer, proposal) = {
        let view = console.view().await?;
        let proposal = find(&view, &reference(&officer, &number)?)?;
        (shown(&view, proposal), proposal.clone())
    };
    let entry = proposed_at(&console, &proposal).await;
    let (position, event) = entry.ok_or_else(|| Problem::unavailable("the proposal's entry cannot be read now"))?;
    answer["texts"] = texts_at(&console, position, &event.document).await;
    if let Ok(content) = read::<BaselineContent>(&event.document) {
        answer["in_words"] = json!(content.in_words());
    }
    answer["document"] = event.document;
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

/// Whether it may still be signed, and become its entry.
fn open(view: &View, proposal: &Proposal, now: Timestamp) -> Result<(), Problem> {
    if proposal.outcome().is_some() {
        return Err(Problem::conflict("DECIDED", "this proposal was decided already"));
    }
    if now >= proposal.expires_at() {
        let detail = format!("this proposal lapsed at {}: propose it again", proposal.expires_at());
        return Err(Problem::conflict("LAPSED", &detail));
    }
    current(view, proposal.becomes(), &proposal.document())
}

fn question(proposal: &Proposal, needed: usize) -> (Digest, Digest, Option<OfficerId>) {
    let applicant = (needed < 2).then_some(*proposal.proposer());
    (proposal.digest(), proposal.nonce(), applicant)
}

/// Checks one signature as things stand, before anything is recorded.
fn check(view: &View, proposal: &Proposal, record: &ApprovalRecord) -> Result<(), Problem> {
    let needed = needed(view, proposal.becomes(), &proposal.document())?;
    let (document, nonce, applicant) = question(proposal, needed);
    let question = Question {
        document,
        nonce,
        applicant: applicant.as_ref(),
        on_call: proposal.is_answered_on_call(),
    };
    let earlier: Vec<&ApprovalRecord> = proposal.signatures().collect();
    check_signature(question, record, view.next_position(), &earlier, &view.register)
        .map_err(|fault| Problem::forbidden("SIGNATURE_REFUSED", &fault.to_string()))
}

/// Records one officer's answer; when enough approve, the proposal becomes its entry.
pub(super) async fn sign_one(console: &Console, caller: Caller, reference: &str, body: &SignatureBody) -> Answer {
    let record = body.record(caller);
    let rejects = record.decision == ApprovalDecision::Reject;
    let mut counted = Counted::default();
    let signed = console
        .widen(|view| {
            let proposal = find(view, reference)?;
            open(view, proposal, console.clocks.real.now())?;
            check(view, proposal, &record)?;
            counted.hold(console, &view.register, &record, proposal.becomes())?;
            let event = OfficerSigned {
                approval: record.clone(),
                subject: reference.to_owned(),
            };
            let mut draft = Draft::new(event, console.clocks.real.now());
            if rejects {
                draft = draft.also(closed(proposal, false));
            }
            if let Some(reason) = &body.reason {
                let reason = crate::record::acted(caller.officer, "officer.signed", reference, reason)?;
                draft = draft.also(reason);
            }
            Ok(draft)
        })
        .await;
    let signed = counted.told(console, signed).await?;
    let mut answer = json!({"accepted": null, "entry": place(&signed)});
    if rejects {
        answer["accepted"] = json!(false);
        return Ok(Json(answer));
    }
    match complete(console, reference).await {
        Ok(Some(became)) => answer["became"] = became,
        Ok(None) => {}
        // Whoever carries on what was interrupted has appended it in the meantime: this signature was recorded, and counted.
        Err(problem) if problem.code() == "DECIDED" => {}
        Err(problem) => return Err(problem),
    }
    let view = console.view().await?;
    let proposal = find(&view, reference)?;
    answer["accepted"] = json!(proposal.outcome());
    answer["officers_needed"] = json!(needed(&view, proposal.becomes(), &proposal.document()).unwrap_or(2));
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

/// Whether enough officers approve, by the signatures that stand in the ledger.
fn enough(view: &View, proposal: &Proposal) -> Result<bool, Problem> {
    let needed = needed(view, proposal.becomes(), &proposal.document())?;
    Ok(proposal.is_approved(needed, &view.register))
}

/// Appends what the proposal becomes, when enough officers approved and nobody has appended it yet.
async fn complete(console: &Console, reference: &str) -> Result<Option<Value>, Problem> {
    let ready = {
        let view = console.view().await?;
        let proposal = find(&view, reference)?;
        proposal.outcome().is_none() && enough(&view, proposal)?
    };
    if !ready {
        return Ok(None);
    }
    let recorded = console
        .widen(|view| {
            let proposal = find(view, reference)?;
            open(view, proposal, console.clocks.real.now())?;
            if !enough(view, proposal)? {
                return Err(Problem::conflict("DECIDED", "this proposal was decided already"));
            }
            let signatures: Vec<ApprovalRecord> = proposal.signatures().cloned().collect();
            let references: Vec<String> = proposal.signature_references().map(str::to_owned).collect();
            let (decided, real) = (console.clocks.decision.now(), console.clocks.real.now());
            let (becomes, document) = (proposal.becomes(), proposal.document());
            let draft = entry(view, becomes, &document, signatures, references, decided, real)?;
            Ok(draft.also(closed(proposal, true)))
        })
        .await?;
    Ok(Some(place(&recorded)))
}

/// Completes what a crash has left between the last signature and its entry, and closes what can never become one: lapsed proposals, and
/// reinstatements whose revocation is over or was followed by another.
pub(crate) async fn complete_all(console: &Console) -> Result<(), Problem> {
    let (ready, over) = {
        let view = console.view().await?;
        let now = console.clocks.real.now();
        let undecided = view.register.proposals().filter(|one| one.outcome().is_none());
        let (alive, over): (Vec<_>, Vec<_>) = undecided.partition(|one| open(&view, one, now).is_ok());
        let ready = alive.into_iter().filter(|one| one.signatures().next().is_some());
        let ready = ready.filter(|one| enough(&view, one) == Ok(true));
        let names = |one: &Proposal| one.reference().to_owned();
        let ready: Vec<String> = ready.map(names).collect();
        (ready, over.into_iter().map(names).collect::<Vec<String>>())
    };
    for reference in over {
        close(console, &reference).await?;
    }
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

async fn close(console: &Console, reference: &str) -> Result<(), Problem> {
    let now = console.clocks.real.now();
    let ended = console.widen(|view| {
        let proposal = find(view, reference)?;
        match open(view, proposal, now) {
            Err(_) if proposal.outcome().is_none() => Ok(Draft::new(closed(proposal, false), now)),
            _ => Err(Problem::conflict(
                "DECIDED",
                "this proposal was decided already, or is alive",
            )),
        }
    });
    match ended.await {
        Err(problem) if problem.code() != "DECIDED" => Err(problem),
        _ => Ok(()),
    }
}
