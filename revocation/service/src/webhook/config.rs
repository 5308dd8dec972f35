//! Subscriptions, as configured: read strictly, secrets never shown.

use std::fmt;

use extensions::{StreamId, StreamKind};
use revocation_core::regions::Network;
pub use revocation_core::webhooks::WebhookFormat as Format;
use revocation_core::webhooks::names_kind;
use serde::Deserialize;
use standardwebhooks::Webhook;
use thiserror::Error;

/// The shortest secret, in octets (Standard Webhooks: 24 to 64).
const SHORTEST_SECRET: usize = 24;
/// The longest secret, in octets.
const LONGEST_SECRET: usize = 64;

/// The length of PagerDuty's routing keys.
const ROUTING_KEY: usize = 32;

/// A secret: `whsec_` and base64 of 24 to 64 octets. `Debug` does not show it.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

/// One subscription, as the configuration file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubscriptionConfig {
    /// Where officers open the console; pages and messages to people lead there.
    #[serde(default)]
    pub console: Option<String>,
    /// What the receiver reads.
    #[serde(default)]
    pub format: Format,
    /// Networks among those otherwise refused (private, loopback, link-local) to which it may connect, in CIDR form.
    #[serde(default)]
    pub allow_networks: Vec<Network>,
    /// Kinds to tell of: `agent.revoked`, or `agent.*`. Empty means [`DEFAULT_KINDS`].
    #[serde(default)]
    pub kinds: Vec<String>,
    /// A former secret, still signed with during a rotation.
    #[serde(default)]
    pub previous_secret: Option<Secret>,
    /// The secret: of Standard Webhooks, or what `format` says.
    pub secret: Secret,
    /// Where to; `https`, or `http` into `allow_networks`.
    pub url: String,
}

/// What a subscription without `kinds` is told of: everything that changes who may trade, and what a gateway cannot
/// explain.
pub const DEFAULT_KINDS: &[&str] = &[
    "agent.frozen",
    "agent.reduce_only",
    "agent.resumed",
    "agent.revoked",
    "agent.probation_started",
    "agent.reinstated",
    "order.override_granted",
    "certificate.revoked",
    "certificate.frozen",
    "certificate.reduce_only",
    "certificate.resumed",
    "warning.opened",
    "warning.closed",
    "halt.reported",
    "replacement.queued",
    "incident.opened",
    "incident.acknowledged",
    "incident.reviewed",
    "house.frozen",
    "house.reduce_only",
    "house.resumed",
    "house.revoked",
    "house.reinstated",
    "house.webhook_removed",
    "house.webhook_set",
    "crl.published",
    "officer.passkey_doubted",
    "officer.token_issued",
    "officer.removed",
    "order.doubt_unresolved",
    "venue.foreign_order",
    "venue.foreign_trade",
];

/// What people are paged or written to for, without `kinds`: what needs one of them, and its end.
pub const PAGED_KINDS: &[&str] = &[
    "warning.opened",
    "warning.closed",
    "incident.opened",
    "incident.acknowledged",
    "incident.reviewed",
    "house.frozen",
    "house.revoked",
    "officer.passkey_doubted",
    "order.doubt_unresolved",
    "venue.foreign_order",
    "venue.foreign_trade",
];

/// Why a subscription is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubscriptionError {
    /// A name that fits no stream.
    #[error("webhook {0:?}: a name has 1 to 64 of [A-Za-z0-9._-]")]
    Name(String),
    /// A URL we do not call.
    #[error("webhook {name}: {url:?} cannot be called: {why}")]
    Url {
        /// The subscription.
        name: String,
        /// As configured.
        url: String,
        /// Why.
        why: &'static str,
    },
    /// A secret that is none.
    #[error("webhook {0}: its secret must be `whsec_` and base64 of {SHORTEST_SECRET} to {LONGEST_SECRET} octets")]
    Secret(String),
    /// A routing key that is none.
    #[error("webhook {0}: its secret must be PagerDuty's routing key, 32 letters and digits")]
    RoutingKey(String),
    /// A path that is none.
    #[error("webhook {0}: its secret must be the path of Slack's address, from /services/ on")]
    SlackPath(String),
    /// A kind that names nothing.
    #[error("webhook {name}: {kind:?} names no kind: expected noun.verb, as in agent.revoked, or agent.*")]
    Kind {
        /// The subscription.
        name: String,
        /// As configured.
        kind: String,
    },
}

