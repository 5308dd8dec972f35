//! The pages without a browser: who gets in, what a form must bring, what a page carries. A real browser walks them in `cli/tests/console.rs`.

use axum::{
    Extension,
    body::Body,
    http::{Request, StatusCode, header},
    response::Response,
};
use tower::ServiceExt as _;

use super::bench::Bench;
use crate::{listener::Peer, pages};

/// Every page that needs a session, a way in for each parameter.
const PAGES: [&str; 21] = [
    "/",
    "/agents",
    "/agents/new",
    "/agents/mm-1",
    "/agents/mm-1/baselines",
    "/agents/mm-1/orders",
    "/applications",
    "/applications/new",
    "/applications/m-1",
    "/applications/m-1/whatif",
    "/proposals",
    "/incidents",
    "/incidents/inc-1",
    "/warnings/mm-1",
    "/officers",
    "/passkeys",
    "/entries",
    "/entries/0",
    "/webhooks",
    "/webhooks/new",
    "/webhooks/desk",
];

/// Every form.
const FORMS: [&str; 19] = [
    "/agents/new",
    "/agents/mm-1",
    "/agents/mm-1/baselines",
    "/agents/mm-1/token",
    "/applications/new",
    "/applications/read",
    "/applications/m-1",
    "/applications/m-1/narrow",
    "/applications/m-1/questions",
    "/proposals/ada/0",
    "/incidents/inc-1",
    "/warnings/mm-1",
    "/officers",
    "/passkeys",
    "/passkeys/add",
    "/webhooks",
    "/webhooks/new",
    "/webhooks/desk",
    "/sign-out",
];

/// A browser: an address, an officer's certificate or none, a session's cookie.
pub(crate) struct Browser<'a> {
    bench: &'a Bench,
    certificate: bool,
    cookie: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(bench: &'a Bench, certificate: bool) -> Self {
        Self {
            bench,
            certificate,
            cookie: String::new(),
        }
    }

    async fn ask(&self, method: &str, path: &str, origin: Option<&str>, body: &str) -> Response {
        let certificate = self.certificate.then(|| self.bench.ada.certificate.clone());
        let address = "127.0.0.1:1".parse().unwrap();
        let router = pages::router(&self.bench.console).layer(Extension(Peer::new(address, certificate)));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, &self.cookie);
        if let Some(origin) = origin {
            request = request.header(header::ORIGIN, origin);
        }
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        router
            .oneshot(request.body(Body::from(body.to_owned())).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        text_of(self.ask("GET", path, None, "").await).await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response {
        let origin = self.bench.console.config.party.origin.clone();
        self.ask("POST", path, Some(&origin), body).await
    }

    /// Signs in by the certificate.
    pub(crate) async fn signed_in(mut self) -> Self {
        let response = self.post("/sign-in/certificate", "").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
        for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        self.cookie = cookie.split(';').next().unwrap().to_owned();
        self
    }

    pub(crate) async fn token(&self) -> String {
        let (_, page) = self.get("/agents/new").await;
        let at = page.find("name=\"token\" value=\"").unwrap() + 20;
        page[at..at + 64].to_owned()
    }
}

