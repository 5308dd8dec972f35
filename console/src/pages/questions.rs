//! What was asked and answered about an application. Its page has the latest; what was said earlier has pages of its own.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, Query},
    response::Response,
};
use serde::Deserialize;

use super::{
    Session,
    client::{Client, segment},
    render::{self, Frame, When, page, size},
};

/// What texts of one page take together, in bytes, unless one alone is longer.
const MOST_SHOWN: usize = 24_000;

/// A question about an application, or the answer to one.
#[derive(Debug, Deserialize)]
pub(super) struct Said {
    pub(super) at: When,
    pub(super) narrowed: bool,
    pub(super) officer: String,
    pub(super) text: Option<String>,
}

/// Of what was said before the one at `before`, the latest that a page has room for, the oldest first; and how many stand before those.
pub(super) fn latest(all: &[Said], before: usize) -> (usize, &[Said]) {
    let (all, _) = all.split_at(all.len().min(before));
    let (mut taken, mut from) = (0, all.len());
    for said in all.iter().rev() {
        taken += said.text.as_deref().map_or(0, size);
        if taken > MOST_SHOWN && from < all.len() {
            break;
        }
        from -= 1;
    }
    (from, all.split_at(from).1)
}

#[derive(Deserialize)]
struct Asked {
    questions: Vec<Said>,
}

/// Where a page of them ends.
#[derive(Deserialize)]
pub(super) struct Before {
    #[serde(default)]
    before: Option<usize>,
}

#[derive(Template)]
#[template(path = "questions.html")]
struct Earlier<'a> {
    frame: Frame,
    mandate: &'a str,
    earlier: usize,
    said: &'a [Said],
}

pub(super) async fn show(
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(mandate): Path<String>,
    Query(Before { before }): Query<Before>,
) -> Response {
    let found = client
        .get::<Asked>(&format!("/v1/applications/{}", segment(&mandate)))
        .await;
    match found {
        Ok(Asked { questions }) => {
            let (earlier, said) = latest(&questions, before.unwrap_or(usize::MAX));
            page(&Earlier {
                frame: Frame::of(&session),
                mandate: &mandate,
                earlier,
                said,
            })
        }
        Err(refusal) => render::refused(&session, &refusal),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(length: usize) -> Said {
        let text = "x".repeat(length);
        serde_json::from_value(
            json!({"at": "2026-11-28T10:20:30.123456Z", "narrowed": false, "officer": "ada", "text": text}),
        )
        .unwrap()
    }

    /// Each is on one page, in its order, whatever its length.
    #[test]
    fn pages_of_what_was_said_leave_nothing_out() {
        let lengths = [4_096, 4_096, MOST_SHOWN + 1, 10, MOST_SHOWN, 4_096, 4_096, 0, 1];
        let all: Vec<Said> = lengths.map(said).into();
        let (mut before, mut seen) = (usize::MAX, Vec::new());
        loop {
            let (earlier, shown) = latest(&all, before);
            let taken: usize = shown.iter().map(|one| size(one.text.as_deref().unwrap())).sum();
            assert!(shown.len() == 1 || taken <= MOST_SHOWN);
            seen.splice(0..0, shown.iter().map(|one| one.text.as_ref().unwrap().len()));
            if earlier == 0 {
                break;
            }
            before = earlier;
        }
        assert_eq!(seen, lengths);
        assert!(latest(&[], 3).1.is_empty());
    }
}
