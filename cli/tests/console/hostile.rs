//! A corpus of hostile text, stored wherever a person can write, and typed into every form: in a real browser nothing of it runs, and nothing of
//! it becomes part of a page. The texts are those of the console's own test, which judges the pages' bytes.
//!
//! The pages are read from the router's own text, so that a new kind of page is looked at without being named here.

use std::path::Path;

use extensions::ApprovalDecision;
use mandatum::{
    client::Origin,
    officer::{self, Officer},
    pem,
};
use serde_json::{Value, json};

use super::{House, house};

/// The texts.
const CORPUS: &str = include_str!("../../../console/src/tests/hostile/corpus.json");
/// The router of the pages.
const ROUTER: &str = include_str!("../../../console/src/pages/mod.rs");
/// Pages that a person who is signed in does not look at, and what is no page.
const SKIPPED: [&str; 3] = ["/live", "/sign-in", "/join"];

/// An officer with a certificate, who sets up what the pages then show.
async fn enrolled(house: &House, id: &str) -> Officer {
    let roots = pem::certificates(&house.config.paths.certificates.join("house.pem")).unwrap();
    let port = house.running.addresses.officers.unwrap().port();
    let origin = || Origin::parse(&format!("https://localhost:{port}")).unwrap();
    let own = house.folder.path().join(id);
    let mut tokens = house.tokens.iter();
    let (_, token) = tokens.find(|(officer, _)| officer.as_str() == id).unwrap();
    officer::enrol(&own, origin(), &roots, token, id).await.unwrap();
    Officer::open(&own, origin(), &roots).unwrap()
}

/// An agent, and a mandate that was asked for it.
async fn asked(ada: &mut Officer, agent: &str, mandate: &str, text: &str) {
    let model: String = text.chars().filter(|c| (' '..='~').contains(c)).take(128).collect();
    let registration = json!({
        "agent": agent, "declared_model": model, "environment": "sandbox", "expires_at": in_days(90), "owner": "desk", "purpose": text,
    });
    ada.post("/v1/agents", &registration).await.unwrap();
    let application = json!({
        "agent": agent,
        "conduct": {"on_halt": "cancel_all", "on_unanswered_warning": "reduce_only", "repeat_window_ms": 0, "scoring": "enforce"},
        "expires": in_days(60),
        "limits": {
            "counterparties": ["exchange_a"], "hours": ["always"], "instruments": ["BTC_EUR"], "order_proof": false,
            "order_rates": ["100/1s"], "order_types": ["limit"], "per_day": ["EUR 500000"], "per_order": ["EUR 20000"],
            "price_collar_bps": 900, "regions": ["eu-west-1"],
        },
        "mandate": mandate,
        "rationale": text,
    });
    ada.post("/v1/applications", &application).await.unwrap();
}

fn in_days(days: i64) -> String {
    use extensions::Clock as _;
    mandatum::clock::SystemClock
        .now()
        .plus_seconds(days * 86_400)
        .to_string()
}

/// Proposes with this body, and has both sign; the proposal's name.
async fn signed(ada: &mut Officer, grace: &mut Officer, path: &str, body: Value) -> String {
    let made = ada.post(path, &body).await.unwrap();
    let proposal = made["proposal"].as_str().unwrap().to_owned();
    for by in [ada, grace] {
        by.sign_proposal(&proposal, None, None).await.unwrap();
    }
    proposal
}

/// The corpus in every text that the house keeps: purposes, rationales, questions, reasons, reviews, an address.
async fn stored(ada: &mut Officer, grace: &mut Officer, text: &str) {
    let (reason, said) = (json!({"reason": text}), json!({"text": text}));
    for (agent, mandate) in [("mm-1", "m-1"), ("mm-2", "m-2"), ("mm-3", "m-3")] {
        asked(ada, agent, mandate, text).await;
        let path = format!("/v1/applications/{mandate}/questions");
        grace.post(&path, &said).await.unwrap();
    }
    let limits = ada.get("/v1/applications/m-2").await.unwrap()["document"]["limits"].clone();
    let narrower = json!({"expires": in_days(30), "limits": limits, "reason": text});
    grace.post("/v1/applications/m-2/narrow", &narrower).await.unwrap();
    let (yes, no) = (ApprovalDecision::Approve, ApprovalDecision::Reject);
    grace.decide_application("m-1", yes, Some(text)).await.unwrap();
    grace.decide_application("m-3", no, Some(text)).await.unwrap();
    for (agent, act) in [("mm-1", "freeze"), ("mm-1", "resume"), ("mm-3", "reduce-only")] {
        let path = format!("/v1/agents/{agent}/{act}");
        ada.post(&path, &reason).await.unwrap();
    }
    let revoked = ada.post("/v1/agents/mm-1/revoke", &reason).await.unwrap();
    let at = format!("/v1/incidents/{}", revoked["incident"].as_str().unwrap());
    ada.post(&format!("{at}/acknowledge"), &json!({})).await.unwrap();
    let review = json!({"finding": "confirmed", "impact": text, "lessons": text, "root_cause": text});
    signed(ada, grace, &format!("{at}/review"), review).await;
    let url = "https://desk.example.com/'onmouseover='hostile()'x='?to=javascript:hostile()";
    let webhook = json!({"format": "cloud_events", "kinds": [], "url": url, "webhook": "desk"});
    signed(ada, grace, "/v1/webhooks", webhook).await;
    let open = json!({
        "format": "pagerduty", "kinds": [], "secret": "0123456789abcdef0123456789abcdef", "url": "https://events.example.com/v2/enqueue",
        "webhook": "other",
    });
    ada.post("/v1/webhooks", &open).await.unwrap();
}

