//! Which subscriptions officers signed, and where the secret of each is sealed: folded beside the status, by the same reading of the log.

use std::collections::BTreeMap;

use extensions::Digest;
use revocation_core::webhooks::{WebhookBook, WebhookEvent, WebhookSet};
use serde::Deserialize;

use crate::webhook::Signed;

/// Secrets of proposals whose place is remembered; beyond them, those of no subscription in force are forgotten.
const MOST_SECRETS: usize = 1_024;

/// The part of a proposal that concerns a subscription.
#[derive(Deserialize)]
struct Proposed {
    becomes: String,
    document: Document,
}

#[derive(Deserialize)]
struct Document {
    webhook: Settings,
}

#[derive(Deserialize)]
struct Settings {
    secret: Digest,
}

/// The fold.
#[derive(Default)]
pub(super) struct Hooks {
    book: WebhookBook,
    moved: bool,
    /// Where each secret was sealed: beside the first proposal that names it.
    secrets: BTreeMap<Digest, u64>,
}

impl Hooks {
    /// Takes in an entry that is to be obeyed.
    pub(super) fn fold(&mut self, kind: &str, body: &[u8], position: u64) {
        if kind == "officer.proposed" {
            if let Ok(proposed) = serde_json::from_slice::<Proposed>(body)
                && proposed.becomes == WebhookSet::KIND
            {
                self.remember(proposed.document.webhook.secret, position);
            }
            return;
        }
        match WebhookEvent::decode(kind, body) {
            None => {}
            Some(Ok(event)) => self.moved |= self.book.apply(&event, position),
            Some(Err(error)) => tracing::error!(position, kind, %error, "unreadable entry"),
        }
    }

    fn remember(&mut self, secret: Digest, position: u64) {
        if self.secrets.len() >= MOST_SECRETS {
            let used: Vec<Digest> = self.book.current().map(|(_, one)| one.webhook.secret).collect();
            self.secrets.retain(|secret, _| used.contains(secret));
        }
        self.secrets.entry(secret).or_insert(position);
    }

    /// Whether something changed since this was asked last.
    pub(super) fn moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Those in force.
    pub(super) fn current(&self) -> Vec<Signed> {
        let signed = self.book.current().map(|(name, one)| Signed {
            name: name.to_owned(),
            secret_at: self.secrets.get(&one.webhook.secret).copied(),
            since: one.since,
            webhook: one.webhook.clone(),
        });
        signed.collect()
    }
}

#[cfg(test)]
mod tests {
    use extensions::approval::Decision;
    use extensions::{ApprovalRecord, Base64, OfficerId, canonical};
    use revocation_core::webhooks::{WebhookFormat, WebhookSettings};
    use serde_json::json;

    use super::*;

    fn set(secret: &Digest) -> Vec<u8> {
        let signed = |officer| ApprovalRecord {
            decision: Decision::Approve,
            document: Digest::of(b"document"),
            key: Digest::of(b"key"),
            nonce: Digest::of(b"nonce"),
            officer: OfficerId::new(officer).unwrap(),
            passkey: None,
            signature: Base64(Vec::new()),
        };
        let webhook = WebhookSettings {
            format: WebhookFormat::CloudEvents,
            kinds: Vec::new(),
            secret: *secret,
            url: "https://desk.example.com/".to_owned(),
        };
        canonical::to_vec(
            &json!({"signatures": [signed("ada"), signed("ben")], "subscription": "desk", "webhook": webhook}),
        )
    }

    /// The secret is where the first proposal that names it stands, also when a later change repeats it. Control: another kind of proposal with the
    /// same member is none.
    #[test]
    fn a_secret_is_found_where_it_was_sealed() {
        let (mut hooks, secret) = (Hooks::default(), Digest::of(b"secret"));
        let proposed = |becomes: &str| {
            canonical::to_vec(
                &json!({"becomes": becomes, "document": {"webhook": {"secret": secret}}, "proposer": "ada"}),
            )
        };
        hooks.fold("officer.proposed", &proposed("house.regions_set"), 3);
        hooks.fold("officer.proposed", &proposed("house.webhook_set"), 4);
        hooks.fold("house.webhook_set", &set(&secret), 6);
        assert!(hooks.moved() && !hooks.moved());
        hooks.fold("officer.proposed", &proposed("house.webhook_set"), 7);
        hooks.fold("house.webhook_set", &set(&secret), 9);
        let current = hooks.current();
        assert_eq!((current[0].secret_at, current[0].since), (Some(4), 6));
    }
}
