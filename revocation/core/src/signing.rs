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

/// The bytes that are signed; `None` when `der` is no such structure, or has bytes behind it.
pub(crate) fn to_be_signed(der: &[u8]) -> Option<Vec<u8>> {
    SignedDer::from_der(der).ok()?.to_be_signed.to_der().ok()
}

/// The bytes that are signed, when the signature verifies under the key of `spki` and the unsigned algorithm field names
/// that key's algorithm, byte for byte (RFC 5758 §3.2, RFC 8410 §3).
pub(crate) fn verified(der: &[u8], spki: &[u8]) -> Option<Vec<u8>> {
    let signed = SignedDer::from_der(der).ok()?;
    let (algorithm, _) = extensions::verify::key_of_spki(spki)?;
    if signed.algorithm.to_der().ok()? != algorithm_identifier(algorithm) {
        return None;
    }
    let bytes = signed.to_be_signed.to_der().ok()?;
    extensions::verify::verify_signature(spki, &bytes, signed.signature.as_bytes()?).then_some(bytes)
}

fn algorithm_identifier(algorithm: KeyAlgorithm) -> &'static [u8] {
    match algorithm {
        KeyAlgorithm::EcdsaP256Sha256 => &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
        KeyAlgorithm::EcdsaP384Sha384 => &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
        KeyAlgorithm::Ed25519 => &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70],
    }
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