pub(crate) async fn text_of(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Nobody sees a page without a session, and each page says how a browser must treat it.
///
/// Control tried: without `guard::signed_in` every page is shown.
#[tokio::test]
async fn nobody_sees_a_page_without_a_session() {
    let bench = Bench::new().await;
    let stranger = Browser::new(&bench, false);
    for path in PAGES {
        let response = stranger.ask("GET", path, None, "").await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        let to = response.headers()[header::LOCATION].to_str().unwrap();
        assert!(to.starts_with("/sign-in?next=%2F"), "{path} leads to {to}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(response.headers()[header::X_FRAME_OPTIONS], "DENY");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
    let response = stranger.post("/sign-in/certificate", "").await;
    assert_eq!(
        response.status(),
        StatusCode::FORBIDDEN,
        "no certificate, no way in by one"
    );
    let (status, page) = Browser::new(&bench, true).get("/sign-in?next=//evil.example").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Go on as ada") && !page.contains("evil.example"));
}

/// An officer's certificate is a way in; every page answers; what does not exist says so.
#[tokio::test]
async fn a_certificate_is_a_way_in_and_every_page_answers() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    bench.application("mm-1", "m-1", "2000000").await;
    super::subscriptions::signed(&bench, "desk").await;
    let ada = Browser::new(&bench, true).signed_in().await;
    for path in PAGES {
        let (status, page) = ada.get(path).await;
        let there = !path.contains("inc-1");
        assert_eq!(status == StatusCode::OK, there, "{path}: {status}\n{page}");
        assert!(page.len() < 100_000, "{path} has {} bytes", page.len());
        assert!(page.contains("<h1>") && page.contains("lang=\"en\""), "{path}");
    }
    for path in [
        "/agents/nobody",
        "/applications/none",
        "/proposals/ada/99",
        "/entries/999999",
        "/entries/x%20y",
    ] {
        let (status, page) = ada.get(path).await;
        assert!(status.is_client_error(), "{path}: {status}");
        assert!(page.contains("Back to the console"), "{path}");
    }
}

/// A warning's page tells the deadline in its text and takes the answer; what nobody answered is on the first page, and the incident's page
/// tells what happened. Control: without an open warning there is no form, and an answer is refused with the reason kept.
#[tokio::test]
async fn a_live_warning_is_answered_on_its_page() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let ada = Browser::new(&bench, true).signed_in().await;
    let token = ada.token().await;
    let body = format!("token={token}&answer=revoke&reason=looks+odd");
    let (_, page) = ada.get("/warnings/mm-1").await;
    assert!(
        page.contains("No warning is open now") && !page.contains("risk lane"),
        "{page}"
    );
    assert_eq!(ada.post("/warnings/mm-1", &body).await.status(), StatusCode::CONFLICT);
    let deadline = bench.now().plus_seconds(300);
    let opened = revocation_core::warning::WarningOpened {
        agent: "mm-1".parse().unwrap(),
        by: revocation_core::Actor::Scorer,
        deadline,
        default: revocation_core::WarningDefault::Freeze,
        score: Some(760_000),
    };
    bench.append(opened).await;
    let (_, page) = ada.get("/warnings/mm-1").await;
    for text in [
        "Answer before",
        &format!("data-countdown=\"{deadline}\""),
        "Unanswered it becomes freeze",
        "Back only by review",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert_eq!(ada.post("/warnings/mm-1", &body).await.status(), StatusCode::SEE_OTHER);
    let listed = bench.get(&bench.ada, "/v1/incidents").await.1;
    let incident = listed["incidents"][0]["incident"].as_str().unwrap();
    let (_, page) = ada.get(&format!("/incidents/{incident}")).await;
    assert!(
        page.contains("the bot was revoked") && page.contains("/entries/"),
        "{page}"
    );
}

/// Forms count from a page of this origin with this session's token alone, and nothing changes by a GET.
///
/// Controls tried: without `guard::same_origin` the foreign forms pass; without the look at the token in `Fields` those of another session do.
#[tokio::test]
async fn forms_of_others_change_nothing() {
    let bench = Bench::new().await;
    bench.agent("mm-1", "desk").await;
    let ada = Browser::new(&bench, true).signed_in().await;
    let other = Browser::new(&bench, true).signed_in().await;
    let (own, foreign) = (ada.token().await, other.token().await);
    assert_ne!(own, foreign);
    let before = recorded(&bench).await;
    for path in FORMS {
        let body = format!("token={own}&act=freeze&reason=x");
        for origin in [
            None,
            Some("null"),
            Some("https://evil.example"),
            Some("http://localhost:8444"),
        ] {
            let response = ada.ask("POST", path, origin, &body).await;
            assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path} from {origin:?}");
        }
        if path == "/sign-out" {
            continue;
        }
        for token in [foreign.as_str(), "", "0"] {
            let response = ada.post(path, &format!("token={token}&act=freeze&reason=x")).await;
            assert_eq!(
                response.status(),
                StatusCode::FORBIDDEN,
                "{path} with the token {token:?}"
            );
        }
        ada.get(&format!("{path}?act=freeze&reason=x&token={own}")).await;
    }
    assert_eq!(recorded(&bench).await, before, "nothing was recorded");
    let response = ada
        .post("/agents/mm-1", &format!("token={own}&act=freeze&reason=x"))
        .await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "its own form does");
    assert!(recorded(&bench).await > before);
}

