//! A bot: enrolment by EST, renewal, and calls to the gateway with its own certificate.

mod unfinished;

use std::{net::IpAddr, path::Path, sync::Arc};

use anyhow::{Context, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_keys::{FileSigner, Protection};
use ca_service::files::{certificates_pem, write_whole};
use extensions::{KeyAlgorithm, Signer, certificate::Certificate};
use hyper::StatusCode;
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::{
    client::{Client, Origin, Reply},
    clock::SystemClock,
    commands::report::{Exit, Failure},
    officer::{answer, unreachable},
    pkcs7,
    proof::{self, OrderProof},
    request,
};

/// The bot's key.
pub const KEY_FILE: &str = "key.pem";
/// Its certificate alone.
pub const CERTIFICATE_FILE: &str = "certificate.pem";
/// Its certificate and the issuing CA's.
pub const CHAIN_FILE: &str = "chain.pem";
/// What it pins: the house root.
pub const ROOTS_FILE: &str = "roots.pem";

/// Enrols a bot: makes its key in `folder` (mode 0600), asks with the one-time token, waits until officers approved, writes certificate,
/// chain and roots. Run again, it goes on with the same key. `waiting` is told the wait before each further question.
///
/// # Errors
/// When the server refuses or cannot be reached, or a file cannot be written.
pub async fn enrol(
    folder: &Path,
    origin: Origin,
    roots: &[CertificateDer<'static>],
    agent: &str,
    token: &str,
    waiting: &mut (dyn FnMut(std::time::Duration) + Send),
) -> anyhow::Result<Value> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    unfinished::finish(folder)?;
    let path = folder.join(KEY_FILE);
    let key = if path.exists() {
        FileSigner::open(&path, Protection::Plain)?
    } else {
        FileSigner::create(&path, KeyAlgorithm::EcdsaP256Sha256, Protection::Plain)?
    };
    let body = STANDARD.encode(request::of_key(&key)?);
    let basic = format!("Basic {}", STANDARD.encode(format!("{agent}:{token}")));
    let headers = [
        ("authorization", basic.as_str()),
        ("content-type", "application/pkcs10"),
        ("content-transfer-encoding", "base64"),
    ];
    let mut client = Client::new(origin, roots, None)?;
    for _ in 0..request::MOST_POLLS {
        let reply = client
            .send("POST", "/.well-known/est/simpleenroll", &headers, body.clone())
            .await;
        let reply = reply.map_err(unreachable)?;
        if reply.status == StatusCode::ACCEPTED {
            let wait = request::retry_after(&reply);
            waiting(wait);
            tokio::time::sleep(wait).await;
            continue;
        }
        return keep(folder, &key, roots, &reply);
    }
    let message =
        "officers have not approved yet; the request stays bound to this key: run the same command again later";
    Err(Failure::new(Exit::Unavailable, message).into())
}

/// Renews a bot's certificate with a new key, over mTLS with the present one. Interrupted anywhere and run again, it goes on.
///
/// # Errors
/// As [`enrol`].
pub async fn renew(folder: &Path, origin: Origin, roots: &[CertificateDer<'static>]) -> anyhow::Result<Value> {
    unfinished::finish(folder)?;
    let chain = crate::pem::certificates(&folder.join(CHAIN_FILE))?;
    let present = FileSigner::open(&folder.join(KEY_FILE), Protection::Plain)?;
    let key = unfinished::next_key(folder)?;
    let identity = ca_keys::tls::certified_key(chain, Arc::new(present));
    let mut client = Client::new(origin, roots, Some(identity))?;
    let body = STANDARD.encode(request::of_key(&key)?);
    let headers = [
        ("content-type", "application/pkcs10"),
        ("content-transfer-encoding", "base64"),
    ];
    for _ in 0..request::MOST_POLLS {
        let reply = client
            .send("POST", "/.well-known/est/simplereenroll", &headers, body.clone())
            .await;
        let reply = reply.map_err(unreachable)?;
        if reply.status == StatusCode::ACCEPTED {
            tokio::time::sleep(request::retry_after(&reply)).await;
            continue;
        }
        let kept = keep(folder, &key, roots, &reply)?;
        unfinished::finish(folder)?;
        return Ok(kept);
    }
    Err(Failure::new(
        Exit::Unavailable,
        "the renewal was not answered in time; run the same command again",
    )
    .into())
}

/// Writes what a good answer holds: exactly one certificate must be of our key.
fn keep(folder: &Path, key: &FileSigner, roots: &[CertificateDer<'static>], reply: &Reply) -> anyhow::Result<Value> {
    if !reply.status.is_success() {
        answer(reply)?;
    }
    let text: Vec<u8> = reply
        .body
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let der = STANDARD.decode(text).context("the enrolment answer is not base64")?;
    let found = pkcs7::certificates(&der).ok_or_else(|| anyhow!("the enrolment answer is no PKCS#7 envelope"))?;
    let own = |certificate: &&CertificateDer<'_>| {
        Certificate::read(certificate).is_ok_and(|certificate| certificate.spki() == key.public_key_spki())
    };
    let leaf = found.iter().find(own).ok_or_else(|| {
        Failure::new(
            Exit::Unverified,
            "the enrolment answer holds no certificate of our key; nothing was written",
        )
    })?;
    let read = Certificate::read(leaf).map_err(|fault| anyhow!("{fault}"))?;
    let mut chain: Vec<&[u8]> = vec![leaf];
    chain.extend(found.iter().filter(|other| *other != leaf).map(|other| other.as_ref()));
    let pinned: Vec<&[u8]> = roots.iter().map(AsRef::as_ref).collect();
    // The chain first: from then on the new key fits, and what else is missing is made from it.
    write_whole(&folder.join(CHAIN_FILE), certificates_pem(&chain).as_bytes())?;
    write_whole(&folder.join(CERTIFICATE_FILE), certificates_pem(&chain[..1]).as_bytes())?;
    write_whole(&folder.join(ROOTS_FILE), certificates_pem(&pinned).as_bytes())?;
    Ok(json!({
        "folder": folder,
        "serial": read.serial(),
        "not_before": read.not_before(),
        "not_after": read.not_after(),
    }))
}

/// Chain and key of a folder, after finishing a renewal that was interrupted there.
pub(crate) fn papers(folder: &Path) -> anyhow::Result<(Vec<CertificateDer<'static>>, Arc<dyn Signer>)> {
    let missing = || {
        format!(
            "no bot in {}: enrol first with `mandatum agent enrol`",
            folder.display()
        )
    };
    unfinished::finish(folder)?;
    let chain = crate::pem::certificates(&folder.join(CHAIN_FILE)).with_context(missing)?;
    let key = FileSigner::open(&folder.join(KEY_FILE), Protection::Plain).with_context(missing)?;
    Ok((chain, Arc::new(key)))
}

/// A bot's connection to the gateway.
pub struct Bot {
    client: Client,
    /// Signs each order, where its certificate asks for it.
    proof: Option<OrderProof>,
}

impl Bot {
    /// Opens key and chain of `folder`, after finishing a renewal that was interrupted there; trusts `roots` alone.
    ///
    /// # Errors
    /// When a file is missing or cannot be used.
    pub fn open(folder: &Path, origin: Origin, roots: &[CertificateDer<'static>]) -> anyhow::Result<Self> {
        let (chain, key) = papers(folder)?;
        let leaf = chain.first().filter(|_| proof::is_asked(&chain));
        let proof = leaf.map(|leaf| OrderProof::new(leaf, key.clone(), Arc::new(SystemClock)));
        let identity = ca_keys::tls::certified_key(chain, key);
        Ok(Self {
            client: Client::new(origin, roots, Some(identity))?,
            proof,
        })
    }

    /// Connects from one of this machine's addresses, which decides the region.
    #[must_use]
    pub fn from_address(mut self, source: IpAddr) -> Self {
        self.client = self.client.from_address(source);
        self
    }

    /// Sends an order as it stands, signed where the certificate asks for it. Any status is an answer; a refused order is no error here.
    ///
    /// # Errors
    /// When the gateway cannot be reached, or the key cannot sign.
    pub async fn send(&mut self, order: &Value) -> anyhow::Result<Reply> {
        let (path, body) = ("/v1/orders", order.to_string());
        let Some(proof) = &self.proof else {
            return self.call("POST", path, &body).await;
        };
        let signed = proof.headers(&format!("{}{path}", self.client.origin().url()), &body)?;
        let mut headers = vec![("content-type", "application/json")];
        headers.extend(signed.iter().map(|(name, value)| (*name, value.as_str())));
        let sent = self.client.send("POST", path, &headers, body).await;
        sent.map_err(unreachable)
    }

    /// Any call of the bots' API.
    ///
    /// # Errors
    /// When the gateway cannot be reached.
    pub async fn call(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Reply> {
        let headers: &[(&str, &str)] = if body.is_empty() {
            &[]
        } else {
            &[("content-type", "application/json")]
        };
        let sent = self.client.send(method, path, headers, body.to_owned()).await;
        sent.map_err(unreachable)
    }
}
