//! Events of calendar jobs and of webhook deliveries.

use extensions::{Base64, Digest, OfficerId, StreamId, StreamKind, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::{record, record_enum};

/// The calendar jobs there are. Each has its stream `job/<name>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Rebuilds and publishes the CRL.
    Crl,
    /// Sends the webhooks' heartbeat.
    Heartbeat,
}

impl Job {
    /// The name in its stream.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crl => "crl",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// Its stream.
    ///
    /// # Panics
    /// Never: the names fit a stream's alphabet, which a test holds them to.
    #[must_use]
    pub fn stream(self) -> StreamId {
        StreamId::new(StreamKind::Job, self.as_str()).expect("job names fit a stream's alphabet")
    }
}

/// A CRL was signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlPublished {
    /// SHA-256 of the DER.
    pub digest: Digest,
    /// Revoked certificates in it.
    pub entries: u32,
    /// The CA whose list it is, by the SHA-256 of its certificate; none means the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Digest>,
    /// The list in DER, so that every process can serve it from the ledger; none when it is too long for an entry.
    pub list: Option<Base64>,
    /// nextUpdate.
    pub next_update: Timestamp,
    /// crlNumber.
    pub number: u64,
    /// thisUpdate.
    pub this_update: Timestamp,
}
record!(CrlPublished, "crl.published", |_| Job::Crl.stream());

/// A calendar job ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRan {
    /// When it had been due.
    pub due: Timestamp,
    /// Why it failed, in words; none when it did not.
    pub fault: Option<String>,
    /// The job.
    pub job: Job,
}
record!(JobRan, "job.ran", |event| event.job.stream());

record_enum! {
    /// What calendar jobs record.
    JobEvent {
        /// A CRL was signed.
        CrlPublished(CrlPublished),
        /// A job ran.
        Ran(JobRan),
    }
}

/// How one attempt to deliver a webhook ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryAttempted {
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The ledger position of the entry it tells of; none for a heartbeat.
    pub entry: Option<u64>,
    /// Why it failed, in a few words; none when the receiver took it.
    pub fault: Option<String>,
    /// The webhook-id.
    pub message: String,
    /// The receiver's HTTP status, if it answered.
    pub status: Option<u16>,
    /// The subscription.
    pub subscription: String,
    /// Every entry before this position that concerns the subscription has been attempted at least once.
    pub through: u64,
}
record!(DeliveryAttempted, "delivery.attempted", |event| delivery_stream(
    &event.subscription
));

/// An officer asked for a message now: a dead letter once more, or a sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryAsked {
    /// Who asked.
    pub officer: OfficerId,
    /// The ledger position of the entry whose dead letter is tried again; none for a sign of life.
    pub replay: Option<u64>,
    /// The subscription.
    pub subscription: String,
}
record!(DeliveryAsked, "delivery.asked", |event| delivery_stream(
    &event.subscription
));

/// A message was given up; [`DeliveryAsked`] sends it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryDead {
    /// Attempts made.
    pub attempts: u32,
    /// The ledger position of the entry it tells of; none for a heartbeat.
    pub entry: Option<u64>,
    /// The last fault, in a few words.
    pub fault: String,
    /// The webhook-id.
    pub message: String,
    /// The subscription.
    pub subscription: String,
}
record!(DeliveryDead, "delivery.dead", |event| delivery_stream(
    &event.subscription
));

/// A subscription was seen for the first time: it is told of entries from here on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySubscribed {
    /// The first ledger position it is told of.
    pub from: u64,
    /// The subscription.
    pub subscription: String,
}
record!(DeliverySubscribed, "delivery.subscribed", |event| delivery_stream(
    &event.subscription
));

/// The outbox task by which the `ca` role is asked for a new CRL.
pub const CRL_PUBLISH_TASK: &str = "crl.publish";

record_enum! {
    /// What webhook deliveries record, and what is asked of them.
    DeliveryEvent {
        /// First seen.
        Subscribed(DeliverySubscribed),
        /// An officer asked for a message now.
        Asked(DeliveryAsked),
        /// One attempt.
        Attempted(DeliveryAttempted),
        /// Given up.
        Dead(DeliveryDead),
    }
}

/// The stream of one subscription; a name outside a stream's alphabet falls to `delivery/unnamed`, since the
/// configuration that names subscriptions is checked when it is read.
fn delivery_stream(subscription: &str) -> StreamId {
    StreamId::new(StreamKind::Delivery, subscription)
        .or_else(|_| StreamId::new(StreamKind::Delivery, "unnamed"))
        .unwrap_or_else(|_| StreamId::house())
}
