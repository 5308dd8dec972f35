//! Signed DER structures, taken apart: what was signed, with what, and the signature (RFC 5280 §4.1.1, §5.1.1).

use der::asn1::{AnyRef, BitStringRef};
use der::{Decode, Encode, Sequence};
use extensions::{KeyAlgorithm, Signer};
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};

/// `SEQUENCE { toBeSigned ANY, algorithm, signature BIT STRING }`.
#[derive(Sequence)]
struct SignedDer<'a> {
    to_be_signed: AnyRef<'a>,
    algorithm: AnyRef<'a>,
    signature: BitStringRef<'a>,
}

/// The bytes that were signed and the signature; `None` when `der` is no such structure, or has bytes behind it.
pub(crate) fn split_signed(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let signed = SignedDer::from_der(der).ok()?;
    let bytes = signed.to_be_signed.to_der().ok()?;
    Some((bytes, signed.signature.as_bytes()?.to_vec()))
}

/// A [`Signer`] as rcgen wants it.
pub(crate) struct RcgenKey<'a>(pub(crate) &'a dyn Signer);

impl PublicKeyData for RcgenKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        extensions::verify::key_of_spki(self.0.public_key_spki()).map_or(&[], |(_, key)| key)
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0.algorithm() {
            KeyAlgorithm::EcdsaP256Sha256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyAlgorithm::EcdsaP384Sha384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyAlgorithm::Ed25519 => &rcgen::PKCS_ED25519,
        }
    }
}

impl SigningKey for RcgenKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.0.sign(message).map_err(|_| rcgen::Error::RemoteKeyError)
    }
}
