//! The registration authority: where officers act and bots enrol.
//!
//! Two listeners of the house root. The officers' listener answers a JSON API to people with an officer's certificate, and pages to browsers, whose officers sign in with a passkey; each act is an
//! entry of the ledger that names the officer. The enrolment listener speaks EST (RFC 7030) to bots. This role signs nothing and
//! holds no key but its listeners' own: certificates are made by the `ca` role from what is recorded here, and checked again there.
//!
//! Every act is judged on the ledger folded to its end. What widens is appended `Exactly` under the number and epoch it was judged
//! at, and judged again when another was first; what narrows is appended `Next`, to the front of the queue.

mod access;
mod api;
mod background;
mod books;
mod config;
mod counters;
mod enrolment;
mod lingering;
mod listener;
mod nonces;
mod pages;
mod passkeys;
mod past;
mod problem;
mod reads;
mod record;
mod refusals;
mod replacements;
mod strict;
mod tls;
mod view;

pub use config::{
    Anchors, Bounds, Clocks, Config, DEEPEST_JSON, Identity, LARGEST_BODY, LARGEST_IMPORT, LARGEST_REQUEST,
    LONGEST_TEXT, MOST_ROWS,
};
pub use passkeys::fuzz_passkey;
pub use strict::fuzz_json;

use std::sync::Arc;

use axum::Router;
use ca_core::profiles::Settings;
use extensions::{
    Timestamp,
    certificate::{AgentCertificate, AgentPathProfile, Certificate, LONGEST_AGENT_LIFE_SECONDS, Role},
};
use ledger::{Ledger, LedgerError, Writer};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::{net::TcpListener, sync::RwLock};
use tokio_util::sync::CancellationToken;
use webpki::KeyUsage;

use crate::{
    books::Books, counters::Counters, nonces::Nonces, pages::Sessions, passkeys::Challenges, past::Pasts, reads::Reads,
    refusals::Refusals, tls::PathVerifier, view::View,
};

/// The name of this role, also in outbox tasks.
pub const ROLE: &str = "console";

/// Why the role cannot run.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// No ceremony has run on this ledger.
    #[error("this ledger has no {0}: run `mandatum init` first")]
    NotFounded(&'static str),
    /// A listener's certificate, key or anchor cannot be used.
    #[error("the listener's TLS cannot be set up: {0}")]
    Tls(String),
}

/// The role. Cheap to clone; all clones are the same console.
#[derive(Clone)]
pub struct Console {
    pub(crate) ledger: Ledger,
    pub(crate) writer: Writer,
    pub(crate) clocks: Clocks,
    pub(crate) config: Arc<Config>,
    pub(crate) view: Arc<RwLock<View>>,
    pub(crate) nonces: Arc<Nonces>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) reads: Arc<Reads>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) books: Arc<Books>,
    pub(crate) past: Arc<Pasts>,
}

impl Console {
    /// The role on an open ledger; `writer` is its own, named [`ROLE`].
    #[must_use]
    pub fn new(ledger: Ledger, writer: Writer, clocks: Clocks, config: Config) -> Self {
        Self {
            ledger,
            writer,
            clocks,
            config: Arc::new(config),
            view: Arc::default(),
            nonces: Arc::default(),
            refusals: Arc::default(),
            reads: Arc::default(),
            counters: Arc::default(),
            sessions: Arc::default(),
            challenges: Arc::default(),
            books: Arc::default(),
            past: Arc::default(),
        }
    }

    /// What the ceremony fixed for all certificates.
    async fn settings(&self) -> Result<Settings, ConsoleError> {
        let mut view = self.view.write().await;
        view.catch_up(&self.ledger).await?;
        view.register
            .house()
            .map(Settings::from)
            .ok_or(ConsoleError::NotFounded("house"))
    }

