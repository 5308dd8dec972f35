//! The ledger, entry by entry: what stands there, and the proof that the browser checks itself.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Session,
    client::{Client, segment, status_of},
    render::{self, Frame, When, page, page_with},
};

/// What is looked for, as it was typed; empty fields ask for nothing.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    position: String,
    agent: String,
    kind: String,
    decision: String,
    code: String,
    from: String,
    until: String,
    before: String,
}

impl Wanted {
    fn fields(&self) -> [(&'static str, &str); 6] {
        [
            ("agent", &self.agent),
            ("kind", &self.kind),
            ("decision", &self.decision),
            ("code", &self.code),
            ("from", &self.from),
            ("until", &self.until),
        ]
    }

    /// The query for the API, and for the next page.
    fn query(&self) -> String {
        let asked = self.fields().into_iter().filter(|(_, value)| !value.is_empty());
        let moment = |name: &str, value: &str| match name {
            "from" | "until" => super::agents::moment(value),
            _ => value.trim().to_owned(),
        };
        let parts = asked.map(|(name, value)| format!("{name}={}", segment(&moment(name, value))));
        parts.collect::<Vec<_>>().join("&")
    }
}

#[derive(Deserialize)]
struct Found {
    entries: Vec<Row>,
    looked: u64,
    next: Option<u64>,
}

/// One entry of a list.
#[derive(Deserialize)]
struct Row {
    at: When,
    codes: Vec<String>,
    decision: Option<String>,
    kind: String,
    number: u64,
    position: u64,
    stream: String,
}

#[derive(Template)]
#[template(path = "entries.html")]
struct Find {
    frame: Frame,
    wanted: Wanted,
    query: String,
    found: Option<Found>,
    fault: String,
}

/// Looks for entries, the newest first; a position leads to its entry.
pub(super) async fn find(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(wanted): Query<Wanted>,
) -> Response {
    if !wanted.position.is_empty() {
        return Redirect::to(&format!("/entries/{}", segment(&wanted.position))).into_response();
    }
    let query = wanted.query();
    let before = match wanted.before.as_str() {
        "" => String::new(),
        before => format!("&before={}", segment(before)),
    };
    let found = client
        .get::<Found>(&format!("/v1/entries?limit=50{before}&{query}"))
        .await;
    let (status, found, fault) = match found {
        Ok(found) => (StatusCode::OK, Some(found), String::new()),
        Err(refusal) => (status_of(&refusal), None, refusal.detail),
    };
    let find = Find {
        frame: Frame::of(&session),
        wanted,
        query,
        found,
        fault,
    };
    page_with(status, &find)
}

#[derive(Debug, Deserialize)]
struct Entry {
    position: u64,
    entry: Value,
    receipt: Value,
}

impl Entry {
    fn text(&self) -> String {
        serde_json::to_string_pretty(&self.entry).unwrap_or_default()
    }

    fn receipt_text(&self) -> String {
        self.receipt.to_string()
    }

    fn kind(&self) -> &str {
        self.entry.get("kind").and_then(Value::as_str).unwrap_or("entry")
    }

    fn earlier(&self) -> Option<u64> {
        self.position.checked_sub(1)
    }
}

#[derive(Template)]
#[template(path = "entry.html")]
struct One {
    frame: Frame,
    entry: Entry,
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(position): Path<String>,
) -> Response {
    match client
        .get::<Entry>(&format!("/v1/entries/{}", segment(&position)))
        .await
    {
        Ok(entry) => page(&One {
            frame: Frame::of(&session),
            entry,
        }),
        Err(refusal) => render::refused(&session, &refusal),
    }
}
