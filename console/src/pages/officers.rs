//! Officers and their passkeys: who is in office, inviting another, a further passkey of one's own.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_core::events::PasskeyAdded;
use extensions::{ApprovalDecision, ApprovalRecord, Base64, Digest, OfficerId, passkey::Assertion};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Pages, Session,
    agents::After,
    client::{Client, Refusal, segment, status_of},
    forms::Fields,
    proposals,
    render::{self, Frame, When, page_with},
    signing::Question,
};
use crate::{
    counters::Counted,
    passkeys::{Purpose, Registration},
    problem::Problem,
    record::Draft,
};

/// Officers of one page: each has a form.
const ROWS: usize = 40;

#[derive(Debug, Deserialize)]
struct Officer {
    officer: String,
    roles: Vec<String>,
    in_office: bool,
}

#[derive(Deserialize)]
struct Officers {
    next: Option<String>,
    officers: Vec<Officer>,
}

#[derive(Template)]
#[template(path = "officers.html")]
struct List<'a> {
    frame: Frame,
    officers: Vec<Officer>,
    next: Option<String>,
    typed: &'a Fields,
    fault: &'a str,
    /// A token that was made just now; shown once, with the address of what must be signed for it.
    token: Option<(String, String)>,
    origin: String,
}

impl List<'_> {
    fn is_me(&self, officer: &str) -> bool {
        self.frame.officer.is_some_and(|me| me.as_str() == officer)
    }

    fn chosen(&self, role: &str) -> bool {
        self.typed.all("roles").any(|one| one == role)
    }
}

async fn listed(
    pages: &Pages,
    session: &Session,
    client: &Client,
    after: &After,
    typed: &Fields,
    failed: Option<&Refusal>,
    token: Option<(String, String)>,
) -> Response {
    match client.get::<Officers>(&after.rows("/v1/officers", ROWS)).await {
        Ok(Officers { next, officers }) => {
            let list = List {
                frame: Frame::of(session),
                officers,
                next,
                typed,
                fault: failed.map_or("", |refusal| &refusal.detail),
                token,
                origin: pages.console.config.party.origin.clone(),
            };
            page_with(failed.map_or(StatusCode::OK, status_of), &list)
        }
        Err(refusal) => render::refused(session, &refusal),
    }
}

pub(super) async fn list(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    Query(after): Query<After>,
) -> Response {
    listed(&pages, &session, &client, &after, &Fields::default(), None, None).await
}

pub(super) async fn invite(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    Extension(client): Extension<Client>,
    fields: Fields,
) -> Response {
    let first = After::default();
    if fields.of("act") == "remove" {
        let path = format!("/v1/officers/{}/remove", segment(fields.of("officer")));
        let done = client.post(&path, &json!({"reason": fields.of("reason")})).await;
        return listed(
            &pages,
            &session,
            &client,
            &first,
            &Fields::default(),
            done.err().as_ref(),
            None,
        )
        .await;
    }
    let body = json!({"officer": fields.of("officer"), "roles": fields.all("roles").collect::<Vec<_>>()});
    match client.post("/v1/officers", &body).await {
        Ok(made) => {
            let secret = made.get("token").and_then(Value::as_str).unwrap_or_default().to_owned();
            let token = Some((secret, proposals::address(&made)));
            listed(&pages, &session, &client, &first, &Fields::default(), None, token).await
        }
        Err(refusal) => listed(&pages, &session, &client, &first, &fields, Some(&refusal), None).await,
    }
}

struct Held {
    key: Digest,
    added_at: When,
    in_use: bool,
}

#[derive(Template)]
#[template(path = "passkeys.html")]
struct Passkeys<'a> {
    frame: Frame,
    officer: OfficerId,
    held: Vec<Held>,
    challenge: Digest,
    party: String,
    credentials: String,
    fault: &'a str,
    /// A new passkey that waits for the officer's own signature.
    question: Option<(Question, Digest)>,
}

async fn own(
    pages: &Pages,
    session: &Session,
    status: StatusCode,
    fault: &str,
    question: Option<(Question, Digest)>,
) -> Response {
    let console = &pages.console;
    let officer = session.caller.officer;
    let held = match console.view().await {
        Ok(view) => {
            let passkeys = view
                .register
                .officer(&officer)
                .into_iter()
                .flat_map(|one| one.passkeys());
            let held = passkeys.map(|passkey| Held {
                key: passkey.key,
                added_at: When::of(passkey.added_at),
                in_use: passkey.key == session.caller.key,
            });
            held.collect()
        }
        Err(_) => Vec::new(),
    };
    let now = console.clocks.real.now();
    let template = Passkeys {
        frame: Frame::of(session),
        officer,
        held,
        challenge: console.challenges.draw(Purpose::Further(officer), now),
        party: console.config.party.id.clone(),
        credentials: pages.credentials_of(session).await,
        fault,
        question,
    };
    page_with(status, &template)
}

