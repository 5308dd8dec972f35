//! The one configuration file: TOML, every key known, environment variables on top. Paths are below the file's own folder.

mod load;
mod template;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use extensions::{
    Counterparty, Currency, Decimal, GatewayId, Instrument, OfficerId, Region, limits::LimitsDocument,
    oids::Environment,
};
use revocation_core::regions::Network;
use serde::{Deserialize, Serialize};

pub use load::{ConfigError, ENVIRONMENT_PREFIX};
pub use template::template;

/// The name of the file in a house's folder.
pub const FILE_NAME: &str = "mandatum.toml";

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// What `init` founds.
    pub house: House,
    /// Where files are.
    #[serde(default)]
    pub paths: Paths,
    /// The issuing role.
    #[serde(default)]
    pub ca: Ca,
    /// The gateway role.
    #[serde(default)]
    pub gateway: GatewaySection,
    /// Venues, by the counterparty name that mandates use.
    #[serde(default)]
    pub venues: BTreeMap<Counterparty, Venue>,
    /// The console role: officers' API and enrolment.
    #[serde(default)]
    pub console: Console,
    /// The status listener.
    #[serde(default)]
    pub status: Status,
    /// Webhook subscriptions, by name.
    #[serde(default)]
    pub webhooks: BTreeMap<String, Webhook>,
    /// Health, readiness, metrics.
    #[serde(default)]
    pub operations: Operations,
    /// Logs.
    #[serde(default)]
    pub logs: Logs,
}

/// `[house]`: read by `init`, and by `serve` where it says so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct House {
    /// The ledger's name: 1 to 64 of `[a-z0-9-]`.
    pub ledger: String,
    /// An FQDN in the house's control; part of every bot's name.
    pub trust_domain: String,
    /// The private enterprise number of the OID arc; 32473 is for development and refused in production.
    #[serde(default = "development_pen")]
    pub pen: u64,
    /// `sandbox` or `production`.
    pub environment: Environment,
    /// The first officers, at least two.
    #[serde(default)]
    pub officers: Vec<OfficerId>,
    /// Mandates whose largest amount, of an order or of a day, is above this need two officers; so does a currency without a row.
    #[serde(default)]
    pub two_officers_above: BTreeMap<Currency, Decimal>,
    /// Source networks and the region each is in, as of `init`.
    #[serde(default)]
    pub regions: BTreeMap<Region, Vec<Network>>,
    /// The hard ceiling in the agent root; the widest permitted when absent.
    #[serde(default)]
    pub ceiling: Option<LimitsDocument>,
}

fn development_pen() -> u64 {
    u64::from(extensions::oids::OidArc::DEVELOPMENT.pen())
}

/// `[paths]`: files and folders, relative to the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    /// Certificates for everybody to read.
    pub certificates: PathBuf,
    /// Keys of the running processes.
    pub keys: PathBuf,
    /// Both roots' keys: taken offline after `init`.
    pub roots: PathBuf,
    /// The ledger.
    pub ledger: PathBuf,
    /// The ledger's head file; best on another disk.
    pub head: PathBuf,
    /// The newest CRL, DER.
    pub crl: PathBuf,
    /// A file whose first line protects the key files; without it they are plain (sandbox only).
    pub passphrase_file: Option<PathBuf>,
    /// A file whose first line protects both roots' keys instead: read by ceremonies alone, and kept where no server runs.
    pub root_passphrase_file: Option<PathBuf>,
    /// Roots that webhook receivers behind `https` are trusted under, PEM; without it none is.
    pub webhook_roots_file: Option<PathBuf>,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            certificates: "ca".into(),
            keys: "keys".into(),
            roots: "roots".into(),
            ledger: "ledger".into(),
            head: "ledger.head".into(),
            crl: "crl.der".into(),
            passphrase_file: None,
            root_passphrase_file: None,
            webhook_roots_file: None,
        }
    }
}

/// `[ca]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ca {
    /// Life of a bot's certificate in seconds; at most 604800.
    pub bot_life_seconds: i64,
    /// Life of an officer's certificate in seconds.
    pub officer_life_seconds: i64,
    /// Life of a CRL in seconds.
    pub crl_life_seconds: i64,
}