    /// TLS of the officers' listener: 1.3 only, officers' certificates of the house root, no resumption, no early data.
    ///
    /// # Errors
    /// When the house was not founded, or an anchor or the certificate cannot be used.
    pub async fn officers_tls(&self, identity: Identity) -> Result<Arc<ServerConfig>, ConsoleError> {
        let profile = self.settings().await?.certificate_profile();
        let check = move |path: &[&[u8]], now: Timestamp| {
            let roles = [Role::Officer, Role::HouseIssuing, Role::HouseRoot];
            if path.len() != roles.len() {
                return Err(format!("a path of {} certificates instead of 3", path.len()));
            }
            for (der, role) in path.iter().zip(roles) {
                let certificate = Certificate::read(der).map_err(|fault| fault.to_string())?;
                let checked = profile.check_at(&certificate, role, now);
                checked.map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        let anchors = &self.config.anchors;
        let usage = KeyUsage::client_auth();
        let verifier = PathVerifier::new(&anchors.house_root, &anchors.house_issuing, usage, Box::new(check));
        tls_of(verifier, identity)
    }

    /// TLS of the enrolment listener: as the officers', but bots' certificates of the agent root, for renewal alone.
    ///
    /// # Errors
    /// As [`officers_tls`](Self::officers_tls).
    pub async fn enrolment_tls(&self, identity: Identity) -> Result<Arc<ServerConfig>, ConsoleError> {
        let settings = self.settings().await?;
        let purpose = settings.arc.trading_agent().der_content().to_vec();
        let profile = AgentPathProfile {
            certificates: settings.certificate_profile(),
            longest_life_seconds: LONGEST_AGENT_LIFE_SECONDS,
            distribution_points: settings.crl_urls(self.config.anchors.agent_issuing.len()),
        };
        let check = move |path: &[&[u8]], now: Timestamp| {
            let (leaf, issuers) = path.split_first().ok_or("an empty path")?;
            AgentCertificate::inspect_at(leaf, issuers, &profile, now)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        let anchors = &self.config.anchors;
        // webpki holds issuing CAs to a *required* purpose too, and ours have none: the profile check requires it of the leaf, as the
        // sole one. The OID must live as long as the process.
        let usage = KeyUsage::required_if_present(Box::leak(purpose.into_boxed_slice()));
        let verifier = PathVerifier::new(&anchors.agent_root, &anchors.agent_issuing, usage, Box::new(check));
        tls_of(verifier, identity)
    }

    /// The officers' API and pages without their listener.
    pub fn officers_router(&self) -> Router {
        pages::router(self).merge(api::router(self))
    }

    /// EST without its listener.
    pub fn enrolment_router(&self) -> Router {
        enrolment::router(self)
    }

    /// Answers officers until `stop` is cancelled, and carries out meanwhile what was decided and interrupted.
    pub async fn serve_officers(&self, listener: TcpListener, tls: Arc<ServerConfig>, stop: CancellationToken) {
        let serving = listener::serve(
            listener,
            tls,
            self.config.officers,
            self.officers_router(),
            stop.clone(),
        );
        tokio::select! {
            () = serving => {}
            () = self.carry_on() => {}
            () = self.keep_books() => {}
        }
        // What was read is told with the last of it, though its minute is not over.
        self.tell_reads(None);
    }

    /// Answers bots that enrol or renew until `stop` is cancelled.
    pub async fn serve_enrolment(&self, listener: TcpListener, tls: Arc<ServerConfig>, stop: CancellationToken) {
        listener::serve(listener, tls, self.config.enrolment, self.enrolment_router(), stop).await;
    }
}

fn tls_of(
    verifier: Result<PathVerifier, webpki::Error>,
    identity: Identity,
) -> Result<Arc<ServerConfig>, ConsoleError> {
    let verifier = verifier.map_err(|error| ConsoleError::Tls(format!("the root is no certificate: {error}")))?;
    let config = tls::server_config(verifier, identity).map_err(|error| ConsoleError::Tls(error.to_string()))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests;
