//! A bot's own signature over an order (RFC 9421), from the evidence sealed beside the decision: the signed bytes, the signature, the body.
//!
//! Four links, each checked: the certificate in the log holds the key; the signature is that key's over the signed bytes; the signed bytes
//! name that certificate and the digest of the body (RFC 9530), and claim to be whose the record says; the body, or query and form of a stock
//! client, read as exactly the order that was decided.

mod form;
mod kraken;
mod lists;

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ca_core::{certificate::spki_of, events::CertificateIssued};
use extensions::{AgentId, Digest, KeyAlgorithm, canonical, verify::key_of_spki};
use gateway_policy::{Order, SignedBy, events::OrderDecided, events::Proof, order::OrderTerms};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;

use crate::append::CommittedEntry;

/// How a decision says that the bot's signature was good.
const VALID: &[u8] = br#""proof":"valid""#;

/// Whose certificate it is, and its key.
#[derive(Clone)]
pub(super) struct Claim {
    agent: AgentId,
    spki: Arc<[u8]>,
}

impl Claim {
    pub(super) fn of(issued: &CertificateIssued) -> Option<Self> {
        Some(Self {
            agent: issued.agent,
            spki: spki_of(&issued.certificate.0)?.into(),
        })
    }
}

/// The evidence that a decision needs, before its text is read.
pub(super) struct Evidence {
    commitment: Digest,
    fingerprint: Digest,
    order: OrderTerms,
    signed_by: Option<SignedBy>,
    spki: Arc<[u8]>,
}

/// The sealed text, as the gateway writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    base: String,
    body: String,
    signature: String,
}

impl Evidence {
    /// What to check of a decision; `None` where the bot's signature was not asked for or was not good.
    pub(super) fn wanted(
        entry: &CommittedEntry,
        certificates: &HashMap<Digest, Claim>,
    ) -> Result<Option<Self>, String> {
        if !super::contains(entry.body(), VALID) {
            return Ok(None);
        }
        let decided: OrderDecided = canonical::from_slice(entry.body()).map_err(|error| error.to_string())?;
        if decided.proof != Proof::Valid {
            return Ok(None);
        }
        let commitment = decided
            .signed_request
            .ok_or("calls the bot's signature valid and keeps no evidence of it")?;
        let fingerprint = decided.certificate.fingerprint;
        let claim = certificates
            .get(&fingerprint)
            .filter(|claim| claim.agent == decided.agent);
        let claim = claim.ok_or_else(|| format!("certificate {fingerprint} was not issued to {}", decided.agent))?;
        Ok(Some(Self {
            commitment,
            fingerprint,
            order: decided.order,
            signed_by: decided.signed_by,
            spki: Arc::clone(&claim.spki),
        }))
    }

    pub(super) fn commitment(&self) -> Digest {
        self.commitment
    }

    /// Holds the text against the decision.
    pub(super) fn check(&self, text: &str) -> Result<(), String> {
        let refused = |what: &str| Err(format!("the bot's signature does not hold: {what}"));
        let Ok(sealed) = serde_json::from_str::<Sealed>(text) else {
            return refused("its evidence does not read");
        };
        let Ok(signature) = STANDARD.decode(&sealed.signature) else {
            return refused("it is not base64");
        };
        if !verifies(&self.spki, sealed.base.as_bytes(), &signature) {
            return refused("it is not the certificate's over the signed bytes");
        }
        let line = |name: &str| {
            let start = format!("\"{name}\": ");
            sealed
                .base
                .lines()
                .find_map(|line| line.strip_prefix(&start).map(str::to_owned))
        };
        let key = format!(";keyid=\"{}\"", self.fingerprint);
        let parameters = line("@signature-params").unwrap_or_default();
        if !parameters.contains(&key) {
            return refused("the signed bytes name another certificate");
        }
        let tag = format!(";tag=\"{}\"", SignedBy::SIDECAR_TAG);
        if parameters.contains(&tag) != (self.signed_by == Some(SignedBy::Sidecar)) {
            return refused("the signed bytes and the decision do not agree on who signed");
        }
        let digest = format!("sha-256=:{}:", STANDARD.encode(Digest::of(sealed.body.as_bytes()).0));
        if !line("content-digest").is_some_and(|digests| digests.contains(&digest)) {
            return refused("the signed bytes have the digest of another body");
        }
        let target = line("@target-uri").unwrap_or_default();
        let own = || Order::from_json(sealed.body.as_bytes()).map(|parsed| parsed.order.into_terms());
        if !form::says(&target, &sealed.body, &self.order) && own().as_ref() != Ok(&self.order) {
            return refused("the signed body is another order than the one that was decided");
        }
        Ok(())
    }
}

/// ECDSA as RFC 9421 has it, 64 bytes; Ed25519.
fn verifies(spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let algorithm: &dyn VerificationAlgorithm = match key_of_spki(spki) {
        Some((KeyAlgorithm::EcdsaP256Sha256, _)) => &ECDSA_P256_SHA256_FIXED,
        Some((KeyAlgorithm::Ed25519, _)) => &ED25519,
        _ => return false,
    };
    key_of_spki(spki).is_some_and(|(_, key)| {
        UnparsedPublicKey::new(algorithm, key)
            .verify(message, signature)
            .is_ok()
    })
}
