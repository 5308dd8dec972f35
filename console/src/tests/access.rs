//! Who may what: every cell of role × route, from the table itself; strangers; bounds.

use axum::http::StatusCode;
use ca_core::events::{OfficerRemoved, Role};
use serde_json::json;

use super::{Bench, bench::ask};
use crate::{LARGEST_BODY, api::ROUTES};

const ROLES: [Role; 5] = [
    Role::Administrator,
    Role::Approver,
    Role::Auditor,
    Role::Operator,
    Role::Responder,
];

fn filled(path: &str) -> String {
    let known = [
        ("{agent}", "nobody"),
        ("{owner}", "nobody"),
        ("{officer}", "nobody"),
        ("{mandate}", "nothing"),
        ("{incident}", "nothing"),
        ("{number}", "7"),
        ("{position}", "0"),
        ("{webhook}", "nobody"),
        ("{serial}", "000000000000000000000000000000000000"),
        ("{digest}", &"0".repeat(64)),
    ];
    known
        .iter()
        .fold(path.to_owned(), |path, (name, value)| path.replace(name, value))
}

/// Negative control: without `route_layer` in `api::router` the first cell without the role is red.
#[tokio::test]
async fn every_cell_of_role_and_route() {
    let bench = Bench::new().await;
    for role in ROLES {
        let member = bench
            .officer(&format!("only-{role:?}").to_ascii_lowercase(), &[role])
            .await;
        for route in ROUTES {
            let path = filled(route.path);
            let (status, answer) = ask(&bench.console, Some(&member), route.method, &path, "{}").await;
            let opens = route.roles.is_empty() || route.roles.contains(&role);
            let refused = answer["code"] == "ROLE_MISSING";
            assert_eq!(refused, !opens, "{role:?} {} {path}: {status} {answer}", route.method);
            assert_ne!(status, StatusCode::UNAUTHORIZED, "{path}");
            assert!(!status.is_server_error(), "{path}: {answer}");
        }
    }
    for route in ROUTES {
        let (status, answer) = ask(&bench.console, None, route.method, &filled(route.path), "{}").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{}", route.path);
        assert_eq!(answer["code"], "CERTIFICATE_MISSING");
    }
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let refusals = entries.iter().filter(|entry| &*entry.kind == "officer.refused").count();
    assert_eq!(
        refusals,
        ROLES.len(),
        "one entry an officer and code, not one a refusal"
    );
}

/// A sign-in is an entry, once a connection, with the key that was presented; a refused one is none. A reader of many pages fills no log.
///
/// Control: `Peer::is_new` always true, one entry a request.
#[tokio::test]
async fn sign_ins_are_entries_once_a_connection() {
    let bench = Bench::new().await;
    let stream = extensions::StreamId::new(extensions::StreamKind::Officer, "ada").unwrap();
    let sign_ins = async || {
        let entries = bench.ledger.read_stream(&stream, 0, 10_000).await.unwrap();
        let found = entries.iter().filter(|entry| &*entry.kind == "officer.signed_in");
        let bodies = found.map(|entry| serde_json::from_slice::<serde_json::Value>(entry.body()).unwrap());
        bodies.collect::<Vec<_>>()
    };
    for connection in 1..=2 {
        let peer = super::bench::peer(Some(&bench.ada));
        for path in ["/v1/whoami", "/v1/agents", "/v1/whoami"] {
            let (status, _) = super::bench::ask_on(&bench.console, peer.clone(), "GET", path, "").await;
            assert_eq!(status, StatusCode::OK);
        }
        let began = std::time::Instant::now();
        while sign_ins().await.len() < connection && began.elapsed().as_secs() < 30 {
            tokio::task::yield_now().await;
        }
        let seen = sign_ins().await;
        assert_eq!(seen.len(), connection);
        let key = ca_core::certificate::spki_of(&bench.ada.certificate).unwrap();
        assert_eq!(seen[0]["key"], json!(extensions::Digest::of(&key)));
    }
}

