//! The authority key identifier is the CA's subject key identifier, so that one path is found and no other (RFC 5280 §4.2.1.1).

use x509_parser::{
    extensions::ParsedExtension,
    prelude::{FromDer as _, X509Certificate},
};

use super::{Context, holds};

fn subject_key<'a>(certificate: &'a X509Certificate<'a>) -> Option<&'a [u8]> {
    certificate
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
            _ => None,
        })
}

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    holds(
        subject_key(&context.parsed).is_some_and(|id| !id.is_empty()),
        "no subject key identifier",
    )?;
    let Some(ca) = context.linted.issuer else { return Ok(()) };
    let (_, ca) = X509Certificate::from_der(ca.certificate()).map_err(|_| "the CA certificate is unreadable")?;
    let authority = context
        .parsed
        .extensions()
        .iter()
        .find_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
            _ => None,
        });
    holds(
        authority.is_some() && authority == subject_key(&ca),
        "the authority key identifier is not the CA's",
    )
}
