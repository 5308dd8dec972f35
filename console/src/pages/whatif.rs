//! What an application would have done to past orders: a page of its own, which the application's page takes its section from once it stands.

use std::collections::BTreeMap;

use askama::Template;
use axum::{Extension, extract::Path, http::StatusCode, response::Response};
use serde::Deserialize;

use super::{
    Session,
    applications::Flag,
    client::{Client, Refusal, segment, status_of},
    render::{self, Frame, When, page_with},
};

#[derive(Debug, Deserialize)]
struct Check {
    code: String,
    limit: String,
    observed: String,
}

#[derive(Debug, Deserialize)]
struct Moved {
    at: When,
    checks: Vec<Check>,
    order: String,
}

#[derive(Debug, Deserialize)]
struct Direction {
    by_code: BTreeMap<String, u64>,
    count: u64,
    first: Vec<Moved>,
}

#[derive(Debug, Deserialize)]
struct Found {
    agent: String,
    cut: bool,
    days: u32,
    let_through: Direction,
    orders: u64,
    permitted: u64,
    read: u64,
    since: When,
    stopped: Direction,
    unlike: u64,
    unusual: Vec<Flag>,
    would_be_permitted: u64,
}

impl Found {
    /// Title, what is said when there are none, and the orders.
    fn directions(&self) -> [(&str, &str, &Direction); 2] {
        [
            (
                "Permitted then, refused by this mandate",
                "None: it would have stopped nothing that was permitted.",
                &self.stopped,
            ),
            (
                "Refused then, permitted by this mandate",
                "None: it would have let through nothing that was refused.",
                &self.let_through,
            ),
        ]
    }
}

/// Why there is nothing to show now.
struct Unseen {
    detail: String,
    code: String,
}

impl Unseen {
    /// Seconds after which it is worth asking again; none when it is not.
    fn again(&self) -> u32 {
        match self.code.as_str() {
            "WHATIF_BEHIND" => 1,
            "WHATIF_BUSY" => 3,
            _ => 0,
        }
    }
}

#[derive(Template)]
#[template(path = "whatif.html")]
struct WhatIf<'a> {
    frame: Frame,
    mandate: &'a str,
    shown: Result<Found, Unseen>,
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(mandate): Path<String>,
) -> Response {
    let path = format!("/v1/applications/{}/whatif", segment(&mandate));
    let (status, shown) = match client.get::<Found>(&path).await {
        Ok(found) => (StatusCode::OK, Ok(found)),
        Err(refusal) if refusal.status < 500 => return render::refused(&session, &refusal),
        Err(refusal) => (status_of(&refusal), Err(unseen(refusal))),
    };
    let page = WhatIf {
        frame: Frame::of(&session),
        mandate: &mandate,
        shown,
    };
    page_with(status, &page)
}

fn unseen(refusal: Refusal) -> Unseen {
    Unseen {
        detail: refusal.detail,
        code: refusal.code,
    }
}
