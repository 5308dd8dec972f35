//! Webhook subscriptions that officers sign. Each change takes two of them, like every setting of the house: whoever adds one lets the house's
//! affairs be told outside, whoever changes or removes one decides what the people on call hear.
//!
//! An entry never holds a secret, only the commitment of the sealed text that stands beside the proposal.

use std::collections::{BTreeMap, BTreeSet};

use extensions::approval::ApprovalRecord;
use extensions::{Digest, StreamId, StreamKind};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::actor::distinct_officers;
use crate::event::{record, record_enum};

/// Subscriptions a house may have by signature.
pub const MOST_SUBSCRIPTIONS: usize = 32;
/// Kinds one subscription may name.
pub const MOST_KINDS: usize = 64;
/// The longest address, in bytes.
pub const LONGEST_URL: usize = 512;
/// The longest secret, in bytes.
const LONGEST_SECRET: usize = 256;
/// The length of PagerDuty's routing keys.
const ROUTING_KEY: usize = 32;
/// Names remembered after their subscription was removed.
const MOST_NAMES: usize = 4_096;

/// What a receiver reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFormat {
    /// CloudEvents 1.0, signed as Standard Webhooks asks.
    #[default]
    CloudEvents,
    /// PagerDuty's Events API v2. The secret is the integration's routing key.
    Pagerduty,
    /// A Slack incoming webhook. The secret is the path of its address, from `/services/` on.
    Slack,
}

/// Why a subscription is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WebhookFault {
    /// A name that fits no stream.
    #[error("{0:?} is no name: 1 to 64 of [A-Za-z0-9._-]")]
    Name(String),
    /// An address that is not called.
    #[error("the address cannot be called: {0}")]
    Url(&'static str),
    /// A kind that names nothing.
    #[error("{0:?} names no kind: expected noun.verb, as in agent.revoked, or agent.*")]
    Kind(String),
    /// Too many kinds.
    #[error("{0} kinds; at most {MOST_KINDS} can be named")]
    TooManyKinds(usize),
    /// A secret that is none of this format.
    #[error("{0}")]
    Secret(&'static str),
}

/// What is signed of one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// What the receiver reads.
    pub format: WebhookFormat,
    /// Kinds to tell of: `agent.revoked`, or `agent.*`. Empty: the usual ones of the format.
    pub kinds: Vec<String>,
    /// The commitment of the secret, whose sealed text stands beside the proposal that brought it.
    pub secret: Digest,
    /// Where to. Its network is judged when it is called.
    pub url: String,
}

impl WebhookSettings {
    /// Whether it can be a subscription under this name.
    ///
    /// # Errors
    /// When name, address or a kind is not what it should be.
    pub fn check(&self, name: &str) -> Result<(), WebhookFault> {
        StreamId::new(StreamKind::Delivery, name).map_err(|_| WebhookFault::Name(name.to_owned()))?;
        check_url(&self.url).map_err(WebhookFault::Url)?;
        if self.kinds.len() > MOST_KINDS {
            return Err(WebhookFault::TooManyKinds(self.kinds.len()));
        }
        match self.kinds.iter().find(|kind| !names_kind(kind)) {
            Some(kind) => Err(WebhookFault::Kind(kind.clone())),
            None => Ok(()),
        }
    }
}

/// Whether a text names a kind of entries, or a family of them.
#[must_use]
pub fn names_kind(kind: &str) -> bool {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let parts = kind.split_once('.');
    kind.len() <= 64 && parts.is_some_and(|(noun, verb)| word(noun) && (verb == "*" || word(verb)))
}

fn check_url(url: &str) -> Result<(), &'static str> {
    if url.len() > LONGEST_URL {
        return Err("it is longer than 512 bytes");
    }
    if !url
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
    {
        return Err("it holds what no URL holds");
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or("its scheme must be https, or http into networks that the configuration allows")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err("it holds credentials; use the secret instead");
    }
    if url.contains('#') {
        return Err("it has a fragment, which no receiver sees");
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("it has no host");
    }
    match port {
        Some(port) if port.parse::<u16>().is_err() => Err("its port is no number up to 65535"),
        _ => Ok(()),
    }
}

