//! Signing in with a passkey or an officer's certificate, joining with a one-time token, signing out.

use askama::Template;
use axum::{
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_core::{certificate::spki_of, events::PasskeyAdded};
use extensions::{Base64, Digest, OfficerId, passkey::Assertion};
use serde::Deserialize;

use super::{
    Pages,
    forms::Fields,
    guard::address,
    render::{Frame, page, page_with},
    session,
};
use crate::{
    access::Caller,
    counters::Doubt,
    listener::Peer,
    passkeys::{self, Purpose},
    problem::Problem,
    record::{Draft, seal},
};

#[derive(Deserialize)]
pub(super) struct Wanted {
    #[serde(default)]
    next: String,
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn {
    frame: Frame,
    challenge: Digest,
    party: String,
    next: String,
    /// The officer of the certificate that this connection presented.
    certified: Option<OfficerId>,
    fault: String,
}

impl Pages {
    async fn sign_in_page(&self, status: StatusCode, certified: Option<Caller>, next: &str, fault: &str) -> Response {
        let now = self.console.clocks.real.now();
        let template = SignIn {
            frame: Frame::nobody(),
            challenge: self.console.challenges.draw(Purpose::SignIn, now),
            party: self.console.config.party.id.clone(),
            next: own_path(next).to_owned(),
            certified: certified.map(|caller| caller.officer),
            fault: fault.to_owned(),
        };
        page_with(status, &template)
    }

    /// The officer of a certificate that the connection presented.
    async fn certified(&self, peer: Option<&Peer>) -> Option<Caller> {
        let spki = spki_of(peer?.certificate.as_ref()?)?;
        let key = Digest::of(&spki);
        let view = self.console.view().await.ok()?;
        let officer = view.register.officer_of_key(&key)?;
        Some(Caller {
            officer: *officer.id(),
            key,
        })
    }

    /// `counter`: what the passkey that answered has counted; none of a certificate, or of a passkey that was made just now.
    fn begin(&self, caller: Caller, counter: Option<u32>, address: Option<std::net::IpAddr>, next: &str) -> Response {
        let Some(address) = address else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let now = self.console.clocks.real.now();
        let id = self.console.sessions.begin(caller, address, now);
        tracing::info!(officer = %caller.officer, %address, "an officer signed in");
        self.console.signed_in(caller.officer, caller.key, counter);
        with_cookie(Redirect::to(own_path(next)).into_response(), &session::set(&id))
    }
}

/// Only addresses of this house are gone on to.
fn own_path(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r']);
    if own && next.len() <= 512 { next } else { "/" }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

pub(super) async fn ask(State(pages): State<Pages>, Query(wanted): Query<Wanted>, request: Request) -> Response {
    let certified = pages.certified(request.extensions().get::<Peer>()).await;
    pages.sign_in_page(StatusCode::OK, certified, &wanted.next, "").await
}

pub(super) async fn answer(State(pages): State<Pages>, request: Request) -> Response {
    let (address, headers) = (address(&request), request.headers().clone());
    let fields = match read(request).await {
        Ok(fields) => fields,
        Err(response) => return response,
    };
    match pages.checked(&fields).await {
        Ok((caller, counter)) => {
            pages.console.sessions.end(&headers);
            let counter = Some(counter).filter(|counter| *counter > 0);
            pages.begin(caller, counter, address, fields.of("next"))
        }
        Err(fault) => {
            tracing::warn!(fault = fault.detail(), ?address, "a sign-in is refused");
            pages
                .sign_in_page(StatusCode::FORBIDDEN, None, fields.of("next"), fault.detail())
                .await
        }
    }
}

async fn read(request: Request) -> Result<Fields, Response> {
    <Fields as axum::extract::FromRequest<()>>::from_request(request, &()).await
}

impl Pages {
    /// Whose passkey answered, and rightly; and what it has counted.
    async fn checked(&self, fields: &Fields) -> Result<(Caller, u32), Problem> {
        let refused = |fault: &str| Problem::forbidden("SIGN_IN", fault);
        match self.answered(fields).await.map_err(refused)? {
            (_, _, Some(doubt)) => Err(self.console.doubted(doubt).await),
            (caller, counter, None) => Ok((caller, counter)),
        }
    }

    async fn answered(&self, fields: &Fields) -> Result<(Caller, u32, Option<Doubt>), &'static str> {
        let now = self.console.clocks.real.now();
        let challenge = fields
            .digest("challenge")
            .ok_or("The answer does not read; try again.")?;
        let purpose = self.console.challenges.spend(&challenge, now);
        if purpose != Some(Purpose::SignIn) {
            return Err("The question was answered already or is older than five minutes; try again.");
        }
        let bytes = |name| {
            STANDARD
                .decode(fields.of(name))
                .map_err(|_| "The answer does not read; try again.")
        };
        let view = self
            .console
            .view()
            .await
            .map_err(|_| "The ledger cannot be read now; try again.")?;
        let found = view.register.passkey_of_credential(&bytes("credential")?);
        let (officer, passkey) = found.ok_or("This passkey is not one of an officer in office.")?;
        let assertion = Assertion {
            authenticator_data: Base64(bytes("authenticator_data")?),
            client_data: Base64(bytes("client_data")?),
        };
        let signature = bytes("signature")?;
        let checked = assertion.check(&challenge.0, &passkey.party, &passkey.spki, &signature);
        checked.map_err(|fault| {
            tracing::warn!(officer = %officer.id(), %fault, "a passkey's answer is refused");
            "The passkey's answer does not hold; try again."
        })?;
        if passkey.party != self.console.config.party {
            return Err("This passkey was made for another address of the console.");
        }
        let doubt = self
            .console
            .counter_goes_on(officer, &passkey.key, &assertion, "sign in");
        let caller = Caller {
            officer: *officer.id(),
            key: passkey.key,
        };
        Ok((caller, assertion.counter(), doubt.err()))
    }
}

/// An officer's certificate is the other way in.
pub(super) async fn certificate(State(pages): State<Pages>, request: Request) -> Response {
    let address = address(&request);
    match pages.certified(request.extensions().get::<Peer>()).await {
        Some(caller) => pages.begin(caller, None, address, "/"),
        None => {
            let fault = "This connection presented no certificate of an officer in office.";
            pages.sign_in_page(StatusCode::FORBIDDEN, None, "/", fault).await
        }
    }
}

pub(super) async fn out(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    pages.console.sessions.end(&headers);
    with_cookie(Redirect::to("/sign-in").into_response(), &session::clear())
}

#[derive(Template)]
#[template(path = "join.html")]
struct Join {
    frame: Frame,
    name: String,
    fault: String,
}

#[derive(Template)]
#[template(path = "join_passkey.html")]
struct JoinPasskey {
    frame: Frame,
    officer: OfficerId,
    roles: String,
    challenge: Digest,
    party: String,
}

/// The one-time link leads here; its token stands behind the `#`, which no browser sends.
pub(super) async fn join() -> Response {
    page(&Join {
        frame: Frame::nobody(),
        name: String::new(),
        fault: String::new(),
    })
}

fn join_again(name: &str, fault: &str) -> Response {
    let (name, fault) = (name.to_owned(), fault.to_owned());
    page_with(
        StatusCode::BAD_REQUEST,
        &Join {
            frame: Frame::nobody(),
            name,
            fault,
        },
    )
}

/// The token is known and free: now the browser is asked for a passkey.
pub(super) async fn token(State(pages): State<Pages>, fields: Fields) -> Response {
    let (token, name) = (Digest::of(fields.of("secret").as_bytes()), fields.of("name").to_owned());
    let now = pages.console.clocks.real.now();
    let Ok(view) = pages.console.view().await else {
        return join_again(&name, "The ledger cannot be read now; try again.");
    };
    let found = view.register.officer_token(&token);
    if let Some(waits) = found.filter(|one| !one.used && now < one.use_from) {
        let fault = format!(
            "{} has held office before: this token works from {} on, a day after two officers signed it.",
            waits.officer, waits.use_from
        );
        return join_again(&name, &fault);
    }
    let Some(found) = found.filter(|one| one.is_free(now)) else {
        let fault = "This one-time token is not known, was used, or is too old: ask an administrator for another.";
        return join_again(&name, fault);
    };
    if let Err(problem) = seal(format!("officer:{}", found.officer), "name", &name) {
        return join_again(&name, problem.detail());
    }
    let (officer, roles) = (found.officer, found.roles.clone());
    drop(view);
    page(&JoinPasskey {
        frame: Frame::nobody(),
        officer,
        roles: crate::access::words(&roles),
        challenge: pages.console.challenges.draw(Purpose::Join { token, name }, now),
        party: pages.console.config.party.id.clone(),
    })
}

/// The browser's passkey: the token is used, and the officer in office.
pub(super) async fn joined(State(pages): State<Pages>, request: Request) -> Response {
    let address = address(&request);
    let fields = match read(request).await {
        Ok(fields) => fields,
        Err(response) => return response,
    };
    let now = pages.console.clocks.real.now();
    let challenge = fields.digest("challenge").unwrap_or_default();
    let Some(Purpose::Join { token, name }) = pages.console.challenges.spend(&challenge, now) else {
        return join_again(
            "",
            "The question was answered already or is older than five minutes: begin again.",
        );
    };
    let registration = match pages.registration(&fields, &challenge) {
        Ok(registration) => registration,
        Err(fault) => return join_again(&name, &fault),
    };
    match pages.first_passkey(token, &name, &registration).await {
        Ok(caller) => pages.begin(caller, None, address, "/passkeys"),
        Err(problem) => join_again(&name, problem.detail()),
    }
}

impl Pages {
    /// What the browser made, held to our question.
    pub(super) fn registration(&self, fields: &Fields, challenge: &Digest) -> Result<passkeys::Registration, String> {
        let bytes = |name| {
            STANDARD
                .decode(fields.of(name))
                .map_err(|_| format!("{name} does not read"))
        };
        let (client_data, attestation) = (bytes("client_data")?, bytes("attestation")?);
        passkeys::read(&client_data, &attestation, &challenge.0, &self.console.config.party)
    }

    async fn first_passkey(
        &self,
        token: Digest,
        name: &str,
        registration: &passkeys::Registration,
    ) -> Result<Caller, Problem> {
        let console = &self.console;
        let key = Digest::of(&registration.spki);
        let mut officer = None;
        let recorded = console
            .widen(|view| {
                let now = console.clocks.real.now();
                let found = view.register.officer_token(&token);
                let free = found.filter(|one| one.is_free(now));
                let free =
                    free.ok_or_else(|| Problem::unknown("TOKEN_UNKNOWN", "this one-time token was used meanwhile"))?;
                let may_add = view
                    .register
                    .may_add_passkey(&free.officer, &key, &registration.credential);
                may_add.map_err(|refused| Problem::forbidden("PASSKEY_REFUSED", &refused.to_string()))?;
                officer = Some(free.officer);
                let name = seal(format!("officer:{}", free.officer), "name", name)?;
                Ok(Draft::new(
                    PasskeyAdded {
                        attestation: Base64(registration.attestation.clone()),
                        authorised_by: None,
                        credential: Base64(registration.credential.clone()),
                        name: Some(name.commitment()),
                        officer: free.officer,
                        party: console.config.party.clone(),
                        sealed: vec![name],
                        spki: Base64(registration.spki.clone()),
                        token: Some(token),
                    },
                    now,
                ))
            })
            .await?;
        tracing::info!(position = recorded.position(), "an officer joined with a passkey");
        let officer = officer.ok_or_else(|| Problem::unavailable("the ledger took nothing in"))?;
        Ok(Caller { officer, key })
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    /// Control tried: without the look at `//`, a link to another site is followed after signing in.
    #[test]
    fn nothing_is_gone_on_to_but_this_house() {
        for (next, gone) in [
            ("/agents", "/agents"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil", "/"),
            ("", "/"),
        ] {
            assert_eq!(own_path(next), gone);
        }
    }
}
