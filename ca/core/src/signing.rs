//! Our [`Signer`] as rcgen's signing key.
//!
//! rcgen only ever builds: it writes the TBSCertificate under a `Borrowed` key that names the issuer's public key and signs with a
//! throwaway one. The real signature is made over exactly those bytes by [`crate::issue`].

use extensions::{KeyAlgorithm, Signer, verify::key_of_spki};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData, SignatureAlgorithm, SigningKey,
};

pub(crate) fn rcgen_algorithm(algorithm: KeyAlgorithm) -> &'static SignatureAlgorithm {
    match algorithm {
        KeyAlgorithm::EcdsaP256Sha256 => &PKCS_ECDSA_P256_SHA256,
        KeyAlgorithm::EcdsaP384Sha384 => &PKCS_ECDSA_P384_SHA384,
        KeyAlgorithm::Ed25519 => &PKCS_ED25519,
    }
}

/// A signer as rcgen's key, for certificates, requests and CRLs.
pub struct RcgenKey<'a> {
    signer: &'a dyn Signer,
    key: &'a [u8],
}

impl<'a> RcgenKey<'a> {
    /// Lends `signer`; `None` when its public key is of no kind of ours.
    #[must_use]
    pub fn new(signer: &'a dyn Signer) -> Option<Self> {
        let (_, key) = key_of_spki(signer.public_key_spki())?;
        Some(Self { signer, key })
    }
}

impl PublicKeyData for RcgenKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        rcgen_algorithm(self.signer.algorithm())
    }
}

impl SigningKey for RcgenKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}

/// A bare public key.
pub(crate) struct PublicKey<'a> {
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) key: &'a [u8],
}

impl<'a> PublicKey<'a> {
    pub(crate) fn of_spki(spki: &'a [u8]) -> Option<Self> {
        key_of_spki(spki).map(|(algorithm, key)| Self { algorithm, key })
    }
}

impl PublicKeyData for PublicKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        rcgen_algorithm(self.algorithm)
    }
}

/// The issuer's public key over a throwaway's signature.
pub(crate) struct Borrowed<'a> {
    pub(crate) issuer: PublicKey<'a>,
    pub(crate) throwaway: &'a dyn Signer,
}

impl PublicKeyData for Borrowed<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.issuer.key
    }
    fn algorithm(&self) -> &'static SignatureAlgorithm {
        rcgen_algorithm(self.issuer.algorithm)
    }
}

impl SigningKey for Borrowed<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.throwaway.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
