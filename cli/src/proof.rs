//! A bot's own signature over an order: HTTP Message Signatures (RFC 9421) with a digest of the body (RFC 9530), by the key of its
//! certificate. A mandate asks for it with `order_proof`; the gateway's side is `gateway/service/src/api/proof.rs`.

use std::sync::Arc;

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use extensions::{AuthorityLimits, Clock, Digest, KeyAlgorithm, Signer, certificate::Certificate};
use rustls::pki_types::CertificateDer;

/// How long a signature is good, in seconds; the gateway takes at most 60.
const WINDOW_S: i64 = 30;

/// Whether the limits in a chain, leaf first, ask for a signature on each order. Authority narrows on the way down, so one that asks is
/// enough. What cannot be read asks for nothing here: the gateway refuses it by itself.
#[must_use]
pub fn is_asked(chain: &[CertificateDer<'_>]) -> bool {
    chain.iter().any(|der| {
        let certificate = Certificate::read(der).ok();
        let value = certificate.as_ref().and_then(Certificate::authority_limits);
        let limits = value.and_then(|(_, value)| AuthorityLimits::decode(value).ok());
        limits.is_some_and(|limits| limits.authority().order_proof())
    })
}

/// A `POST` that a signature is to speak of.
#[derive(Debug, Clone, Copy)]
pub struct Unsigned<'a> {
    /// Scheme, authority, path and query, as the gateway is addressed.
    pub target_uri: &'a str,
    /// The `Content-Type` field that is sent.
    pub content_type: &'a str,
    /// The body that is sent.
    pub body: &'a [u8],
    /// What the signature says of itself (RFC 9421 §2.3): nothing for a bot's own.
    pub tag: Option<&'a str>,
}

/// Who signs orders: the certificate's key, its fingerprint and real time.
#[derive(Clone)]
pub struct OrderProof {
    signer: Arc<dyn Signer>,
    fingerprint: Digest,
    clock: Arc<dyn Clock>,
}

impl OrderProof {
    /// Signs with `signer`, the key of the certificate `leaf`; windows are in `clock`'s time, which has to be real time.
    #[must_use]
    pub fn new(leaf: &CertificateDer<'_>, signer: Arc<dyn Signer>, clock: Arc<dyn Clock>) -> Self {
        Self {
            signer,
            fingerprint: Digest::of(leaf),
            clock,
        }
    }

    /// The header fields that prove `POST target_uri` with this JSON body. Each call draws a new nonce: a request that is sent again is
    /// signed again.
    ///
    /// # Errors
    /// When the key is of no kind that signs orders, or cannot sign.
    pub fn headers(&self, target_uri: &str, body: &str) -> anyhow::Result<Vec<(&'static str, String)>> {
        let order = Unsigned {
            target_uri,
            content_type: "application/json",
            body: body.as_bytes(),
            tag: None,
        };
        self.sign(&order).map(Vec::from)
    }

    /// As [`OrderProof::headers`], for an order of any content type.
    ///
    /// # Errors
    /// As [`OrderProof::headers`].
    pub fn sign(&self, order: &Unsigned<'_>) -> anyhow::Result<[(&'static str, String); 3]> {
        let algorithm = match self.signer.algorithm() {
            KeyAlgorithm::Ed25519 => "ed25519",
            KeyAlgorithm::EcdsaP256Sha256 => "ecdsa-p256-sha256",
            KeyAlgorithm::EcdsaP384Sha384 => bail!("orders are signed with P-256 or Ed25519"),
        };
        let created = self.clock.now().seconds();
        let nonce = STANDARD.encode(uuid::Uuid::now_v7().as_bytes());
        let digest = format!("sha-256=:{}:", STANDARD.encode(Digest::of(order.body).0));
        let tag = order.tag.map(|tag| format!(";tag=\"{tag}\"")).unwrap_or_default();
        let parameters = format!(
            "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\");created={created};expires={};nonce=\"{nonce}\";keyid=\"{}\";alg=\"{algorithm}\"{tag}",
            created + WINDOW_S,
            self.fingerprint,
        );
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": {}\n\"content-digest\": {digest}\n\"content-type\": {}\n\"@signature-params\": {parameters}",
            order.target_uri, order.content_type
        );
        let mut signature = self
            .signer
            .sign(base.as_bytes())
            .context("the order cannot be signed")?;
        if algorithm != "ed25519" {
            signature = fixed(&signature).context("an ECDSA signature in DER")?.to_vec();
        }
        Ok([
            ("content-digest", digest),
            ("signature-input", format!("sig1={parameters}")),
            ("signature", format!("sig1=:{}:", STANDARD.encode(signature))),
        ])
    }
}

/// An ECDSA P-256 signature as RFC 9421 wants it: r and s, 32 octets each, from `SEQUENCE { INTEGER, INTEGER }` (RFC 3279).
fn fixed(signature: &[u8]) -> Option<[u8; 64]> {
    let [0x30, length, rest @ ..] = signature else {
        return None;
    };
    let mut rest = rest.get(..usize::from(*length))?;
    let mut out = [0; 64];
    for half in out.chunks_exact_mut(32) {
        let [0x02, length, tail @ ..] = rest else { return None };
        let (number, after) = tail.split_at_checked(usize::from(*length))?;
        let first = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
        let digits = number.get(first..)?;
        half.get_mut(32usize.checked_sub(digits.len())?..)?
            .copy_from_slice(digits);
        rest = after;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leading zeros go, missing ones come. Control: copying to the front instead of the end turns the second half red.
    #[test]
    fn signatures_become_two_halves_of_one_length() {
        let mut der = vec![0x30, 39, 0x02, 33, 0];
        der.extend([0xff; 32]);
        der.extend([0x02, 2, 1, 2]);
        let fixed = fixed(&der).unwrap();
        assert_eq!(fixed[..32], [0xff; 32]);
        assert_eq!(fixed[32..62], [0; 30]);
        assert_eq!(fixed[62..], [1, 2]);
        assert!(super::fixed(&der[..20]).is_none() && super::fixed(&[]).is_none());
    }
}
