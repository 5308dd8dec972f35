//! Where private keys live. Whoever signs holds a [`Signer`](extensions::Signer) and never sees a key.
//!
//! [`FileSigner`] keeps a key in one file, PKCS#8 inside an authenticated cipher under a passphrase; PKCS#11 and KMS come later
//! behind the same trait. [`tls`] lends a signer to rustls. [`SystemRandom`] is the cryptographic source of the shells.

mod envelope;
mod file;
mod key;
mod random;
pub mod tls;

pub use file::{FileSigner, KeyFileError, Protection};
pub use key::{KeyError, SecretKey};
pub use random::SystemRandom;
pub use secrecy::{ExposeSecret, SecretString};