/// Where to, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) path: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl Target {
    /// The Host header.
    pub(super) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: hyper::Uri = url.parse().map_err(|_| "it is no URL")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("its scheme must be https, or http into allowed networks"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        if authority.as_str().contains('@') {
            return Err("it holds credentials; use the secret instead");
        }
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        if host.is_empty() {
            return Err("it has no host");
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { host, path, port, tls })
    }
}

/// How a message is made for its receiver.
pub(super) enum Sender {
    CloudEvents(Vec<Webhook>),
    /// With the routing key.
    Pagerduty(Secret),
    Slack,
}

/// A checked subscription.
pub(super) struct Subscription {
    /// Where the console is, for people.
    pub(super) console: Option<String>,
    pub(super) allow: Vec<Network>,
    kinds: Vec<String>,
    pub(super) name: String,
    pub(super) sender: Sender,
    pub(super) stream: StreamId,
    pub(super) target: Target,
}

impl Subscription {
    pub(super) fn new(name: &str, config: &SubscriptionConfig) -> Result<Self, SubscriptionError> {
        let stream = StreamId::new(StreamKind::Delivery, name).map_err(|_| SubscriptionError::Name(name.to_owned()))?;
        let mut target = Target::parse(&config.url).map_err(|why| SubscriptionError::Url {
            name: name.to_owned(),
            url: config.url.clone(),
            why,
        })?;
        let sender = sender(name, config)?;
        if matches!(sender, Sender::Slack) {
            target.path.clone_from(&config.secret.0);
        }
        let usual = match sender {
            Sender::CloudEvents(_) => DEFAULT_KINDS,
            Sender::Pagerduty(_) | Sender::Slack => PAGED_KINDS,
        };
        let kinds = if config.kinds.is_empty() {
            usual.iter().map(|kind| (*kind).to_owned()).collect()
        } else {
            config.kinds.clone()
        };
        for kind in &kinds {
            if !names_kind(kind) {
                let (name, kind) = (name.to_owned(), kind.clone());
                return Err(SubscriptionError::Kind { name, kind });
            }
        }
        Ok(Self {
            allow: config.allow_networks.clone(),
            kinds,
            console: config.console.clone(),
            name: name.to_owned(),
            sender,
            stream,
            target,
        })
    }

    /// Whether it is told of entries of `kind`. Its own deliveries never are.
    pub(super) fn wants(&self, kind: &str) -> bool {
        !kind.starts_with("delivery.")
            && self.kinds.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(noun) => kind.starts_with(noun),
                None => kind == wanted,
            })
    }
}

fn sender(name: &str, config: &SubscriptionConfig) -> Result<Sender, SubscriptionError> {
    let secret = &config.secret;
    match config.format {
        Format::CloudEvents => {
            let secrets = [Some(secret), config.previous_secret.as_ref()];
            let signers = secrets.into_iter().flatten().map(|secret| signer(name, secret));
            Ok(Sender::CloudEvents(signers.collect::<Result<_, _>>()?))
        }
        Format::Pagerduty => {
            let fits = secret.0.len() == ROUTING_KEY && secret.0.bytes().all(|byte| byte.is_ascii_alphanumeric());
            let key = fits.then(|| secret.clone());
            key.map(Sender::Pagerduty)
                .ok_or_else(|| SubscriptionError::RoutingKey(name.to_owned()))
        }
        Format::Slack => {
            let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
            let fits = secret.0.starts_with("/services/") && secret.0.len() <= 256 && secret.0.bytes().all(word);
            fits.then_some(Sender::Slack)
                .ok_or_else(|| SubscriptionError::SlackPath(name.to_owned()))
        }
    }
}

