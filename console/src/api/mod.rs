//! The officers' API: one table of routes, each with the roles that open it. The tests walk the same table.

mod activity;
mod agents;
mod applications;
mod baselines;
mod book;
mod certificates;
mod compared;
mod entries;
mod extension;
mod house;
mod incidents;
pub(crate) mod narrowing;
mod officers;
mod openapi;
mod overdue;
mod overrides;
mod positions;
mod probation;
pub(crate) mod proposals;
pub(crate) mod questions;
mod scored;
mod search;
mod standing;
mod subscriptions;
mod timeline;
mod warnings;
mod webhooks;
mod whatif;

use axum::{
    Extension, Json, Router,
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use ca_core::events::Role::{self, Administrator, Approver, Operator, Responder};
use extensions::{ApprovalDecision, ApprovalRecord, Base64, Digest, passkey::Assertion};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Console, LARGEST_BODY, LARGEST_IMPORT,
    access::{Caller, Gate, admit},
    problem::Problem,
};

/// One route behind the gate.
pub(crate) struct Route {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// The path, with its parameters.
    pub(crate) path: &'static str,
    /// One of these opens it; none: any officer in office.
    pub(crate) roles: &'static [Role],
    handler: fn() -> MethodRouter<Console>,
}

const fn route(
    method: &'static str,
    path: &'static str,
    roles: &'static [Role],
    handler: fn() -> MethodRouter<Console>,
) -> Route {
    Route {
        method,
        path,
        roles,
        handler,
    }
}

const ANY: &[Role] = &[];
const PROPOSES: &[Role] = &[Administrator, Approver, Operator, Responder];
/// A probation alone takes a signature of somebody on call; which proposal takes whose is judged with the signature.
const SIGNS: &[Role] = &[Approver, Responder];
const OPERATES: &[Role] = &[Administrator, Operator, Responder];

