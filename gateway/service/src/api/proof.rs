//! The bot's own signature over an order: HTTP Message Signatures (RFC 9421) with a digest of the body (RFC 9530).
//!
//! TLS proves who holds the connection; this proves, to a third party and later, that the bot asked for exactly this.
//! A mandate asks for it with `orderProof`. The key is that of the bot's certificate; `keyid` is the certificate's
//! SHA-256 fingerprint in hexadecimal. Windows are judged in real time, in a sandbox too (ARCHITECTURE §6).

use base64::{Engine, engine::general_purpose::STANDARD};
use extensions::{Digest, KeyAlgorithm, Timestamp};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use sfv::{Dictionary, InnerList, ListEntry, ListSerializer, Parser};
use thiserror::Error;

/// The longest time between `created` and `expires`, in seconds.
pub const LONGEST_WINDOW_S: i64 = 60;
/// How far `created` may lie ahead of the gateway's clock, in seconds.
pub const CLOCK_SKEW_S: i64 = 2;
/// The longest `Signature-Input` or `Signature` field that is read, in bytes.
pub const LONGEST_FIELD: usize = 2_048;
/// The longest nonce, in bytes.
pub const LONGEST_NONCE: usize = 64;

/// What an order's signature has to cover.
const COVERED: [&str; 4] = ["@method", "@target-uri", "content-digest", "content-type"];

/// Why a signature is refused; the words go to the bot's developer as `PROOF_INVALID`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofError {
    /// No `Signature-Input` or no `Signature` field.
    #[error("the request carries no HTTP message signature (RFC 9421); the mandate asks for one on each order")]
    Missing,
    /// Not the structured field it has to be.
    #[error("the {0} field is not readable: expected one signature as in RFC 9421 section 4")]
    Malformed(&'static str),
    /// A component that has to be signed is not.
    #[error(
        "the signature does not cover {0:?}; cover \"@method\", \"@target-uri\", \"content-digest\" and \"content-type\""
    )]
    NotCovered(&'static str),
    /// A component that this gateway does not know how to rebuild.
    #[error(
        "the signature covers a component that is not supported here; cover only \"@method\", \"@target-uri\", \"content-digest\" and \"content-type\""
    )]
    UnknownComponent,
    /// A parameter is absent or of the wrong type.
    #[error("the signature parameter {0:?} is missing or of the wrong type")]
    Parameter(&'static str),
    /// `keyid` names another certificate.
    #[error("keyid is not the SHA-256 fingerprint of the certificate of this connection")]
    OtherKey,
    /// `alg` does not go with the certificate's key.
    #[error("alg does not go with the certificate's key; use {0:?}")]
    Algorithm(&'static str),
    /// Not yet, no longer, or for too long valid.
    #[error(
        "the signature's window is not acceptable: created {created}, expires {expires}, now {now}; at most 60 s long, at most 2 s ahead"
    )]
    Window {
        /// `created`, in seconds since 1970.
        created: i64,
        /// `expires`, in seconds since 1970.
        expires: i64,
        /// The gateway's real clock, in seconds since 1970.
        now: i64,
    },
    /// The digest is absent, of another algorithm, or of another body.
    #[error("Content-Digest does not hold the sha-256 digest of the body that arrived (RFC 9530)")]
    Digest,
    /// The signature is not by this key over these bytes.
    #[error("the signature does not verify with the certificate's key over the signature base of RFC 9421 section 2.5")]
    Signature,
    /// The nonce was used before, inside its window.
    #[error("the nonce was used before; draw a new one for each request, a repeated order included")]
    Replayed,
    /// More live nonces than are kept.
    #[error("too many signed requests inside their windows; shorten the windows")]
    TooManyNonces,
}

/// The parts of a request that a signature speaks of.
#[derive(Debug, Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The method, in capitals.
    pub method: &'a str,
    /// Scheme, authority, path and query, as the bot addressed them.
    pub target_uri: &'a str,
    /// The `Content-Type` field.
    pub content_type: Option<&'a str>,
    /// The `Content-Digest` field.
    pub content_digest: Option<&'a str>,
    /// The `Signature-Input` field.
    pub signature_input: Option<&'a str>,
    /// The `Signature` field.
    pub signature: Option<&'a str>,
    /// The body as it arrived.
    pub body: &'a [u8],
}

