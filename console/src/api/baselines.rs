//! Baselines: importing history, fitting a proposal, reading it in words, signing it.

use anomaly::{BaselineContent, BaselineProposed, Learning, Lineage, Observation, ObservationsImported, Settings};
use axum::{
    Extension, Json,
    extract::{Path, State},
};
use extensions::{AgentId, Digest, StreamId, canonical};
use gateway_policy::events::OrderDecided;
use ledger::Ledger;
use revocation_core::{StandingEvent, StandingState, standing::Standing};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, By, SignatureBody, parse, proposals};
use crate::{
    Console,
    problem::Problem,
    record::{Draft, place},
    view::{Proposed, View},
};

/// Entries of an agent's stream read at once.
const READ_AT_ONCE: usize = 1_024;
/// The most entries of an agent's stream that are read for one proposal: the newest.
const MOST_ENTRIES: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    batch: u32,
    batches: u32,
    rows: Vec<Observation>,
    /// SHA-256 of the file that is imported.
    source: Digest,
}

/// One batch of history. The same batch again is not recorded again.
pub(super) async fn import(
    State(console): State<Console>,
    Path(agent): Path<String>,
    Body(batch): Body<Batch>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    known(&*console.view().await?, &agent)?;
    let most = anomaly::events::MOST_ROWS;
    if !(1..=most).contains(&batch.rows.len()) || batch.batch >= batch.batches {
        let detail = format!("a batch holds 1 to {most} rows and its place among the batches, from 0");
        return Err(Problem::bad("BATCH", &detail));
    }
    let id = format!("import-{}-{}", batch.source, batch.batch);
    let event = ObservationsImported {
        agent,
        batch: batch.batch,
        batches: batch.batches,
        rows: batch.rows,
        source: batch.source,
    };
    let recorded = console
        .report(Draft::new(event, console.clocks.decision.now()), Some(id))
        .await?;
    Ok(Json(
        json!({"already": recorded.is_repeat(), "entry": place(&recorded)}),
    ))
}

fn known(view: &View, agent: &AgentId) -> Result<(), Problem> {
    view.register
        .agent(agent)
        .map(drop)
        .ok_or_else(|| Problem::missing("such agent"))
}

pub(super) async fn content_at(ledger: &Ledger, position: u64) -> Result<BaselineContent, Problem> {
    let entries = ledger.read_range(position, 1).await;
    let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let event = entries
        .first()
        .and_then(|entry| canonical::from_slice::<BaselineProposed>(entry.body()).ok());
    event
        .map(|event| event.baseline)
        .ok_or_else(|| Problem::unavailable("a proposed baseline does not read"))
}

