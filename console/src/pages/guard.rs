//! What stands before every page: the policy of the browser, the origin of a form, the session.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    Pages,
    client::{Client, segment},
    render,
};
use crate::listener::Peer;

/// Only files of this house, no frames, forms to this house alone (W3C Content Security Policy, level 3).
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // Not "no-referrer": browsers then send forms with the origin "null".
    (header::REFERRER_POLICY, "same-origin"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "publickey-credentials-create=(self), publickey-credentials-get=(self), camera=(), microphone=(), geolocation=()",
    ),
];

/// Sets what every answer carries.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let set = response.headers_mut();
    for (name, value) in HEADERS {
        set.insert(name, HeaderValue::from_static(value));
    }
    set.entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// A form counts when a page of this origin sent it. `SameSite=Strict` keeps the session from others already; sign-ins have none yet.
pub(super) async fn same_origin(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let own = own_form(request.headers(), &pages.console.config.party.origin);
    if own {
        return next.run(request).await;
    }
    let text = format!(
        "This form was not sent by a page of {}. Open the console there and send it again.",
        pages.console.config.party.origin
    );
    render::told(StatusCode::FORBIDDEN, "Nothing was done", &text)
}

fn own_form(headers: &HeaderMap, origin: &str) -> bool {
    let said = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let site = said(HeaderName::from_static("sec-fetch-site"));
    said(header::ORIGIN) == Some(origin) && site.is_none_or(|site| site == "same-origin")
}

/// Lets an officer's living session through, and hands on its way to the API.
pub(super) async fn signed_in(State(pages): State<Pages>, mut request: Request, next: Next) -> Response {
    let console = &pages.console;
    let now = console.clocks.real.now();
    let address = address(&request);
    let session = address.and_then(|address| console.sessions.find(request.headers(), address, now));
    let session = match (session, console.view().await) {
        (Some(session), Ok(view)) => {
            let officer = view.register.officer(&session.caller.officer);
            // Whoever left, or lost the key, is out at once.
            officer
                .filter(|officer| officer.holds(&session.caller.key))
                .map(|_| session)
        }
        (None, Ok(_)) => None,
        (_, Err(_)) => {
            let text = "The ledger cannot be read now. Orders and halts go on without this console; try again in a few seconds.";
            return render::told(StatusCode::SERVICE_UNAVAILABLE, "The ledger cannot be read", text);
        }
    };
    let Some(session) = session else {
        console.sessions.end(request.headers());
        let wanted = request.uri().path();
        return Redirect::to(&format!("/sign-in?next={}", segment(wanted))).into_response();
    };
    let api = pages.api.clone();
    request.extensions_mut().insert(session);
    request.extensions_mut().insert(Client { api, session });
    next.run(request).await
}

pub(super) fn address(request: &Request) -> Option<std::net::IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.address.ip())
}

/// A page is answered within its bound; the stream of changes is not one.
pub(super) async fn in_time(State(bound): State<Duration>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(bound, next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let text = format!(
            "The request was not complete and answered within {} s.",
            bound.as_secs()
        );
        render::told(StatusCode::REQUEST_TIMEOUT, "Too slow", &text)
    })
}