/// The key a signature has to be by.
#[derive(Debug, Clone, Copy)]
pub struct ProofKey<'a> {
    /// The certificate's key algorithm.
    pub algorithm: KeyAlgorithm,
    /// The raw public key: the uncompressed point, or 32 bytes of Ed25519.
    pub public_key: &'a [u8],
    /// The certificate's fingerprint.
    pub fingerprint: Digest,
}

/// A signature that verified, before its nonce was looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedProof {
    /// The nonce; unique per agent inside the window.
    pub nonce: String,
    /// When the signature ends to be acceptable.
    pub expires: Timestamp,
    /// What the signature says of itself, if anything (RFC 9421 §2.3).
    pub tag: Option<String>,
    /// The exact bytes that were signed, kept as evidence.
    pub base: String,
    /// The signature itself.
    pub signature: Vec<u8>,
}

/// Verifies the signature of an order request at `now` (real time).
///
/// # Errors
/// The first of the reasons of [`ProofError`] that applies.
pub fn verify_at(request: &SignedRequest<'_>, key: &ProofKey<'_>, now: Timestamp) -> Result<VerifiedProof, ProofError> {
    let (label, input) = one_member(request.signature_input, "Signature-Input")?;
    let ListEntry::InnerList(input) = input else {
        return Err(ProofError::Malformed("Signature-Input"));
    };
    let (signature_label, signature) = one_member(request.signature, "Signature")?;
    let ListEntry::Item(signature) = signature else {
        return Err(ProofError::Malformed("Signature"));
    };
    let signature = signature
        .bare_item
        .as_byte_sequence()
        .ok_or(ProofError::Malformed("Signature"))?
        .to_vec();
    if label != signature_label {
        return Err(ProofError::Malformed("Signature"));
    }
    check_digest(request)?;
    let parameters = Parameters::read(&input)?;
    parameters.check(key, now)?;
    let base = signature_base(request, &input)?;
    let by = match key.algorithm {
        KeyAlgorithm::Ed25519 => {
            UnparsedPublicKey::new(&ED25519 as &dyn ring::signature::VerificationAlgorithm, key.public_key)
        }
        _ => UnparsedPublicKey::new(
            &ECDSA_P256_SHA256_FIXED as &dyn ring::signature::VerificationAlgorithm,
            key.public_key,
        ),
    };
    by.verify(base.as_bytes(), &signature)
        .map_err(|_| ProofError::Signature)?;
    Ok(VerifiedProof {
        nonce: parameters.nonce,
        expires: Timestamp::from_seconds(parameters.expires),
        tag: parameters.tag,
        base,
        signature,
    })
}

fn one_member(field: Option<&str>, name: &'static str) -> Result<(String, ListEntry), ProofError> {
    let field = field.ok_or(ProofError::Missing)?;
    if field.len() > LONGEST_FIELD {
        return Err(ProofError::Malformed(name));
    }
    let members: Dictionary = Parser::new(field).parse().map_err(|_| ProofError::Malformed(name))?;
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some((label, member)), None) => Ok((label.as_str().to_owned(), member)),
        _ => Err(ProofError::Malformed(name)),
    }
}

fn check_digest(request: &SignedRequest<'_>) -> Result<(), ProofError> {
    let field = request.content_digest.ok_or(ProofError::Digest)?;
    let members: Dictionary = Parser::new(field).parse().map_err(|_| ProofError::Digest)?;
    let Some(ListEntry::Item(item)) = members.get("sha-256") else {
        return Err(ProofError::Digest);
    };
    let stated = item.bare_item.as_byte_sequence().ok_or(ProofError::Digest)?;
    if stated == Digest::of(request.body).0 {
        Ok(())
    } else {
        Err(ProofError::Digest)
    }
}

