//! Pages for officers: rendered here, read and changed through the API alone ([`client`]).
//!
//! Without JavaScript every page reads and every form but a passkey's works. Scripts are files of this house under a strict policy;
//! nothing is inline, nothing comes from elsewhere, and nothing changes by a GET.

mod activity;
mod agents;
mod applications;
mod assets;
mod baselines;
mod client;
mod documents;
mod entries;
mod forms;
mod guard;
mod incidents;
mod live;
mod narrowing;
mod officers;
mod plot;
mod proposals;
mod questions;
mod render;
mod session;
mod sign_in;
mod signing;
mod subscriptions;
mod warnings;
mod webhooks;
mod week;
mod whatif;

pub(crate) use session::{Session, Sessions};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};

use crate::{Console, LARGEST_BODY, api};

/// What the pages share.
#[derive(Clone)]
pub(crate) struct Pages {
    console: Console,
    api: Router,
}

/// All pages.
pub(crate) fn router(console: &Console) -> Router {
    let pages = Pages {
        console: console.clone(),
        api: api::router(console),
    };
    Router::new()
        .route("/", get(agents::overview))
        .route("/agents", get(agents::list))
        .route("/agents/new", get(agents::form).post(agents::register))
        .route("/agents/{agent}", get(agents::show).post(agents::act))
        .route("/agents/{agent}/orders", get(activity::list))
        .route("/agents/{agent}/baselines", get(baselines::show).post(baselines::act))
        .route("/agents/{agent}/token", post(applications::token))
        .route("/applications", get(applications::list))
        .route("/applications/new", get(applications::form).post(applications::submit))
        .route("/applications/read", post(documents::read))
        .route("/applications/{mandate}/narrow", post(narrowing::narrow))
        .route(
            "/applications/{mandate}/questions",
            get(questions::show).post(narrowing::ask),
        )
        .route("/applications/{mandate}/whatif", get(whatif::show))
        .route(
            "/applications/{mandate}",
            get(applications::show).post(applications::sign),
        )
        .route("/proposals", get(proposals::list))
        .route(
            "/proposals/{officer}/{number}",
            get(proposals::show).post(proposals::sign),
        )
        .route("/incidents", get(incidents::list))
        .route("/incidents/{incident}", get(incidents::show).post(incidents::act))
        .route("/warnings/{agent}", get(warnings::show).post(warnings::answer))
        .route("/officers", get(officers::list).post(officers::invite))
        .route("/passkeys", get(officers::passkeys).post(officers::further))
        .route("/passkeys/add", post(officers::add))
        .route("/entries", get(entries::find))
        .route("/entries/{position}", get(entries::show))
        .route("/entries/{position}/entry.json", get(entries::bytes))
        .route("/entries/{position}/receipt.json", get(entries::receipt))
        .route("/webhooks", get(webhooks::list).post(webhooks::act))
        .route("/webhooks/new", get(subscriptions::form).post(subscriptions::add))
        .route("/webhooks/{webhook}", get(subscriptions::show).post(subscriptions::act))
        .route("/live", get(live::changes))
        .route_layer(middleware::from_fn_with_state(pages.clone(), guard::signed_in))
        .route("/sign-in", get(sign_in::ask).post(sign_in::answer))
        .route("/sign-in/certificate", post(sign_in::certificate))
        .route("/sign-out", post(sign_in::out))
        .route("/join", get(sign_in::join).post(sign_in::token))
        .route("/join/passkey", post(sign_in::joined))
        .route("/assets/{name}", get(assets::file))
        .route_layer(middleware::from_fn_with_state(pages.clone(), guard::same_origin))
        .route_layer(middleware::from_fn(guard::headers))
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(
            console.config.officers.request,
            guard::in_time,
        ))
        .with_state(pages)
}
