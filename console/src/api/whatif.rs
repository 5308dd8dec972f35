//! What an application would have done to the agent's past orders: read page by page, decided again on a thread that may block, one look at a time.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, Query, State},
    http::StatusCode,
};
use ca_core::{Event, unusual::above_use};
use extensions::{AgentId, MandateDocument, MandateId, StreamId, Timestamp};
use gateway_policy::whatif::Direction;
use ledger::CommittedEntry;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, parse};
use crate::{
    Console,
    past::{Before, Look, MOST_DAYS},
    problem::Problem,
    view::HousePast,
};

const USUAL_DAYS: u32 = 30;
const DAY_SECONDS: i64 = 86_400;
const READ_AT_ONCE: usize = 2_048;
/// Mandates of the agent whose earlier documents are looked for, and entries of each.
const MOST_MANDATES: usize = 32;
const MOST_OF_MANDATE: usize = 4_096;

/// How far back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Back {
    #[serde(default)]
    days: Option<u32>,
}

/// What a look is about.
struct Asked {
    agent: AgentId,
    document: MandateDocument,
    house: HousePast,
    mandates: Vec<MandateId>,
}

pub(super) async fn show(
    State(console): State<Console>,
    Path(mandate): Path<String>,
    Query(Back { days }): Query<Back>,
) -> Answer {
    let mandate: MandateId = parse("MANDATE", &mandate)?;
    let days = days.unwrap_or(USUAL_DAYS);
    if !(1..=MOST_DAYS).contains(&days) {
        let detail = format!("days is {days}: ask for 1 to {MOST_DAYS}");
        return Err(Problem::bad("DAYS", &detail));
    }
    let asked = asked(&console, &mandate).await?;
    let turn = Arc::clone(&console.past.turn).try_acquire_owned();
    let _turn = turn.map_err(|_| {
        let detail =
            "another look at past orders is under way; they are taken one at a time, come again in some seconds";
        Problem::with_status(StatusCode::SERVICE_UNAVAILABLE, "WHATIF_BUSY", detail).retry_after(3)
    })?;
    look(&console, asked, days).await.map(Json)
}

async fn asked(console: &Console, mandate: &MandateId) -> Result<Asked, Problem> {
    let view = console.view().await?;
    let found = view.register.mandate(mandate);
    let found = found.ok_or_else(|| Problem::missing("such application"))?;
    let of_agent = view.register.mandates().filter(|one| one.agent() == found.agent());
    Ok(Asked {
        agent: *found.agent(),
        document: found.document().clone(),
        house: view.house_past.clone(),
        mandates: of_agent.map(|one| *one.id()).take(MOST_MANDATES).collect(),
    })
}

async fn look(console: &Console, asked: Asked, days: u32) -> Result<Value, Problem> {
    let Asked {
        agent,
        document,
        house,
        mandates,
    } = asked;
    let stream = StreamId::agent(&agent);
    let end = console.ledger.stream_next(&stream);
    let since = console
        .clocks
        .decision
        .now()
        .plus_seconds(-i64::from(days) * DAY_SECONDS);
    let begins = first_since(console, &stream, end, since).await?;
    let first = begins.max(end.saturating_sub(console.past.most));
    let before = caught_up(console, &stream, console.past.take(&agent, first), first).await?;
    let documents = documents(console, &mandates).await?;
    let mut look = Look::new(before, house, documents, document.clone(), since);
    let (mut number, mut from) = (first, since);
    while number < end {
        let page = page(console, &stream, number, end).await?;
        let Some((last, _)) = page.last() else { break };
        if number == first && first > begins {
            from = page.first().map_or(since, |(entry, _)| entry.at);
        }
        number = last.number + 1;
        look = blocking(move || {
            page.iter().for_each(|(entry, obeyed)| look.take(entry, *obeyed));
            look
        })
        .await?;
    }
    let compared = &look.compared;
    Ok(json!({
        "agent": agent,
        "cut": first > begins,
        "days": days,
        "document_digest": document.digest(),
        "let_through": direction(&compared.let_through),
        "mandate": document.mandate,
        "orders": compared.orders,
        "permitted": compared.permitted,
        "read": number - first,
        "since": from,
        "stopped": direction(&compared.stopped),
        "unlike": look.unlike,
        "unusual": above_use(&document.limits, &look.used(), days),
        "would_be_permitted": compared.would_be_permitted,
    }))
}

fn direction(direction: &Direction) -> Value {
    json!({"by_code": direction.by_code, "count": direction.count, "first": direction.rows})
}

type Page = Vec<(Arc<CommittedEntry>, bool)>;

/// Entries from `number` on and below `end`, each with whether it is followed.
async fn page(console: &Console, stream: &StreamId, number: u64, end: u64) -> Result<Page, Problem> {
    let most = end.saturating_sub(number).min(READ_AT_ONCE as u64) as usize;
    let entries = console.ledger.read_stream(stream, number, most).await;
    let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let view = console.view().await?;
    Ok(entries
        .into_iter()
        .map(|entry| (Arc::clone(&entry), view.obeys(&entry)))
        .collect())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|_| Problem::unavailable("the look at past orders was interrupted"))
}

/// The number of the first entry of the period. Times grow with numbers, but for what was told late.
async fn first_since(console: &Console, stream: &StreamId, end: u64, since: Timestamp) -> Result<u64, Problem> {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = low + (high - low) / 2;
        let entries = console.ledger.read_stream(stream, middle, 1).await;
        let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
        match entries.first() {
            Some(entry) if entry.at < since => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The agent before its entry `first`, and kept for the next look; refused with how much is left when that takes more than one look.
async fn caught_up(console: &Console, stream: &StreamId, mut before: Before, first: u64) -> Result<Before, Problem> {
    let until = first.min(before.next_number().saturating_add(console.past.most));
    while before.next_number() < until {
        let page = page(console, stream, before.next_number(), until).await?;
        if page.is_empty() {
            break;
        }
        before = blocking(move || {
            page.iter().for_each(|(entry, obeyed)| before.take(entry, *obeyed));
            before
        })
        .await?;
    }
    console.past.keep(before.clone());
    let left = first - before.next_number().min(first);
    if left == 0 {
        return Ok(before);
    }
    let detail = format!(
        "{} entries before the period were read and {left} are left: ask again, it goes on where this look stopped",
        console.past.most
    );
    Err(Problem::with_status(StatusCode::SERVICE_UNAVAILABLE, "WHATIF_BEHIND", &detail).retry_after(1))
}

/// Every document that was asked for the agent, so that an order finds the one it was decided under.
async fn documents(console: &Console, mandates: &[MandateId]) -> Result<Vec<MandateDocument>, Problem> {
    let mut found = Vec::new();
    for mandate in mandates {
        let stream = StreamId::mandate(mandate);
        let entries = console.ledger.read_stream(&stream, 0, MOST_OF_MANDATE).await;
        let entries = entries.map_err(|error| Problem::unavailable(&error.to_string()))?;
        found.extend(
            entries
                .iter()
                .filter_map(|entry| match Event::decode(&entry.kind, entry.body()) {
                    Some(Ok(Event::ApplicationSubmitted(event))) => Some(event.document),
                    _ => None,
                }),
        );
    }
    Ok(found)
}
