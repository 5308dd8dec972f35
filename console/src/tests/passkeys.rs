//! A passkey's counter goes on, or the answer is refused, written down and told. The authenticator here is a key and a number; a real browser's
//! is copied in `cli/tests/console`.

use std::sync::Arc;

use axum::http::StatusCode;
use base64::{Engine as _, engine::general_purpose::STANDARD, engine::general_purpose::URL_SAFE_NO_PAD};
use ca_core::{certificate::spki_of, events::PasskeyAdded};
use ca_keys::SecretKey;
use extensions::{
    ApprovalDecision, ApprovalRecord, Base64, Digest, KeyAlgorithm, Signer, approval::approval_message,
    passkey::Assertion,
};
use serde_json::{Value, json};

use super::{
    Bench,
    pages::{Browser, text_of},
};

struct Passkey {
    key: SecretKey,
    credential: Vec<u8>,
    origin: String,
    party: String,
}

impl Passkey {
    /// A further passkey of ada, signed by the key of her certificate.
    async fn of_ada(bench: &Bench, credential: &[u8]) -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let key = SecretKey::from_pkcs8("passkey", KeyAlgorithm::EcdsaP256Sha256, pair.serialize_der().into()).unwrap();
        let party = bench.console.config.party.clone();
        let mut event = PasskeyAdded {
            attestation: Base64(vec![1]),
            authorised_by: None,
            credential: Base64(credential.to_vec()),
            name: None,
            officer: bench.ada.id,
            party: party.clone(),
            sealed: Vec::new(),
            spki: Base64(key.public_key_spki().to_vec()),
            token: None,
        };
        let (document, nonce) = (event.document(), Digest::of(credential));
        let message = approval_message(&nonce, &document, ApprovalDecision::Approve);
        event.authorised_by = Some(ApprovalRecord {
            decision: ApprovalDecision::Approve,
            document,
            key: Digest::of(&spki_of(&bench.ada.certificate).unwrap()),
            nonce,
            officer: bench.ada.id,
            passkey: None,
            signature: Base64(bench.ada.key.sign(&message.0).unwrap()),
        });
        bench.append(event).await;
        Self {
            key,
            credential: credential.to_vec(),
            origin: party.origin,
            party: party.id,
        }
    }

    /// What it answers to a challenge, with a counter of our choice.
    fn answers(&self, challenge: &[u8], counter: u32) -> (Assertion, Vec<u8>) {
        let client_data = json!({"challenge": URL_SAFE_NO_PAD.encode(challenge), "crossOrigin": false, "origin": self.origin, "type": "webauthn.get"});
        let client_data = client_data.to_string().into_bytes();
        let mut data = Digest::of(self.party.as_bytes()).0.to_vec();
        data.push(5);
        data.extend(counter.to_be_bytes());
        let signed = [data.as_slice(), &Digest::of(&client_data).0].concat();
        let signature = self.key.sign(&signed).unwrap();
        let assertion = Assertion {
            authenticator_data: Base64(data),
            client_data: Base64(client_data),
        };
        (assertion, signature)
    }

    async fn signs_in(&self, bench: &Bench, counter: u32) -> (StatusCode, String) {
        let browser = Browser::new(bench, false);
        let (_, page) = browser.get("/sign-in").await;
        let at = page.find("data-challenge=\"").unwrap() + 16;
        let challenge = Digest::parse(&page[at..at + 64]).unwrap();
        let (assertion, signature) = self.answers(&challenge.0, counter);
        let field = |bytes: &[u8]| STANDARD.encode(bytes).replace('+', "%2B").replace('=', "%3D");
        let body = format!(
            "challenge={challenge}&credential={}&authenticator_data={}&client_data={}&signature={}",
            field(&self.credential),
            field(&assertion.authenticator_data.0),
            field(&assertion.client_data.0),
            field(&signature),
        );
        text_of(browser.post("/sign-in", &body).await).await
    }

    /// The body of an approval of what `question` shows.
    fn approves(&self, question: &Value, counter: u32) -> Value {
        let digest = |name: &str| Digest::parse(question[name].as_str().unwrap()).unwrap();
        let (nonce, document) = (digest("nonce"), digest("document_digest"));
        let message = approval_message(&nonce, &document, ApprovalDecision::Approve);
        let (assertion, signature) = self.answers(&message.0, counter);
        json!({
            "decision": "approve", "document": document, "key": Digest::of(self.key.public_key_spki()), "nonce": nonce,
            "passkey": assertion, "signature": Base64(signature),
        })
    }
}

