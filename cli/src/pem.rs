//! Certificates read from PEM files.

use std::path::Path;

use anyhow::{Context, bail};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

/// Every certificate of a file, in its order; at least one.
///
/// # Errors
/// When the file cannot be read or holds none.
pub fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    of_bytes(&bytes).with_context(|| format!("{} holds no certificates", path.display()))
}

/// Every certificate of a PEM text; at least one.
///
/// # Errors
/// When there is none, or one is damaged.
pub fn of_bytes(pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let read = read.map_err(|error| anyhow::anyhow!("not PEM: {error}"))?;
    if read.is_empty() {
        bail!("no -----BEGIN CERTIFICATE----- in it");
    }
    Ok(read)
}
