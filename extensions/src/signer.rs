//! The seam to private keys: a file today, an HSM or a KMS tomorrow. No caller sees key material.

use thiserror::Error;

/// Signature algorithms Mandatum issues and accepts, and nothing else (certificates.md §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256, ASN.1 DER signatures (RFC 5758 §3.2).
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384, ASN.1 DER signatures.
    EcdsaP384Sha384,
    /// Ed25519 (RFC 8032, RFC 8410).
    Ed25519,
}

/// Why a signature could not be made. The message never holds key material.
#[derive(Debug, Error)]
#[error("the signing key {key} could not sign: {reason}")]
pub struct SignError {
    /// A name of the key fit for people: a file name or a PKCS#11 label.
    pub key: String,
    /// What went wrong, in words.
    pub reason: String,
}

/// Signs whole messages (not digests). May block: shells call it from a blocking thread when it is a device.
pub trait Signer: Send + Sync {
    /// The algorithm of [`sign`](Self::sign).
    fn algorithm(&self) -> KeyAlgorithm;
    /// The public key as SubjectPublicKeyInfo DER (RFC 5280 §4.1.2.7).
    fn public_key_spki(&self) -> &[u8];
    /// Signs `message`; ECDSA signatures are DER, Ed25519 ones 64 raw bytes.
    ///
    /// # Errors
    /// When the device or file behind it cannot.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}