pub(super) async fn show(State(console): State<Console>, Path(agent): Path<String>) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let (baselines, open) = {
        let view = console.view().await?;
        known(&view, &agent)?;
        let baselines = view.baselines.get(&agent).cloned().unwrap_or_default();
        let own = |digest: Digest| baselines.proposed.iter().any(|one| one.digest == digest);
        let open: Vec<(Digest, Value)> = view
            .register
            .proposals()
            .filter(|one| one.becomes() == "baseline.approved" && own(one.digest()))
            .map(|one| (one.digest(), proposals::shown(&view, one)))
            .collect();
        (baselines, open)
    };
    let mut proposed = Vec::new();
    for one in &baselines.proposed {
        let content = content_at(&console.ledger, one.position).await?;
        let question = open
            .iter()
            .find(|(digest, _)| *digest == one.digest)
            .map(|(_, shown)| shown);
        proposed.push(json!({
            "at": one.at,
            "digest": one.digest,
            "in_words": content.in_words(),
            "mode": content.mode,
            "proposal": question,
            "version": one.version,
        }));
    }
    let in_force = baselines.approved.map(|(approved, _)| {
        json!({"approvals": approved.approvals, "digest": approved.baseline, "version": approved.version})
    });
    Ok(Json(
        json!({"agent": agent, "in_force": in_force, "proposed": proposed}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Fits a baseline from what was imported and observed. It has no force until officers sign it.
pub(super) async fn propose(
    State(console): State<Console>,
    Extension(caller): By,
    Path(agent): Path<String>,
    Body(_): Body<Nothing>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let in_force = {
        let view = console.view().await?;
        known(&view, &agent)?;
        let baselines = view.baselines.get(&agent);
        baselines.and_then(|known| Some((known.approved.clone()?, known.first)))
    };
    let previous = match &in_force {
        Some(((approved, Some(position)), first)) => {
            Some(before(&console.ledger, approved.baseline, *position, *first).await?)
        }
        Some(_) => return Err(Problem::unavailable("the baseline in force is not on record")),
        None => None,
    };
    let learning = learn(&console.ledger, agent).await?;
    // Fitting takes seconds: not on a thread that answers others.
    let fitted = tokio::task::spawn_blocking(move || {
        let lineage = previous.as_ref().map(|(current, digest, first)| Lineage {
            current: (current, *digest),
            first: first.as_ref(),
        });
        learning.propose(&Settings::default(), lineage)
    });
    let fitted = fitted.await.map_err(|_| Problem::unavailable("the fit did not end"))?;
    let fitted = fitted.map_err(|fault| Problem::conflict("NOT_PROPOSED", &fault.to_string()))?;
    let event = BaselineProposed::of(&fitted);
    let document = serde_json::to_value(fitted.content()).map_err(|error| Problem::unavailable(&error.to_string()))?;
    let question = proposals::proposed(&console, caller, "baseline.approved", document, Vec::new());
    let (nonce, expires_at) = (question.nonce, question.expires_at);
    let draft = Draft::new(event, console.clocks.decision.now()).also(question);
    let recorded = console.report(draft, None).await?;
    Ok(Json(json!({
        "agent": agent,
        "document_digest": fitted.digest(),
        "entry": place(&recorded),
        "expires_at": expires_at,
        "in_words": fitted.content().in_words(),
        "mode": fitted.content().mode,
        "nonce": nonce,
        "officers_needed": if in_force.is_some() { 2 } else { 1 },
        "version": fitted.content().version,
    })))
}

/// The baseline in force, and the agent's first when it is another: what a new one is held against.
async fn before(
    ledger: &Ledger,
    digest: Digest,
    position: u64,
    first: Option<Proposed>,
) -> Result<(BaselineContent, Digest, Option<BaselineContent>), Problem> {
    let current = content_at(ledger, position).await?;
    let first = match current.anchor {
        None => None,
        Some(anchor) => {
            let first = first.filter(|first| first.digest == anchor);
            let first = first.ok_or_else(|| Problem::unavailable("the agent's first baseline is not on record"))?;
            Some(content_at(ledger, first.position).await?)
        }
    };
    Ok((current, digest, first))
}

/// What the agent's stream teaches: imports, and its own orders while it was in good standing and clear of warnings.
async fn learn(ledger: &Ledger, agent: AgentId) -> Result<Learning, Problem> {
    let stream = StreamId::agent(&agent);
    let (mut learning, mut standing) = (Learning::new(agent), StandingState::default());
    let mut from = ledger.stream_next(&stream).saturating_sub(MOST_ENTRIES);
    loop {
        let entries = ledger.read_stream(&stream, from, READ_AT_ONCE).await;
        let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
        let Some(last) = entries.last() else {
            return Ok(learning);
        };
        from = last.number + 1;
        for entry in &entries {
            match &*entry.kind {
                "observations.imported" => {
                    if let Ok(batch) = canonical::from_slice::<ObservationsImported>(entry.body()) {
                        learning.import(&batch);
                    }
                }
                OrderDecided::KIND if standing.effective(entry.at) == Standing::Active => {
                    if let Ok(order) = canonical::from_slice::<OrderDecided>(entry.body())
                        && order
                            .score
                            .as_ref()
                            .is_none_or(|score| score.score < anomaly::scale::WARN)
                    {
                        learning.observe(order.observation(entry.at));
                    }
                }
                kind => {
                    if let Some(Ok(event)) = StandingEvent::decode(kind, entry.body()) {
                        standing.apply(&event, entry.at);
                    }
                }
            }
        }
    }
}

/// Signs the open proposal of this baseline: the signed digest is the baseline's own.
pub(super) async fn sign(
    State(console): State<Console>,
    Extension(caller): By,
    Path((agent, digest)): Path<(String, String)>,
    Body(body): Body<SignatureBody>,
) -> Answer {
    let agent: AgentId = parse("AGENT", &agent)?;
    let digest =
        Digest::parse(&digest).ok_or_else(|| Problem::bad("DIGEST", "a digest is 64 hexadecimal characters"))?;
    let reference = {
        let view = console.view().await?;
        known(&view, &agent)?;
        let mut open = view.register.proposals().filter(|one| {
            one.becomes() == "baseline.approved"
                && one.outcome().is_none()
                && one.nonce() == body.nonce
                && one.digest() == digest
        });
        let found = open.find(|one| one.document().get("agent") == Some(&json!(agent)));
        let found = found.ok_or_else(|| Problem::missing("open proposal of this baseline under this nonce"))?;
        found.reference().to_owned()
    };
    proposals::sign_one(&console, caller, &reference, &body).await
}