/// How many entries the console wrote: the role `ca` publishes its lists meanwhile.
async fn recorded(bench: &Bench) -> usize {
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    // A sign-in and a read are told beside the request that they belong to, some time after its answer.
    let acts = entries
        .iter()
        .filter(|entry| !["officer.signed_in", "officer.read"].contains(&&*entry.kind));
    acts.filter(|entry| &*entry.writer == crate::ROLE).count()
}

/// Whoever is removed is out at once; a form that is too large, or does not read, is told so.
///
/// Control tried: without the look at `holds` in `guard::signed_in` the removed officer goes on.
#[tokio::test]
async fn a_session_ends_with_the_office() {
    let bench = Bench::new().await;
    let ada = Browser::new(&bench, true).signed_in().await;
    let token = ada.token().await;
    let large = format!("token={token}&purpose={}", "x".repeat(crate::LARGEST_BODY));
    assert_eq!(ada.post("/agents/new", &large).await.status(), StatusCode::BAD_REQUEST);
    let many = format!("token={token}{}", "&a=b".repeat(99));
    assert_eq!(ada.post("/agents/new", &many).await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(ada.get("/agents").await.0, StatusCode::OK);
    let gone = serde_json::json!({"reason": "left"});
    bench.done(&bench.ben, "/v1/officers/ada/remove", gone).await;
    assert_eq!(ada.get("/agents").await.0, StatusCode::SEE_OTHER);
}

/// What waits for somebody is on the first page whatever its place in the list is, also behind more rows than a list ever gives.
///
/// Control, tried: without `open=true` in `agents::waiting` the page shows a hundred bots that trade, and not the one that is frozen.
#[tokio::test]
async fn what_waits_is_found_among_many() {
    let bench = Bench::new().await;
    for number in 0..=crate::MOST_ROWS {
        bench.agent(&format!("bot-{number:04}"), "desk").await;
    }
    bench.agent("last", "desk").await;
    bench.agent("zz-last", "desk").await;
    let frozen = serde_json::json!({"reason": "odd"});
    bench.done(&bench.ada, "/v1/agents/zz-last/freeze", frozen).await;
    let (_, open) = bench.get(&bench.ada, "/v1/agents?open=true").await;
    assert_eq!(
        (open["agents"].as_array().unwrap().len(), &open["next"]),
        (1, &serde_json::Value::Null)
    );
    let ada = Browser::new(&bench, true).signed_in().await;
    let (_, page) = ada.get("/").await;
    assert!(
        page.contains("/agents/zz-last") && !page.contains("/agents/bot-0001"),
        "{page}"
    );
    let missing = ada.get("/incidents/inc-0").await;
    assert_eq!(missing.0, StatusCode::NOT_FOUND, "{}", missing.1);
}

/// An entry and its receipt are files: the bytes that are hashed, as JSON that no browser shows in the place of a page. Nobody gets them without a
/// session, and what is not there says so.
#[tokio::test]
async fn an_entry_is_taken_as_a_file() {
    let bench = Bench::new().await;
    let ada = Browser::new(&bench, true).signed_in().await;
    let receipt = bench.ledger.receipt(3).await.unwrap();
    for (path, name) in [
        ("/entries/3/entry.json", "entry-3.json"),
        ("/entries/3/receipt.json", "receipt-3.json"),
    ] {
        let response = ada.ask("GET", path, None, "").await;
        let headers = response.headers().clone();
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(
            headers[header::CONTENT_DISPOSITION],
            format!("attachment; filename=\"{name}\"")
        );
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        let (status, text) = text_of(response).await;
        assert_eq!(status, StatusCode::OK);
        if name.starts_with("entry") {
            assert_eq!(text.as_bytes(), receipt.entry.as_slice());
        } else {
            let told: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(told["entry"].as_str().unwrap().as_bytes(), receipt.entry.as_slice());
        }
        let stranger = Browser::new(&bench, false);
        assert_eq!(
            stranger.ask("GET", path, None, "").await.status(),
            StatusCode::SEE_OTHER
        );
        let missing = ada.get(&path.replace("/3/", "/999999/")).await;
        assert_eq!(missing.0, StatusCode::NOT_FOUND, "{}", missing.1);
    }
}
