//! What bots call: orders, cancels, reads and events over HTTP/1.1 and HTTP/2.

mod amend;
pub(crate) mod binance;
mod chain;
mod events;
mod exposure;
mod kraken;
pub mod nonces;
pub mod orders;
pub mod problem;
pub mod proof;
mod reads;
mod standing;
mod stream;

pub use kraken::fuzz_kraken_form;
pub use stream::message::fuzz_stream_message;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use gateway_policy::Code;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::{Gateway, Venues},
    listener::accept::{self, Bounds, Opened, Peer, Service, Upgrades},
    metrics::Metrics,
    session::{Inspected, Session},
};

/// How long a connection that is only told what it lacks may stay.
const HINT_TIME: Duration = Duration::from_secs(5);

/// What handlers share: the gateway with this runtime's own connections to venues.
pub(crate) struct Side {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) venues: Arc<Venues>,
    rules: binance::Rules,
}

impl Side {
    pub(crate) fn new(gateway: Arc<Gateway>, venues: Arc<Venues>) -> Self {
        Self {
            gateway,
            venues,
            rules: binance::Rules::default(),
        }
    }
}

/// The bots' side of one runtime.
pub struct Bots {
    side: Arc<Side>,
    inspected: Arc<Inspected>,
    routes: Router,
}

impl Bots {
    /// The bots' side; `inspected` is shared with the listener's verifier.
    #[must_use]
    pub fn new(gateway: Arc<Gateway>, venues: Arc<Venues>, inspected: Arc<Inspected>) -> Arc<Self> {
        let side = Arc::new(Side::new(gateway, venues));
        Arc::new(Self {
            routes: routes(side.clone()),
            side,
            inspected,
        })
    }
}

fn routes(side: Arc<Side>) -> Router {
    Router::new()
        .route(
            "/v1/orders",
            post(orders::post).delete(orders::delete_all).get(reads::orders),
        )
        .route(
            "/v1/orders/{client_order_id}",
            get(reads::order).delete(orders::delete_one),
        )
        .route("/v1/fills", get(reads::fills))
        .route("/v1/positions", get(reads::positions))
        .route("/v1/me", get(reads::me))
        .route("/v1/events", get(events::events))
        .route("/v1/stream", get(stream::open))
        .merge(binance::routes())
        .merge(kraken::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_path)
        .with_state(side)
}

async fn unknown_path() -> Response {
    let detail = "this gateway answers POST, GET and DELETE /v1/orders, GET and DELETE /v1/orders/{client_order_id}, \
                  GET /v1/fills, /v1/positions, /v1/me, /v1/events and /v1/stream; nothing else is passed on";
    orders::problem(Code::PathUnknown, detail).into_response()
}

async fn certificate_required() -> Response {
    let detail = "this listener needs the bot's own client certificate (TLS 1.3, mutual); none was presented. Enrol with \
                  `mandatum agent enrol`, then configure certificate and key in your client";
    orders::problem(Code::CertificateRequired, detail).into_response()
}

async fn too_many_connections() -> Response {
    let detail = "this agent holds as many connections as it may; reuse one (keep-alive, HTTP/2)";
    orders::problem(Code::RateMessages, detail)
        .retry_after_s(1)
        .into_response()
}

impl Bots {
    /// Opens a connection; the guard in the answer lives as long as it does.
    pub fn open(&self, peer: Peer) -> Opened {
        let hint = |router: Router| Opened {
            router,
            closing: CancellationToken::new(),
            longest: Some(HINT_TIME),
            upgrades: Upgrades::default(),
            guard: Box::new(()),
        };
        let Some(certificate) = peer.certificates.first().and_then(|leaf| self.inspected.of(leaf)) else {
            return hint(Router::new().fallback(certificate_required));
        };
        let Some((session, registered)) = Session::register(&self.side.gateway, certificate, peer.address) else {
            return hint(Router::new().fallback(too_many_connections));
        };
        let closing = registered.closing.clone();
        let upgrades = Upgrades::default();
        let link = stream::Link {
            closing: closing.clone(),
            upgrades: upgrades.clone(),
        };
        Opened {
            router: self.routes.clone().layer(Extension(session)).layer(Extension(link)),
            closing,
            upgrades,
            longest: None,
            guard: Box::new(registered),
        }
    }
}

impl Service for Bots {
    async fn serve(
        self: &Arc<Self>,
        stream: TlsStream<TcpStream>,
        peer: Peer,
        bounds: Bounds,
        stop: CancellationToken,
    ) {
        accept::answer(stream, self.open(peer), bounds, stop).await;
    }

    fn failed(&self, address: SocketAddr, why: &str) {
        failed_handshake(&self.side.gateway, address, why);
    }
}

/// Counts a connection that did not reach a request.
pub(crate) fn failed_handshake(gateway: &Gateway, address: SocketAddr, why: &str) {
    Metrics::count(&gateway.metrics.failed_handshakes);
    tracing::info!(%address, why, "a connection did not reach a request");
}
