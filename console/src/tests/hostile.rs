//! A corpus of hostile text in every field of every form, and stored beside everything that has texts; no page then has an element, an attribute or
//! an address that its templates do not have. Forms and pages are read from the routes and from the pages themselves, so that a new one is
//! covered without being named here.

mod html;

use std::{collections::BTreeSet, fs, path::Path};

use axum::http::StatusCode;
use serde_json::json;

use super::{
    Bench,
    pages::{Browser, text_of},
};
use html::{Form, Tag, forms, tags};

/// What has run, or changed what a reader sees, where somebody forgot to escape: tags, handlers, addresses, templates of several engines, ends of
/// every kind of context, text that hides. The browser's test stores the same.
fn corpus() -> Vec<String> {
    serde_json::from_str(include_str!("hostile/corpus.json")).unwrap()
}

/// Longer than any field takes, and still within a form's bound.
const LONG: usize = 20_000;

/// Pages are read with these in place of their parameters. A parameter that is not here is a new kind of page: name one that exists.
const PLACES: [(&str, &str); 6] = [
    ("{agent}", "mm-1"),
    ("{mandate}", "m-1"),
    ("{officer}", "ada"),
    ("{webhook}", "desk"),
    ("{position}", "0"),
    ("{name}", "style.css"),
];

/// The pages, as the router's own text has them; an incident and the proposal of its review stand for those there are.
pub(super) fn routes((incident, review): &(String, String)) -> Vec<String> {
    let text = include_str!("../pages/mod.rs");
    let routes = text.split(".route(").skip(1);
    let paths = routes.filter_map(|rest| rest.split('"').nth(1));
    let filled = |path: &str| {
        let path = path.replace("{incident}", incident).replace("{number}", review);
        let path = PLACES
            .iter()
            .fold(path, |path, (name, value)| path.replace(name, value));
        assert!(!path.contains('{'), "{path}: name one of these in PLACES");
        path
    };
    let skipped = ["/live", "/assets/style.css"];
    paths
        .map(filled)
        .filter(|path| !skipped.contains(&path.as_str()) && !path.ends_with(".json"))
        .collect()
}

/// What templates are made of: names of elements and of attributes.
fn written() -> (BTreeSet<String>, BTreeSet<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let (mut elements, mut attributes) = (BTreeSet::new(), BTreeSet::new());
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for tag in tags(&html::without_blocks(&text)) {
            elements.insert(tag.name);
            attributes.extend(tag.attributes.into_iter().map(|(name, _)| name));
        }
    }
    assert!(
        elements.contains("textarea") && attributes.contains("data-live"),
        "templates are read"
    );
    (elements, attributes)
}

struct Judge {
    elements: BTreeSet<String>,
    attributes: BTreeSet<String>,
}

impl Judge {
    /// Nothing on the page but what its templates have; scripts and addresses are this house's.
    fn judge(&self, page: &str, text: &str) {
        assert!(!text.contains("49014001"), "{page}: a template within a text ran");
        for Tag { name, attributes } in tags(text) {
            assert!(
                self.elements.contains(&name),
                "{page}: an element <{name}> that no template has"
            );
            let of = |wanted: &str| {
                attributes
                    .iter()
                    .find(|(name, _)| name == wanted)
                    .map(|(_, value)| value.as_str())
            };
            if name == "script" {
                assert!(
                    of("src").is_some_and(|src| src.starts_with("/assets/")),
                    "{page}: a script of no file"
                );
            }
            for (attribute, value) in &attributes {
                assert!(
                    self.attributes.contains(attribute) && !attribute.starts_with("on"),
                    "{page}: an attribute {attribute} of <{name}> that no template has"
                );
                if ["href", "src", "action", "formaction"].contains(&attribute.as_str()) {
                    let own = value.starts_with(['/', '#']) && !value.starts_with("//");
                    assert!(own, "{page}: <{name}> leads to {value:?}");
                }
            }
        }
    }
}

