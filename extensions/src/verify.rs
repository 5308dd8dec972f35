//! The other side of [`Signer`](crate::Signer): verifying, by the three kinds of key and nothing else.

use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::KeyAlgorithm;

/// What stands before the 65 bytes of an uncompressed P-256 point in its SubjectPublicKeyInfo (RFC 5480).
pub const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// What stands before the 97 bytes of an uncompressed P-384 point in its SubjectPublicKeyInfo (RFC 5480).
pub const P384_SPKI: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// What stands before the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410).
pub const ED25519_SPKI: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Which kind of key a SubjectPublicKeyInfo holds, and its bare bytes; `None` for any other kind or spelling.
#[must_use]
pub fn key_of_spki(spki: &[u8]) -> Option<(KeyAlgorithm, &[u8])> {
    [
        (P256_SPKI, 65, KeyAlgorithm::EcdsaP256Sha256),
        (P384_SPKI, 97, KeyAlgorithm::EcdsaP384Sha384),
        (ED25519_SPKI, 32, KeyAlgorithm::Ed25519),
    ]
    .into_iter()
    .find_map(|(prefix, length, algorithm)| {
        let key = spki.strip_prefix(prefix)?;
        (key.len() == length).then_some((algorithm, key))
    })
}

/// Verifies `signature` over `message` by the key of `spki`; anything odd is `false`.
#[must_use]
pub fn verify_signature(spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let Some((algorithm, key)) = key_of_spki(spki) else {
        return false;
    };
    let algorithm: &dyn VerificationAlgorithm = match algorithm {
        KeyAlgorithm::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        KeyAlgorithm::EcdsaP384Sha384 => &ECDSA_P384_SHA384_ASN1,
        KeyAlgorithm::Ed25519 => &ED25519,
    };
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}
