//! A renewal that was interrupted: whatever of it was written, the bot has a key that fits its chain.
//!
//! The chain is what counts. Until its file is renamed into place nothing of the new certificate is kept, and the old key and chain fit
//! one another; from then on the new key is the one that fits, wherever it lies. So three states exist on the disk, and each is finished
//! from the files alone, at the next start.

use std::path::Path;

use anyhow::Context;
use ca_keys::{FileSigner, KeyFileError, Protection};
use ca_service::files::{certificates_pem, write_whole};
use extensions::{KeyAlgorithm, Signer as _, certificate::Certificate};

use super::{CERTIFICATE_FILE, CHAIN_FILE, KEY_FILE};

/// The key of a renewal under way.
const NEXT_KEY_FILE: &str = "next-key.pem";

/// The key to renew with: the one of the attempt before, else a new one. A file that was cut short was never asked with, since the
/// request waits until it is on the disk; it is made anew.
///
/// # Errors
/// When the file cannot be used or made.
pub(super) fn next_key(folder: &Path) -> anyhow::Result<FileSigner> {
    let path = folder.join(NEXT_KEY_FILE);
    if path.exists() {
        match FileSigner::open(&path, Protection::Plain) {
            Err(KeyFileError::Malformed { .. }) => {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
            opened => return Ok(opened?),
        }
    }
    Ok(FileSigner::create(
        &path,
        KeyAlgorithm::EcdsaP256Sha256,
        Protection::Plain,
    )?)
}

/// Puts the new key in its place when the chain on the disk is for it; does nothing when no renewal was interrupted there.
///
/// # Errors
/// When a file cannot be read or written.
pub(super) fn finish(folder: &Path) -> anyhow::Result<()> {
    let (next, chain) = (folder.join(NEXT_KEY_FILE), folder.join(CHAIN_FILE));
    if !next.exists() || !chain.exists() {
        return Ok(());
    }
    let chain = crate::pem::certificates(&chain)?;
    let key = match FileSigner::open(&next, Protection::Plain) {
        Err(KeyFileError::Malformed { .. }) => return Ok(()),
        opened => opened?,
    };
    let fits = chain.first().is_some_and(|leaf| {
        Certificate::read(leaf).is_ok_and(|certificate| certificate.spki() == key.public_key_spki())
    });
    if !fits {
        return Ok(());
    }
    let written = || format!("cannot finish the renewal in {}", folder.display());
    let leaf = certificates_pem(&[chain[0].as_ref()]);
    write_whole(&folder.join(CERTIFICATE_FILE), leaf.as_bytes()).with_context(written)?;
    // The chain's own name is on the disk before its key leaves the name under which it is looked for.
    let directory = std::fs::File::open(folder).with_context(written)?;
    directory.sync_all().with_context(written)?;
    std::fs::rename(&next, folder.join(KEY_FILE)).with_context(written)?;
    directory.sync_all().with_context(written)
}
