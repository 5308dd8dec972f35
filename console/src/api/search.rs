//! Looking for entries of the ledger. The work of one request is bounded by the ledger; the answer says where the next goes on.

use axum::{
    Json,
    extract::{Query, State},
};
use extensions::{AgentId, StreamId, Timestamp};
use ledger::search::{Found, Search};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, parse};
use crate::{Console, MOST_ROWS, problem::Problem};

/// What is looked for, as the query has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    agent: Option<String>,
    code: Option<String>,
    decision: Option<String>,
    from: Option<String>,
    kind: Option<String>,
    until: Option<String>,
    before: Option<u64>,
    limit: Option<usize>,
}

/// A word of the ledger, or nothing that could ever be found.
fn word(code: &'static str, text: Option<String>, fits: fn(u8) -> bool, form: &str) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if !(1..=64).contains(&text.len()) || !text.bytes().all(fits) => {
            let shown: String = text.chars().take(80).collect();
            Err(Problem::bad(code, &format!("{shown:?} is none: expected {form}")))
        }
        text => Ok(text),
    }
}

fn moment(code: &'static str, text: Option<&String>) -> Result<Option<Timestamp>, Problem> {
    let read = |text: &String| {
        let moment = Timestamp::parse(text);
        moment.map_err(|error| Problem::bad(code, &format!("{error}: expected a moment as 2026-12-01T00:00:00Z")))
    };
    text.map(read).transpose()
}

impl Wanted {
    fn search(self) -> Result<Search, Problem> {
        let agent: Option<AgentId> = self.agent.map(|agent| parse("AGENT", &agent)).transpose()?;
        let name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_.".contains(&byte);
        let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let decision = self.decision.filter(|decision| !decision.is_empty());
        if let Some(decision) = &decision
            && !["permit", "refusal", "halt"].contains(&decision.as_str())
        {
            return Err(Problem::bad("DECISION", "decision: expected permit, refusal or halt"));
        }
        Ok(Search {
            stream: agent.map(|agent| StreamId::agent(&agent)),
            kind: word("KIND", self.kind, name, "a kind as agent.revoked")?,
            decision,
            code: word("CODE", self.code, upper, "a stable code as ROLE_MISSING")?,
            from: moment("FROM", self.from.as_ref())?,
            until: moment("UNTIL", self.until.as_ref())?,
            before: self.before,
            limit: self.limit.unwrap_or(50).clamp(1, MOST_ROWS),
        })
    }
}

fn shown(found: &Found) -> Value {
    json!({
        "at": found.entry.at,
        "codes": found.codes,
        "decision": found.decision,
        "kind": &*found.entry.kind,
        "number": found.entry.number,
        "position": found.entry.position,
        "stream": found.entry.stream.to_string(),
    })
}

/// Entries, newest first. `next` is given as `before` for older ones; an answer may be empty and not be the last.
pub(super) async fn find(State(console): State<Console>, Query(wanted): Query<Wanted>) -> Answer {
    let search = wanted.search()?;
    let answer = console.ledger.search(&search).await;
    let answer = answer.map_err(|error| Problem::unavailable(&error.to_string()))?;
    let entries: Vec<Value> = answer.found.iter().map(shown).collect();
    Ok(Json(
        json!({"entries": entries, "looked": answer.looked, "next": answer.next}),
    ))
}
