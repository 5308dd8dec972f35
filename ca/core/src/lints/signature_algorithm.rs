//! Inside and outside say the same, and it is on the list (RFC 5280 §4.1.1.2; certificates.md §2).

use super::{Context, holds};

const ALLOWED: [&[u8]; 3] = [
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
    &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
    &[0x2b, 0x65, 0x70],
];

pub(super) fn lint(context: &Context<'_>) -> Result<(), String> {
    let (outer, inner) = (
        &context.parsed.signature_algorithm,
        &context.parsed.tbs_certificate.signature,
    );
    holds(outer == inner, "the two statements of the algorithm differ")?;
    holds(ALLOWED.contains(&outer.algorithm.as_bytes()), "not on the list")?;
    holds(outer.parameters.is_none(), "has parameters")
}