struct Parameters {
    created: i64,
    expires: i64,
    nonce: String,
    keyid: String,
    algorithm: Option<String>,
    tag: Option<String>,
}

impl Parameters {
    fn read(input: &InnerList) -> Result<Self, ProofError> {
        let integer = |name: &'static str| {
            input
                .params
                .get(name)
                .and_then(|v| v.as_integer())
                .map(i64::from)
                .ok_or(ProofError::Parameter(name))
        };
        let text = |name: &'static str| {
            input
                .params
                .get(name)
                .and_then(|v| v.as_string())
                .map(|s| s.as_str().to_owned())
                .ok_or(ProofError::Parameter(name))
        };
        let nonce = text("nonce")?;
        if nonce.is_empty() || nonce.len() > LONGEST_NONCE {
            return Err(ProofError::Parameter("nonce"));
        }
        let optional = |name: &'static str| input.params.get(name).map(|_| text(name)).transpose();
        let (algorithm, tag) = (optional("alg")?, optional("tag")?);
        Ok(Self {
            created: integer("created")?,
            expires: integer("expires")?,
            nonce,
            keyid: text("keyid")?,
            algorithm,
            tag,
        })
    }

    fn check(&self, key: &ProofKey<'_>, now: Timestamp) -> Result<(), ProofError> {
        if Digest::parse(&self.keyid) != Some(key.fingerprint) {
            return Err(ProofError::OtherKey);
        }
        let expected = match key.algorithm {
            KeyAlgorithm::Ed25519 => "ed25519",
            _ => "ecdsa-p256-sha256",
        };
        if self.algorithm.as_deref().is_some_and(|alg| alg != expected) {
            return Err(ProofError::Algorithm(expected));
        }
        let (created, expires, now) = (self.created, self.expires, now.seconds());
        let window = expires
            .checked_sub(created)
            .is_some_and(|length| (1..=LONGEST_WINDOW_S).contains(&length));
        if window && created <= now + CLOCK_SKEW_S && now <= expires {
            Ok(())
        } else {
            Err(ProofError::Window { created, expires, now })
        }
    }
}

/// RFC 9421 section 2.5, for the four components an order has.
fn signature_base(request: &SignedRequest<'_>, input: &InnerList) -> Result<String, ProofError> {
    let mut base = String::with_capacity(512);
    let mut seen = [false; COVERED.len()];
    for item in &input.items {
        let name = item.bare_item.as_string().ok_or(ProofError::UnknownComponent)?.as_str();
        let at = COVERED
            .iter()
            .position(|c| *c == name)
            .filter(|_| item.params.is_empty())
            .ok_or(ProofError::UnknownComponent)?;
        if std::mem::replace(&mut seen[at], true) {
            return Err(ProofError::UnknownComponent);
        }
        let value = match name {
            "@method" => request.method,
            "@target-uri" => request.target_uri,
            "content-digest" => request.content_digest.unwrap_or_default().trim(),
            _ => request
                .content_type
                .ok_or(ProofError::NotCovered("content-type"))?
                .trim(),
        };
        for part in ["\"", name, "\": ", value, "\n"] {
            base.push_str(part);
        }
    }
    if let Some(missing) = seen.iter().position(|seen| !seen) {
        return Err(ProofError::NotCovered(COVERED[missing]));
    }
    let mut list = ListSerializer::new();
    list.members([&ListEntry::InnerList(input.clone())]);
    base.push_str("\"@signature-params\": ");
    base.push_str(&list.finish().ok_or(ProofError::Malformed("Signature-Input"))?);
    Ok(base)
}

/// The `Content-Digest` field of a body, as a bot writes it.
#[must_use]
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", STANDARD.encode(Digest::of(body).0))
}

