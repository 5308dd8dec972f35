//! The subject is ours: one O and one CN, PrintableString, at most 64 characters (security.md §3, name injection).

use x509_parser::der_parser::asn1_rs::Tag;

use super::{Context, holds};

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let subject = context.parsed.subject();
    holds(
        subject.iter_organization().count() == 1
            && subject.iter_common_name().count() == 1
            && subject.iter().count() == 2,
        "not exactly one O and one CN",
    )?;
    for attribute in subject.iter_attributes() {
        let value = attribute.attr_value();
        let bytes = value.data;
        holds(value.tag() == Tag::PrintableString, "not a PrintableString")?;
        holds((1..=64).contains(&bytes.len()), "not 1 to 64 characters")?;
        holds(
            bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(b)),
            "a character outside PrintableString",
        )?;
    }
    Ok(())
}
