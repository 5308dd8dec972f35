//! How the role is set up, and every bound it holds its callers to.

use std::{sync::Arc, time::Duration};

use extensions::{Clock, passkey::RelyingParty};

/// The longest body of most requests, in bytes: a mandate document is at most 64 KiB.
pub const LARGEST_BODY: usize = 128 * 1_024;
/// The longest body of an import of observations, in bytes.
pub const LARGEST_IMPORT: usize = 512 * 1_024;
/// The longest body of a certificate request, in bytes: 4 KiB of DER as base64 in lines.
pub const LARGEST_REQUEST: usize = 8 * 1_024;
/// JSON deeper than this is refused.
pub const DEEPEST_JSON: usize = 12;
/// The longest free text (a reason, a purpose, a root cause), in characters.
pub const LONGEST_TEXT: usize = 4_096;
/// The most rows of one page.
pub const MOST_ROWS: usize = 500;

/// The two clocks (ARCHITECTURE §6).
#[derive(Clone)]
pub struct Clocks {
    /// Decides standing, warnings, deadlines: `at` of every entry. A sandbox may step it.
    pub decision: Arc<dyn Clock>,
    /// Real time: certificates, tokens, applications' ends.
    pub real: Arc<dyn Clock>,
}

/// The anchors and issuing CAs, DER, as the ceremony published them (`house.pem`, `house-issuing.pem`, `root.pem`, `issuing.pem`).
#[derive(Clone)]
pub struct Anchors {
    /// The house root: officers' certificates lead to it.
    pub house_root: Vec<u8>,
    /// The house's issuing CAs.
    pub house_issuing: Vec<Vec<u8>>,
    /// The agent root: trusted by the enrolment listener, for renewal alone.
    pub agent_root: Vec<u8>,
    /// The agents' issuing CAs.
    pub agent_issuing: Vec<Vec<u8>>,
}

/// A listener's own key and certificate chain, which may be renewed while it listens.
pub type Identity = Arc<ca_keys::tls::ServerIdentity>;

/// Bounds of one listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Open connections.
    pub connections: usize,
    /// From the first byte to the end of the TLS handshake.
    pub handshake: Duration,
    /// To the end of a request's head.
    pub head: Duration,
    /// All header fields of a request, in bytes.
    pub head_bytes: usize,
    /// From the end of a request's head to its answer.
    pub request: Duration,
    /// Requests in flight on one HTTP/2 connection.
    pub streams: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 256,
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(15),
            head_bytes: 16 * 1_024,
            request: Duration::from_secs(60),
            streams: 32,
        }
    }
}

/// How the role is set up.
#[derive(Clone)]
pub struct Config {
    /// The officers' listener.
    pub officers: Bounds,
    /// The enrolment listener.
    pub enrolment: Bounds,
    /// What certificates are held to.
    pub anchors: Anchors,
    /// Where browsers find the pages; passkeys are made for it and count nowhere else.
    pub party: RelyingParty,
    /// A bot's one-time token must be used first within this, in seconds (certificates.md §6: ten minutes).
    pub token_seconds: i64,
    /// An officer's one-time token must be used within this, in seconds.
    pub officer_token_seconds: i64,
    /// An application or proposal lapses after this, in seconds.
    pub question_seconds: i64,
    /// How long an answer waits for the `ca` role before it says 202.
    pub patience: Duration,
}

impl Config {
    /// The defaults with these anchors.
    #[must_use]
    pub fn new(anchors: Anchors) -> Self {
        Self {
            officers: Bounds::default(),
            enrolment: Bounds {
                connections: 1_024,
                ..Bounds::default()
            },
            anchors,
            party: RelyingParty {
                id: "localhost".to_owned(),
                origin: "https://localhost:8444".to_owned(),
            },
            token_seconds: 600,
            officer_token_seconds: 7 * 86_400,
            question_seconds: 14 * 86_400,
            patience: Duration::from_secs(3),
        }
    }
}
