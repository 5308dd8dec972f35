//! An application that lies in a file, as `mandatum application submit` takes it: read into the form, so that it is looked at before it is asked.

use axum::{Extension, http::StatusCode, response::Response};
use toml::{Table, Value};

use super::{Session, applications, forms::Fields};

/// Fills the form from what was pasted or chosen; what does not read says why and keeps the text.
pub(super) async fn read(Extension(session): Extension<Session>, fields: Fields) -> Response {
    match fields.of("document").parse::<Table>() {
        Ok(table) => applications::begun(&session, StatusCode::OK, &typed(&table), ""),
        Err(error) => {
            let fault = format!("The document is not TOML: {}", error.message());
            let kept = Fields::begun(&[("document", fields.of("document"))]);
            applications::begun(&session, StatusCode::BAD_REQUEST, &kept, &fault)
        }
    }
}

/// The fields of the form, by the names of the document: members of `conduct` and `limits` have names of their own.
fn typed(table: &Table) -> Fields {
    let part = |name| table.get(name).and_then(Value::as_table).into_iter().flatten();
    let members = table.iter().chain(part("conduct")).chain(part("limits"));
    let mut values: Vec<(String, String)> = Vec::new();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("order_types", Value::Array(kinds)) => {
                values.extend(kinds.iter().map(|kind| ("order_types".to_owned(), text(kind))));
            }
            ("order_proof", Value::Boolean(true)) => values.push(("order_proof".to_owned(), "on".to_owned())),
            ("order_proof", Value::Boolean(false)) | (_, Value::Table(_)) => {}
            ("expires", value) => values.push(("expires".to_owned(), day(&text(value)))),
            ("scoring", value) => {
                let until = text(value).strip_prefix("observe until ").map(day);
                values.extend(until.map(|until| ("observe_until".to_owned(), until)));
            }
            (name, value) => values.push((name.to_owned(), text(value))),
        }
    }
    let values: Vec<(&str, &str)> = values
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Fields::begun(&values)
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The day of a moment: the form asks for days.
fn day(moment: &str) -> String {
    moment.get(..10).unwrap_or(moment).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the guide shows as an example is what the form then says.
    #[test]
    fn the_documented_example_fills_the_form() {
        let example = include_str!("../../../docs/examples/mandate.toml");
        let typed = typed(&example.parse().unwrap());
        for (name, value) in [
            ("agent", "bot-1"),
            ("expires", "2027-06-30"),
            ("hours", "always"),
            ("observe_until", "2027-01-31"),
            ("on_unanswered_warning", "reduce_only"),
            ("order_rates", "20/1s, 600/1m"),
            ("per_order", "EUR 50000"),
            ("price_collar_bps", "200"),
        ] {
            assert_eq!(typed.of(name), value, "{name}");
        }
        assert_eq!(typed.all("order_types").collect::<Vec<_>>(), ["limit", "market"]);
    }
}
