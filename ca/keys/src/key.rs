//! One private key in memory: made, read from PKCS#8, used to sign. It shows nothing of itself in `Debug` and is wiped on drop.

use std::fmt;

use extensions::{
    KeyAlgorithm, SignError, Signer,
    verify::{ED25519_SPKI, P256_SPKI, P384_SPKI},
};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    },
};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a key could not be made or read. Never holds key material.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The random source or the key generation failed.
    #[error("a new key could not be made: the random source failed")]
    Generation,
    /// Not PKCS#8 of one of the three kinds of key.
    #[error("not a private key of Mandatum: expected PKCS#8 with P-256, P-384 or Ed25519")]
    Unreadable,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key. Its PKCS#8 form is wiped when it is dropped.
pub struct SecretKey {
    name: String,
    algorithm: KeyAlgorithm,
    pair: Pair,
    spki: Vec<u8>,
    pkcs8: Zeroizing<Vec<u8>>,
    random: SystemRandom,
}

impl SecretKey {
    /// Makes a new key; `name` appears in messages.
    ///
    /// # Errors
    /// When the random source fails.
    pub fn generate(name: &str, algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let document = match algorithm {
            KeyAlgorithm::EcdsaP256Sha256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random),
            KeyAlgorithm::EcdsaP384Sha384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &random),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate_pkcs8(&random),
        }
        .map_err(|_| KeyError::Generation)?;
        Self::from_pkcs8(name, algorithm, Zeroizing::new(document.as_ref().to_vec()))
    }

    /// Reads a key of a known kind from PKCS#8 (RFC 5958; version 1 and 2 for Ed25519).
    ///
    /// # Errors
    /// When the bytes are not such a key.
    pub fn from_pkcs8(name: &str, algorithm: KeyAlgorithm, pkcs8: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let ecdsa = |with| EcdsaKeyPair::from_pkcs8(with, &pkcs8, &random).map(Pair::Ecdsa);
        let pair = match algorithm {
            KeyAlgorithm::EcdsaP256Sha256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyAlgorithm::EcdsaP384Sha384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8).map(Pair::Ed25519),
        }
        .map_err(|_| KeyError::Unreadable)?;
        let (prefix, public) = match (&pair, algorithm) {
            (Pair::Ed25519(pair), _) => (ED25519_SPKI, pair.public_key().as_ref()),
            (Pair::Ecdsa(pair), KeyAlgorithm::EcdsaP384Sha384) => (P384_SPKI, pair.public_key().as_ref()),
            (Pair::Ecdsa(pair), _) => (P256_SPKI, pair.public_key().as_ref()),
        };
        Ok(Self {
            name: name.to_owned(),
            algorithm,
            spki: [prefix, public].concat(),
            pair,
            pkcs8,
            random,
        })
    }

    /// Reads a key of whichever of the three kinds it is.
    ///
    /// # Errors
    /// When the bytes are none of them.
    pub fn from_any_pkcs8(name: &str, pkcs8: &Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        [
            KeyAlgorithm::EcdsaP256Sha256,
            KeyAlgorithm::EcdsaP384Sha384,
            KeyAlgorithm::Ed25519,
        ]
        .into_iter()
        .find_map(|algorithm| Self::from_pkcs8(name, algorithm, pkcs8.clone()).ok())
        .ok_or(KeyError::Unreadable)
    }

    /// The PKCS#8 form, for writing it away encrypted.
    pub(crate) fn pkcs8(&self) -> &Zeroizing<Vec<u8>> {
        &self.pkcs8
    }

    /// The name that messages carry.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKey({}, {:?}, secret)", self.name, self.algorithm)
    }
}

impl Signer for SecretKey {
    fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    fn public_key_spki(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(pair) => pair
                .sign(&self.random, message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| SignError {
                    key: self.name.clone(),
                    reason: "the random source failed".to_owned(),
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use extensions::verify::verify_signature;

    use super::*;

    const KINDS: [KeyAlgorithm; 3] = [
        KeyAlgorithm::EcdsaP256Sha256,
        KeyAlgorithm::EcdsaP384Sha384,
        KeyAlgorithm::Ed25519,
    ];

    #[test]
    fn each_kind_signs_and_verifies() {
        for kind in KINDS {
            let key = SecretKey::generate("k", kind).unwrap();
            let signature = key.sign(b"message").unwrap();
            assert!(verify_signature(key.public_key_spki(), b"message", &signature));
            assert!(!verify_signature(key.public_key_spki(), b"massage", &signature));
            let again = SecretKey::from_any_pkcs8("k", key.pkcs8()).unwrap();
            assert_eq!(
                (again.algorithm(), again.public_key_spki()),
                (kind, key.public_key_spki())
            );
        }
    }

    /// Derive `Debug` on the struct to see this fail.
    #[test]
    fn debug_shows_no_secret() {
        let key = SecretKey::generate("k", KeyAlgorithm::Ed25519).unwrap();
        let shown = format!("{key:?}");
        assert_eq!(shown, "SecretKey(k, Ed25519, secret)");
    }
}
