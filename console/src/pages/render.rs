//! From a template to an answer, and how values are written on pages.

use std::fmt;

use askama::Template;
use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use extensions::{Digest, OfficerId};
use serde::Deserialize;

use super::{
    Session,
    client::{Refusal, status_of},
};

/// What the frame of every page needs.
pub(super) struct Frame {
    pub(super) officer: Option<OfficerId>,
    pub(super) token: Digest,
}

impl Frame {
    /// The frame of somebody who is signed in.
    pub(super) fn of(session: &Session) -> Self {
        Self {
            officer: Some(session.caller.officer),
            token: session.token,
        }
    }

    /// The frame of nobody.
    pub(super) fn nobody() -> Self {
        Self {
            officer: None,
            token: Digest::default(),
        }
    }
}

/// A page.
pub(super) fn page(template: &impl Template) -> Response {
    page_with(StatusCode::OK, template)
}

/// A page with a status.
pub(super) fn page_with(status: StatusCode, template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => (status, Html(text)).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[derive(Template)]
#[template(path = "told.html")]
struct Told<'a> {
    frame: Frame,
    title: &'a str,
    text: &'a str,
    reasons: &'a [String],
    code: &'a str,
}

/// A page that only says something, to somebody who is not signed in.
pub(super) fn told(status: StatusCode, title: &str, text: &str) -> Response {
    let frame = Frame::nobody();
    page_with(
        status,
        &Told {
            frame,
            title,
            text,
            reasons: &[],
            code: "",
        },
    )
}

/// A page for what cannot be shown.
pub(super) fn refused(session: &Session, refusal: &Refusal) -> Response {
    let title = match refusal.status {
        403 => "You may not do this",
        404 => "There is no such thing",
        503 => "Not now",
        _ => "This was refused",
    };
    let told = Told {
        frame: Frame::of(session),
        title,
        text: &refusal.detail,
        reasons: &refusal.reasons,
        code: &refusal.code,
    };
    page_with(status_of(refusal), &told)
}

/// A moment as the API writes it, RFC 3339 in UTC; pages show it to the second.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct When(String);

impl When {
    /// A moment that this process holds itself.
    pub(super) fn of(moment: extensions::Timestamp) -> Self {
        Self(moment.to_string())
    }

    /// For machines.
    pub(super) fn machine(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for When {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.get(..10), self.0.get(11..19)) {
            (Some(day), Some(time)) => write!(formatter, "{day} {time} UTC"),
            _ => formatter.write_str(&self.0),
        }
    }
}

/// An amount as the API writes it; pages group its digits by three.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Amount(String);

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = match self.0.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (self.0.as_str(), None),
        };
        let digits = whole.trim_start_matches('-');
        if digits.len() < whole.len() {
            formatter.write_str("-")?;
        }
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                formatter.write_str(",")?;
            }
            write!(formatter, "{digit}")?;
        }
        fraction.map_or(Ok(()), |fraction| write!(formatter, ".{fraction}"))
    }
}

/// The bytes that a character takes on a page.
fn size_of(character: char) -> usize {
    match character {
        // As the template engine writes them: `&#34;`.
        '<' | '>' | '&' | '"' | '\'' => 5,
        other => other.len_utf8(),
    }
}

/// The bytes that a text takes on a page.
pub(super) fn size(text: &str) -> usize {
    text.chars().map(size_of).sum()
}

/// The beginning of a text that takes at most so many bytes where it stands on a page, with what is escaped in it; whole lines, unless the first one
/// is longer than all of that.
pub(super) fn beginning(text: &str, most: usize) -> &str {
    let mut taken = 0;
    let over = text.char_indices().find(|(_, character)| {
        taken += size_of(*character);
        taken > most
    });
    let Some((at, _)) = over else { return text };
    let line = text[..at].rfind('\n');
    &text[..line.unwrap_or(at)]
}

/// The first of a list that has no pages of its own, and how many a page leaves out.
pub(super) struct First<'a, T> {
    pub(super) shown: &'a [T],
    pub(super) left: usize,
}

impl<'a, T> First<'a, T> {
    /// At most so many of a list.
    pub(super) fn of(list: &'a [T], most: usize) -> Self {
        let (shown, left) = list.split_at(list.len().min(most));
        Self {
            shown,
            left: left.len(),
        }
    }
}

/// A standing, or a mode of the house, in words.
pub(super) fn state_in_words(state: &str) -> &str {
    match state {
        "active" => "active",
        "warned" => "warned",
        "reduce_only" => "reduce-only",
        "frozen" => "frozen",
        "revoked" => "revoked",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped_before_the_point_alone() {
        for (text, grouped) in [
            ("2000000", "2,000,000"),
            ("-1234.56789", "-1,234.56789"),
            ("999", "999"),
            ("0", "0"),
            ("", ""),
        ] {
            assert_eq!(Amount(text.into()).to_string(), grouped);
        }
    }

    /// Control, seen red: with every character counted as one byte the quotes make a page five times as long as it may be.
    #[test]
    fn a_beginning_is_as_long_as_it_stands_on_the_page() {
        assert_eq!(beginning("short", 5), "short");
        assert_eq!(beginning("\"\"\"", 10), "\"\"");
        assert_eq!(beginning("one\ntwo\nthree", 9), "one\ntwo");
        assert_eq!(beginning("one line", 3), "one");
        assert_eq!(beginning("\u{20ac}\u{20ac}", 5), "\u{20ac}");
    }

    #[test]
    fn moments_are_written_to_the_second() {
        assert_eq!(
            When("2026-11-28T10:20:30.123456Z".into()).to_string(),
            "2026-11-28 10:20:30 UTC"
        );
        assert_eq!(When("odd".into()).to_string(), "odd");
    }
}
