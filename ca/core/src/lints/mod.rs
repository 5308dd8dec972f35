//! What a finished certificate must look like, checked on the very bytes that will be signed, under a throwaway key's signature.
//!
//! One file a lint. Each looks at the parsed certificate, not at what was meant, so a slip in profile or library is found before the real
//! key has signed anything.

mod alternative_names;
mod authority_limits;
mod basic_constraints;
mod extended_key_usage;
mod extensions_known;
mod handshake;
mod issuer_names;
mod key_identifiers;
mod key_usage;
mod policies;
mod public_key;
mod serial;
mod signature_algorithm;
mod status_addresses;
mod subject;
mod validity;

use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::{
    issue::{IssuingCa, Particulars},
    profiles::Profile,
};

/// What is linted, and what it was meant to be.
pub struct Linted<'a> {
    /// The certificate under a throwaway signature, DER.
    pub certificate: &'a [u8],
    /// Its kind.
    pub profile: &'a Profile,
    /// What else goes into it.
    pub particulars: Particulars<'a>,
    /// Who will sign; `None` for roots.
    pub issuer: Option<&'a IssuingCa>,
}

/// What a lint found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The lint's name.
    pub lint: &'static str,
    /// What is wrong.
    pub reason: String,
}

pub(crate) struct Context<'a> {
    pub(crate) parsed: X509Certificate<'a>,
    pub(crate) linted: &'a Linted<'a>,
}

impl Context<'_> {
    /// The value of the one extension of this OID (DER content) and whether it is critical.
    fn extension(&self, oid: &[u8]) -> Option<(&[u8], bool)> {
        self.parsed
            .extensions()
            .iter()
            .find(|extension| extension.oid.as_bytes() == oid)
            .map(|extension| (extension.value, extension.critical))
    }
}

type Lint = fn(&Context<'_>) -> Result<(), String>;

/// All lints by name.
pub(crate) const ALL: [(&str, Lint); 16] = [
    ("alternative_names", alternative_names::lint),
    ("authority_limits", authority_limits::lint),
    ("basic_constraints", basic_constraints::lint),
    ("extended_key_usage", extended_key_usage::lint),
    ("extensions_known", extensions_known::lint),
    ("handshake", handshake::lint),
    ("issuer_names", issuer_names::lint),
    ("key_identifiers", key_identifiers::lint),
    ("key_usage", key_usage::lint),
    ("policies", policies::lint),
    ("public_key", public_key::lint),
    ("serial", serial::lint),
    ("signature_algorithm", signature_algorithm::lint),
    ("status_addresses", status_addresses::lint),
    ("subject", subject::lint),
    ("validity", validity::lint),
];

/// Runs every lint; an empty list is a clean certificate.
#[must_use]
pub fn run(linted: &Linted<'_>) -> Vec<Finding> {
    let parsed = match X509Certificate::from_der(linted.certificate) {
        Ok((rest, parsed)) if rest.is_empty() && crate::der::well_formed(linted.certificate) => parsed,
        _ => {
            return vec![Finding {
                lint: "encoding",
                reason: "not one certificate in DER".to_owned(),
            }];
        }
    };
    let context = Context { parsed, linted };
    ALL.into_iter()
        .filter_map(|(name, lint)| lint(&context).err().map(|reason| Finding { lint: name, reason }))
        .collect()
}

/// `Ok` when it holds.
fn holds(condition: bool, reason: &str) -> Result<(), String> {
    condition.then_some(()).ok_or_else(|| reason.to_owned())
}

#[cfg(test)]
mod tests;
