//! What a form brings: named values, with the session's token.

use axum::{
    Form,
    extract::{FromRequest, Request},
    http::StatusCode,
    response::Response,
};
use extensions::Digest;
use serde_json::Value;

use super::{Session, render};

/// The most values of one form.
const MOST_VALUES: usize = 64;

/// A form's values, in its order. One of a session was sent with the session's token.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Values that a form begins with.
    pub(super) fn begun(values: &[(&str, &str)]) -> Self {
        Self(
            values
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    /// A value; empty when there is none.
    pub(super) fn of(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// Every value under a name, for boxes to tick.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A number for the API; what is none goes there as it was typed, and is refused with its field.
    pub(super) fn number(&self, name: &str) -> Value {
        let typed = self.of(name).trim();
        typed.parse::<u64>().map_or_else(|_| Value::from(typed), Value::from)
    }

    /// A list that was typed with commas or on lines.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        let parts = self.of(name).split([',', '\n']).map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A list, or `any` when that was typed.
    pub(super) fn list_or_any(&self, name: &str) -> Value {
        if self.of(name).eq_ignore_ascii_case("any") {
            return Value::from("any");
        }
        Value::from(self.list(name))
    }

    /// A digest.
    pub(super) fn digest(&self, name: &str) -> Option<Digest> {
        Digest::parse(self.of(name))
    }
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let session = request.extensions().get::<Session>().copied();
        let read = Form::<Vec<(String, String)>>::from_request(request, state).await;
        let refuse = |text: &str| render::told(StatusCode::BAD_REQUEST, "This form does not read", text);
        let Form(values) = read.map_err(|error| refuse(&error.body_text()))?;
        if values.len() > MOST_VALUES {
            return Err(refuse(&format!("It has more than {MOST_VALUES} values.")));
        }
        let fields = Self(values);
        match session {
            Some(session) if fields.digest("token") != Some(session.token) => Err(render::told(
                StatusCode::FORBIDDEN,
                "Nothing was done",
                "This form belongs to another session. Go back, load the page again, and send it once more.",
            )),
            _ => Ok(fields),
        }
    }
}