/// The names in a list of the API.
async fn names(ada: &mut Officer, path: &str, member: &str, name: &str) -> Vec<String> {
    let listed = ada.list(path, member).await.unwrap();
    let rows = listed[member].as_array().unwrap().iter();
    rows.map(|row| match &row[name] {
        Value::String(text) => text.trim_start_matches("officer/").to_owned(),
        other => other.to_string(),
    })
    .collect()
}

/// Every page there is, once for each thing that has one.
async fn pages(ada: &mut Officer) -> Vec<String> {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let kinds = ["agent.registered", "house.webhook_set", "officer.acted"];
    let mut positions = Vec::new();
    for kind in kinds {
        let found = ada.get(&format!("/v1/entries?kind={kind}&limit=2")).await.unwrap();
        positions.extend(
            found["entries"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["position"].to_string()),
        );
    }
    let places: [(&str, Vec<String>); 7] = [
        ("{agent}", all(&["mm-1", "mm-2", "mm-3"])),
        ("{mandate}", all(&["m-1", "m-2", "m-3"])),
        ("{incident}", names(ada, "/v1/incidents", "incidents", "incident").await),
        (
            "{officer}/{number}",
            names(ada, "/v1/proposals", "proposals", "proposal").await,
        ),
        ("{webhook}", all(&["desk"])),
        ("{position}", positions),
        ("{name}", all(&["style.css"])),
    ];
    // What only takes a form is no page.
    let routes = ROUTER.split(".route(").skip(1).filter(|rest| rest.contains("get("));
    let mut pages: Vec<String> = routes
        .filter_map(|rest| rest.split('"').nth(1))
        .flat_map(|path| match places.iter().find(|(place, _)| path.contains(place)) {
            Some((place, all)) => all.iter().map(|one| path.replace(place, one)).collect(),
            None => vec![path.to_owned()],
        })
        .filter(|path| !SKIPPED.contains(&path.as_str()) && !path.starts_with("/assets/") && !path.ends_with(".json"))
        .collect();
    assert!(
        pages.iter().all(|path| !path.contains('{')),
        "name what stands for this parameter: {pages:?}"
    );
    pages.sort();
    pages.dedup();
    pages
}

/// Nothing of it runs: no sentinel, no dialog, no report of the policy, no element, attribute or address that the templates do not have; each page
/// once as it is and once with the browser told to forget the policy, so that what escapes would run. And each text is read as it was typed.
///
/// Control, seen red: with `|safe` behind the rationale in `application.html` the look for foreign elements breaks on what was injected; and a page of the
/// browser's own, with elements that no template has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_text_does_nothing_in_the_browser() {
    let Some(interpreter) = super::browser() else { return };
    let house = house().await;
    let corpus: Vec<String> = serde_json::from_str(CORPUS).unwrap();
    let (mut ada, mut grace) = (enrolled(&house, "ada").await, enrolled(&house, "grace").await);
    stored(&mut ada, &mut grace, &corpus.join(" \n ")).await;
    let pages = pages(&mut ada).await;
    let port = house.running.addresses.officers.unwrap().port();
    let origin = house.config.console.origin_at(port);
    let (_, token) = house
        .tokens
        .iter()
        .find(|(officer, _)| officer.as_str() == "joan")
        .unwrap();
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../console/templates");
    let told = json!({
        "corpus": corpus, "links": {"joan": format!("{origin}/join#{token}")}, "origin": origin, "pages": pages,
        "pictures": std::env::var("MANDATUM_PICTURES").unwrap_or_default(), "templates": templates,
    });
    super::python(&interpreter, "hostile.py", &[&told.to_string()]).await;
    house.running.stop().await.unwrap();
}