impl Default for Ca {
    fn default() -> Self {
        let service = ca_service::CaConfig::default();
        Self {
            bot_life_seconds: service.bot_life_seconds,
            officer_life_seconds: service.officer_life_seconds,
            crl_life_seconds: service.crl_life_seconds,
        }
    }
}

/// `[gateway]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySection {
    /// This instance's name.
    pub id: GatewayId,
    /// The bots' listener.
    pub listen: SocketAddr,
    /// The listener for bots that speak FIX 4.4; there is none without it.
    pub fix: Option<SocketAddr>,
    /// Names and addresses in its certificate.
    pub names: Vec<String>,
    /// Private enterprise numbers beside the house's own under which bots' certificates are accepted: for a migration, until the last
    /// certificate of the other arc has ended.
    pub accepted_pens: Vec<u64>,
    /// Runtimes side by side, 1 to 64.
    pub threads: usize,
    /// Whether a balancer writes a PROXY protocol version 2 header.
    pub proxy_protocol: bool,
    /// The balancers' networks: who else connects is dropped. Needed exactly with `proxy_protocol`.
    pub proxy_from: Vec<revocation_core::regions::Network>,
    /// Open connections, of all bots together.
    pub connections: usize,
    /// A whole TLS handshake, in milliseconds.
    pub handshake_ms: u64,
    /// The longest order, in bytes.
    pub body_bytes: usize,
    /// All header fields of a request, in bytes.
    pub head_bytes: usize,
    /// From the handshake, or the last answer, to the end of the next request's head, in milliseconds.
    pub head_ms: u64,
    /// From the end of an order's head to the end of its body, in milliseconds.
    pub body_ms: u64,
    /// A permit is sent within this time or never, in milliseconds.
    pub send_deadline_ms: u64,
    /// The oldest reference price that counts, in milliseconds.
    pub price_age_ms: u64,
    /// Reference prices are asked for this often, in milliseconds.
    pub price_every_ms: u64,
    /// Resting orders and doubts are asked for this often, in milliseconds.
    pub watch_every_ms: u64,
    /// Messages of one bot that are read in a second.
    pub messages_per_second: u32,
}

impl Default for GatewaySection {
    fn default() -> Self {
        Self {
            id: GatewayId::new("gw-1").expect("a constant that fits its alphabet"),
            listen: loopback(8443),
            fix: None,
            names: local_names(),
            accepted_pens: Vec::new(),
            threads: 2,
            proxy_protocol: false,
            proxy_from: Vec::new(),
            connections: 4_096,
            handshake_ms: 5_000,
            body_bytes: 16_384,
            head_bytes: 16_384,
            head_ms: 75_000,
            body_ms: 10_000,
            send_deadline_ms: 250,
            price_age_ms: 5_000,
            price_every_ms: 500,
            watch_every_ms: 2_000,
            messages_per_second: 1_000,
        }
    }
}

/// `[venues.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Venue {
    /// Which adapter.
    #[serde(default)]
    pub kind: VenueKind,
    /// `https://host[:port]`, or `http://` to loopback.
    pub url: String,
    /// A file with the API key, readable by the gateway alone.
    pub api_key_file: PathBuf,
    /// A file with the API secret, readable by the gateway alone; Kraken's as the venue shows it, in base64.
    pub secret_file: PathBuf,
    /// Pinned roots of an `https` venue, PEM.
    #[serde(default)]
    pub roots_file: Option<PathBuf>,
    /// What is traded there, each with its quote currency: `BTC_EUR = "EUR"`.
    pub instruments: BTreeMap<Instrument, Currency>,
    /// The venue's own symbols where they are not the instrument without separators (Kraken: with `XBT` for `BTC`).
    #[serde(default)]
    pub symbols: BTreeMap<Instrument, String>,
    /// The venue cancels whatever rests there this many seconds after the gateway last said that all is well (Kraken: `CancelAllOrdersAfter`). For an
    /// account that belongs to one bot. Not used when absent.
    #[serde(default)]
    pub dead_man_s: Option<u64>,
}

/// Which adapter speaks to a venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VenueKind {
    /// Binance spot REST, and whatever speaks it.
    #[default]
    Binance,
    /// Kraken spot REST.
    Kraken,
}