fn signer(name: &str, secret: &Secret) -> Result<Webhook, SubscriptionError> {
    use base64::Engine as _;
    let wrong = || SubscriptionError::Secret(name.to_owned());
    let encoded = secret.0.strip_prefix("whsec_").ok_or_else(wrong)?;
    let octets = base64::engine::general_purpose::STANDARD
        .decode(encoded)
        .map_err(|_| wrong())?;
    if !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&octets.len()) {
        return Err(wrong());
    }
    Webhook::from_bytes(octets).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> SubscriptionConfig {
        SubscriptionConfig {
            console: None,
            format: Format::CloudEvents,
            allow_networks: Vec::new(),
            kinds: Vec::new(),
            previous_secret: None,
            secret: Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
            url: url.to_owned(),
        }
    }

    #[test]
    fn configuration_is_strict() {
        assert!(Subscription::new("desk", &config("https://example.com/hook?a=1")).is_ok());
        for bad in [
            "ftp://x/",
            "/hook",
            "https://user:pass@x/",
            "file:///etc/passwd",
            "https://",
            "",
        ] {
            assert!(Subscription::new("desk", &config(bad)).is_err(), "{bad}");
        }
        assert!(Subscription::new("de sk", &config("https://x/")).is_err());
        for secret in [
            "whsec_",
            "whsec_c2hvcnQ=",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_!!",
        ] {
            let mut config = config("https://x/");
            config.secret = Secret(secret.to_owned());
            assert!(
                matches!(Subscription::new("desk", &config), Err(SubscriptionError::Secret(_))),
                "{secret}"
            );
        }
        let mut odd = config("https://x/");
        odd.kinds = vec!["*".to_owned()];
        assert!(matches!(
            Subscription::new("desk", &odd),
            Err(SubscriptionError::Kind { .. })
        ));
        assert!(
            !format!("{:?}", config("https://x/")).contains("MfKQ"),
            "secrets are not shown"
        );
    }

    /// A routing key and a path are told apart from other secrets, and a path never stands in what is logged or refused.
    #[test]
    fn people_s_receivers_have_secrets_of_their_own() {
        let of = |format, secret: &str| {
            let mut config = config("https://hooks.example.com");
            (config.format, config.secret) = (format, Secret(secret.to_owned()));
            Subscription::new("desk", &config)
        };
        assert!(of(Format::Pagerduty, "0123456789abcdef0123456789abcdef").is_ok());
        let slack = of(Format::Slack, "/services/T0/B0/abc").unwrap();
        assert_eq!(slack.target.path, "/services/T0/B0/abc");
        assert!(slack.wants("incident.reviewed") && !slack.wants("crl.published"));
        for (format, secret) in [
            (Format::Pagerduty, "short"),
            (Format::Pagerduty, "0123456789abcdef0123456789abcde!"),
            (Format::Slack, "https://hooks.example.com/services/T0"),
            (Format::Slack, "/services/T0\r\nx: y"),
        ] {
            let refused = of(format, secret).err().unwrap().to_string();
            assert!(!refused.contains(secret), "{refused}");
        }
    }

    #[test]
    fn kinds_are_names_or_families() {
        let mut config = config("https://x/");
        config.kinds = vec![
            "agent.*".to_owned(),
            "warning.opened".to_owned(),
            "delivery.*".to_owned(),
        ];
        let subscription = Subscription::new("desk", &config).unwrap();
        for (kind, wanted) in [
            ("agent.revoked", true),
            ("agents.revoked", false),
            ("warning.opened", true),
            ("warning.closed", false),
            ("delivery.dead", false),
        ] {
            assert_eq!(subscription.wants(kind), wanted, "{kind}");
        }
    }
}