/// Whether a secret that people bring fits its format. One of CloudEvents is made by the house.
///
/// # Errors
/// When it does not; the message never repeats it.
pub fn check_secret(format: WebhookFormat, secret: &str) -> Result<(), WebhookFault> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'/';
    match format {
        WebhookFormat::CloudEvents => Err(WebhookFault::Secret(
            "the house makes the secret of a cloud_events subscription itself: leave it out",
        )),
        WebhookFormat::Pagerduty
            if secret.len() == ROUTING_KEY && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
        {
            Ok(())
        }
        WebhookFormat::Pagerduty => Err(WebhookFault::Secret(
            "the secret must be PagerDuty's routing key, 32 letters and digits",
        )),
        WebhookFormat::Slack
            if secret.starts_with("/services/") && secret.len() <= LONGEST_SECRET && secret.bytes().all(word) =>
        {
            Ok(())
        }
        WebhookFormat::Slack => Err(WebhookFault::Secret(
            "the secret must be the path of Slack's address, from /services/ on",
        )),
    }
}

/// A subscription as two officers signed it, new or changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSet {
    /// The officers' signatures (two: a house setting). `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
    /// Its name, also of its stream.
    pub subscription: String,
    /// What it is from here on.
    pub webhook: WebhookSettings,
}
record!(WebhookSet, "house.webhook_set", |_| StreamId::house());

/// A subscription ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookRemoved {
    /// The officers' signatures (two: a house setting). `ca-core` checks them.
    pub signatures: Vec<ApprovalRecord>,
    /// Its name.
    pub subscription: String,
}
record!(WebhookRemoved, "house.webhook_removed", |_| StreamId::house());

record_enum! {
    /// What officers decide of subscriptions. It concerns no order, so no epoch is raised.
    WebhookEvent {
        /// New or changed.
        Set(WebhookSet),
        /// Ended.
        Removed(WebhookRemoved),
    }
}

/// A subscription in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribed {
    /// Where it was added: it is told of entries from here on.
    pub since: u64,
    /// What it is.
    pub webhook: WebhookSettings,
}

/// The subscriptions that officers signed, folded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebhookBook {
    current: BTreeMap<String, Subscribed>,
    names: BTreeSet<String>,
}

impl WebhookBook {
    /// Folds one event that stands at `position`. Returns whether it moved anything.
    pub fn apply(&mut self, event: &WebhookEvent, position: u64) -> bool {
        match event {
            WebhookEvent::Set(event) => {
                let fits = event.webhook.check(&event.subscription).is_ok();
                let room = self.has_room_for(&event.subscription);
                if !fits || !room || distinct_officers(&event.signatures) < 2 {
                    return false;
                }
                let since = self.current.get(&event.subscription).map_or(position, |one| one.since);
                let webhook = event.webhook.clone();
                self.current
                    .insert(event.subscription.clone(), Subscribed { since, webhook });
                if self.names.len() < MOST_NAMES {
                    self.names.insert(event.subscription.clone());
                }
                true
            }
            WebhookEvent::Removed(event) => {
                distinct_officers(&event.signatures) >= 2 && self.current.remove(&event.subscription).is_some()
            }
        }
    }

    /// Those in force, by name.
    pub fn current(&self) -> impl Iterator<Item = (&str, &Subscribed)> {
        self.current.iter().map(|(name, one)| (name.as_str(), one))
    }

    /// The one of a name, when it is in force.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Subscribed> {
        self.current.get(name)
    }

    /// Whether officers ever signed one under this name.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Whether one under this name can be set: it is there already, or there are fewer than [`MOST_SUBSCRIPTIONS`].
    #[must_use]
    pub fn has_room_for(&self, name: &str) -> bool {
        self.current.contains_key(name) || self.current.len() < MOST_SUBSCRIPTIONS
    }
}

#[cfg(test)]
mod tests {
    use extensions::{Base64, OfficerId, approval::Decision};

    use super::*;

    fn settings(url: &str) -> WebhookSettings {
        WebhookSettings {
            format: WebhookFormat::CloudEvents,
            kinds: vec!["agent.*".to_owned(), "incident.opened".to_owned()],
            secret: Digest::of(b"secret"),
            url: url.to_owned(),
        }
    }

