//! What a listener of ours would say of it: the profile check of the handshake, run before anything is signed, so that nothing is issued
//! that our own gateway refuses (certificates.md §2).

use extensions::certificate::Certificate;

use super::Context;

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let certificate = Certificate::read(context.linted.certificate).map_err(|fault| fault.to_string())?;
    let particulars = &context.linted.particulars;
    particulars
        .settings
        .certificate_profile()
        .check_at(&certificate, context.linted.profile.role(), particulars.not_before)
        .map_err(|error| error.to_string())
}
