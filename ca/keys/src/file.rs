//! A key in a file: written once, never over another, readable by its owner alone.

use std::{
    fmt,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use extensions::{KeyAlgorithm, SignError, Signer};
use secrecy::SecretString;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{
    KeyError, SecretKey,
    envelope::{self, EnvelopeError},
};

/// The longest key file that is read.
pub(crate) const LARGEST_FILE_BYTES: u64 = 16 * 1024;
/// The shortest passphrase, in bytes.
pub(crate) const SHORTEST_PASSPHRASE: usize = 12;

/// How the file is protected.
#[derive(Debug, Clone, Copy)]
pub enum Protection<'a> {
    /// Encrypted under this passphrase.
    Passphrase(&'a SecretString),
    /// PKCS#8 PEM without encryption: tests, demonstrations, and keys that other programs must read.
    Plain,
}

/// What is wrong with a key file.
#[derive(Debug, Error)]
pub enum KeyFileError {
    /// The file could not be read or written.
    #[error("key file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A key is never written over another.
    #[error("key file {path} exists already; nothing was written over it")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Others may read it.
    #[error("key file {path} may be read by others (mode {mode:o}); run: chmod 600 {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Neither of our two formats.
    #[error("key file {path} is not a Mandatum key file, nor PKCS#8 PEM")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// Wrong passphrase, or a changed file.
    #[error("key file {path} does not open: the passphrase is wrong or the file was changed")]
    Closed {
        /// The file.
        path: PathBuf,
    },
    /// The passphrase is too short to protect anything.
    #[error("a passphrase of {length} bytes is too short: take at least 12")]
    ShortPassphrase {
        /// Its length.
        length: usize,
    },
    /// The file's protection is not what the caller asked for.
    #[error("key file {path} is {found}, but the configuration says {expected}")]
    OtherProtection {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The key itself.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// A key that lives in a file.
pub struct FileSigner {
    key: SecretKey,
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FileSigner({}, {:?})", self.key.name(), self.key.algorithm())
    }
}

impl FileSigner {
    /// Makes a key and writes it to a new file of mode 0600, flushed to the disk.
    ///
    /// # Errors
    /// When the file exists or cannot be written, or the passphrase is too short.
    pub fn create(path: &Path, algorithm: KeyAlgorithm, protection: Protection<'_>) -> Result<Self, KeyFileError> {
        let key = SecretKey::generate(&name_of(path), algorithm)?;
        let bytes = match protection {
            Protection::Plain => pem(key.pkcs8()),
            Protection::Passphrase(passphrase) => {
                let length = secrecy::ExposeSecret::expose_secret(passphrase).len();
                if length < SHORTEST_PASSPHRASE {
                    return Err(KeyFileError::ShortPassphrase { length });
                }
                let sealed = envelope::close(key.pkcs8(), algorithm, key.public_key_spki(), passphrase)
                    .map_err(|_| KeyError::Generation)?;
                Zeroizing::new(sealed)
            }
        };
        write_new(path, &bytes)?;
        Ok(Self { key })
    }

    /// Reads a key file, which only its owner may read.
    ///
    /// # Errors
    /// When the file is missing, readable by others, in another format or protection, or does not open.
    pub fn open(path: &Path, protection: Protection<'_>) -> Result<Self, KeyFileError> {
        let bytes = read_private(path)?;
        let malformed = || KeyFileError::Malformed { path: path.to_owned() };
        let encrypted = bytes.starts_with(b"{");
        let key = match protection {
            Protection::Plain if !encrypted => {
                let pkcs8 = from_pem(&bytes).ok_or_else(malformed)?;
                SecretKey::from_any_pkcs8(&name_of(path), &pkcs8)?
            }
            Protection::Passphrase(passphrase) if encrypted => {
                let (pkcs8, algorithm) = envelope::open(&bytes, passphrase).map_err(|error| match error {
                    EnvelopeError::Closed => KeyFileError::Closed { path: path.to_owned() },
                    EnvelopeError::Malformed | EnvelopeError::Random => malformed(),
                })?;
                SecretKey::from_pkcs8(&name_of(path), algorithm, pkcs8)?
            }
            Protection::Plain => {
                return Err(KeyFileError::OtherProtection {
                    path: path.to_owned(),
                    found: "encrypted",
                    expected: "plain",
                });
            }
            Protection::Passphrase(_) => {
                return Err(KeyFileError::OtherProtection {
                    path: path.to_owned(),
                    found: "plain",
                    expected: "encrypted",
                });
            }
        };
        Ok(Self { key })
    }
}

impl Signer for FileSigner {
    fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm()
    }

    fn public_key_spki(&self) -> &[u8] {
        self.key.public_key_spki()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(message)
    }
}

fn name_of(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn pem(pkcs8: &[u8]) -> Zeroizing<Vec<u8>> {
    let text = Zeroizing::new(STANDARD.encode(pkcs8));
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() + 128));
    out.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(64) {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    out.extend_from_slice(b"-----END PRIVATE KEY-----\n");
    out
}

fn from_pem(bytes: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let body = text
        .split_once("-----BEGIN PRIVATE KEY-----")?
        .1
        .split_once("-----END PRIVATE KEY-----")?
        .0;
    let joined = Zeroizing::new(body.split_ascii_whitespace().collect::<String>());
    STANDARD.decode(joined.as_bytes()).ok().map(Zeroizing::new)
}

#[cfg(unix)]
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let io = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => KeyFileError::Exists { path: path.to_owned() },
        _ => KeyFileError::Io {
            path: path.to_owned(),
            source,
        },
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)
}

#[cfg(unix)]
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    use std::os::unix::fs::MetadataExt as _;
    let io = |source| KeyFileError::Io {
        path: path.to_owned(),
        source,
    };
    let file = std::fs::File::open(path).map_err(io)?;
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open {
            path: path.to_owned(),
            mode,
        });
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    file.take(LARGEST_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST_FILE_BYTES {
        return Err(KeyFileError::Malformed { path: path.to_owned() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
