//! Certificates and keys as files: PEM for people and other programs.

use std::{io::Write as _, path::Path};

use extensions::Base64;

/// One or more certificates as PEM, in their order.
#[must_use]
pub fn certificates_pem(certificates: &[&[u8]]) -> String {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let body = Base64(certificate.to_vec()).to_string();
        for line in body.as_bytes().chunks(64) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    text
}

/// Writes a file whole or not at all: to a neighbour, flushed, then renamed.
///
/// # Errors
/// As the file system answers.
pub fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let neighbour = path.with_extension("new");
    let mut file = std::fs::File::create(&neighbour)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&neighbour, path)
}
