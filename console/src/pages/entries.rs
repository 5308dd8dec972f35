//! The ledger, entry by entry: what stands there, and the proof that the browser checks itself.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    response::{IntoResponse, Redirect, Response},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    Session,
    client::{Client, segment},
    render::{self, Frame, page},
};

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    position: String,
}

#[derive(Template)]
#[template(path = "entries.html")]
struct Find {
    frame: Frame,
}

/// Asks for a position, and leads there.
pub(super) async fn find(Extension(session): Extension<Session>, Query(wanted): Query<Wanted>) -> Response {
    if wanted.position.is_empty() {
        return page(&Find {
            frame: Frame::of(&session),
        });
    }
    Redirect::to(&format!("/entries/{}", segment(&wanted.position))).into_response()
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
