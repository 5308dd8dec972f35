//! What a receiver gets: a CloudEvents 1.0 body in structured JSON, signed as Standard Webhooks asks.
//!
//! An event carries no authority: it repeats what the ledger says, and a receiver that acts on it should look.

use extensions::{Timestamp, canonical};
use ledger::CommittedEntry;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

/// The body's media type (CloudEvents HTTP binding §3.2).
pub(super) const CONTENT_TYPE: &str = "application/cloudevents+json; charset=utf-8";

/// One message, the same at each attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The body.
    pub(super) body: Vec<u8>,
    /// The ledger position it tells of; none for a heartbeat.
    pub(super) entry: Option<u64>,
    /// The webhook-id.
    pub(super) id: String,
}

fn source(ledger: &str) -> String {
    format!("urn:mandatum:ledger:{ledger}")
}

/// The webhook-id of the entry at `position` for one subscription.
pub(super) fn id_of(position: u64, subscription: &str) -> String {
    format!("msg_{position}_{}", subscription.replace('.', "_"))
}

/// The message that tells `subscription` of `entry`. The entry's body is canonical JSON without sealed text.
pub(super) fn of_entry(ledger: &str, subscription: &str, entry: &CommittedEntry) -> Message {
    let record: Value = serde_json::from_slice(entry.body()).unwrap_or(Value::Null);
    let body = json!({
        "specversion": "1.0",
        "id": format!("{ledger}/{}", entry.position),
        "source": source(ledger),
        "type": format!("mandatum.{}", entry.kind),
        "subject": entry.stream.to_string(),
        "time": entry.at.to_string(),
        "datacontenttype": "application/json",
        "data": {
            "late": entry.late,
            "number": entry.number,
            "position": entry.position,
            "record": record,
        },
    });
    Message {
        body: canonical::to_vec(&body),
        entry: Some(entry.position),
        id: id_of(entry.position, subscription),
    }
}

/// A sign of life: when it stays away, receiver or sender should worry.
pub(super) fn heartbeat(ledger: &str, subscription: &str, size: u64, now: Timestamp) -> Message {
    let id = format!("msg_heartbeat_{}_{}", now.micros(), subscription.replace('.', "_"));
    let body = json!({
        "specversion": "1.0",
        "id": id,
        "source": source(ledger),
        "type": "mandatum.heartbeat",
        "time": now.to_string(),
        "datacontenttype": "application/json",
        "data": { "size": size },
    });
    Message {
        body: canonical::to_vec(&body),
        entry: None,
        id,
    }
}

/// The webhook-signature header: one signature for each valid secret, so that secrets rotate with overlap.
pub(super) fn signatures(signers: &[Webhook], message: &Message, sent: Timestamp) -> Option<String> {
    let signed = signers
        .iter()
        .map(|signer| signer.sign(&message.id, sent.seconds(), &message.body).ok());
    signed
        .collect::<Option<Vec<_>>>()
        .map(|signatures| signatures.join(" "))
}
