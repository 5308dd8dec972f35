//! The API's own description (OpenAPI 3.1): who may do what comes from the table of routes, what is sent and answered from two files beside
//! this one. A test holds the two to one another, and another program sends what the document allows and forbids and reads the answers.

use std::sync::LazyLock;

use axum::Json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{ROUTES, Route};
use crate::access::words;

/// What one operation takes and answers; its schemas are named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    answer: String,
    #[serde(default)]
    body: Option<String>,
    summary: String,
    /// Takes `after` and `limit`.
    #[serde(default)]
    paged: bool,
    /// Takes `before` and `limit`, newest first.
    #[serde(default)]
    before: bool,
    /// Other members of the query.
    #[serde(default)]
    filters: Vec<String>,
}

/// Addresses that ask nobody who they are.
pub(super) const OPEN: &[(&str, &str)] = &[
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/v1/openapi.json"),
    ("POST", "/v1/officers/enrol"),
];

static OPERATIONS: LazyLock<Map<String, Value>> = LazyLock::new(|| read(include_str!("openapi/operations.json")));
static SCHEMAS: LazyLock<Map<String, Value>> = LazyLock::new(|| read(include_str!("openapi/schemas.json")));
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// Files of this house: a test reads them.
fn read(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// `GET /v1/openapi.json`: it holds no secret, and tools read it before they have a certificate.
pub(super) async fn show() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

fn document() -> Value {
    let gated = ROUTES.iter().map(|route| (route.method, route.path, Some(route)));
    let open = OPEN.iter().map(|(method, path)| (*method, *path, None));
    let mut paths = Map::new();
    for (method, path, route) in gated.chain(open) {
        let of_path = paths.entry(path).or_insert_with(|| json!({}));
        of_path[method.to_ascii_lowercase()] = operation(method, path, route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mandatum: the officers' API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Bodies are JSON without fractions, doubled or unknown members. Refusals are RFC 9457 problem documents with a stable code. Every act is an entry of the ledger under the officer's name.",
        },
        "paths": paths,
        "components": {
            "schemas": &*SCHEMAS,
            "responses": {"Refused": {
                "description": "Refused: why, under a stable code.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
            }},
            "securitySchemes": {"officer": {
                "type": "mutualTLS",
                "description": "A certificate of the house root, of an officer in office.",
            }},
        },
    })
}

fn operation(method: &str, path: &str, route: Option<&Route>) -> Value {
    let told = OPERATIONS.get(&format!("{method} {path}")).cloned().unwrap_or_default();
    let Ok(told) = Operation::deserialize(told) else {
        return Value::Null;
    };
    let mut shown = json!({
        "summary": told.summary,
        "operationId": format!("{method}{}", path.replace(['/', '{', '}', '-', '.'], "_")),
        "parameters": parameters(path, &told),
        "responses": responses(path, &told),
    });
    if let Some(route) = route {
        shown["security"] = json!([{"officer": []}]);
        let roles = if route.roles.is_empty() {
            "any officer".to_owned()
        } else {
            words(route.roles)
        };
        shown["description"] = json!(format!("For: {roles}."));
        shown["x-roles"] = json!(route.roles);
    }
    if let Some(body) = &told.body {
        shown["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": named(body)}},
        });
    }
    shown
}

fn named(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn responses(path: &str, told: &Operation) -> Value {
    let answer = |schema: &str, description: &str| json!({"description": description, "content": {"application/json": {"schema": named(schema)}}});
    let mut responses = json!({"200": answer(&told.answer, "Done, or what was asked for.")});
    match path {
        "/healthz" | "/v1/openapi.json" => {}
        "/readyz" => responses["503"] = answer("Ready", "Officers cannot act now, and why."),
        _ => {
            for status in ["400", "401", "403", "404", "405", "408", "409", "413", "415", "503"] {
                responses[status] = json!({"$ref": "#/components/responses/Refused"});
            }
        }
    }
    if path == "/v1/officers/enrol" {
        responses["202"] = answer("Pending", "Not yet: the same again after Retry-After.");
    }
    responses
}

fn parameters(path: &str, told: &Operation) -> Vec<Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = names
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": of_path(name)}))
        .collect();
    let mut query = |name: &str, schema: Value| {
        parameters.push(json!({"name": name, "in": "query", "required": false, "schema": schema}));
    };
    for filter in &told.filters {
        query(filter, filter_schema(filter));
    }
    if told.before {
        query("before", json!({"type": "integer", "minimum": 0, "maximum": u32::MAX}));
    }
    if told.paged {
        query("after", json!({"type": "string", "maxLength": 256}));
    }
    if told.paged || told.before {
        let most = crate::MOST_ROWS;
        query("limit", json!({"type": "integer", "minimum": 1, "maximum": most}));
    }
    parameters
}

fn of_path(name: &str) -> Value {
    match name {
        "agent" => named("AgentId"),
        "owner" => named("OwnerId"),
        "officer" => named("OfficerId"),
        "mandate" => named("MandateId"),
        "incident" => named("IncidentId"),
        "serial" => named("Serial"),
        "digest" => named("Digest"),
        "number" | "position" => json!({"type": "integer", "minimum": 0, "maximum": i64::MAX}),
        _ => json!({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}),
    }
}

fn filter_schema(name: &str) -> Value {
    match name {
        "agent" => named("AgentId"),
        "days" => json!({"type": "integer", "minimum": 1, "maximum": crate::past::MOST_DAYS}),
        "open" => json!({"type": "boolean"}),
        "from" | "until" => named("Moment"),
        "decision" => json!({"enum": ["permit", "refusal", "halt"]}),
        "code" => json!({"type": "string", "pattern": "^[A-Z0-9_]{1,64}$"}),
        _ => json!({"type": "string", "pattern": "^[a-z0-9_.]{1,64}$"}),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value
                        .as_str()
                        .and_then(|text| text.strip_prefix("#/components/schemas/"))
                    {
                        Some(schema) if name == "$ref" => drop(found.insert(schema.to_owned())),
                        _ => references(value, found),
                    }
                }
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    /// The document is the table of routes, and nothing else. Negative controls: a line of `operations.json` taken out, and one put in that
    /// no route has; each makes it red.
    #[test]
    fn the_document_and_the_routes_are_one_table() {
        let routes = ROUTES.iter().map(|route| (route.method, route.path));
        let routes: BTreeSet<String> = routes
            .chain(OPEN.iter().copied())
            .map(|(method, path)| format!("{method} {path}"))
            .collect();
        let told: BTreeSet<String> = OPERATIONS.keys().cloned().collect();
        assert_eq!(routes, told);
        for (path, operations) in DOCUMENT["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(operation.is_object(), "{method} {path} does not read");
                let posts = method == "post";
                assert_eq!(posts, operation.get("requestBody").is_some(), "{method} {path}");
            }
        }
        let mut used = BTreeSet::new();
        references(&DOCUMENT, &mut used);
        let named: BTreeSet<String> = SCHEMAS.keys().cloned().collect();
        assert_eq!(used, named, "every schema is used, every reference leads to one");
    }
}
