//! The documented bot (`docs/examples/bot.py`) signs orders with a stock library, and the gateway's own verifier takes them.
//!
//! Needs a Python with `requests`, `cryptography` and `http-message-signatures`: `MANDATUM_PYTHON`, which `cargo xtask test`
//! sets. Without one the test says so.

use std::{
    collections::HashMap,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use extensions::{Digest, KeyAlgorithm, Timestamp};
use gateway_service::api::proof::{ProofError, ProofKey, SignedRequest, verify_at};
use rcgen::{CertificateParams, KeyPair, PublicKeyData, SignatureAlgorithm};

const BODY: &[u8] = br#"{"client_order_id":"a-1","quantity":"0.5"}"#;

struct Signed {
    fields: HashMap<String, String>,
    public_key: Vec<u8>,
    fingerprint: Digest,
    algorithm: KeyAlgorithm,
}

impl Signed {
    fn by(python: &str, rule: &'static SignatureAlgorithm, algorithm: KeyAlgorithm) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let key = KeyPair::generate_for(rule).expect("key");
        let certificate = CertificateParams::new(Vec::new())
            .expect("plain")
            .self_signed(&key)
            .expect("signs");
        let (certificate_path, key_path) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        fs::write(&certificate_path, certificate.pem()).expect("writes");
        fs::write(&key_path, key_pem(&key, algorithm)).expect("writes");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/examples/bot.py");
        let mut bot = Command::new(python);
        bot.arg(script)
            .args(["sign", "--gateway", "https://gw:8443", "--certificate"]);
        bot.arg(&certificate_path).arg("--key").arg(&key_path);
        let mut bot = bot
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python runs");
        bot.stdin.take().expect("piped").write_all(BODY).expect("writes");
        let output = bot.wait_with_output().expect("ends");
        let fields: HashMap<String, String> = serde_json::from_slice(&output.stdout).expect("JSON");
        Self {
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect(),
            public_key: key.der_bytes().to_vec(),
            fingerprint: Digest::of(certificate.der()),
            algorithm,
        }
    }

    fn verdict(&self, method: &str, target_uri: &str, body: &[u8]) -> Result<(), ProofError> {
        let field = |name: &str| self.fields.get(name).map(String::as_str);
        let request = SignedRequest {
            method,
            target_uri,
            content_type: field("content-type"),
            content_digest: field("content-digest"),
            signature_input: field("signature-input"),
            signature: field("signature"),
            body,
        };
        let key = ProofKey {
            algorithm: self.algorithm,
            public_key: &self.public_key,
            fingerprint: self.fingerprint,
        };
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        verify_at(
            &request,
            &key,
            Timestamp::from_seconds(i64::try_from(now).expect("fits")),
        )
        .map(drop)
    }
}

/// A key as OpenSSL writes it. ring appends the public key to Ed25519 keys (RFC 5958), which other libraries do not read.
fn key_pem(key: &KeyPair, algorithm: KeyAlgorithm) -> String {
    if algorithm != KeyAlgorithm::Ed25519 {
        return key.serialize_pem();
    }
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend(&key.serialized_der()[16..48]);
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// Control: another method, address or body must be refused, or the first line proves nothing.
#[test]
fn a_stock_library_signs_orders() {
    let python = std::env::var("MANDATUM_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let wanted = "import requests, cryptography, http_message_signatures";
    let importable = Command::new(&python).args(["-c", wanted]).output();
    if !importable.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "skipped: {python} lacks the packages of xtask/requirements.txt; set MANDATUM_PYTHON to one that has them"
        );
        assert!(
            std::env::var_os("MANDATUM_PYTHON").is_none(),
            "nothing is skipped under `cargo xtask`"
        );
        return;
    }
    for (rule, algorithm) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, KeyAlgorithm::EcdsaP256Sha256),
        (&rcgen::PKCS_ED25519, KeyAlgorithm::Ed25519),
    ] {
        let signed = Signed::by(&python, rule, algorithm);
        let uri = "https://gw:8443/v1/orders";
        assert_eq!(signed.verdict("POST", uri, BODY), Ok(()), "{algorithm:?}");
        assert_eq!(signed.verdict("PUT", uri, BODY), Err(ProofError::Signature));
        assert_eq!(
            signed.verdict("POST", "https://gw:8443/v1/order", BODY),
            Err(ProofError::Signature)
        );
        assert_eq!(signed.verdict("POST", uri, b"{}"), Err(ProofError::Digest));
    }
}
