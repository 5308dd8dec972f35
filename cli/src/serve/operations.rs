//! The operations listener: `/healthz`, `/readyz` with reasons, `/metrics`. Plain HTTP on loopback, without authentication.

use std::{convert::Infallible, fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use extensions::Clock;
use gateway_policy::View;
use gateway_service::gateway::Gateway;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Bytes, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use ledger::Ledger;
use revocation_service::StatusState;
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Listeners, Published, expiries::Expiries, seconds_until};

/// The most connections at a time.
const MOST_CONNECTIONS: usize = 64;
/// A request's head must be there within this.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// A connection is closed after this.
const CONNECTION_TIME: Duration = Duration::from_secs(60);
/// An alarm is raised when the CRL's end is nearer than this.
const CRL_ALARM_SECONDS: i64 = 3_600;
/// The figure of CAs' and listeners' certificates.
const HOUSE_CERTIFICATE: &str = "mandatum_house_certificate_expires_seconds";

/// What readiness and figures are read from.
pub struct Readiness {
    pub(super) gateway: Arc<Gateway>,
    pub(super) ledger: Ledger,
    pub(super) state: Arc<StatusState>,
    pub(super) expiries: tokio::sync::Mutex<Expiries>,
    pub(super) listeners: Arc<Listeners>,
    pub(super) published: Arc<Published>,
    pub(super) real: Arc<dyn Clock>,
    pub(super) stopping: CancellationToken,
}

impl Readiness {
    /// Why orders cannot be taken; empty when they can.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.stopping.is_cancelled() {
            reasons.push("stopping".to_owned());
        }
        if let Some(why) = self.ledger.closed() {
            reasons.push(format!("the ledger closed itself: {why}; restart to recover"));
        }
        if self.gateway.view() != View::Fresh {
            reasons.push("the gateway's view of the ledger is older than its lease; orders are refused".to_owned());
        }
        for (counterparty, prices) in &self.gateway.prices {
            if prices.is_empty() {
                reasons.push(format!("venue {counterparty} has given no reference price yet"));
            }
        }
        reasons
    }

    /// The figures in Prometheus' text form.
    #[must_use]
    pub async fn metrics(&self) -> String {
        let mut text = self.gateway.metrics.render(self.gateway.settings.id.as_str());
        let now = self.real.now();
        let head = self.ledger.head();
        let health = self.state.health(now, CRL_ALARM_SECONDS);
        let first = self.expiries.lock().await.first_after(&self.ledger, now).await;
        let mut gauge = |name: &str, help: &str, value: i64| {
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
        };
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        gauge(
            "mandatum_ready",
            "1 when orders are taken.",
            i64::from(self.reasons().is_empty()),
        );
        gauge(
            "mandatum_gateway_open_doubts",
            "Permits of which it is not known whether the venue holds them.",
            whole(self.gateway.open_doubts() as u64),
        );
        gauge("mandatum_ledger_entries", "Entries of the ledger.", whole(head.size));
        gauge("mandatum_ledger_epoch", "The epoch.", whole(head.epoch));
        gauge(
            "mandatum_ledger_waiting",
            "Appends that wait for the commit in flight.",
            whole(self.gateway.writer.waiting() as u64),
        );
        gauge(
            "mandatum_gateway_sessions",
            "Open connections of bots.",
            whole(self.gateway.sessions.open() as u64),
        );
        gauge(
            "mandatum_certificates",
            "Certificates whose status is known.",
            whole(health.certificates as u64),
        );
        if let Some(left) = health.crl_next_update_seconds {
            gauge("crl_next_update_seconds", "Seconds until the CRL's nextUpdate.", left);
        }
        let listeners = self.listeners.ends();
        if let Some(end) = listeners.iter().map(|(_, end)| *end).min() {
            gauge(
                "mandatum_first_listener_certificate_expires_seconds",
                "Seconds until the first listener's certificate expires.",
                seconds_until(end, now),
            );
        }
        if let Some(end) = first {
            gauge(
                "mandatum_first_certificate_expires_seconds",
                "Seconds until the first bot's certificate expires.",
                seconds_until(end, now),
            );
        }
        let _ = writeln!(
            text,
            "# HELP {HOUSE_CERTIFICATE} Seconds until a certificate of the house's own expires.\n# TYPE {HOUSE_CERTIFICATE} gauge"
        );
        let ends = listeners.iter().map(|(name, end)| ((*name).to_owned(), *end));
        for (name, end) in ends.chain(self.published.ends()) {
            let left = seconds_until(end, now);
            let _ = writeln!(text, "{HOUSE_CERTIFICATE}{{certificate=\"{name}\"}} {left}");
        }
        text
    }

    async fn answer(&self, path: &str) -> (StatusCode, &'static str, String) {
        const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
        match path {
            "/healthz" => (
                StatusCode::OK,
                "application/json",
                "{\"status\":\"alive\"}\n".to_owned(),
            ),
            "/readyz" => {
                let reasons = self.reasons();
                let status = if reasons.is_empty() {
                    StatusCode::OK
                } else {
                    StatusCode::SERVICE_UNAVAILABLE
                };
                let body = serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons });
                (status, "application/json", format!("{body}\n"))
            }
            "/metrics" => (StatusCode::OK, TEXT, self.metrics().await),
            _ => {
                let hint = "this listener answers /healthz, /readyz and /metrics\n";
                (StatusCode::NOT_FOUND, TEXT, hint.to_owned())
            }
        }
    }
}

/// Binds and serves until `stop`.
pub(super) async fn serve(
    address: SocketAddr,
    readiness: Arc<Readiness>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) -> anyhow::Result<SocketAddr> {
    let bound = TcpListener::bind(address).await;
    let listener = bound.with_context(|| format!("operations.listen: {address} cannot be bound"))?;
    let address = listener.local_addr()?;
    let stop = stop.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = accept(listener, readiness) => {}
            () = stop.cancelled() => {}
        }
    });
    Ok(address)
}

async fn accept(listener: TcpListener, readiness: Arc<Readiness>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let readiness = readiness.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let readiness = readiness.clone();
                async move {
                    let (status, kind, body) = readiness.answer(request.uri().path()).await;
                    let mut response = Response::new(Full::new(Bytes::from(body)));
                    *response.status_mut() = status;
                    let kind = hyper::header::HeaderValue::from_static(kind);
                    response.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
                    Ok::<_, Infallible>(response)
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIME)
                .serve_connection(TokioIo::new(stream), service);
            let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
            drop(permit);
        });
    }
}
