//! Canonical JSON (RFC 8785), the byte form of everything that is hashed or signed.
//!
//! Our documents hold no floats: amounts are strings, counts are integers of magnitude below 2^53.

use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;

/// Why bytes are not the canonical form of a value.
#[derive(Debug, Error)]
pub enum CanonicalError {
    /// Not JSON, or not of the expected shape (unknown, missing or duplicate members included).
    #[error("not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Readable, but not the one canonical spelling.
    #[error("readable, but not in canonical form (RFC 8785)")]
    NotCanonical,
}

/// The canonical bytes of `value`.
///
/// # Panics
/// When `value` cannot be JSON at all (a map with keys that are not strings): a defect of the type, found by its test.
#[must_use]
pub fn to_vec<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("our documents have string keys and no floats")
}

/// Appends `value` to `out` by way of plain `serde_json`, which is canonical *only* for types whose members are declared in
/// lexicographic order. The order path uses it; each such type is held to [`to_vec`] by a test.
///
/// # Panics
/// As [`to_vec`].
pub fn write_presorted<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(&mut *out, value).expect("our documents have string keys and no floats");
}

/// Reads `bytes` and refuses any spelling but the canonical one.
///
/// # Errors
/// When the bytes are not JSON of the expected shape, or not canonical.
pub fn from_slice<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let value: T = serde_json::from_slice(bytes)?;
    if to_vec(&value) == bytes {
        Ok(value)
    } else {
        Err(CanonicalError::NotCanonical)
    }
}
