//! The status listener and what it answers from: certificates' status, CRL, CA certificates, all folded from the ledger.

mod answers;
mod hooks;
mod listener;
mod replies;
mod routes;
mod state;
#[cfg(test)]
mod tests;

pub use listener::{Bounds, StatusListener};
pub use replies::{
    Answer, Bucket, Cached, MOST_SIGNING, MOST_STORED_REPLIES, NONCE_REPLIES_PER_SECOND, OcspKey, Replies,
    STORED_REPLIES_PER_SECOND,
};
pub use state::{Changed, Health, Paths, StatusState};

use std::net::{Ipv4Addr, SocketAddr};

/// How the status listener is set up.
#[derive(Debug, Clone)]
pub struct StatusConfig {
    /// Where it listens; loopback unless configured.
    pub listen: SocketAddr,
    /// Its bounds.
    pub bounds: Bounds,
}

impl Default for StatusConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8180)),
            bounds: Bounds::default(),
        }
    }
}