pub(super) async fn passkeys(State(pages): State<Pages>, Extension(session): Extension<Session>) -> Response {
    own(&pages, &session, StatusCode::OK, "", None).await
}

/// The browser made a further passkey; a signature with one that counts already is asked for.
pub(super) async fn further(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    fields: Fields,
) -> Response {
    let console = &pages.console;
    let (officer, now) = (session.caller.officer, console.clocks.real.now());
    let challenge = fields.digest("challenge").unwrap_or_default();
    if console.challenges.spend(&challenge, now) != Some(Purpose::Further(officer)) {
        let fault = "The question was answered already or is older than five minutes; try again.";
        return own(&pages, &session, StatusCode::FORBIDDEN, fault, None).await;
    }
    let registration = match pages.registration(&fields, &challenge) {
        Ok(registration) => registration,
        Err(fault) => return own(&pages, &session, StatusCode::BAD_REQUEST, &fault, None).await,
    };
    let event = pages.added(officer, &registration, None);
    let nonce = console.challenges.draw(Purpose::Authorise(officer, registration), now);
    let document = event.document_value();
    let question = Question::of(
        &pages,
        &session,
        nonce.to_string(),
        event.document().to_string(),
        &document,
    )
    .await;
    own(&pages, &session, StatusCode::OK, "", Some((question, nonce))).await
}

/// The officer's own signature under it.
pub(super) async fn add(
    State(pages): State<Pages>,
    Extension(session): Extension<Session>,
    fields: Fields,
) -> Response {
    match pages.add_passkey(&session, &fields).await {
        Ok(()) => Redirect::to("/passkeys").into_response(),
        Err(problem) => own(&pages, &session, StatusCode::FORBIDDEN, problem.detail(), None).await,
    }
}

impl Pages {
    fn added(
        &self,
        officer: OfficerId,
        registration: &Registration,
        authorised_by: Option<ApprovalRecord>,
    ) -> PasskeyAdded {
        PasskeyAdded {
            attestation: Base64(registration.attestation.clone()),
            authorised_by,
            credential: Base64(registration.credential.clone()),
            name: None,
            officer,
            party: self.console.config.party.clone(),
            sealed: Vec::new(),
            spki: Base64(registration.spki.clone()),
            token: None,
        }
    }

    async fn add_passkey(&self, session: &Session, fields: &Fields) -> Result<(), Problem> {
        let console = &self.console;
        let (caller, now) = (session.caller, console.clocks.real.now());
        let unread = || Problem::bad("BODY", "the answer does not read; begin again");
        let nonce = fields.digest("nonce").ok_or_else(unread)?;
        let Some(Purpose::Authorise(officer, registration)) = console.challenges.spend(&nonce, now) else {
            let detail = "the question was answered already or is older than five minutes; begin again";
            return Err(Problem::conflict("NONCE", detail));
        };
        let bytes = |name| STANDARD.decode(fields.of(name)).map(Base64).map_err(|_| unread());
        let record = ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document: self.added(officer, &registration, None).document(),
            key: self
                .key_of(session, fields.of("credential"))
                .await
                .unwrap_or(caller.key),
            nonce,
            officer: caller.officer,
            passkey: Some(Assertion {
                authenticator_data: bytes("authenticator_data")?,
                client_data: bytes("client_data")?,
            }),
            signature: bytes("signature")?,
        };
        let spki = Digest::of(&registration.spki);
        let event = self.added(officer, &registration, Some(record.clone()));
        let mut counted = Counted::default();
        let admitted = console.widen(|view| {
            let found = view
                .register
                .officer(&officer)
                .filter(|one| one.id() == &caller.officer && one.holds(&record.key));
            let found =
                found.ok_or_else(|| Problem::forbidden("NOT_IN_OFFICE", "this passkey does not sign for you now"))?;
            let signed = found.signed(&record);
            signed.map_err(|fault| Problem::forbidden("SIGNATURE_REFUSED", &fault.to_string()))?;
            let may_add = view.register.may_add_passkey(&officer, &spki, &registration.credential);
            may_add.map_err(|refused| Problem::conflict("PASSKEY_REFUSED", &refused.to_string()))?;
            counted.hold(console, &view.register, &record, "officer.passkey_added")?;
            Ok(Draft::new(event.clone(), now))
        });
        let admitted = admitted.await;
        counted.told(console, admitted).await.map(drop)
    }
}
