//! The key is the one it was asked for, of a kind on the list; CAs may have P-384 (certificates.md §2).

use extensions::{KeyAlgorithm, verify::key_of_spki};

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let found = context.parsed.public_key().raw;
    holds(
        found == context.linted.particulars.spki,
        "another key than the request's",
    )?;
    match key_of_spki(found) {
        Some((KeyAlgorithm::EcdsaP384Sha384, _)) => holds(
            context.linted.profile.is_ca(),
            "P-384 is for CAs; a leaf has P-256 or Ed25519",
        ),
        Some(_) => Ok(()),
        None => Err("not P-256, P-384 or Ed25519".to_owned()),
    }
}
