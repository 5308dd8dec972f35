//! Who asks, and what they may: the one gate before every route of the officers' listener that is not open.

use axum::{
    extract::{Request, State},
    http::{Method, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use ca_core::{
    certificate::spki_of,
    events::{OfficerRefused, OfficerSignedIn, Role},
};
use extensions::{Digest, OfficerId, Record, Timestamp};
use ledger::Append;

use crate::{
    Console,
    api::{self, Route},
    listener::Peer,
    problem::Problem,
    record::Draft,
    refusals::{REFUSALS, SIGN_INS},
};

/// What sign-ins are counted under, beside the codes of refusals.
const SIGNED_IN: &str = "SIGNED_IN";

/// An officer who was found by the key of the connection's certificate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) officer: OfficerId,
    /// SHA-256 of the current certificate's key.
    pub(crate) key: Digest,
}

/// An officer's session in a browser, as the pages hand it on. No request can carry it: it is put in by this process alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignedIn(pub(crate) Caller);

/// The gate of one route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) console: Console,
    /// What it guards.
    pub(crate) route: &'static Route,
}

/// Lets the request through with its [`Caller`], or answers why not.
pub(crate) async fn admit(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let signed_in = request.extensions().get::<SignedIn>().copied();
    match gate.caller(request.extensions().get::<Peer>(), signed_in).await {
        Ok(caller) => {
            if let Err(problem) = json_only(&request) {
                return problem.into_response();
            }
            request.extensions_mut().insert(caller);
            let record = api::RECORDS
                .contains(&gate.route.path)
                .then(|| request.uri().to_string());
            let response = next.run(request).await;
            if let Some(record) = record.filter(|_| response.status().is_success()) {
                gate.console.has_read(caller, &record);
            }
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// Bodies are JSON by name: a page of another site can make a browser send anything else with the officer's certificate, not this.
fn json_only(request: &Request) -> Result<(), Problem> {
    if request.method() != Method::POST {
        return Ok(());
    }
    let kind = request.headers().get(header::CONTENT_TYPE);
    let kind = kind.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim() == "application/json")
    {
        return Ok(());
    }
    Err(Problem::with_status(
        axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "CONTENT_TYPE",
        "send the body as application/json",
    ))
}

impl Console {
    /// Records a sign-in, with what a passkey that counts has counted.
    pub(crate) fn signed_in(&self, officer: OfficerId, key: Digest, counter: Option<u32>) {
        let now = self.clocks.real.now();
        if let Some(count) = self.refusals.count(officer, SIGNED_IN, SIGN_INS, now) {
            let event = OfficerSignedIn {
                count,
                counter,
                key,
                officer,
            };
            self.tell_of(officer, event);
        }
    }

    /// Counts a record that was read; the first of a minute is an entry at once, the others are one when the minute is over.
    fn has_read(&self, caller: Caller, record: &str) {
        let now = self.clocks.real.now();
        for event in self.reads.count(caller.officer, caller.key, record, now) {
            self.tell_of(event.officer, event);
        }
    }

    /// Records the reads whose minute is over; without a time, all of them.
    pub(crate) fn tell_reads(&self, now: Option<Timestamp>) {
        for event in self.reads.over(now) {
            self.tell_of(event.officer, event);
        }
    }

    /// Records what an officer did without the officer waiting for it: nothing is decided by it.
    fn tell_of(&self, officer: OfficerId, event: impl Record + Send + 'static) {
        let kind = event.kind();
        let told = self
            .writer
            .tell(Append::next(event, self.clocks.real.now()), move |answer| {
                if let Err(error) = answer {
                    tracing::error!(%officer, kind, %error, "what an officer did was not recorded");
                }
            });
        if let Err(refused) = told {
            tracing::error!(%officer, kind, error = %refused, "what an officer did was not recorded");
        }
    }
}

impl Gate {
    async fn caller(&self, peer: Option<&Peer>, signed_in: Option<SignedIn>) -> Result<Caller, Problem> {
        let certificate = peer.and_then(|peer| peer.certificate.as_ref());
        let key = match (signed_in, certificate) {
            (Some(SignedIn(caller)), _) => caller.key,
            (None, Some(certificate)) => spki_of(certificate).map(|spki| Digest::of(&spki)).unwrap_or_default(),
            (None, None) => {
                return Err(Problem::unknown(
                    "CERTIFICATE_MISSING",
                    "present an officer's certificate of this house in the TLS handshake; without one, enrol with POST /v1/officers/enrol and the one-time token",
                ));
            }
        };
        let (found, former) = {
            let view = self.console.view().await?;
            let found = view.register.officer_of_key(&key);
            let found = found.map(|officer| (*officer.id(), self.opens(officer.roles())));
            let former = view.register.officer_of_any_key(&key);
            (found, former.map(|officer| *officer.id()))
        };
        match (found, former) {
            (Some((officer, true)), _) => {
                self.signed_in(peer, officer, key);
                Ok(Caller { officer, key })
            }
            (Some((officer, false)), _) => {
                let detail = format!(
                    "{officer} has none of the roles that may do this: {}",
                    words(self.route.roles)
                );
                self.refuse(peer, Some(officer), Problem::forbidden("ROLE_MISSING", &detail))
                    .await
            }
            (None, former) => {
                let detail = "this certificate or passkey is not a current one of an officer in office";
                self.refuse(peer, former, Problem::forbidden("NOT_IN_OFFICE", detail))
                    .await
            }
        }
    }

    fn opens(&self, roles: &[Role]) -> bool {
        self.route.roles.is_empty() || self.route.roles.iter().any(|role| roles.contains(role))
    }

    /// The first request of a connection that is let in is a sign-in; a browser's session recorded its own when it began.
    fn signed_in(&self, peer: Option<&Peer>, officer: OfficerId, key: Digest) {
        if peer.is_some_and(Peer::is_new) {
            self.console.signed_in(officer, key, None);
        }
    }

    async fn refuse(
        &self,
        peer: Option<&Peer>,
        officer: Option<OfficerId>,
        problem: Problem,
    ) -> Result<Caller, Problem> {
        let (console, code) = (&self.console, problem.code());
        let act = format!("{} {}", self.route.method, self.route.path);
        tracing::warn!(?officer, code, act, address = ?peer.map(|peer| peer.address), "an officer's act is refused");
        let now = console.clocks.real.now();
        if let Some(officer) = officer
            && let Some(count) = console.refusals.count(officer, code, REFUSALS, now)
        {
            let event = OfficerRefused {
                act,
                code: code.to_owned(),
                count,
                officer,
            };
            // The refusal stands whether or not it could be recorded.
            drop(console.report(Draft::new(event, now), None).await);
        }
        Err(problem)
    }
}

pub(crate) fn words(roles: &[Role]) -> String {
    let word = |role: &Role| format!("{role:?}").to_ascii_lowercase();
    roles.iter().map(word).collect::<Vec<_>>().join(", ")
}
