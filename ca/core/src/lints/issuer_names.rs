//! The issuer's name is the CA certificate's subject, byte for byte: paths are found by it (RFC 5280 §6.1.3).

use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let issuer = context.parsed.issuer().as_raw();
    match context.linted.issuer {
        None => holds(issuer == context.parsed.subject().as_raw(), "a root names itself"),
        Some(ca) => {
            let (_, ca) =
                X509Certificate::from_der(ca.certificate()).map_err(|_| "the CA certificate is unreadable")?;
            holds(issuer == ca.subject().as_raw(), "not the CA's subject")
        }
    }
}