/// `[console]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Console {
    /// The officers' listener (mTLS).
    pub officers: SocketAddr,
    /// The enrolment listener (EST).
    pub enrolment: SocketAddr,
    /// Names and addresses in both certificates.
    pub names: Vec<String>,
    /// Where browsers find the pages: passkeys are made for it. `https://localhost` with the officers' port when absent.
    pub origin: Option<String>,
}

impl Console {
    /// Where browsers find the pages, when the officers' listener has this port.
    #[must_use]
    pub fn origin_at(&self, port: u16) -> String {
        self.origin
            .clone()
            .unwrap_or_else(|| format!("https://localhost:{port}"))
    }
}

impl Default for Console {
    fn default() -> Self {
        Self {
            officers: loopback(8444),
            enrolment: loopback(8445),
            names: local_names(),
            origin: None,
        }
    }
}

/// `[status]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Status {
    /// The status listener (plain HTTP).
    pub listen: SocketAddr,
    /// Its address as certificates name it (CDP, AIA); `http://` and the listener when absent. Fixed by `init`.
    pub url: Option<String>,
    /// When the CRL's age is looked at: six fields of cron, seconds first, UTC.
    pub crl_schedule: String,
    /// When webhooks get a sign of life, likewise.
    pub heartbeat_schedule: String,
    /// Private networks to which subscriptions that officers sign may connect; none but public addresses when empty.
    pub webhook_networks: Vec<Network>,
}

impl Default for Status {
    fn default() -> Self {
        let role = revocation_service::RoleConfig::default();
        Self {
            listen: loopback(8180),
            url: None,
            crl_schedule: role.crl_schedule,
            heartbeat_schedule: role.heartbeat_schedule,
            webhook_networks: role.signed_webhooks.networks,
        }
    }
}

impl Status {
    /// The address that certificates name.
    #[must_use]
    pub fn public_url(&self) -> String {
        let own = || format!("http://{}", self.listen);
        self.url.clone().unwrap_or_else(own).trim_end_matches('/').to_owned()
    }
}

/// `[webhooks.NAME]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where to: `https`, or `http` into `allow_networks`.
    pub url: String,
    /// What the receiver reads: `cloud_events`, `pagerduty` or `slack`.
    #[serde(default)]
    pub format: revocation_service::webhook::Format,
    /// A file with the secret: `whsec_` and base64 of 24 to 64 bytes; PagerDuty's routing key; the path of Slack's address.
    pub secret_file: PathBuf,
    /// A file with the former secret during a rotation.
    #[serde(default)]
    pub previous_secret_file: Option<PathBuf>,
    /// Kinds to tell of: `agent.revoked`, or `agent.*`; all that changes who may trade when absent.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// Private networks it may connect to.
    #[serde(default)]
    pub allow_networks: Vec<Network>,
}

/// `[operations]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Operations {
    /// `/healthz`, `/readyz`, `/metrics`: plain HTTP, loopback only.
    pub listen: SocketAddr,
}

impl Default for Operations {
    fn default() -> Self {
        Self { listen: loopback(8181) }
    }
}

/// `[logs]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// The least level that is written.
    pub level: LogLevel,
    /// Lines of JSON, or of text.
    pub format: LogFormat,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            level: LogLevel::Info,
            format: LogFormat::Json,
        }
    }
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what should be looked at.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Text for people.
    Text,
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn local_names() -> Vec<String> {
    vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
}

/// Names split into hosts and addresses, as certificates hold them.
#[must_use]
pub fn hosts_and_addresses(names: &[String]) -> (Vec<String>, Vec<IpAddr>) {
    let address = |name: &String| name.parse::<IpAddr>().ok();
    let hosts = names.iter().filter(|name| address(name).is_none()).cloned().collect();
    (hosts, names.iter().filter_map(address).collect())
}

impl Config {
    /// Reads the file, then the environment.
    ///
    /// # Errors
    /// When the file cannot be read, a key is unknown, or a value does not fit.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        load::load(file, std::env::vars())
    }

    /// Reads a text as if it were the file `file`, with these environment variables.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(
        text: &str,
        file: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        load::parse(text, file, environment)
    }
}