async fn doubts(bench: &Bench) -> Vec<Value> {
    let entries = bench.ledger.read_range(0, 4_096).await.unwrap();
    let found = entries.iter().filter(|entry| &*entry.kind == "officer.passkey_doubted");
    found
        .map(|entry| serde_json::from_slice(entry.body()).unwrap())
        .collect()
}

/// Controls tried: without `counter_goes_on` in `Pages::answered` the copy signs in; without `counted.hold` in `applications::sign` it
/// approves; with it before the other checks an answer sent twice is taken for a copy; without the counters of the ledger a console that
/// begins anew lets the copy in.
#[tokio::test]
async fn a_counter_that_goes_back_is_a_copy() {
    let bench = Bench::new().await;
    let passkey = Passkey::of_ada(&bench, b"counts").await;
    assert_eq!(passkey.signs_in(&bench, 5).await.0, StatusCode::SEE_OTHER);
    assert_eq!(passkey.signs_in(&bench, 6).await.0, StatusCode::SEE_OTHER);
    assert!(doubts(&bench).await.is_empty());
    for counter in [4, 6, 0] {
        let (status, page) = passkey.signs_in(&bench, counter).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(page.contains("a copy of it may be in use"), "{page}");
    }
    let told = doubts(&bench).await;
    assert_eq!(told.len(), 1, "sparsely");
    assert_eq!(
        (&told[0]["act"], &told[0]["counter"], &told[0]["last"]),
        (&json!("sign in"), &json!(4), &json!(6))
    );

    bench.agent("mm-1", "desk").await;
    let asked = bench.asks("mm-1", "m-1", ("2000000", "50000"), None);
    let question = bench.done(&bench.ben, "/v1/applications", asked).await;
    let path = "/v1/applications/m-1/signatures";
    bench.later(61);
    bench
        .refused(&bench.ada, path, passkey.approves(&question, 6), "PASSKEY_COUNTER")
        .await;
    assert_eq!(doubts(&bench).await.len(), 2);
    let (_, shown) = bench.get(&bench.ada, "/v1/applications/m-1").await;
    assert_eq!(shown["signatures"], json!([]), "nothing was signed");
    let good = passkey.approves(&question, 7);
    bench.done(&bench.ada, path, good.clone()).await;
    bench.later(61);
    bench.refused(&bench.ada, path, good, "SIGNATURE_REFUSED").await;
    assert_eq!(doubts(&bench).await.len(), 2, "what is sent twice is no copy");

    // Everybody is told.
    let (_, overdue) = bench.get(&bench.ben, "/v1/overdue").await;
    assert_eq!(overdue["passkeys"][0]["officer"], json!("ada"));
    let (_, first) = Browser::new(&bench, true).signed_in().await.get("/").await;
    assert!(first.contains("A passkey of ada"), "{first}");

    // A console that begins anew knows the counters of signatures.
    let mut bench = bench;
    bench.console.counters = Arc::default();
    assert_eq!(passkey.signs_in(&bench, 7).await.0, StatusCode::FORBIDDEN);
    assert_eq!(passkey.signs_in(&bench, 8).await.0, StatusCode::SEE_OTHER);
}

/// A passkey that its platform backs up counts nothing. Control: without `last > 0` in `Counters::take` it never signs in.
#[tokio::test]
async fn a_passkey_without_a_counter_signs() {
    let bench = Bench::new().await;
    let passkey = Passkey::of_ada(&bench, b"synced").await;
    for _ in 0..3 {
        assert_eq!(passkey.signs_in(&bench, 0).await.0, StatusCode::SEE_OTHER);
    }
    assert!(doubts(&bench).await.is_empty());
    let (_, overdue) = bench.get(&bench.ben, "/v1/overdue").await;
    assert_eq!(overdue["passkeys"], json!([]));
}
