//! A signature with a passkey: what the page shows to be signed, and what comes back.

use extensions::Digest;
use serde_json::{Value, json};

use super::{Pages, Session, forms::Fields};

/// What a page that asks for a signature needs.
pub(super) struct Question {
    /// The server's nonce.
    pub(super) nonce: String,
    /// SHA-256 of the document.
    pub(super) digest: String,
    /// The document itself, canonical: the browser hashes it again before it signs.
    pub(super) document: String,
    /// The officer's passkeys, as base64url ids with spaces between; none, and the page points to the command line.
    pub(super) credentials: String,
    /// The relying party's id.
    pub(super) party: String,
    /// Where the answer goes.
    pub(super) action: String,
    /// The same on the command line, for those with a certificate.
    pub(super) command: String,
}

impl Question {
    /// A question about a document, to the officer of this session.
    pub(super) async fn of(pages: &Pages, session: &Session, nonce: String, digest: String, document: &Value) -> Self {
        Self {
            nonce,
            digest,
            document: String::from_utf8(extensions::canonical::to_vec(document)).unwrap_or_default(),
            credentials: pages.credentials_of(session).await,
            party: pages.console.config.party.id.clone(),
            action: String::new(),
            command: String::new(),
        }
    }
}

impl Question {
    /// The same, answered at this address or by this command.
    pub(super) fn answered(self, action: String, command: String) -> Self {
        Self {
            action,
            command,
            ..self
        }
    }
}

impl Pages {
    /// The ids of an officer's passkeys, base64url, with spaces between.
    pub(super) async fn credentials_of(&self, session: &Session) -> String {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let Ok(view) = self.console.view().await else {
            return String::new();
        };
        let officer = view.register.officer(&session.caller.officer);
        let ids = officer.into_iter().flat_map(|officer| officer.passkeys());
        let ids: Vec<String> = ids.map(|passkey| URL_SAFE_NO_PAD.encode(&passkey.credential)).collect();
        ids.join(" ")
    }

    /// The key behind a credential of this officer.
    pub(super) async fn key_of(&self, session: &Session, credential: &str) -> Option<Digest> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let credential = STANDARD.decode(credential).ok()?;
        let view = self.console.view().await.ok()?;
        let (officer, passkey) = view.register.passkey_of_credential(&credential)?;
        (*officer.id() == session.caller.officer).then_some(passkey.key)
    }

    /// The body of a signature for the API, from the fields that `passkey.js` filled.
    pub(super) async fn signature(&self, session: &Session, fields: &Fields) -> Value {
        let key = self.key_of(session, fields.of("credential")).await;
        let reason = Some(fields.of("reason")).filter(|reason| !reason.is_empty());
        let mut body = json!({
            "decision": fields.of("decision"),
            "document": fields.of("document"),
            "nonce": fields.of("nonce"),
            "passkey": {
                "authenticator_data": fields.of("authenticator_data"),
                "client_data": fields.of("client_data"),
            },
            "reason": reason,
            "signature": fields.of("signature"),
        });
        if let Some(key) = key {
            body["key"] = json!(key);
        }
        body
    }
}