/// Control: the known route beside it answers 401.
#[tokio::test]
async fn unknown_addresses_and_open_ones_ask_nobody() {
    let bench = Bench::new().await;
    for (path, expected) in [
        ("/v1/nothing", StatusCode::NOT_FOUND),
        ("/v1/agents/", StatusCode::NOT_FOUND),
        ("/no/page", StatusCode::NOT_FOUND),
        ("/healthz", StatusCode::OK),
        ("/readyz", StatusCode::OK),
        ("/v1/agents", StatusCode::UNAUTHORIZED),
    ] {
        assert_eq!(ask(&bench.console, None, "GET", path, "").await.0, expected, "{path}");
    }
    let (status, answer) = ask(&bench.console, Some(&bench.ada), "DELETE", "/v1/agents", "").await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("METHOD"))
    );
}

/// Control: the same body inside the bound is read.
#[tokio::test]
async fn bodies_are_bounded_and_read_strictly() {
    let bench = Bench::new().await;
    let path = "/v1/agents/nobody/freeze";
    for (body, status, code) in [
        (
            format!(r#"{{"reason":"{}"}}"#, "x".repeat(LARGEST_BODY)),
            StatusCode::PAYLOAD_TOO_LARGE,
            "BODY_TOO_LARGE",
        ),
        (r#"{"reason":"x","reason":"y"}"#.into(), StatusCode::BAD_REQUEST, "BODY"),
        (r#"{"reason":"x","more":1}"#.into(), StatusCode::BAD_REQUEST, "BODY"),
        ("[".repeat(100_000), StatusCode::BAD_REQUEST, "BODY"),
        (r#"{"reason":"x"}"#.into(), StatusCode::NOT_FOUND, "NOT_FOUND"),
    ] {
        let (got, answer) = ask(&bench.console, Some(&bench.ada), "POST", path, &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{answer}");
    }
}

/// Control: the same officer before the removal. The token itself works once.
#[tokio::test]
async fn who_left_and_tokens_that_were_used_open_nothing() {
    let bench = Bench::new().await;
    let token = bench.invited("cyd", &[Role::Auditor]).await;
    assert_eq!(bench.get(&bench.ben, "/v1/whoami").await.0, StatusCode::OK);
    let removed = OfficerRemoved {
        officer: bench.ben.id,
        removed_by: bench.ada.id,
    };
    bench.append(removed).await;
    let (status, answer) = bench.get(&bench.ben, "/v1/whoami").await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("NOT_IN_OFFICE"))
    );
    let member = bench.enrolled("cyd", &token).await;
    assert_eq!(bench.get(&member, "/v1/agents").await.0, StatusCode::OK);
    let pair = rcgen::KeyPair::generate().unwrap();
    let body = json!({"csr": extensions::Base64(super::csr(&pair)), "name": "Thief", "token": token}).to_string();
    let (status, answer) = ask(&bench.console, None, "POST", "/v1/officers/enrol", &body).await;
    assert_eq!(
        (status, answer["code"].as_str()),
        (StatusCode::FORBIDDEN, Some("TOKEN_BOUND"))
    );
}

/// The page that officers and tools read is the table. Negative control: another role in one row of it.
#[test]
fn the_page_says_what_the_table_says() {
    let page = include_str!("../../../docs/officers-api.md");
    for route in ROUTES {
        let roles: Vec<String> = route
            .roles
            .iter()
            .map(|role| format!("{role:?}").to_ascii_lowercase())
            .collect();
        let roles = if roles.is_empty() {
            "any officer".to_owned()
        } else {
            roles.join(", ")
        };
        let row = format!("| {} | `{}` | {roles} | ", route.method, route.path);
        assert!(page.contains(&row), "{row}");
    }
    assert_eq!(
        page.matches("| GET | `/v1/").count() + page.matches("| POST | `/v1/").count(),
        ROUTES.len()
    );
}
