//! `CERT_EXPIRED`: validity is a fact from the gateway's real clock, also under a stepped decision clock (ARCHITECTURE §6).

use super::{Context, fail};
use crate::{
    codes::Code,
    events::{FailedCheck, Validity},
};

pub(super) fn check(context: &Context<'_>) -> Option<FailedCheck> {
    let certificate = &context.facts.certificate;
    if certificate.validity == Validity::Current {
        return None;
    }
    fail(
        Code::CertExpired,
        "a certificate inside its validity",
        format!("valid from {} to {}", certificate.not_before, certificate.not_after),
        "renew at half life (simplereenroll) and connect with the new certificate; check the bot's clock",
    )
}