/// Everything that has texts, with the corpus in them. Gives the incident, and the number of its review's proposal.
async fn stored(bench: &Bench, text: &str) -> (String, String) {
    let model: String = text.chars().filter(|c| (' '..='~').contains(c)).take(128).collect();
    let body = json!({
        "agent": "mm-1", "declared_model": model, "environment": "sandbox", "owner": "desk", "purpose": text,
        "expires_at": bench.now().plus_seconds(86_400 * 30),
    });
    bench.done(&bench.ada, "/v1/agents", body).await;
    let mut asked = bench.asks("mm-1", "m-1", ("2000000", "50000"), None);
    asked["rationale"] = json!(text);
    let question = bench.done(&bench.ada, "/v1/applications", asked).await;
    let said = json!({"text": text});
    bench.done(&bench.ben, "/v1/applications/m-1/questions", said).await;
    super::subscriptions::signed(bench, "desk").await;
    for (act, more) in [("freeze", ""), ("resume", ""), ("revoke", "incident")] {
        let acted = bench
            .done(&bench.ada, &format!("/v1/agents/mm-1/{act}"), json!({"reason": text}))
            .await;
        if more.is_empty() {
            continue;
        }
        let incident = acted["incident"].as_str().unwrap().to_owned();
        let at = format!("/v1/incidents/{incident}");
        bench.done(&bench.ben, &format!("{at}/acknowledge"), json!({})).await;
        let review = json!({"finding": "confirmed", "impact": text, "lessons": text, "root_cause": text});
        let proposed = bench.done(&bench.ada, &format!("{at}/review"), review).await;
        let review = proposed["proposal"].as_str().unwrap().rsplit('/').next().unwrap();
        let mut refusal = bench.ben.signs(&question, "approve");
        refusal["reason"] = json!(text);
        bench.done(&bench.ben, "/v1/applications/m-1/signatures", refusal).await;
        return (incident, review.to_owned());
    }
    unreachable!("a revocation opens an incident");
}

/// The form with a text in one field, and what it was served with in the others.
fn filled(form: &Form, hostile: Option<&str>, text: &str) -> String {
    let mut pairs: Vec<String> = Vec::new();
    for (name, value, typed) in &form.fields {
        let value = if *typed && hostile.is_none_or(|field| field == name) {
            text
        } else {
            value
        };
        pairs.push(format!("{name}={}", html::encoded(value)));
    }
    pairs.join("&")
}

/// Controls, tried: `|safe` behind the rationale of `application.html`, behind what was typed in `agent_new.html`, and behind the fault of
/// `parts.html`, each turns it red.
#[tokio::test]
async fn hostile_text_shows_as_text_everywhere() {
    let bench = Bench::new().await;
    let single = corpus();
    let corpus = single.join(" \n ");
    let incident = stored(&bench, &corpus).await;
    let (elements, attributes) = written();
    let judge = Judge { elements, attributes };
    let ada = Browser::new(&bench, true).signed_in().await;
    let (mut pages, mut all) = (0, Vec::new());
    for path in routes(&incident) {
        let (status, text) = ada.get(&path).await;
        assert!(!status.is_server_error(), "{path}: {status}");
        judge.judge(&path, &text);
        pages += usize::from(status == StatusCode::OK);
        all.extend(forms(&path, &text));
    }
    assert!(pages >= 24, "{pages} pages were there");
    // One of a kind is enough; whoever signs out does so last.
    all.sort_by_key(|form: &Form| (form.action == "/sign-out", form.key()));
    all.dedup_by_key(|form| form.key());
    let typed = all
        .iter()
        .flat_map(|form| &form.fields)
        .filter(|(_, _, typed)| *typed)
        .count();
    assert!(
        all.len() >= 18 && typed >= 40,
        "{} forms with {typed} fields",
        all.len()
    );
    for form in &all {
        let fields = form.fields.iter().filter(|(_, _, typed)| *typed);
        let each = fields.map(|(name, _, _)| Some(name.as_str())).chain([None]);
        for field in each {
            let texts = [corpus.clone(), single[4].clone(), "\u{202e}x".repeat(LONG / 4)];
            for text in texts {
                // An address has its own bound.
                let most = if form.method == "get" { 500 } else { LONG };
                let text: String = text.chars().take(most).collect();
                let body = filled(form, field, &text);
                let (status, shown) = if form.method == "get" {
                    ada.get(&format!("{}?{body}", form.action)).await
                } else {
                    text_of(ada.post(&form.action, &body).await).await
                };
                let what = format!("{} {} with {field:?} hostile", form.method, form.action);
                assert!(!status.is_server_error(), "{what}: {status}");
                judge.judge(&what, &shown);
            }
        }
    }
    let ada = Browser::new(&bench, true).signed_in().await;
    for path in routes(&incident) {
        let (status, text) = ada.get(&path).await;
        assert!(!status.is_server_error(), "{path}: {status}");
        judge.judge(&path, &text);
    }
    println!("{pages} pages, {} forms with {typed} fields", all.len());
}

/// Text that turns around what stands beside it is refused: officers sign what they read. Control, tried: without
/// `turns_around` in `record::seal` it is taken; letters that are written from the right always are.
#[tokio::test]
async fn text_that_turns_around_is_refused() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    for turning in ['\u{202e}', '\u{202a}', '\u{2066}', '\u{2069}'] {
        let reason = json!({"reason": format!("fine {turning}enif")});
        bench
            .refused(&bench.ada, "/v1/agents/mm-1/freeze", reason, "TEXT")
            .await;
    }
    let reason = json!({"reason": "\u{5d0}\u{5d1}\u{5d2} fine"});
    bench.done(&bench.ada, "/v1/agents/mm-1/freeze", reason).await;
}
