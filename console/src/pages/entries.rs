//! The ledger, entry by entry: what stands there, and the proof that the browser checks itself. A long entry stands on its page with its beginning,
//! and whole as a file.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Session,
    client::{Client, Refusal, segment, status_of},
    render::{self, Frame, When, beginning, page, page_with},
};

/// What a page shows of an entry at most, and of its receipt, in bytes as they stand on the page.
const MOST_SHOWN: usize = 32_000;

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
    async fn read(client: &Client, position: &str) -> Result<Self, Refusal> {
        client.get(&format!("/v1/entries/{}", segment(position))).await
    }

    /// The bytes that are hashed into the log.
    fn bytes(&self) -> &str {
        self.receipt.get("entry").and_then(Value::as_str).unwrap_or_default()
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
struct One<'a> {
    frame: Frame,
    entry: &'a Entry,
    /// The entry for people; its beginning, when it is long.
    text: &'a str,
    cut: bool,
    /// The receipt; none when it is too long for a page, and the browser asks for it.
    receipt: Option<String>,
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(position): Path<String>,
) -> Response {
    let entry = match Entry::read(&client, &position).await {
        Ok(entry) => entry,
        Err(refusal) => return render::refused(&session, &refusal),
    };
    let whole = serde_json::to_string_pretty(&entry.entry).unwrap_or_default();
    let text = beginning(&whole, MOST_SHOWN);
    let receipt = entry.receipt.to_string();
    page(&One {
        frame: Frame::of(&session),
        entry: &entry,
        text,
        cut: text.len() < whole.len(),
        receipt: (beginning(&receipt, MOST_SHOWN).len() == receipt.len()).then_some(receipt),
    })
}

/// A file for whoever wants it whole. It is never shown in the place of a page: what an entry holds is other people's.
fn file(name: &str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, text).into_response()
}

/// The entry's bytes, as they are hashed.
pub(super) async fn bytes(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(position): Path<String>,
) -> Response {
    match Entry::read(&client, &position).await {
        Ok(entry) => file(&format!("entry-{}.json", entry.position), entry.bytes().to_owned()),
        Err(refusal) => render::refused(&session, &refusal),
    }
}

/// The receipt: the entry, its proof and the signed checkpoint.
pub(super) async fn receipt(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(position): Path<String>,
) -> Response {
    match Entry::read(&client, &position).await {
        Ok(entry) => file(&format!("receipt-{}.json", entry.position), entry.receipt.to_string()),
        Err(refusal) => render::refused(&session, &refusal),
    }
}
