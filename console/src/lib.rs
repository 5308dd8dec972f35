//! The registration authority: where officers act and bots enrol.
//!
//! Two listeners of the house root. The officers' listener answers a JSON API to people with an officer's certificate; each act is an
//! entry of the ledger that names the officer. The enrolment listener speaks EST (RFC 7030) to bots. This role signs nothing and
//! holds no key but its listeners' own: certificates are made by the `ca` role from what is recorded here, and checked again there.

mod config;
mod listener;
mod tls;

pub use config::{
    Anchors, Bounds, Clocks, Config, DEEPEST_JSON, Identity, LARGEST_BODY, LARGEST_IMPORT, LARGEST_REQUEST,
    LONGEST_TEXT, MOST_ROWS,
};

use std::sync::Arc;

use axum::Router;
use ledger::{Ledger, LedgerError, Writer};
use rustls::ServerConfig;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

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
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) ledger: Ledger,
    pub(crate) writer: Writer,
    pub(crate) clocks: Clocks,
    pub(crate) config: Config,
}

impl Console {
    /// The role on an open ledger; `writer` is its own, named [`ROLE`].
    #[must_use]
    pub fn new(ledger: Ledger, writer: Writer, clocks: Clocks, config: Config) -> Self {
        Self {
            inner: Arc::new(Inner {
                ledger,
                writer,
                clocks,
                config,
            }),
        }
    }

    /// TLS of the officers' listener: 1.3 only, officers' certificates of the house root, no resumption, no early data.
    ///
    /// # Errors
    /// When the house was not founded, or the certificate does not go with the key.
    pub async fn officers_tls(&self, identity: Identity) -> Result<Arc<ServerConfig>, ConsoleError> {
        todo!("{}", identity.chain.len())
    }

    /// TLS of the enrolment listener: as the officers', but bots' certificates of the agent root, for renewal alone.
    ///
    /// # Errors
    /// As [`officers_tls`](Self::officers_tls).
    pub async fn enrolment_tls(&self, identity: Identity) -> Result<Arc<ServerConfig>, ConsoleError> {
        todo!("{}", identity.chain.len())
    }

    /// Answers officers until `stop` is cancelled.
    pub async fn serve_officers(&self, listener: TcpListener, tls: Arc<ServerConfig>, stop: CancellationToken) {
        listener::serve(listener, tls, self.inner.config.officers, Router::new(), stop).await;
    }

    /// Answers bots that enrol or renew until `stop` is cancelled.
    pub async fn serve_enrolment(&self, listener: TcpListener, tls: Arc<ServerConfig>, stop: CancellationToken) {
        listener::serve(listener, tls, self.inner.config.enrolment, Router::new(), stop).await;
    }
}