/// Every route that needs an officer.
#[rustfmt::skip]
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/v1/whoami", ANY, || get(officers::whoami)),
    route("GET", "/v1/officers", ANY, || get(officers::list)),
    route("POST", "/v1/officers", &[Administrator], || post(officers::invite)),
    route("POST", "/v1/officers/{officer}/remove", &[Administrator], || post(officers::remove)),
    route("GET", "/v1/agents", ANY, || get(agents::list)),
    route("POST", "/v1/agents", &[Operator], || post(agents::register)),
    route("GET", "/v1/agents/{agent}", ANY, || get(agents::show)),
    route("GET", "/v1/agents/{agent}/book", ANY, || get(book::show)),
    route("GET", "/v1/agents/{agent}/orders", ANY, || get(activity::orders)),
    route("POST", "/v1/agents/{agent}/freeze", &[Responder], || post(standing::freeze)),
    route("POST", "/v1/agents/{agent}/reduce-only", &[Responder], || post(standing::reduce_only)),
    route("POST", "/v1/agents/{agent}/resume", &[Responder], || post(standing::resume)),
    route("POST", "/v1/agents/{agent}/revoke", &[Responder], || post(standing::revoke)),
    route("POST", "/v1/agents/{agent}/probation", PROPOSES, || post(probation::propose)),
    route("POST", "/v1/agents/{agent}/overrides", PROPOSES, || post(overrides::propose)),
    route("POST", "/v1/agents/{agent}/reinstate", PROPOSES, || post(standing::reinstate)),
    route("POST", "/v1/agents/{agent}/warnings/answer", &[Responder], || post(standing::answer)),
    route("POST", "/v1/agents/{agent}/enrolment-tokens", &[Operator], || post(applications::token)),
    route("GET", "/v1/agents/{agent}/baselines", ANY, || get(baselines::show)),
    route("GET", "/v1/agents/{agent}/baselines/compared", ANY, || get(compared::show)),
    route("POST", "/v1/agents/{agent}/baselines", &[Operator], || post(baselines::propose)),
    route("POST", "/v1/agents/{agent}/baselines/extend", &[Operator], || post(extension::extend)),
    route("POST", "/v1/agents/{agent}/baselines/{digest}/signatures", &[Approver], || post(baselines::sign)),
    route("POST", "/v1/agents/{agent}/observations", &[Operator], || {
        post(baselines::import).layer(DefaultBodyLimit::max(LARGEST_IMPORT))
    }),
    route("POST", "/v1/agents/{agent}/positions", &[Approver], || post(positions::attest)),
    route("POST", "/v1/certificates/{serial}/freeze", &[Responder], || post(certificates::freeze)),
    route("POST", "/v1/certificates/{serial}/reduce-only", &[Responder], || post(certificates::reduce_only)),
    route("POST", "/v1/certificates/{serial}/resume", &[Responder], || post(certificates::resume)),
    route("POST", "/v1/certificates/{serial}/revoke", &[Responder], || post(certificates::revoke)),
    route("POST", "/v1/owners/{owner}/freeze", &[Responder], || post(house::freeze_owner)),
    route("POST", "/v1/owners/{owner}/reduce-only", &[Responder], || post(house::reduce_owner)),
    route("POST", "/v1/owners/{owner}/resume", &[Responder], || post(house::resume_owner)),
    route("POST", "/v1/owners/{owner}/revoke", &[Responder], || post(house::revoke_owner)),
    route("POST", "/v1/owners/{owner}/reinstate", PROPOSES, || post(house::reinstate_owner)),
    route("GET", "/v1/house", ANY, || get(house::show)),
    route("POST", "/v1/house/freeze", &[Responder], || post(house::freeze_all)),
    route("POST", "/v1/house/reduce-only", &[Responder], || post(house::reduce_all)),
    route("POST", "/v1/house/resume", &[Responder], || post(house::resume_all)),
    route("POST", "/v1/house/revoke", &[Responder], || post(house::revoke_all)),
    route("POST", "/v1/house/reinstate", PROPOSES, || post(house::reinstate_all)),
    route("POST", "/v1/house/regions", &[Administrator], || post(house::regions)),
    route("POST", "/v1/house/exposure", &[Administrator], || post(house::exposure)),
    route("POST", "/v1/house/thresholds", &[Administrator], || post(house::thresholds)),
    route("GET", "/v1/applications", ANY, || get(applications::list)),
    route("POST", "/v1/applications", &[Operator], || post(applications::submit)),
    route("GET", "/v1/applications/{mandate}", ANY, || get(applications::show)),
    route("POST", "/v1/applications/{mandate}/narrow", &[Approver], || post(narrowing::narrow)),
    route("POST", "/v1/applications/{mandate}/questions", PROPOSES, || post(questions::ask)),
    route("POST", "/v1/applications/{mandate}/signatures", &[Approver], || post(applications::sign)),
    route("GET", "/v1/applications/{mandate}/whatif", ANY, || get(whatif::show)),
    route("GET", "/v1/proposals", ANY, || get(proposals::list)),
    route("GET", "/v1/proposals/{officer}/{number}", ANY, || get(proposals::show)),
    route("POST", "/v1/proposals/{officer}/{number}/signatures", SIGNS, || post(proposals::sign)),
    route("GET", "/v1/incidents", ANY, || get(incidents::list)),
    route("GET", "/v1/incidents/{incident}", ANY, || get(incidents::show)),
    route("GET", "/v1/incidents/{incident}/timeline", ANY, || get(timeline::show)),
    route("POST", "/v1/incidents/{incident}/acknowledge", &[Responder], || post(incidents::acknowledge)),
    route("POST", "/v1/incidents/{incident}/review", PROPOSES, || post(incidents::review)),
    route("GET", "/v1/overdue", ANY, || get(overdue::list)),
    route("GET", "/v1/warnings", ANY, || get(warnings::list)),
    route("POST", "/v1/warnings/hold", &[Responder], || post(warnings::hold)),
    route("GET", "/v1/webhooks", ANY, || get(webhooks::list)),
    route("POST", "/v1/webhooks", &[Administrator], || post(subscriptions::set)),
    route("POST", "/v1/webhooks/{webhook}/remove", &[Administrator], || post(subscriptions::remove)),
    route("GET", "/v1/webhooks/{webhook}/deliveries", ANY, || get(subscriptions::deliveries)),
    route("GET", "/v1/webhooks/{webhook}/dead", ANY, || get(webhooks::dead)),
    route("POST", "/v1/webhooks/{webhook}/replay", OPERATES, || post(webhooks::replay)),
    route("POST", "/v1/webhooks/{webhook}/test", OPERATES, || post(webhooks::test)),
    route("POST", "/v1/nonces", &[Approver], || post(positions::nonce)),
    route("POST", "/v1/erase", &[Administrator], || post(officers::erase)),
    route("GET", "/v1/entries", ANY, || get(search::find)),
    route("GET", "/v1/entries/{position}", ANY, || get(entries::show)),
];

/// Routes that show records of the ledger: who reads them leaves an entry.
pub(crate) const RECORDS: [&str; 2] = ["/v1/entries", "/v1/entries/{position}"];

