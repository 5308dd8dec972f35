//! The encrypted form of a key file: argon2id (RFC 9106) stretches the passphrase, AES-256-GCM encrypts the PKCS#8 document and
//! authenticates the header, so neither the parameters nor the public key beside it can be exchanged unseen.

use argon2::{Algorithm, Argon2, Params, Version};
use extensions::{Base64, KeyAlgorithm, canonical};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom as _, SystemRandom},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Memory of the stretching, in KiB: 64 MiB, the second recommendation of RFC 9106 §4.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes over the memory.
const PASSES: u32 = 3;
/// A file may not ask for more than this: 1 GiB and 16 passes.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 16;

/// The file's content, canonical JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    ciphertext: Base64,
    header: Header,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    algorithm: KeyAlgorithm,
    cipher: String,
    kdf: String,
    memory_kib: u32,
    nonce: Base64,
    passes: u32,
    public_key: Base64,
    salt: Base64,
    version: u32,
}

/// Why an envelope did not open.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EnvelopeError {
    /// Not our format, or parameters out of range.
    Malformed,
    /// The passphrase is wrong, or the file was changed.
    Closed,
    /// The random source failed.
    Random,
}

/// Encrypts `pkcs8` under `passphrase`.
pub(crate) fn close(
    pkcs8: &[u8],
    algorithm: KeyAlgorithm,
    public_key: &[u8],
    passphrase: &SecretString,
) -> Result<Vec<u8>, EnvelopeError> {
    let random = SystemRandom::new();
    let (mut salt, mut nonce) = ([0; 16], [0; NONCE_LEN]);
    random.fill(&mut salt).map_err(|_| EnvelopeError::Random)?;
    random.fill(&mut nonce).map_err(|_| EnvelopeError::Random)?;
    let header = Header {
        algorithm,
        cipher: "AES-256-GCM".to_owned(),
        kdf: "argon2id".to_owned(),
        memory_kib: MEMORY_KIB,
        nonce: Base64(nonce.to_vec()),
        passes: PASSES,
        public_key: Base64(public_key.to_vec()),
        salt: Base64(salt.to_vec()),
        version: 1,
    };
    let mut sealed = pkcs8.to_vec();
    let key = stretch(&header, passphrase)?;
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(canonical::to_vec(&header)),
        &mut sealed,
    )
    .map_err(|_| EnvelopeError::Malformed)?;
    Ok(canonical::to_vec(&Envelope {
        ciphertext: Base64(sealed),
        header,
    }))
}

/// The PKCS#8 document inside, and its kind.
pub(crate) fn open(
    bytes: &[u8],
    passphrase: &SecretString,
) -> Result<(Zeroizing<Vec<u8>>, KeyAlgorithm), EnvelopeError> {
    let Envelope { ciphertext, header } = canonical::from_slice(bytes).map_err(|_| EnvelopeError::Malformed)?;
    let ours = header.version == 1
        && header.cipher == "AES-256-GCM"
        && header.kdf == "argon2id"
        && header.memory_kib <= MOST_MEMORY_KIB
        && (1..=MOST_PASSES).contains(&header.passes);
    if !ours {
        return Err(EnvelopeError::Malformed);
    }
    let nonce: [u8; NONCE_LEN] = header
        .nonce
        .0
        .as_slice()
        .try_into()
        .map_err(|_| EnvelopeError::Malformed)?;
    let key = stretch(&header, passphrase)?;
    let mut opened = Zeroizing::new(ciphertext.0);
    let length = key
        .open_in_place(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(canonical::to_vec(&header)),
            &mut opened,
        )
        .map_err(|_| EnvelopeError::Closed)?
        .len();
    opened.truncate(length);
    Ok((opened, header.algorithm))
}

fn stretch(header: &Header, passphrase: &SecretString) -> Result<LessSafeKey, EnvelopeError> {
    let params = Params::new(header.memory_kib, header.passes, 1, Some(32)).map_err(|_| EnvelopeError::Malformed)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.expose_secret().as_bytes(), &header.salt.0, &mut *key)
        .map_err(|_| EnvelopeError::Malformed)?;
    UnboundKey::new(&AES_256_GCM, &*key)
        .map(LessSafeKey::new)
        .map_err(|_| EnvelopeError::Malformed)
}
