//! `CERT_REVOKED`: the session's certificate was revoked on its own (orders.md §2, row 1).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let certificate = &context.facts.certificate;
    if !context
        .state
        .certificate_revoked(&certificate.serial, certificate.not_before, certificate.not_after)
    {
        return None;
    }
    fail(
        Code::CertRevoked,
        "a certificate that is not revoked",
        format!("serial {} is revoked", certificate.serial),
        "connect with the agent's current certificate; enrol again when there is none",
    )
}
