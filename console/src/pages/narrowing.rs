//! What an officer does with an application besides signing it: grants less, or asks.

use axum::{
    Extension,
    extract::{Path, State},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::{Value, json};

use super::{
    Pages, Session,
    agents::moment,
    applications::{Failed, one},
    client::{Client, Refusal, segment},
    forms::Fields,
};

/// Limits that are lists, each typed on one line.
const LISTS: [&str; 8] = [
    "counterparties",
    "hours",
    "instruments",
    "order_rates",
    "order_types",
    "per_day",
    "per_order",
    "regions",
];

/// The form that narrows, filled with what was asked for.
pub(super) fn asked(document: &Value) -> Fields {
    let limits = &document["limits"];
    let text = |value: &Value| match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut values: Vec<(&str, String)> = LISTS.iter().map(|name| (*name, text(&limits[*name]))).collect();
    values.push(("price_collar_bps", text(&limits["price_collar_bps"])));
    values.push(("expires", text(&document["expires"])));
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Fields::begun(&values)
}

/// The limits as asked, with what was typed in their place.
fn narrower(document: &Value, fields: &Fields) -> Value {
    let mut limits = document["limits"].clone();
    for name in LISTS {
        limits[name] = fields.list_or_any(name);
    }
    let collar = fields.of("price_collar_bps");
    limits["price_collar_bps"] = collar
        .parse::<u64>()
        .map_or_else(|_| json!(collar), |number| json!(number));
    json!({"expires": moment(fields.of("expires")), "limits": limits, "reason": fields.of("why")})
}

pub(super) async fn narrow(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(mandate): Path<String>,
    fields: Fields,
) -> Response {
    let path = format!("/applications/{}", segment(&mandate));
    let done = match client.get::<Value>(&format!("/v1{path}")).await {
        Ok(application) => {
            let body = narrower(&application["document"], &fields);
            client.post(&format!("/v1{path}/narrow"), &body).await
        }
        Err(refusal) => Err(refusal),
    };
    let kept = Failed {
        narrower: Some(&fields),
        ..Failed::default()
    };
    shown(&pages, (&session, &client), &mandate, done, kept).await
}

pub(super) async fn ask(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Path(mandate): Path<String>,
    fields: Fields,
) -> Response {
    let path = format!("/applications/{}", segment(&mandate));
    let body = json!({"text": fields.of("text")});
    let done = client.post(&format!("/v1{path}/questions"), &body).await;
    let kept = Failed {
        said: fields.of("text"),
        ..Failed::default()
    };
    shown(&pages, (&session, &client), &mandate, done, kept).await
}

/// The application as it is then; with what was typed, when it was refused.
async fn shown(
    pages: &Pages,
    (session, client): (&Session, &Client),
    mandate: &str,
    done: Result<Value, Refusal>,
    kept: Failed<'_>,
) -> Response {
    match done {
        Ok(_) => Redirect::to(&format!("/applications/{}", segment(mandate))).into_response(),
        Err(refusal) => {
            let failed = Failed {
                refusal: Some(&refusal),
                ..kept
            };
            one(pages, session, client, mandate, failed).await
        }
    }
}
