//! `CERT_REVOKED`: the session's certificate was revoked on its own, or with its owner or all (orders.md §2, row 1).

use super::{Context, fail};
use crate::{codes::Code, events::FailedCheck};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let certificate = &context.facts.certificate;
    let alone = context
        .state
        .certificate_revoked(&certificate.serial, certificate.not_before, certificate.not_after);
    // Revoked with its owner, or with all: certificates from before the reinstatement never come back.
    let house = context
        .facts
        .mandate
        .and_then(|mandate| context.facts.house.certificates_from(&mandate.document.owner));
    if !alone && house.is_none_or(|from| certificate.not_before >= from) {
        return None;
    }
    fail(
        Code::CertRevoked,
        "a certificate that is not revoked",
        format!("serial {} is revoked", certificate.serial),
        "connect with the agent's current certificate; enrol again when there is none",
    )
}