/// The whole API. What is not in it answers 404 before anybody is asked who they are.
pub(crate) fn router(console: &Console) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let gate = Gate {
            console: console.clone(),
            route,
        };
        let gated = (route.handler)().route_layer(middleware::from_fn_with_state(gate, admit));
        router = router.route(route.path, gated);
    }
    router
        .route("/v1/officers/enrol", post(officers::enrol))
        .route("/v1/openapi.json", get(openapi::show))
        .route("/healthz", get(entries::healthz))
        .route("/readyz", get(entries::readyz))
        .fallback(|| async { Problem::missing("such address") })
        .method_not_allowed_fallback(|| async {
            Problem::with_status(
                StatusCode::METHOD_NOT_ALLOWED,
                "METHOD",
                "this address takes another method",
            )
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::map_response(crate::problem::always))
        .layer(middleware::from_fn_with_state(console.config.officers.request, in_time))
        .with_state(console.clone())
}

/// A request is answered within its bound, its body's arrival included.
pub(crate) async fn in_time(State(bound): State<std::time::Duration>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(bound, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let detail = format!("the request was not complete and answered within {} s", bound.as_secs());
        Problem::with_status(StatusCode::REQUEST_TIMEOUT, "TIMEOUT", &detail).into_response()
    })
}

pub(crate) type Answer = Result<Json<Value>, Problem>;
pub(crate) type By = Extension<Caller>;

/// A body, read strictly.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, T: serde::de::DeserializeOwned> axum::extract::FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|error| {
            let code = if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                "BODY_TOO_LARGE"
            } else {
                "BODY"
            };
            Problem::with_status(error.status(), code, &error.body_text())
        })?;
        crate::strict::read(&bytes).map(Self)
    }
}

/// One page of a list: what comes after a name, at most so many.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    #[serde(default)]
    pub(crate) after: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}

impl Page {
    fn limit(&self) -> usize {
        self.limit.unwrap_or(100).clamp(1, crate::MOST_ROWS)
    }

    /// The rows of this page out of all, which are sorted by name; and the name to go on after, when there are more.
    pub(crate) fn of<T>(&self, rows: impl Iterator<Item = (String, T)>) -> (Vec<T>, Option<String>) {
        let after = self.after.as_deref();
        let mut rows = rows.filter(|(name, _)| after.is_none_or(|after| name.as_str() > after));
        let (mut page, mut last) = (Vec::new(), None);
        for (name, row) in rows.by_ref().take(self.limit()) {
            page.push(row);
            last = Some(name);
        }
        let more = rows.next().is_some();
        (page, last.filter(|_| more))
    }
}

/// One page of a list in which some rows wait for somebody: with `open=true` those alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Waiting {
    #[serde(default)]
    after: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
    #[serde(default)]
    open: bool,
}

impl Waiting {
    /// As [`Page::of`]; `waits` says which rows are open. What a row shows is made of this page's rows alone.
    pub(crate) fn of<T>(
        self,
        rows: impl Iterator<Item = (String, T)>,
        waits: impl Fn(&T) -> bool,
    ) -> (Vec<T>, Option<String>) {
        let open = self.open;
        let page = Page {
            after: self.after,
            limit: self.limit,
        };
        page.of(rows.filter(|(_, row)| !open || waits(row)))
    }
}

/// An officer's signature as it arrives: over the nonce and the document that the question showed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignatureBody {
    /// `approve` or `reject`.
    pub(crate) decision: ApprovalDecision,
    /// SHA-256 of the document that was read.
    pub(crate) document: Digest,
    /// The nonce that was shown with it.
    pub(crate) nonce: Digest,
    /// Why, in words; a refusal needs it.
    #[serde(default)]
    pub(crate) reason: Option<String>,
    /// SHA-256 of the passkey's SubjectPublicKeyInfo; the key of the session when absent. Without a passkey's answer it is not looked at.
    #[serde(default)]
    pub(crate) key: Option<Digest>,
    /// What the authenticator signed, when the key is a passkey's.
    #[serde(default)]
    pub(crate) passkey: Option<Assertion>,
    /// The signature: ECDSA as DER or Ed25519, base64.
    pub(crate) signature: Base64,
}

impl SignatureBody {
    /// As it would be recorded: by the caller, under the key of the connection or session; a passkey's answer names its own.
    pub(crate) fn record(&self, caller: Caller) -> ApprovalRecord {
        ApprovalRecord {
            decision: self.decision,
            document: self.document,
            key: self.key.filter(|_| self.passkey.is_some()).unwrap_or(caller.key),
            nonce: self.nonce,
            officer: caller.officer,
            passkey: self.passkey.clone(),
            signature: self.signature.clone(),
        }
    }
}

/// A parameter of the path.
pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    what: &'static str,
    text: &str,
) -> Result<T, Problem> {
    text.parse()
        .map_err(|error: T::Err| Problem::bad(what, &error.to_string()))
}
