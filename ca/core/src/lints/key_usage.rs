//! CAs sign certificates and CRLs; everybody else signs digitally and nothing more; always critical (certificates.md §2).

use super::{Context, holds};

/// Bits of x509-parser's key usage: digitalSignature, keyCertSign and cRLSign.
const DIGITAL_SIGNATURE: u16 = 1;
const CERTIFICATES_AND_CRLS: u16 = 1 << 5 | 1 << 6;

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let found = context
        .parsed
        .key_usage()
        .map_err(|_| "appears twice")?
        .ok_or("absent")?;
    let wanted = if context.linted.profile.is_ca() {
        CERTIFICATES_AND_CRLS
    } else {
        DIGITAL_SIGNATURE
    };
    holds(found.critical, "must be critical")?;
    holds(found.value.flags == wanted, "not exactly the usage of this kind")
}