    fn signed(officers: &[&str]) -> Vec<ApprovalRecord> {
        let one = |officer: &&str| ApprovalRecord {
            decision: Decision::Approve,
            document: Digest::of(b"document"),
            key: Digest::of(b"key"),
            nonce: Digest::of(b"nonce"),
            officer: OfficerId::new(officer).unwrap(),
            passkey: None,
            signature: Base64(b"signature".to_vec()),
        };
        officers.iter().map(one).collect()
    }

    fn set(name: &str, officers: &[&str]) -> WebhookEvent {
        WebhookSet {
            signatures: signed(officers),
            subscription: name.to_owned(),
            webhook: settings("https://desk.example.com/hook"),
        }
        .into()
    }

    /// Control: the first address of each list is taken, and with the line that refuses it taken away so is each of the others.
    #[test]
    fn addresses_are_read_strictly() {
        for url in [
            "https://desk.example.com/hook?a=1",
            "https://[2001:db8::1]:8443/x",
            "http://10.1.2.3:8080/",
        ] {
            assert_eq!(settings(url).check("desk"), Ok(()), "{url}");
        }
        for url in [
            "",
            "https://",
            "https:///x",
            "https://:443/x",
            "https://u:p@x/",
            "ftp://x/",
            "file:///etc/passwd",
            "https://x:99999/",
            "https://x/#a",
            "https://x/<script>",
            "https://x/a b",
            "https://x/\r\nHost: y",
            "javascript:alert(1)",
        ] {
            assert!(settings(url).check("desk").is_err(), "{url}");
        }
        assert!(settings("https://x/").check("de sk").is_err());
        let mut odd = settings("https://x/");
        odd.kinds = vec!["*".to_owned()];
        assert_eq!(odd.check("desk"), Err(WebhookFault::Kind("*".to_owned())));
        odd.kinds = vec!["agent.*".to_owned(); MOST_KINDS + 1];
        assert!(odd.check("desk").is_err());
    }

    #[test]
    fn secrets_fit_their_format_and_are_not_repeated() {
        assert!(check_secret(WebhookFormat::Pagerduty, "0123456789abcdef0123456789abcdef").is_ok());
        assert!(check_secret(WebhookFormat::Slack, "/services/T0/B0/abc").is_ok());
        for (format, secret) in [
            (WebhookFormat::CloudEvents, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            (WebhookFormat::Pagerduty, "short-one"),
            (WebhookFormat::Slack, "https://hooks.slack.com/services/T0"),
            (WebhookFormat::Slack, "/services/T0\r\nx: y"),
        ] {
            let refused = check_secret(format, secret).unwrap_err().to_string();
            assert!(!refused.contains(secret), "{refused}");
        }
    }

    /// Two officers, room, and where telling begins. Control: one officer twice moves nothing.
    #[test]
    fn subscriptions_are_set_by_two_and_begin_where_they_are_added() {
        let mut book = WebhookBook::default();
        assert!(!book.apply(&set("desk", &["ada"]), 6));
        assert!(!book.apply(&set("desk", &["ada", "ada"]), 7));
        assert!(book.apply(&set("desk", &["ada", "ben"]), 8));
        assert!(book.apply(&set("desk", &["ada", "ben"]), 9));
        assert_eq!(book.find("desk").map(|one| one.since), Some(8));
        let removed = |officers: &[&str]| -> WebhookEvent {
            WebhookRemoved {
                signatures: signed(officers),
                subscription: "desk".to_owned(),
            }
            .into()
        };
        assert!(!book.apply(&removed(&["ada"]), 10));
        assert!(book.apply(&removed(&["ada", "ben"]), 11));
        assert!(book.find("desk").is_none() && book.knows("desk") && !book.knows("other"));
        assert!(book.apply(&set("desk", &["ada", "ben"]), 12));
        assert_eq!(book.find("desk").map(|one| one.since), Some(12));
        for number in 1..MOST_SUBSCRIPTIONS {
            assert!(book.apply(&set(&format!("desk-{number}"), &["ada", "ben"]), 20));
        }
        assert!(!book.apply(&set("one-more", &["ada", "ben"]), 21));
        assert!(book.apply(&set("desk", &["ada", "ben"]), 22));
    }
}