#[cfg(test)]
mod tests {
    use ring::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };

    use super::*;

    struct Bot {
        key: EcdsaKeyPair,
        fingerprint: Digest,
    }

    impl Bot {
        fn new() -> Self {
            let random = SystemRandom::new();
            let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("key");
            let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).expect("key");
            Self {
                key,
                fingerprint: Digest::of(b"certificate"),
            }
        }

        fn signed(&self, body: &[u8], components: &str, created: i64, expires: i64) -> (String, String, String) {
            let digest = content_digest(body);
            let parameters = format!(
                "({components});created={created};expires={expires};nonce=\"n-1\";keyid=\"{}\";alg=\"ecdsa-p256-sha256\"",
                self.fingerprint
            );
            let mut base = String::new();
            for component in components.split(' ') {
                let value = match component.trim_matches('"') {
                    "@method" => "POST",
                    "@target-uri" => "https://gw:8443/v1/orders",
                    "content-digest" => &digest,
                    _ => "application/json",
                };
                base.push_str(&format!("{component}: {value}\n"));
            }
            base.push_str(&format!("\"@signature-params\": {parameters}"));
            let signature = self.key.sign(&SystemRandom::new(), base.as_bytes()).expect("signature");
            (
                digest,
                format!("sig1={parameters}"),
                format!("sig1=:{}:", STANDARD.encode(signature.as_ref())),
            )
        }

        fn verify(&self, body: &[u8], parts: &(String, String, String), now: i64) -> Result<VerifiedProof, ProofError> {
            let request = SignedRequest {
                method: "POST",
                target_uri: "https://gw:8443/v1/orders",
                content_type: Some("application/json"),
                content_digest: Some(&parts.0),
                signature_input: Some(&parts.1),
                signature: Some(&parts.2),
                body,
            };
            let key = ProofKey {
                algorithm: KeyAlgorithm::EcdsaP256Sha256,
                public_key: self.key.public_key().as_ref(),
                fingerprint: self.fingerprint,
            };
            verify_at(&request, &key, Timestamp::from_seconds(now))
        }
    }

    const ALL: &str = "\"@method\" \"@target-uri\" \"content-digest\" \"content-type\"";

    #[test]
    fn a_good_signature_verifies_and_each_change_breaks_it() {
        let bot = Bot::new();
        let parts = bot.signed(b"{}", ALL, 1_000, 1_030);
        assert_eq!(bot.verify(b"{}", &parts, 1_010).map(|p| p.nonce), Ok("n-1".to_owned()));
        assert_eq!(bot.verify(b"{ }", &parts, 1_010), Err(ProofError::Digest));
        let other = Bot {
            fingerprint: bot.fingerprint,
            ..Bot::new()
        };
        assert_eq!(other.verify(b"{}", &parts, 1_010), Err(ProofError::Signature));
        let longer = (
            parts.0.clone(),
            parts.1.replace("expires=1030", "expires=1040"),
            parts.2.clone(),
        );
        assert_eq!(bot.verify(b"{}", &longer, 1_010), Err(ProofError::Signature));
    }

    #[test]
    fn windows_are_bounded_on_both_sides() {
        let bot = Bot::new();
        let parts = bot.signed(b"{}", ALL, 1_000, 1_030);
        assert!(bot.verify(b"{}", &parts, 998).is_ok(), "two seconds ahead is skew");
        for now in [997, 1_031] {
            assert!(
                matches!(bot.verify(b"{}", &parts, now), Err(ProofError::Window { .. })),
                "{now}"
            );
        }
        let long = bot.signed(b"{}", ALL, 1_000, 1_061);
        assert!(matches!(
            bot.verify(b"{}", &long, 1_010),
            Err(ProofError::Window { .. })
        ));
    }

    #[test]
    fn everything_an_order_says_must_be_covered() {
        let bot = Bot::new();
        let parts = bot.signed(b"{}", "\"@method\" \"@target-uri\" \"content-type\"", 1_000, 1_030);
        assert_eq!(
            bot.verify(b"{}", &parts, 1_010),
            Err(ProofError::NotCovered("content-digest"))
        );
        let parts = bot.signed(
            b"{}",
            "\"@method\" \"@method\" \"@target-uri\" \"content-digest\"",
            1_000,
            1_030,
        );
        assert_eq!(bot.verify(b"{}", &parts, 1_010), Err(ProofError::UnknownComponent));
    }
}
