//! Messages for receivers that wake people: PagerDuty's Events API v2 and Slack's incoming webhooks.
//!
//! What belongs to one incident has one key, so that a page is acknowledged when an officer has seen the incident and resolved when it is reviewed;
//! a warning's page is resolved when the warning ends.

use extensions::{Timestamp, canonical};
use ledger::CommittedEntry;
use serde_json::{Value, json};

use super::{
    config::{Secret, Sender, Subscription},
    message::{Message, heartbeat, id_of, of_entry},
};

/// The longest summary PagerDuty takes, in characters.
const LONGEST_SUMMARY: usize = 1_024;

/// What an entry means to somebody who is woken by it.
struct Told {
    /// `trigger`, `acknowledge` or `resolve`.
    action: &'static str,
    /// What it belongs to.
    key: String,
    /// `critical`, `error`, `warning` or `info`.
    severity: &'static str,
    summary: String,
    /// Where in the console to act.
    path: String,
}

impl Subscription {
    /// The message that tells of `entry`.
    pub(super) fn message(&self, ledger: &str, entry: &CommittedEntry) -> Message {
        let told = || Told::of(ledger, entry);
        let details = || json!({"entry": entry.position, "kind": &*entry.kind, "ledger": ledger, "stream": entry.stream.to_string()});
        let body = match &self.sender {
            Sender::CloudEvents(_) => return of_entry(ledger, &self.name, entry),
            Sender::Pagerduty(key) => self.page(key, ledger, &told(), entry.at, &details()),
            Sender::Slack => self.text(&told()),
        };
        Message {
            body: canonical::to_vec(&body),
            entry: Some(entry.position),
            id: id_of(entry.position, &self.name),
        }
    }

    /// A sign of life.
    pub(super) fn sign_of_life(&self, ledger: &str, size: u64, now: Timestamp) -> Message {
        let plain = heartbeat(ledger, &self.name, size, now);
        let told = Told {
            action: "trigger",
            key: format!("{ledger}/test"),
            severity: "info",
            summary: format!("Mandatum, ledger {ledger}: a test that an officer asked for; nothing happened"),
            path: "/webhooks".to_owned(),
        };
        let body = match &self.sender {
            Sender::CloudEvents(_) => return plain,
            Sender::Pagerduty(key) => self.page(key, ledger, &told, now, &json!({"size": size})),
            Sender::Slack => self.text(&told),
        };
        Message {
            body: canonical::to_vec(&body),
            ..plain
        }
    }

    fn link(&self, told: &Told) -> Option<String> {
        let console = self.console.as_ref()?;
        Some(format!("{}{}", console.trim_end_matches('/'), told.path))
    }

    /// An event of PagerDuty's Events API v2.
    fn page(&self, key: &Secret, ledger: &str, told: &Told, at: Timestamp, details: &Value) -> Value {
        let links: Vec<Value> = self
            .link(told)
            .map(|href| json!({"href": href, "text": "Open the console"}))
            .into_iter()
            .collect();
        json!({
            "client": "Mandatum",
            "dedup_key": told.key,
            "event_action": told.action,
            "links": links,
            "payload": {
                "component": "mandatum",
                "custom_details": details,
                "severity": told.severity,
                "source": ledger,
                "summary": told.summary.chars().take(LONGEST_SUMMARY).collect::<String>(),
                "timestamp": at.to_string(),
            },
            "routing_key": key.0,
        })
    }

    /// A message of Slack's incoming webhooks. What stands in it was written by machines, and is escaped all the same.
    fn text(&self, told: &Told) -> Value {
        let escaped = told
            .summary
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        let link = self.link(told).map(|href| format!(" <{href}|Open the console>"));
        json!({"text": format!("{}: {escaped}{}", told.severity, link.unwrap_or_default())})
    }
}

impl Told {
    fn of(ledger: &str, entry: &CommittedEntry) -> Self {
        let record: Value = serde_json::from_slice(entry.body()).unwrap_or(Value::Null);
        let text = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
        let (agent, incident) = (text("agent"), text("incident"));
        let of_incident = |action, severity, summary| Self {
            action,
            key: format!("{ledger}/{incident}"),
            severity,
            summary,
            path: format!("/incidents/{incident}"),
        };
        let of_warning = |action, severity, summary| Self {
            action,
            key: format!("{ledger}/warning/{}", entry.stream.name()),
            severity,
            summary,
            path: format!("/agents/{}", entry.stream.name()),
        };
        match &*entry.kind {
            "incident.opened" => {
                let cause = text("cause").replace('_', " ");
                of_incident(
                    "trigger",
                    "critical",
                    format!("{agent} was stopped ({cause}): incident {incident} waits for somebody"),
                )
            }
            "incident.acknowledged" => of_incident("acknowledge", "info", format!("incident {incident} was seen")),
            "incident.reviewed" => of_incident("resolve", "info", format!("incident {incident} is reviewed")),
            "warning.opened" => {
                let (default, deadline) = (text("default").replace('_', " "), text("deadline"));
                of_warning(
                    "trigger",
                    "error",
                    format!("{agent} is warned: answer before {deadline}, else {default}"),
                )
            }
            "warning.closed" => {
                let why = text("why").replace('_', " ");
                of_warning("resolve", "info", format!("{agent}: the warning ended ({why})"))
            }
            kind => Self {
                action: "trigger",
                key: format!("{ledger}/{}", entry.position),
                severity: "warning",
                summary: format!("{kind} in {}", entry.stream),
                path: format!("/entries/{}", entry.position),
            },
        }
    }
}
